"""A platform whose day the tests set: a power firm of Zhejiang, its persons and its checkers."""

import json
from decimal import Decimal
from hashlib import sha256

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.credit_code import check_character
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.writing import table_bytes
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.audit import findings
from cea_exchange.platform.audit import checks
from cea_exchange.platform.audit.contents import content_differences
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import facts_read
from cea_exchange.platform.filings.documents import Place
from cea_exchange.platform.filings.month_files import MONTH_FIGURES, FiledFigure
from cea_exchange.platform.filings.plan_files import PLANNED_FIGURES, PlannedFigure
from cea_exchange.platform.filings.plans import PlanWords
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore

ZHEJIANG, HANGZHOU = 33, 3301
PROOF = b"belt scale 1, 125000.00 t"


def person(name, role, body):
    return Person(name, sha256(name.encode()).hexdigest()[:40], role, body)


LI = person("Li Na", "preparer", "enterprise E1")
WANG = person("Wang Wei", "reviewer", "enterprise E1")
ZHAO = person("Zhao Min", "signatory", "enterprise E1")
CITY = person("Chen Jie", "city", f"city {HANGZHOU}")
PROVINCE = person("Sun Yu", "province", f"province {ZHEJIANG}")
SECOND = person("Qian Lan", "province", f"province {ZHEJIANG}")
NATION = person("Zhou Hua", "authority", "authority")
VERIFIER = person("Wu Lei", "verifier", "firm V1")


def credit_code(number):
    bare = f"9133010{number:010}"[:17]
    return bare + check_character(bare)


class World:
    """A platform on a day, with one enterprise `E1` of one unit `E1-1`.

    Attributes
    ----------
    is_audited : bool
        Whether the auditor's queries must give no row at the end; false where a test writes rows
        by hand.
    """

    def __init__(self, folder, database=None, day=20260110):
        self.day = day
        self.is_audited = True
        self.store = PlatformStore.open(folder, database)
        self.platform = Platform(self.store, self.now_ns)

    def now_ns(self):
        """Return noon of the day."""
        return time_to_ns(day_start(date_of_number(self.day))) + 12 * 3600 * 10**9

    def __enter__(self):
        return self

    def __exit__(self, kind, *_exception):
        if kind is None and self.is_audited:
            with self.store.view():
                found = [*findings(self.store, checks().values())]
                found += content_differences(self.store)
            assert not found, found
        self.store.close()

    def enterprise(
        self,
        name="E1",
        *,
        number=1,
        province=ZHEJIANG,
        city=None,
        sector="power",
        code="4411",
        process="",
    ):
        city = 100 * province + 1 if city is None else city
        facts = EnterpriseFacts(20200101, f"Power {number}", city, code, process, "licence 1")
        self.platform.enterprises.register(
            name, credit_code=credit_code(number), province=province, sector=sector, facts=facts
        )
        return self.platform.enterprises.of(name)

    def unit(self, name="E1-1", enterprise="E1", valid_from=20200101, **facts):
        self.platform.units.add(
            self.platform.enterprises.of(enterprise),
            name,
            facts_read(json.dumps({"rated_kw": [600_000], **facts})),
            valid_from=valid_from,
            document="licence 1",
        )

    def firm(self, name="V1", number=900):
        self.platform.firms.register(
            name, credit_code=credit_code(number), title=f"Verifiers {number}"
        )

    def founded(self):
        """Let there be the enterprise, its unit, the proof of its coal, and a firm."""
        enterprise = self.enterprise()
        self.unit()
        self.firm()
        self.platform.evidence.bring(LI, enterprise, "scale.pdf", PROOF)
        return self

    def month_file(self, *figures, name="month.csv"):
        rows = [
            figure if isinstance(figure, FiledFigure) else filed(**figure) for figure in figures
        ]
        return SourceFile(name, table_bytes(MONTH_FIGURES, rows, ".csv"))

    def enter(self, month=202507, *, reason="", unit="E1-1", coal="125000.00"):
        source = self.month_file(*coal_month(month, unit=unit, coal=coal))
        return self.platform.months.enter(LI, "E1", source, reason)

    def accept(self, month=202507):
        self.platform.months.file(WANG, "E1", month)
        enterprise = self.platform.enterprises.of("E1")
        for level in (CITY, PROVINCE):
            places = self.platform.documents.in_state(
                enterprise.enterprise_id, "month", month, "filed"
            )
            self.platform.documents.pass_on(level, places)

    def reported(self, year=2025):
        """Let the year be filed, accepted and reported."""
        self.year(year)
        self.platform.reports.enter(LI, "E1", year)
        return self.platform.reports.sign(ZHAO, "E1", year)

    def listed(self, *years, enterprise="E1"):
        for year in years or (2025,):
            self.platform.listing.enter(
                year,
                enterprise,
                cause="over_threshold",
                tonnes=26_000,
                decided_on=20241220,
                document="list 1",
            )

    def place(self, kind="month", period=202507, unit="E1-1"):
        enterprise = self.platform.enterprises.of("E1")
        unit_id = 0
        if kind == "month":
            units = self.platform.units.of(enterprise.enterprise_id, 100 * period + 28)
            unit_id = units[unit].unit_id
        return Place(kind, enterprise.enterprise_id, unit_id, period)

    def plan(self, year=2026, *, reason="", cause="", name="plan.csv", figures=(), **changed):
        """Enter a plan of the unit's coal, output and hours; some of it otherwise."""
        planned = figures or planned_figures(**changed)
        source = SourceFile(name, table_bytes(PLANNED_FIGURES, planned, ".csv"))
        return self.platform.plans.enter(
            LI, "E1", year, source, PLAN_WORDS, cause=cause, reason=reason
        )

    def pass_all(self, kind, period):
        enterprise = self.platform.enterprises.of("E1")
        for level in (CITY, PROVINCE):
            self.platform.documents.pass_all(level, enterprise.enterprise_id, kind, period)

    def year(self, year=2025):
        for month in range(100 * year + 1, 100 * year + 13):
            self.enter(month)
            self.accept(month)


