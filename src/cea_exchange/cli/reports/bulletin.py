"""`cea-exchange bulletin`: a venue's bulletins, made of its events once more."""

import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cea_exchange.cli.errors import (
    CommandError,
    bad_input,
    check_failed,
    file_used,
    files_differ,
)
from cea_exchange.cli.language import ENGLISH, language, said
from cea_exchange.cli.options import Archive, DataArgument, ProfileFile
from cea_exchange.cli.output import table
from cea_exchange.cli.readable import Quantity

if TYPE_CHECKING:
    from cea_exchange.domain.documents.bulletin import Bulletin


class Form(Enum):
    """How a bulletin is written down."""

    text = "text"
    json = "json"
    csv = "csv"
    spreadsheet = "spreadsheet"
    xlsx = "xlsx"
    parquet = "parquet"


FORMS_HELP = "text, json, csv, spreadsheet (CSV with a byte order mark), xlsx or parquet."
FormOption = Annotated[Form, typer.Option("--format", help=FORMS_HELP)]
BINARY = (Form.xlsx, Form.parquet)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("bulletin")(bulletin)


def bulletin(
    data: DataArgument,
    date: Annotated[
        str | None, typer.Option(help="The day, as 2025-07-16, or all; by default the last.")
    ] = None,
    form: FormOption = Form.text,
    out: Annotated[Path | None, typer.Option("--out", help="Write it there.")] = None,
    opening: Annotated[
        Path | None, typer.Option(help="A bulletin (JSON) of before the venue's first day.")
    ] = None,
    profile: ProfileFile = None,
    archive: Archive = None,
) -> None:
    """Print what the exchange publishes of a closed day. Changes nothing.

    Example: cea-exchange bulletin --date 2025-07-16 --format parquet --out day.parquet
    """
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.journal import JournalError
    from cea_exchange.venue.publication.bulletins import bulletins_of_folder

    files_differ((opening, Path(profile) if profile else None), (out,))
    wanted = _wanted(date)
    with (
        bad_input(ProfileError, ValueError),
        file_used(data, "expected a venue's folder"),
        check_failed(JournalError),
    ):
        rules = load_profile(profile) if profile else None
        made = bulletins_of_folder(
            data, profile=rules, opening=opening, archive=archive, since=wanted[0] - 1
        )
        found = [each for each in made if wanted[0] <= each.trading_date <= wanted[1]]
    if not found:
        raise CommandError(f"{data}: expected a closed day, there is no {date or 'one'}")
    write(found if date == "all" else found[-1:], form, out)


def _wanted(date: str | None) -> tuple[int, int]:
    """Return the first and the last day that is asked for."""
    from cea_exchange.domain.calendar import date_number, date_parse

    if date is None or date == "all":
        return 1, 9999_12_31
    with bad_input(ValueError, says="--date: "):
        number = date_number(date_parse(date))
    return number, number


def write(bulletins: "list[Bulletin]", form: Form, out: Path | None) -> None:
    """Write bulletins in a form to a file, or print them."""
    from cea_exchange.domain.documents import bulletin_forms as forms
    from cea_exchange.files.spreadsheet import marked_csv, workbook

    with bad_input(ModuleNotFoundError):
        match form:
            case Form.text:
                data = "\n".join(
                    bulletin_shown(each, is_printed=out is None) for each in bulletins
                ).encode()
            case Form.json:
                data = b"".join(map(forms.bulletin_json, bulletins))
            case Form.csv:
                data = forms.bulletins_csv(bulletins).encode()
            case Form.spreadsheet:
                data = marked_csv(forms.bulletins_csv(bulletins))
            case Form.xlsx:
                data = workbook(forms.bulletins_csv(bulletins), "bulletin")
            case Form.parquet:
                data = forms.bulletins_parquet(bulletins)
    if out is None:
        if form in BINARY:
            raise CommandError(f"--format {form.value}: expected --out FILE, there is none")
        typer.echo(data.decode(), nl=False)
        return
    with file_used(out, "can't be written"):
        out.write_bytes(data)


def bulletin_shown(bulletin: "Bulletin", *, is_printed: bool = True) -> str:
    """Return a bulletin for a file, where it is the venue's own, or as a reader wants it."""
    from cea_exchange.domain.documents.bulletin_forms import bulletin_text

    if is_printed and (sys.stdout.isatty() or language() != ENGLISH):
        return bulletin_text(bulletin, _table_seen, said)
    return bulletin_text(bulletin)


def _table_seen(heads: Sequence[str], rows: list[list[str]]) -> list[str]:
    return table(heads, [(code, *map(Quantity, rest)) for code, *rest in rows]).splitlines()


def write_day(bulletin: "Bulletin", folder: Path) -> None:
    """Write a day's bulletin into a folder as a venue does: `2025-07-16.txt`, `.csv`, `.json`."""
    from cea_exchange.domain.calendar import date_of_number

    with file_used(folder, "expected a folder"):
        folder.mkdir(parents=True, exist_ok=True)
    day = date_of_number(bulletin.trading_date)
    for form, suffix in ((Form.text, "txt"), (Form.csv, "csv"), (Form.json, "json")):
        write([bulletin], form, folder / f"{day}.{suffix}")
