"""The `cea-exchange` command: finds the subcommand, and ends with exit status 0 to 4.

Exit status: 0 done, 1 a check failed, 2 bad usage or input, 3 a cluster's node that is
to be started again, 4 one that has halted. Errors are one line on standard error.

Each command's module has a function `register(app)` that adds its commands; only the module of the
command that is run gets imported, so that `run` needs no ZeroMQ and `--help` nothing at all.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import STATUS_BAD_INPUT, CommandError
from cea_exchange.cli.language import language_set, said, said_filled
from cea_exchange.cli.one_line import LINE_CHARACTERS_MAX, considered, one_line
from cea_exchange.cli.options import COMPLETION_VARIABLE
from cea_exchange.user_files.opening import UserFileError

SUMMARIES = {
    "venue": "The venue's daemon and its operators.",
    "cluster": "A venue of several machines, and its log.",
    "registry": "Ledger, settlement, reconciliation.",
    "platform": "Filings, verification, allocation, enforcement.",
    "ccer": "Projects, CCERs, cancellation.",
    "bank": "A simulated settlement bank, and bank files.",
    "keys": "CURVE key pairs.",
    "bulletin": "Print what the exchange publishes of a closed day. Changes nothing.",
    "disclose": "Write what is to be published of each day, week, month and year that is over.",
    "verify": "Replay the journal; compare every recorded hash, event, snapshot and settled trade"
    " with it.",
    "surveil": "Look for abuse in a market script or a venue's days; changes nothing, acts on"
    " nothing.",
    "adjustment": "Market adjustment: triggers, what was done, auctions by an authority's terms.",
    "profile": "The rules in force, as data.",
    "calendar": "The trading calendar.",
    "board": "The public market board in a browser.",
    "screen": "Open one person's own console in a browser, at this machine only.",
    "year": "Play a nation's compliance year through platform, registry, venue and CCER registry.",
    "sweep": "Play many compliance years over seeds, plans and profiles; a table and a report.",
    "run": "Play a market script through an embedded market; write its events as JSON Lines.",
    "demo": "Run a venue, a registry and a population of participants through a trading day.",
    "replay": "Replay recorded flow; exit status 1 where what comes out and the record differ.",
    "convert-flow": "Convert recorded flow for `replay`; prints the tick that it needs.",
    "replay-days": "Trade and settle published days, and compare ours with them.",
    "auction": "Award an auction and print what each bid wins and pays.",
    "replay-auctions": "Clear each auction of bids with its published figures; compare the prices.",
    "explain": "Say what a refusal, a rule, a word or a setting means, and what may be done.",
    "doctor": "Look whether this machine has what is needed, and say what to do where not.",
    "completion": "Completion of commands and options in a shell.",
    "load": "Send commands in an open loop: when each is due does not depend on the answers.",
}
"""Every command, with the first sentence of its help: listing them loads none of them."""
PANELS = {
    "Daemons and their operators": (
        *("venue", "cluster", "registry", "platform", "ccer", "bank", "keys"),
    ),
    "What was recorded, and the rules": (
        *("bulletin", "disclose", "verify", "surveil", "adjustment", "profile", "calendar"),
    ),
    "In a browser": ("board", "screen"),
    "Without a daemon, and for trial": (
        *("year", "sweep", "run", "demo", "replay", "convert-flow", "replay-days", "auction"),
        *("replay-auctions", "load"),
    ),
    "Help": ("explain", "doctor", "completion"),
}
FOLDERS = ("daemons", "reports", "screens", "flows", "help")
"""The folders of the panels' commands."""
COMMAND_MODULES = {
    name: f"cea_exchange.cli.{folder}.{name.replace('-', '_')}"
    for folder, names in zip(FOLDERS, PANELS.values(), strict=True)
    for name in names
}
NAME = "cea-exchange: "
"""With which an error begins."""
STATUS_INTERRUPTED = 130
STATUS_BROKEN_PIPE = 141
UMASK_MIN = 0o027

