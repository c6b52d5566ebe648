"""Writes what is disclosed into a folder, and holds a folder against what the journal gives.

    OUT/week/2025-W29/disclosure.txt, .json
                      statistics.csv, .xlsx, .parquet, and so each other table
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.disclosure.periods import KINDS, PeriodKind, periods_due
from cea_exchange.disclosure.record import VenueRecord
from cea_exchange.disclosure.statistics import Discloser, Disclosure
from cea_exchange.disclosure.tables import LAYOUTS
from cea_exchange.domain.calendar import TradingCalendar, date_of_number
from cea_exchange.domain.documents.bulletin_forms import table_plain
from cea_exchange.files.layout import Layout
from cea_exchange.files.writing import table_bytes

WHOLE = "disclosure"
"""The files that have all tables."""
TABLE_FORMS = (".csv", ".xlsx", ".parquet")
TERMS = {"day": "日报", "week": "周报", "month": "月报", "year": "年报"}


def disclosures(
    record: VenueRecord, calendar: TradingCalendar, kinds: Iterable[PeriodKind] = KINDS
) -> Iterator[Disclosure]:
    """Yield what is due of a venue's record, by kind and oldest first.

    Notes
    -----
    Rules: CEA-INF-04.
    """
    discloser = Discloser(record)
    for period in periods_due(sorted(record.close_rows), calendar, kinds):
        yield discloser.of(period)


def files_of(disclosure: Disclosure) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of a disclosure's files."""
    yield f"{WHOLE}.txt", disclosure_text(disclosure).encode()
    yield f"{WHOLE}.json", disclosure_json(disclosure)
    for name, layout in LAYOUTS.items():
        for form in TABLE_FORMS:
            yield f"{name}{form}", table_bytes(layout, disclosure.tables[name], form)


def folder_of(out: Path, disclosure: Disclosure) -> Path:
    """Return where a disclosure's files lie."""
    return out / disclosure.period.kind / disclosure.period.name


def disclosure_write(out: Path, disclosure: Disclosure) -> list[Path]:
    """Write a disclosure's files; return those that were not there, or were others."""
    folder = folder_of(out, disclosure)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in files_of(disclosure):
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            written.append(path)
    return written


def differing(out: Path, made: Iterable[Disclosure]) -> Iterator[str]:
    """Yield in a sentence each file of a folder that is not what the journal gives, byte by byte.

    Notes
    -----
    Rules: CEA-INF-08. A period that is due and not there at all is no difference: it may be yet
    to come.
    """
    known: set[Path] = set()
    for disclosure in made:
        folder = folder_of(out, disclosure)
        known.add(folder)
        if not folder.exists():
            continue
        wanted = dict(files_of(disclosure))
        for name in sorted({*wanted, *(path.name for path in folder.iterdir())}):
            path = folder / name
            if name not in wanted:
                yield f"{path}: expected no such file"
            elif not path.exists():
                yield f"{path}: expected a file, there is none"
            elif path.read_bytes() != wanted[name]:
                yield f"{path}: its bytes are not what the journal gives"
    for kind in KINDS:
        for folder in sorted((out / kind).glob("*")):
            if folder not in known:
                yield f"{folder}: expected no such period, the journal closes none"


# -- whole ----------------------------------------------------------------------------------------


def disclosure_json(disclosure: Disclosure) -> bytes:
    """Return a disclosure as one JSON object."""
    period = disclosure.period
    whole = {
        "market": disclosure.market,
        "kind": period.kind,
        "period": period.name,
        "first_day": date_of_number(period.days[0]).isoformat(),
        "last_day": date_of_number(period.days[-1]).isoformat(),
        "tables": {
            name: [_shown(layout, row) for row in disclosure.tables[name]]
            for name, layout in LAYOUTS.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def _shown(layout: Layout[Any], row: Any) -> dict[str, Any]:
    """Return a row as JSON has it: yuan as text, days as ISO 8601."""
    shown = {}
    for column in layout.columns:
        value = getattr(row, column.name)
        is_number = column.kind.arrow == "int64"
        shown[column.name] = (
            value if value is None or is_number else column.kind.text(value)
        )
    return shown


def disclosure_text(disclosure: Disclosure) -> str:
    """Return a disclosure for who reads."""
    period = disclosure.period
    first, last = (date_of_number(period.days[place]) for place in (0, -1))
    lines = [f"{disclosure.market} {period.name}, {TERMS[period.kind]}: {first} to {last}"]
    for name, layout in LAYOUTS.items():
        rows = disclosure.tables[name]
        lines += ["", name.capitalize()]
        if not rows:
            lines.append("none")
            continue
        cells = [[_cell(column.kind, getattr(row, column.name)) for column in layout.columns]
                 for row in rows]
        lines += table_plain([each.replace("_", " ") for each in layout.names], cells)
    return "\n".join(lines) + "\n"


def _cell(kind: Any, value: Any) -> str:
    return "-" if value is None else str(kind.text(value))
