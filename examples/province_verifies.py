"""A province passes a firm's year, has it verified, and gives what follows from it.

    python examples/province_verifies.py
"""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.institution.checks import ActError
from cea_exchange.platform.rehearsal import (
    SCALE,
    rehearsal_open,
    rehearsal_persons,
    rehearsal_prepare,
)

ZHEJIANG, YEAR = 33, 2024

with TemporaryDirectory() as name:
    folder = Path(name)
    rehearsal_prepare(folder)
    persons = rehearsal_persons(folder)
    with rehearsal_open(folder) as platform:
        firm = platform.enterprises.of("E1")
        platform.evidence.bring(persons["li"], firm, "scale-2024.csv", SCALE.encode())
        platform.months.enter(persons["li"], "E1", SourceFile.load(folder / "e1-2024.csv"))
        platform.months.file(persons["wang"], "E1", YEAR)

        for finding in platform.cross_checks.findings(YEAR, province=ZHEJIANG)[:3]:
            print("unlikely", finding.unit, finding.month, finding.figure, finding.rule)
        for level in ("chen", "sun"):
            print(level, platform.documents.pass_all(
                persons[level], firm.enterprise_id, "month", YEAR
            ))

        platform.reports.enter(persons["li"], "E1", YEAR)
        report = platform.reports.sign(persons["zhao"], "E1", YEAR)
        print("reported", report.emission)

        task = platform.verifications.give("E1", YEAR, "V1", due_on=20260630)
        platform.verifications.conclude(persons["wu"], task, {"E1-1": Decimal("2957724.00")})
        result = platform.verifications.confirm(persons["sun"], task)
        print("verified", result.tonnes)

        computed = platform.allocations.compute(persons["sun"], ZHEJIANG, YEAR, "final")
        try:
            platform.allocations.approve(persons["sun"], computed.allocation_id)
        except ActError as refused:
            print(refused)
        platform.allocations.approve(persons["qian"], computed.allocation_id)
        platform.allocations.distribute(computed.allocation_id)
        print("given", computed.tonnes, "and told the registry,", platform.outbox.last_seq, "items")
