"""A folder in which the platform can be tried: keys, persons, a power firm, its figures of 2024.

    FOLDER/platform.toml     settings: the clock stands still, and no second person is asked for
    FOLDER/keys/             a key pair of each person below, and of the daemons
    FOLDER/scale-2024.csv    the document that the figures rest on
    FOLDER/e1-2024.csv       the figures of the firm's unit, month by month

The rest is left to do: to file, to pass, to report, to verify, and to give allowances.
"""

from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.files.writing import table_bytes
from cea_exchange.institution.persons import Person
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import UnitFacts
from cea_exchange.platform.filings.month_files import DEFAULT, MEASURED, MONTH_FIGURES, FiledFigure
from cea_exchange.platform.periods import months_of
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.roles import (
    AUTHORITY,
    CITY,
    OWN_BODIES,
    PREPARER,
    PROVINCE,
    REVIEWER,
    SIGNATORY,
    VERIFIER,
    city_body,
    enterprise_body,
    firm_body,
    province_body,
)
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.security import CurveKeys

CREDIT_CODE = "91330100000000001C"
NOW = "2026-01-10T09:00:00+08:00"
YEAR = 2024
ENTERPRISE, UNIT, FIRM = "E1", "E1-1", "V1"
ZHEJIANG, HANGZHOU = 33, 3301
TOTAL_TONNES = 10_000_000
"""What the authority lets all provinces give: more than the firm has coming."""

SETTINGS = f"""# A rehearsal: time stands still until `platform clock move`, and one person alone
# may do what takes two elsewhere.
second_person = []
fronts = 0

[clock]
kind = "manual"
start = "{NOW}"

[[operators]]
name = "An Qi"
key = "keys/an.public"
"""
SCALE = "month,coal_t\n" + "".join(f"{month},125000.00\n" for month in months_of(YEAR))
MONTH_VALUES = (
    ("A.bituminous", "125000.00", "t"),
    ("B.bituminous", "0.5432", "tC/t"),
    ("C.bituminous", "20.512", "GJ/t"),
    ("E.bituminous", "99", "%"),
    ("M", "300000", "MWh"),
    ("N", "0", "GJ"),
    ("O", "640.00", "h"),
)
OF_THE_GUIDELINE = frozenset({"E.bituminous"})
"""What nobody measures there."""


class Rehearsing(NamedTuple):
    """A person, with the name of the key."""

    key: str
    name: str
    role: str
    body: str


PERSONS = (
    Rehearsing("li", "Li Na", PREPARER, enterprise_body(ENTERPRISE)),
    Rehearsing("wang", "Wang Wei", REVIEWER, enterprise_body(ENTERPRISE)),
    Rehearsing("zhao", "Zhao Min", SIGNATORY, enterprise_body(ENTERPRISE)),
    Rehearsing("chen", "Chen Jie", CITY, city_body(HANGZHOU)),
    Rehearsing("sun", "Sun Yu", PROVINCE, province_body(ZHEJIANG)),
    Rehearsing("qian", "Qian Lan", PROVINCE, province_body(ZHEJIANG)),
    Rehearsing("zhou", "Zhou Hua", AUTHORITY, OWN_BODIES[AUTHORITY]),
    Rehearsing("wu", "Wu Lei", VERIFIER, firm_body(FIRM)),
)
OTHER_KEYS = ("platform", "registry", "an")


def rehearsal_prepare(folder: Path, database: str | None = None) -> None:
    """Make a folder for a rehearsal; what of it is there already stays as it is.

    Parameters
    ----------
    folder
        The data folder.
    database
        ``postgresql://...``; None: SQLite.
    """
    keys = folder / "keys"
    for name in (*OTHER_KEYS, *(person.key for person in PERSONS)):
        if not (keys / f"{name}.public").exists():
            CurveKeys.new().save(keys, name)
    for name, content in {
        "scale-2024.csv": SCALE.encode(),
        "e1-2024.csv": table_bytes(MONTH_FIGURES, year_figures(), ".csv"),
        "platform.toml": _settings(database).encode(),
    }.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(content)
    with rehearsal_open(folder, database) as platform, platform.record.transaction():
        if not platform.enterprises.listed(ZHEJIANG):
            persons = rehearsal_persons(folder)
            _found(platform, persons["zhou"])
            for person in persons.values():
                platform.persons.enter(person.name, person.key, person.role, person.body)


def rehearsal_persons(folder: Path) -> dict[str, Person]:
    """Return who rehearses, by the name of the key."""
    return {
        each.key: Person(
            each.name, CurveKeys.load(folder / "keys", each.key).public, each.role, each.body
        )
        for each in PERSONS
    }


def rehearsal_open(folder: Path, database: str | None = None) -> Platform:
    """Return the rehearsal's platform without its daemon, at the rehearsal's time."""
    now_ns = time_to_ns(time_parse(NOW))
    return Platform(PlatformStore.open(folder, database), lambda: now_ns)


def year_figures() -> list[FiledFigure]:
    """Return the figures of the unit: 246,477.00 t of CO2 a month."""
    proof = sha256(SCALE.encode()).hexdigest()
    return [
        FiledFigure(
            enterprise=ENTERPRISE,
            unit=UNIT,
            month=month,
            parameter=parameter,
            value=Decimal(value),
            measure=measure,
            origin=DEFAULT if parameter in OF_THE_GUIDELINE else MEASURED,
            evidence="" if parameter in OF_THE_GUIDELINE else proof,
        )
        for month in months_of(YEAR)
        for parameter, value, measure in MONTH_VALUES
    ]


def _settings(database: str | None) -> str:
    return SETTINGS if database is None else f'database = "{database}"\n{SETTINGS}'


def _found(platform: Platform, authority: Person) -> None:
    """Let there be the firm with its unit on its list, a verifier, and the nation's total."""
    document, since = "licence 1", 2020_01_01
    platform.enterprises.register(
        ENTERPRISE,
        credit_code=CREDIT_CODE,
        province=ZHEJIANG,
        sector="power",
        facts=EnterpriseFacts(since, "Power 1", HANGZHOU, "4411", "", document),
    )
    platform.units.add(
        platform.enterprises.of(ENTERPRISE),
        UNIT,
        UnitFacts(rated_kw=(600_000,)),
        valid_from=since,
        document=document,
    )
    platform.listing.enter(
        *(YEAR, ENTERPRISE),
        cause="over_threshold",
        tonnes=2_900_000,
        decided_on=2023_12_20,
        document="list 1",
    )
    platform.firms.register(FIRM, credit_code="91330100000000900C", title="Verifiers 1")
    platform.allocations.total_set(authority, YEAR, "final", TOTAL_TONNES)
