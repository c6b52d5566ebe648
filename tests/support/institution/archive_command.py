"""`archive ...` on a command line of its own, as `cea-exchange` would have it."""

import sys
from collections.abc import Sequence

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from support.institution.archive_daemon import ArchiveCommands


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit status."""
    app = CommandLine()
    app.callback()(lambda: None)
    ArchiveCommands().register(app)
    try:
        return app(args=["archive", *arguments], standalone_mode=False) or 0
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