def filed(**terms):
    """Return a figure: coal of the unit in July, unless told otherwise."""
    given = {
        "enterprise": "E1",
        "unit": "E1-1",
        "month": 202507,
        "parameter": "A.bituminous",
        "value": Decimal("125000.00"),
        "measure": "t",
        "origin": "measured",
        "evidence": sha256(PROOF).hexdigest(),
    } | terms
    return FiledFigure(**given)


def coal_month(month=202507, unit="E1-1", coal="125000.00"):
    """Return a unit's coal, carbon, oxidation and heat, 246,477.00 t of CO2, and what it made."""
    return (
        filed(month=month, unit=unit, value=Decimal(coal)),
        filed(
            month=month,
            unit=unit,
            parameter="B.bituminous",
            value=Decimal("0.5432"),
            measure="tC/t",
        ),
        filed(
            month=month,
            unit=unit,
            parameter="E.bituminous",
            value=Decimal(99),
            measure="%",
            origin="default",
            evidence="",
        ),
        *(
            filed(month=month, unit=unit, parameter=code, value=Decimal(value), measure=measure)
            for code, (value, measure) in MADE.items()
        ),
        filed(
            month=month,
            unit=unit,
            parameter="C.bituminous",
            value=Decimal("20.512"),
            measure="GJ/t",
        ),
    )


PLAN_WORDS = PlanWords("boiler, turbine and generator 1", "checked weekly, kept for five years")
SCALE = {
    "facility": "boiler 1",
    "source": "belt scale",
    "meter": "scale 1",
    "place": "conveyor 2",
    "frequency": "continuous",
    "accuracy": Decimal("0.5"),
    "calibration_months": 12,
    "department": "fuel",
    "ledger": "coal ledger",
}
LABORATORY = SCALE | {
    "source": "laboratory",
    "meter": "",
    "accuracy": Decimal(0),
    "calibration_months": 0,
}


def planned_figures(**changed):
    """Return how a unit's coal, its carbon, output and hours are measured; coal's, changed."""
    rows = {
        "A.bituminous": SCALE
        | {"missing_data": "second_source", "basis": "as_fired"}
        | changed,
        **dict.fromkeys(
            ("B.bituminous", "C.bituminous"),
            LABORATORY | {"missing_data": "default", "basis": "as_fired"},
        ),
        **{code: SCALE | {"missing_data": "second_source"} for code in ("M", "N", "O")},
    }
    return [
        PlannedFigure(**{"enterprise": "E1", "unit": "E1-1", "parameter": name} | terms)
        for name, terms in rows.items()
    ]


MADE = {"M": ("300000", "MWh"), "N": ("0", "GJ"), "O": ("640.00", "h")}


def verified_2024(world):
    """Let 2024 be verified, of a unit of 600 MW: 300,000 MWh and 246,477.00 t a month."""
    verified_year(world, 2024)


def verified_year(world, year, *, unit="E1-1", is_listed=True, without=(), **others):
    """Let a year be verified as 2024 is, each month with other figures besides, or instead.

    `others` is parameter -> (value, measure), with ``_`` for the point.
    """
    if is_listed:
        world.listed(year)
    for month in range(100 * year + 1, 100 * year + 13):
        figures = {
            each.parameter: each
            for each in coal_month(month, unit=unit)
            if each.parameter not in without
        }
        for name, (value, measure) in others.items():
            parameter = name if name == "turbine_heat" else name.replace("_", ".", 1)
            figures[parameter] = filed(
                unit=unit, month=month, parameter=parameter, value=Decimal(value), measure=measure
            )
        world.platform.months.enter(LI, "E1", world.month_file(*figures.values()))
        world.accept(month)
    report = world.platform.reports.enter(LI, "E1", year)
    world.platform.reports.sign(ZHAO, "E1", year)
    task = world.platform.verifications.give("E1", year, "V1", due_on=10_000 * year + 10_630)
    units = world.platform.reports.units(report)
    emitted = {name: Decimal(unit.emission) for name, unit in units.items()}
    world.platform.verifications.conclude(VERIFIER, task, emitted)
    world.platform.verifications.confirm(PROVINCE, task)


def given_2024(world, stage="final", *, is_verified=False):
    """Let the province give what 2024 gives."""
    if not is_verified:
        verified_2024(world)
    allocations = world.platform.allocations
    row = allocations.compute(PROVINCE, ZHEJIANG, 2024, stage)
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2024, stage, 10**10)
    allocations.distribute(row.allocation_id)
    return row
