"""The `cea-exchange` command: finds the subcommand, and ends it as INTERFACES says.

Exit status: 0 done, 1 a check failed, 2 bad usage or input. Errors are one line on standard error.

Each module of this package has a function `register(app)` that adds its commands; only the module
of the command that is run gets imported, so that `run` needs no ZeroMQ and `--help` needs it all.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from cea_exchange.cli.errors import STATUS_BAD_INPUT, CommandError

COMMAND_MODULES = {
    "demo": "cea_exchange.cli.demo",
    "run": "cea_exchange.cli.run",
    "venue": "cea_exchange.cli.venue",
    "registry": "cea_exchange.cli.registry",
    "bank": "cea_exchange.cli.bank",
    "bulletin": "cea_exchange.cli.bulletin",
    "verify": "cea_exchange.cli.verify",
    "replay": "cea_exchange.cli.replay",
    "convert-flow": "cea_exchange.cli.convert_flow",
    "replay-days": "cea_exchange.cli.replay_days",
    "auction": "cea_exchange.cli.auction",
    "replay-auctions": "cea_exchange.cli.replay_auctions",
    "load": "cea_exchange.cli.load",
    "profile": "cea_exchange.cli.profile",
    "calendar": "cea_exchange.cli.calendar",
    "keys": "cea_exchange.cli.keys",
}
STATUS_INTERRUPTED = 130
STATUS_BROKEN_PIPE = 141
UMASK_MIN = 0o027

# Typer brings its own copy of click or uses the installed one, depending on its version.
_ClickException = typer.BadParameter.__mro__[2]
assert _ClickException.__name__ == "ClickException"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `cea-exchange` and exit with its status."""
    # Ledger, journal and bulletins are for the owner, and the group to read: 0640 at most.
    os.umask(os.umask(UMASK_MIN) | UMASK_MIN)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run `cea-exchange` and return its exit status."""
    try:
        app = app_build(arguments)
        status = app(args=list(arguments), prog_name="cea-exchange", standalone_mode=False)
        sys.stdout.flush()
    except CommandError as error:
        return _complain(str(error), error.status)
    except _ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return STATUS_INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `head` does.
        _output_drop()
        return STATUS_BROKEN_PIPE
    except SystemExit as ending:
        # Typer ends the command itself when a write in it finds the reader gone.
        if not isinstance(ending.__context__, BrokenPipeError):
            raise
        _output_drop()
        return STATUS_BROKEN_PIPE
    except OSError as error:
        return _complain(f"a file or the output failed: {error}", STATUS_BAD_INPUT)
    return status if isinstance(status, int) else 0


def app_build(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line, with the subcommand asked for, or with all of them."""
    app = typer.Typer(
        name="cea-exchange",
        help="A trading venue and a registry for China's carbon allowances.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    first = next((word for word in arguments if not word.startswith("-")), "")
    wanted = [first] if first in COMMAND_MODULES else list(COMMAND_MODULES)
    for command in wanted:
        import_module(COMMAND_MODULES[command]).register(app)
    return app


def _version_show(is_asked: bool) -> None:
    if is_asked:
        from cea_exchange import __version__

        typer.echo(f"cea-exchange {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version_show, is_eager=True, help="Print the version."
    ),
) -> None:
    """A trading venue and a registry for China's carbon allowances."""


def _output_drop() -> None:
    """Let what is not yet written go nowhere; the interpreter's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, status: int) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        _output_drop()
    # Help that was not asked for is no message of one line; all else is.
    is_help = status == STATUS_BAD_INPUT and message.lstrip().startswith("Usage:")
    parts = (" ".join(part.split()) for part in message.splitlines() if part.strip())
    line = message if is_help else f"cea-exchange: {'; '.join(parts)}"
    print(line, file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
