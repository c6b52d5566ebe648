"""A firm checks its own bill, brings its document, and files a month; errors are shown by line.

    python examples/firm_files_a_month.py

In the firm's place `platform_ask` says the same to a platform that runs elsewhere.
"""

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from cea_exchange.domain.compliance.accounting import Figure, emissions
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.writing import table_bytes
from cea_exchange.institution.checks import ActError
from cea_exchange.platform.filings.month_files import MEASURED, MONTH_FIGURES
from cea_exchange.platform.rehearsal import (
    SCALE,
    rehearsal_open,
    rehearsal_persons,
    rehearsal_prepare,
    year_figures,
)

MONTH = 202401


def month_file(figures):
    """Return the month's file, as the firm's own system writes it: with its totals."""
    return SourceFile("january.csv", table_bytes(MONTH_FIGURES, figures, ".csv"))


with TemporaryDirectory() as name:
    folder = Path(name)
    rehearsal_prepare(folder)
    persons = rehearsal_persons(folder)
    figures = [each for each in year_figures() if each.month == MONTH]

    bill = emissions(
        "power",
        {
            each.parameter: Figure(
                value=each.value, unit=each.measure, measured=each.origin == MEASURED
            )
            for each in figures
        },
        year=2024,
    )
    print("own bill", *(f"{each.name} {each.value} {each.unit}" for each in bill.quantities))

    with rehearsal_open(folder) as platform:
        firm = platform.enterprises.of("E1")
        proof = platform.evidence.bring(persons["li"], firm, "scale-2024.csv", SCALE.encode())
        assert proof == sha256(SCALE.encode()).hexdigest()

        slip = [replace(figures[0], value=-figures[0].value), *figures[1:]]
        try:
            platform.months.enter(persons["li"], "E1", month_file(slip))
        except ActError as refused:
            print("refused:", *str(refused).splitlines(), sep="\n  ")

        (entered,) = platform.months.enter(persons["li"], "E1", month_file(figures))
        (filed,) = platform.months.file(
            persons["wang"], "E1", MONTH, seen={"E1-1": entered.sha256}
        )
        assert filed.emission == f"{bill.emissions:f}"
        print(f"filed {filed.emission} t, due {filed.due_on}, on {filed.entered_on}: late")
