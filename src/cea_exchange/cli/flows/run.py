"""`cea-exchange run`: plays a market script, writes its events as JSON Lines."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from cea_exchange.cli.errors import bad_input, file_used, files_differ
from cea_exchange.user_files.opening import file_open, standard_input

if TYPE_CHECKING:
    from cea_exchange.matching.events import Event
    from cea_exchange.matching.market import Market

STANDARD_INPUT = "-"


class Core(Enum):
    """Which class decides."""

    compiled = "compiled"
    reference = "reference"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("run")(run)


def run(
    script: Annotated[str, typer.Argument(help="A market script, - for standard input.")],
    profile: Annotated[str, typer.Option(help="The rules: a name, or a file.")] = "cea",
    state: Annotated[bool, typer.Option("--state", help="Print the final state too.")] = False,
    core: Annotated[Core, typer.Option(help="Which market decides.")] = Core.compiled,
    bulletins: Annotated[
        Path | None, typer.Option(help="A folder for the bulletins of its days.")
    ] = None,
    statements: Annotated[
        Path | None, typer.Option(help="A file for the accounts' activity statements, JSON Lines.")
    ] = None,
) -> None:
    """Play a market script through an embedded market; write its events as JSON Lines."""
    from cea_exchange.domain.profile import ProfileError
    from cea_exchange.matching.events import event_line
    from cea_exchange.matching.market import Market
    from cea_exchange.matching.script import ScriptError, script_events

    files_differ((_read(script), Path(profile)), (statements,))
    with bad_input(ProfileError):
        market = Market(profile, core=_core_class(core))
    output = sys.stdout.buffer
    with ExitStack() as stack:
        lines = _lines(_open(script, stack), _name(script))
        day_files = _DayFiles(market, bulletins, statements, stack)
        with bad_input(ScriptError):
            for events in script_events(lines, market, _name(script)):
                output.writelines(map(event_line, events))
                day_files.take(events)
                if script == STANDARD_INPUT:
                    output.flush()
            if state:
                output.write(event_line(market.state()))
    output.flush()


class _DayFiles:
    """What is written of each day beside its events, as far as it is asked for."""

    def __init__(
        self, market: "Market", bulletins: Path | None, statements: Path | None, stack: ExitStack
    ) -> None:
        from cea_exchange.matching.bulletins import MarketBulletins
        from cea_exchange.matching.statements import MarketStatements

        self._folder = bulletins
        self._bulletins = bulletins and MarketBulletins(market)
        self._statements = None
        if statements is not None:
            with (
                bad_input(ValueError, says="--statements: "),
                file_used(statements, "can't be written"),
            ):
                self._statements = MarketStatements(market)
                self._file = stack.enter_context(statements.open("wb"))

    def take(self, events: "list[Event]") -> None:
        """Write what the events of one command complete."""
        from cea_exchange.cli.reports.bulletin import write_day
        from cea_exchange.domain.documents.statement_forms import statement_json

        for bulletin in self._bulletins.take(events) if self._bulletins else ():
            write_day(bulletin, self._folder)
        for statement in self._statements.take(events) if self._statements else ():
            self._file.write(statement_json(statement))


def _lines(script: BinaryIO, name: str) -> Iterator[bytes]:
    """Read lines; what goes wrong here is the script's fault, not the output's."""
    from cea_exchange.matching.script import LINE_BYTES_MAX

    with file_used(name, "can't be read"):
        # Of a line without an end no more is read than shows that it is too long.
        while line := script.readline(LINE_BYTES_MAX + 1):
            yield line


def _core_class(core: Core) -> type | None:
    if core == Core.compiled:
        return None
    from cea_exchange.matching.reference import ReferenceMarket

    return ReferenceMarket


def _read(script: str) -> Path:
    return Path("/dev/stdin" if script == STANDARD_INPUT else script)


def _name(script: str) -> str:
    return "<stdin>" if script == STANDARD_INPUT else script


def _open(script: str, stack: ExitStack) -> BinaryIO:
    if script == STANDARD_INPUT:
        return standard_input("a market script")
    return stack.enter_context(file_open(script, "a market script"))
