"""`cea-exchange disclose`: what the exchange publishes of days, weeks, months and years."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cea_exchange.cli.errors import bad_input, check_failed, file_used
from cea_exchange.cli.options import Archive, DataArgument, ProfileFile

if TYPE_CHECKING:
    from cea_exchange.disclosure.statistics import Disclosure


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("disclose")(disclose)


def disclose(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", help="A folder for what is due.")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; hold what is there against the journal.")
    ] = False,
    profile: ProfileFile = None,
    archive: Archive = None,
) -> None:
    """Write what is to be published of each day, week, month and year that is over.

    Prices, volume and value by method, K-lines, concentration, positions by class, announcements
    and measures, as text, JSON, CSV, XLSX and Parquet. Made of the venue's journal alone, whether
    it runs or not; changes nothing of it.

    Example: cea-exchange disclose DIR --out published
    """
    from cea_exchange.cli.errors import CheckFailed
    from cea_exchange.disclosure.publishing import differing, disclosure_write

    made = disclosures_of(data, profile, archive)
    with file_used(out, "expected a folder"), bad_input(ModuleNotFoundError):
        if check:
            for difference in differing(out, made):
                raise CheckFailed(difference)
            typer.echo(f"{out}: as the journal gives it")
            return
        for disclosure in made:
            written = disclosure_write(out, disclosure)
            if written:
                typer.echo(f"{written[0].parent}  {len(written)} files")


def disclosures_of(data: Path, profile: str | None, archive: Path | None) -> "Iterator[Disclosure]":
    """Return what is due of a venue's folder."""
    from cea_exchange.disclosure.publishing import disclosures
    from cea_exchange.disclosure.record import record_read
    from cea_exchange.domain.calendar import CalendarError, TradingCalendar
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.journal import JournalError

    with (
        bad_input(ProfileError, CalendarError, ValueError),
        file_used(data, "expected a venue's folder"),
        check_failed(JournalError),
    ):
        rules = load_profile(profile) if profile else None
        record = record_read(data, profile=rules, archive=archive)
        calendar = TradingCalendar.load(record.tape.profile.calendar)
    return disclosures(record, calendar)
