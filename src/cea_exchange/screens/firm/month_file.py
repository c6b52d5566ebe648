"""A unit's month as it is typed: rows of a form, the file that the platform takes, its findings."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from cea_exchange.screens.serving.forms import Form, Trouble

FIELDS = ("parameter", "value", "measure", "origin", "evidence")
COLUMNS = ("enterprise", "unit", "month", *FIELDS)
TOTAL = "TOTAL"
ORIGINS = ("measured", "default", "missing")
BLANK_ROWS = 3
ROWS_MAX = 60
STARTING = {
    "power": (
        *(("A.bituminous", "t"), ("B.bituminous", "tC/t"), ("C.bituminous", "GJ/t")),
        *(("E.bituminous", "%"), ("M", "MWh"), ("N", "GJ"), ("O", "h")),
    ),
    "steel": (
        *(("FC.coke", "t"), ("FC.anthracite", "t"), ("iron", "t"), ("iron_in.coke", "t")),
        *(("sinter", "t"), ("sinter_in.anthracite", "t"), ("product.crude_steel", "t")),
    ),
    "cement": (("clinker.portland", "t"), ("FC.bituminous", "t"), ("NCV.bituminous", "GJ/t")),
    "aluminium": (("aluminium", "t"), ("anode", "t")),
}
"""What a sector's first month is asked for, with its unit; later ones begin as the month before."""
_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0C: ",", 0xFF0E: "."}
_VALUE = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,6})?")
_LINE = re.compile(r"^(?:refused \w+: )?[^\n:]+:(\d+): (\w+): (.+)$", re.MULTILINE)


def parameter_named(known: Mapping[str, str], parameter: str) -> str:
    """Return what a parameter is in the reader's words, `known`; empty where they have none."""
    code, _, material = parameter.partition(".")
    name, of = known.get(f"parameter.{code}", ""), known.get(f"material.{material}", "")
    if not (name and of):
        return name
    return known["named.of_material"].format(parameter=name, material=of)


class Row(NamedTuple):
    """A figure as it is typed, and where in the form."""

    at: int
    parameter: str
    value: Decimal
    measure: str
    origin: str
    evidence: str


def rows_shown(figures: Iterable[dict[str, str]], sector: str, *, with_values: bool) -> list[dict]:
    """Return what the rows of a form begin with: figures there are, or a sector's, and blank ones.

    Parameters
    ----------
    figures
        Of this month, or of the month before.
    with_values
        Whether their values and documents are this month's too.
    """
    rows = [
        {
            "parameter": each["parameter"],
            "measure": each["measure"],
            "origin": each["origin"] if each["origin"] in ORIGINS else "missing",
            "value": each["value"] if with_values else "",
            "evidence": each["evidence"] if with_values else "",
        }
        for each in figures
    ]
    if not rows:
        rows = [
            {"parameter": name, "measure": measure, "origin": "measured", "value": "",
             "evidence": ""}
            for name, measure in STARTING.get(sector, ())
        ]
    blank = dict.fromkeys(FIELDS, "") | {"origin": "measured"}
    return [*rows, *(dict(blank) for _ in range(BLANK_ROWS))][:ROWS_MAX]


def form_values(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the fields of a form, `value.0` and so on, that show some rows."""
    return {f"{name}.{at}": row[name] for at, row in enumerate(rows) for name in FIELDS}


def rows_count(form: Form) -> int:
    """Return how many rows a form has."""
    found = [name for name in form.values if name.startswith("parameter.")]
    return min(len(found), ROWS_MAX)


def rows_read(form: Form) -> list[Row]:
    """Read the rows that have something in them; what is wrong is noted beside its field."""
    found = []
    for at in range(rows_count(form)):
        typed = {name: form.value(f"{name}.{at}") for name in FIELDS}
        if not typed["value"] and not typed["parameter"]:
            continue
        for name in ("parameter", "measure"):
            form.line(f"{name}.{at}", length_max=60)
        origin = form.choice(f"origin.{at}", ORIGINS)
        value = _value(form, f"value.{at}")
        if value is not None:
            found.append(Row(at, typed["parameter"], value, typed["measure"], origin,
                             typed["evidence"]))
    if form.is_sound and not found:
        form.refuse("", "month.nothing")
    return found


def _value(form: Form, name: str) -> Decimal | None:
    typed = form.value(name).translate(_FULL_WIDTH)
    if not typed:
        form.refuse(name, "form.missing")
    elif not _VALUE.fullmatch(typed):
        form.refuse(name, "form.not_number")
    else:
        return Decimal(typed.replace(",", ""))
    return None


def month_csv(enterprise: str, unit: str, month: int, rows: Sequence[Row]) -> bytes:
    """Return the rows as a month's file: one line each, totals of the unit and of the file."""
    period = f"{month // 100}-{month % 100:02}"
    output = io.StringIO()
    write = csv.writer(output, lineterminator="\n").writerow
    write(COLUMNS)
    for row in rows:
        write((enterprise, unit, period, row.parameter, f"{row.value:f}", row.measure, row.origin,
               row.evidence))
    total = f"{sum((row.value for row in rows), Decimal(0)):f}"
    write((enterprise, unit, "", TOTAL, total, "", "", ""))
    write((enterprise, "", "", TOTAL, total, "", "", ""))
    return output.getvalue().encode()


def findings_note(form: Form, words: str, rows: Sequence[Row], sentence: str) -> None:
    """Note beside each field what the platform found in its line of the file."""
    for line, column, finding in _LINE.findall(words):
        index = int(line) - 2
        if 0 <= index < len(rows):
            name = column if column in FIELDS else "parameter"
            form.troubles.setdefault(
                f"{name}.{rows[index].at}", Trouble(sentence, finding, "FILE_REFUSED")
            )
