"""`cea-exchange venue` on a machine whose clock is set: a file says by how many seconds.

The program is as it is; only what the system answers when it is asked for the time is another.
"""

import runpy
import sys
import time
from pathlib import Path

COMMAND_LINE = "cea_exchange.cli.main"
LOOK_NS = 50_000_000


def step_file(folder: Path) -> Path:
    """Return that file: it is beside the venue's folder, whose disk may be full."""
    return folder.with_name(f"{folder.name}.clock_step")


def main(arguments: list[str]) -> None:
    """Run the venue; arguments are those of `venue`."""
    file = step_file(Path(arguments[arguments.index("--data") + 1]))
    system_ns, steady_ns = time.time_ns, time.monotonic_ns
    looked_ns, step_ns = 0, 0

    def stepped_ns() -> int:
        nonlocal looked_ns, step_ns
        if steady_ns() - looked_ns > LOOK_NS:
            looked_ns = steady_ns()
            try:
                step_ns = int(float(file.read_text()) * 1e9)
            except (OSError, ValueError):
                step_ns = 0
        return system_ns() + step_ns

    time.time_ns = stepped_ns
    time.time = lambda: stepped_ns() / 1e9
    sys.argv = ["cea-exchange", "venue", *arguments]
    runpy.run_module(COMMAND_LINE, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
