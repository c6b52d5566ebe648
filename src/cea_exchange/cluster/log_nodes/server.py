"""The log node's server program: where it is found, which releases are taken, how it is started."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAM = "nats-server"
VERSION_FIRST, VERSION_END = (2, 15, 0), (3, 0, 0)
"""What the protocol of the log was tried with, and the first that may break its promises."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
ASK_S_MAX = 10.0


class ServerMissing(RuntimeError):
    """There is no such program, or it is of a release that is not taken."""


def server_program() -> Path:
    """Return the server's program: that of this environment, else one on the path.

    Raises
    ------
    ServerMissing
        There is none, or it is of another release than was tried.
    """
    own = Path(sys.executable).parent / PROGRAM
    found = own if own.exists() else Path(shutil.which(PROGRAM) or "")
    if not found.is_file():
        raise ServerMissing(f"expected the program {PROGRAM}: pip install 'cea-exchange[cluster]'")
    said = subprocess.run(
        [str(found), "--version"], capture_output=True, text=True, check=False, timeout=ASK_S_MAX
    )
    version_check(said.stdout.strip() or said.stderr.strip(), str(found))
    return found


def version_check(said: str, whose: str) -> None:
    """Let a release pass that is taken.

    Raises
    ------
    ServerMissing
        It is none of these.
    """
    match = _VERSION.search(said)
    version = tuple(map(int, match.groups())) if match else ()
    if not VERSION_FIRST <= version < VERSION_END:
        first, end = (".".join(map(str, each)) for each in (VERSION_FIRST, VERSION_END))
        raise ServerMissing(
            f"{whose}: expected a {PROGRAM} from {first} to below {end}, got {said!r}"
        )