# Typer brings its own copy of click or uses the installed one, depending on its version.
_ClickException: type[Any] = typer.BadParameter.__mro__[2]
assert _ClickException.__name__ == "ClickException"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `cea-exchange` and exit with its status."""
    # Ledger, journal and bulletins are for the owner, and the group to read: 0640 at most.
    os.umask(os.umask(UMASK_MIN) | UMASK_MIN)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run `cea-exchange` and return its exit status."""
    try:
        if COMPLETION_VARIABLE in os.environ:
            arguments = _words_to_complete()
        arguments = language_set(arguments)
        app = app_build(arguments)
        status = app(args=list(arguments), prog_name="cea-exchange", standalone_mode=False)
        sys.stdout.flush()
    except CommandError as error:
        return _complain(str(error), error.status, error.characters_max)
    except _ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except UserFileError as error:
        return _complain(str(error), STATUS_BAD_INPUT)
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
    """Return the command line, with the subcommand asked for, or with a list of all of them."""
    app = CommandLine(
        PANELS,
        name="cea-exchange",
        help="China's carbon market: exchange, registry, management platform, CCER registry.",
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    first = next((word for word in arguments if not word.startswith("-")), "")
    if first in COMMAND_MODULES:
        import_module(COMMAND_MODULES[first]).register(app)
        _others_empty(app, [word for word in arguments if not word.startswith("-")])
        return app
    # Only the list of all is wanted, or to be told that there is no such command.
    for name, summary in SUMMARIES.items():
        app.command(name, help=summary)(_listed)
    return app


def _others_empty(app: typer.Typer, words: Sequence[str]) -> None:
    """Drop the commands below nouns that are not the one asked for: to build them takes time."""
    for group in (each.typer_instance for each in app.registered_groups if words[1:]):
        assert group is not None
        commands = {command.name for command in group.registered_commands}
        nouns = {each.name: each.typer_instance for each in group.registered_groups}
        if words[1] in nouns or words[1] in commands:
            for name, noun in nouns.items():
                if name != words[1] and noun is not None and noun is not nouns.get(words[1]):
                    noun.registered_commands.clear()


def _words_to_complete() -> list[str]:
    """Return the whole words that are typed, as the shell says, and let typer answer it."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
    typed = os.environ.get("_TYPER_COMPLETE_ARGS")
    if typed is None:
        # Bash says which word is being typed.
        typed_place = int(os.environ.get("COMP_CWORD", "0"))
        return os.environ.get("COMP_WORDS", "").split()[1:typed_place]
    words = typed.split()[1:]
    return words if typed.endswith(" ") else words[:-1]


def _listed() -> None:
    """Stand for a command that is not run."""


def _version_show(is_asked: bool) -> None:
    if is_asked:
        from cea_exchange import __version__

        typer.echo(f"cea-exchange {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version_show, is_eager=True, help="Print the version."
    ),
    lang: str = typer.Option("", help="en or zh; by default the shell's LANG.", show_default=False),
) -> None:
    """China's carbon market: exchange, registry, management platform, CCER registry."""
    # `--lang` is read before all others, as it may stand behind the command too; here for the help.


def _output_drop() -> None:
    """Let what is not yet written go nowhere; the interpreter's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, status: int, characters_max: int = LINE_CHARACTERS_MAX) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        _output_drop()
    # Help that was not asked for is no message of one line; all else is.
    is_help = status == STATUS_BAD_INPUT and message.lstrip().startswith(said("Usage:"))
    print(message if is_help else _line_of(message, characters_max), file=sys.stderr)
    return status


def _line_of(message: str, characters_max: int) -> str:
    """Return a message as the one line that is printed of it, in the language that is spoken."""
    lines = considered(message).splitlines()
    parts = (said_filled(" ".join(line.split())) for line in lines if line.strip())
    return NAME + one_line("; ".join(parts), characters_max - len(NAME))


if __name__ == "__main__":
    main()
