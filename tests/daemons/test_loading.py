"""What a daemon loads at its start: nothing that it does not need, and in less time."""

import subprocess
import sys

LOADED = """
import gc, sys
from cea_exchange.cli.daemons.loading import modules_loading

with modules_loading():
    assert not gc.isenabled()
    import cea_exchange.{name}.daemon
assert gc.isenabled()
print(sorted({{"rich", "pygments", "attr"}} & sys.modules.keys()))
import rich.console
"""


def test_a_daemon_loads_nothing_to_draw_with_and_others_may():
    for name in ("venue", "registry", "ccer", "platform"):
        code = LOADED.format(name=name)
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
