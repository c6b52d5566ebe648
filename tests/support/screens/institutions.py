"""Venue, registry, platform and bank of a small nation, for the pages of firms and officials.

It is Monday, 17 November 2025. The power firm `E1` of Zhejiang, `P001` at the registry, has filed
2024 but for December; its neighbours `E2` and `E3` are verified. Firms of other provinces owe for
2024 what `OTHERS` says. Whatever takes two persons anywhere takes two here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cea_exchange.domain.credit_code import check_character
from cea_exchange.files.writing import table_bytes
from cea_exchange.institution.persons import Person
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.platform.control.admin_client import PLATFORM
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import UnitFacts
from cea_exchange.platform.filings.month_files import MONTH_FIGURES, FiledFigure
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.bank.requests import OpenAccount, PayIn
from cea_exchange.registry.control.admin_client import REGISTRY
from cea_exchange.registry.files import OBLIGATIONS, Obligation, SourceFile
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore

DAY, YEAR = 20251117, 2024
MORNING, AFTERNOON = "2025-11-17T08:30:00+08:00", "2025-11-17T13:00:00+08:00"
ZHEJIANG, HANGZHOU = 33, 3301
SCALE = "month,coal_t\n" + "".join(f"2024{month:02},125000.00\n" for month in range(1, 13))
PROOF = sha256(SCALE.encode()).hexdigest()
FIGURES = (
    *(("A.bituminous", "125000.00", "t"), ("B.bituminous", "0.5432", "tC/t")),
    *(("C.bituminous", "20.512", "GJ/t"), ("E.bituminous", "99", "%")),
    *(("M", "300000", "MWh"), ("N", "0", "GJ"), ("O", "640.00", "h")),
)
"""A unit's month: 246,477.00 t."""
VERIFIED = Decimal("2957724.00")
REFERENCES = {"CEA23": 9_610, "CEA24": 9_749}
FIRMS = {"E1": "钱塘发电有限公司", "E2": "富春能源有限公司", "E3": "瓯江热电有限公司"}
OTHERS = (
    *(("P111", 11, "京西热电有限公司", 800_000, 800_000),),
    *(("P371", 37, "泰山发电有限公司", 4_200_000, 3_150_000),),
    *(("P372", 37, "黄河发电有限公司", 2_500_000, 2_500_000),),
    *(("P151", 15, "阴山发电有限公司", 6_000_000, 1_500_000),),
    *(("P321", 32, "太湖发电有限公司", 3_300_000, 2_100_000),),
    *(("P441", 44, "珠江发电有限公司", 2_900_000, 2_900_000),),
    *(("P511", 51, "岷江发电有限公司", 700_000, 0),),
)
"""Account, province, name, tonnes owed of 2024, tonnes surrendered."""


class Somebody(NamedTuple):
    """A person with the name of the key, and what the key is at platform and registry."""

    key: str
    name: str
    platform: tuple[str, str] | None = None
    registry: tuple[str, dict[str, Any]] | None = None


P001, PROVINCE = {"account": "P001"}, {"province": ZHEJIANG}
PEOPLE = (
    Somebody("li", "李娜", ("preparer", "enterprise E1"), ("initiator", P001)),
    Somebody("wang", "王伟", ("reviewer", "enterprise E1"), ("approver", P001)),
    Somebody("zhao", "赵敏", ("signatory", "enterprise E1")),
    Somebody("chen", "陈杰", ("city", f"city {HANGZHOU}")),
    Somebody("sun", "孙瑜", ("province", f"province {ZHEJIANG}"), ("province", PROVINCE)),
    Somebody("qian", "钱岚", ("province", f"province {ZHEJIANG}"), ("province", PROVINCE)),
    Somebody("zhou", "周华", ("authority", "authority"), ("authority", {})),
    Somebody("hu", "胡平", ("authority", "authority"), ("authority", {})),
    Somebody("wu", "吴磊", ("verifier", "firm V1")),
)


def now_ns() -> int:
    """Return the morning of the day."""
    return int(datetime(2025, 11, 17, 0, 30, tzinfo=UTC).timestamp()) * 10**9


def credit_code(number: int) -> str:
    """Return a code that is one."""
    bare = f"9133010{number:010}"[:17]
    return bare + check_character(bare)


class Institutions(LocalExchange):
    """The four daemons on one folder, and their people's keys."""

    def __init__(self, data: Path) -> None:
        programs = LocalExchange(data)._programs
        super().__init__(
            data,
            programs={name: [*programs["venue"][:-1], name] for name in ("platform", "bank")},
        )

    def open(self) -> None:
        """Prepare the folder and start all."""
        sellers = [Participant("bob", "surplus", {}, 0, {"CEA24": 500_000})]
        self.prepare(sellers, REFERENCES, start=MORNING, fronts=0)
        for daemon in ("bank", "platform", "registry", "venue"):
            self._start(daemon, wait=daemon == "bank")
        for daemon in ("platform", "registry", "venue"):
            self.wait_ready(daemon)
        self.operate("clock", at=AFTERNOON)

    # -- the folder -------------------------------------------------------------------------------

    def _fill_registry(self, participants: list[Participant], prices: dict[str, int]) -> None:
        for name in ("platform", "bank", "bob", "an", "bo", *(each.key for each in PEOPLE)):
            CurveKeys.new().save(self.keys_directory, name)
        self._fill_platform()
        registry = Registry(RegistryStore.open(self.data), now_ns)
        with registry, registry.transaction():
            for product, price in prices.items():
                registry.product_declare(product, price)
            for number, title in enumerate(FIRMS.values(), 1):
                self._account(registry, f"P00{number}", title, ZHEJIANG, number)
            for number, (account, province, title, *_) in enumerate(OTHERS, 11):
                self._account(registry, account, title, province, number)
            self._account(registry, "bob", "浦江贸易有限公司", 31, 40)
            registry.key_grant(self.keys("bob").public, "bob")
            for account, tonnes in (("bob", 500_000), ("P001", 20_000)):
                registry.issue(account, "CEA24", tonnes + 60_000)
                registry.transfer_in(account, "CEA24", tonnes)
            self._persons(registry)
            self._obligations(registry)

    @staticmethod
    def _account(registry: Registry, name: str, title: str, province: int, number: int) -> None:
        terms = {"entity": title, "credit_code": credit_code(number), "province": province}
        registry.account_open(name, sector="power", **terms)

    def _persons(self, registry: Registry) -> None:
        for each in PEOPLE:
            if each.registry is not None:
                role, of = each.registry
                registry.persons.add(each.name, self.keys(each.key).public, role, **of)

    @staticmethod
    def _obligations(registry: Registry) -> None:
        """Let the firms of other provinces owe, and have surrendered, of 2024."""
        rows = [
            Obligation(
                compliance_year=YEAR,
                province=province,
                account=account,
                verified_tonnes=owed,
                due_tonnes=owed,
            )
            for account, province, _, owed, _ in OTHERS
        ]
        source = SourceFile("obligations.csv", table_bytes(OBLIGATIONS, rows, ".csv"))
        registry.obligations.take(source, None)
        for account, province, _, _, tonnes in OTHERS:
            if tonnes:
                registry.issue(account, "CEA24", tonnes)
                number = registry.surrender.apply(account, YEAR, {"CEA24": tonnes})
                registry.surrender.accept(number, province)
                registry.surrender.retire(number)

    def _fill_platform(self) -> None:
        people = {
            each.key: Person(each.name, self.keys(each.key).public, *each.platform)
            for each in PEOPLE
            if each.platform is not None
        }
        platform = Platform(PlatformStore.open(self.data), now_ns)
        with platform, platform.record.transaction():
            for number, (name, title) in enumerate(FIRMS.items(), 1):
                _enterprise(platform, name, title, number)
            platform.firms.register("V1", credit_code=credit_code(900), title="求实核查有限公司")
            platform.allocations.total_set(people["zhou"], YEAR, "final", 10_000_000)
            for person in people.values():
                platform.persons.enter(person.name, person.key, person.role, person.body)
            for name in FIRMS:
                _months_filed(platform, people, name, 11 if name == "E1" else 12)
            for name in ("E2", "E3"):
                _verified(platform, people, name)

    def _write_configs(self, venue: dict, registry: dict, start: str, settings: dict) -> None:
        super()._write_configs(venue, registry, start, settings)
        clock = f'[clock]\nkind = "manual"\nstart = "{start}"\n'
        operators = "".join(
            f'[[operators]]\nname = "{name}"\nkey = "keys/{name}.public"\n' for name in ("an", "bo")
        )
        ports = "".join(f'{name} = "{address}"\n' for name, address in registry.items())
        bank = f'[bank]\ndata = "{self.data}"\n'
        (self.data / "registry.toml").write_text(
            f"{ports}fronts = 0\n{clock}[platform]\n{bank}{operators}", encoding="utf-8"
        )
        (self.data / "platform.toml").write_text(
            f"fronts = 0\n{clock}{operators}", encoding="utf-8"
        )
        (self.data / "bank.toml").write_text("", encoding="utf-8")

    # -- what others do ---------------------------------------------------------------------------

    def ask(self, system: str, who: str, op: str, **terms: Any) -> dict[str, Any]:
        """Let somebody ask the registry or the platform, without a screen."""
        client = {"registry": REGISTRY, "platform": PLATFORM}[system]
        return client.ask(self.data, {"op": op, **terms}, key=who)

    def two(self, system: str, first: str, second: str, op: str, **terms: Any) -> dict[str, Any]:
        """Let one propose and another approve; return the act's answer."""
        number = self.ask(system, first, op, **terms)["proposal"]
        answer: dict[str, Any] = self.ask(system, second, "approve", proposal=number)["answer"]
        return answer

    def paid_in(self, account: str, cash: int) -> None:
        """Let the bank have the firm's sub-account, and cash (fen) that was paid into it today."""
        bank = BankClient(self.data, self.keys("admin"))
        for name in (account, "SUB-FEES", "SUB-RESERVE"):
            bank.ask(OpenAccount(account=name))
        payment = PayIn(payment_id="I-1", account=account, cash=cash, business_date=DAY)
        bank.ask(payment)

    def filed(self) -> None:
        """Let the firm's December be filed and passed, and its report be signed."""
        content = table_bytes(MONTH_FIGURES, figures("E1", 12)[-len(FIGURES) :], ".csv")
        self.ask("platform", "li", "month_enter", enterprise="E1", file="12.csv", content=content)
        self.ask("platform", "wang", "month_file", enterprise="E1", period=202412)
        self.passed("month", 202412)
        self.ask("platform", "li", "report_enter", enterprise="E1", year=YEAR)
        self.ask("platform", "zhao", "report_sign", enterprise="E1", year=YEAR)

    def passed(self, kind: str, period: int) -> None:
        """Let city and province have nothing against what the firm filed."""
        for who in ("chen", "sun"):
            self.ask("platform", who, "filing_pass", enterprise="E1", kind=kind, period=period)

    def verified(self) -> None:
        """Let the firm's report be verified, and what was concluded count."""
        self.ask("platform", "sun", "verification_give", enterprise="E1", year=YEAR, firm="V1",
                 due_on=20251231)
        waiting = self.ask("platform", "sun", "verification_list", province=ZHEJIANG, year=YEAR)
        number = next(each["verification"] for each in waiting["verifications"]
                      if each["enterprise"] == "E1")
        self.ask("platform", "wu", "verification_conclude", verification=number,
                 units=f"E1-1={VERIFIED}")
        self.two("platform", "sun", "qian", "verification_confirm", verification=number)

    def given(self) -> None:
        """Let the province give what 2024 gives, and say what is owed; the registry takes it."""
        of = {"province": ZHEJIANG, "year": YEAR}
        computed = self.ask("platform", "sun", "allocation_compute", stage="final", **of)
        number = computed["allocation"]
        self.ask("platform", "qian", "allocation_approve", allocation=number)
        self.two("platform", "sun", "qian", "allocation_distribute", allocation=number)
        self.two("platform", "sun", "qian", "obligations_set", **of)
        self.obliged()

    def offset(self, tonnes: int) -> None:
        """Let the registry count CCERs of the firm's for 2024."""
        proof = {
            "proof": "N000017",
            "account": "P001",
            "compliance_year": YEAR,
            "tonnes": tonnes,
            "project": "CCER-N000017",
            "serial_first": 1,
            "serial_last": tonnes,
            "registered_on": 20250306,
            "cancelled_on": 20251010,
            "quota_managed": "no",
            "project_started_on": 20200101,
            "applied_on": 20241101,
            "produced_from": 20210101,
            "produced_to": 20240101,
        }
        self.two("registry", "an", "bo", "offset_book", proof=proof)

    def retired(self) -> None:
        """Let the province accept the firm's surrender, and the authority retire it."""
        terms = {"surrender_id": self.applied()}
        self.two("registry", "sun", "qian", "surrender_accept", province=ZHEJIANG, **terms)
        self.two("registry", "zhou", "hu", "surrender_retire", **terms)

    def applied(self) -> int:
        """Return the number of the firm's surrender that waits."""
        waiting = self.ask("registry", "sun", "surrender_list", province=ZHEJIANG)["surrenders"]
        return int(waiting[-1]["surrender_id"])

    def obliged(self) -> None:
        """Wait until the registry knows what the firm owes."""

        def is_known() -> bool:
            with suppress(Exception):
                return bool(self.ask("registry", "li", "obligation_notice", account="P001",
                                     compliance_year=YEAR))
            return False

        self.wait_until(is_known, "the registry to know the obligation", 30)


def _enterprise(platform: Platform, name: str, title: str, number: int) -> None:
    facts = EnterpriseFacts(20200101, title, HANGZHOU, "4411", "", "许可证 1")
    platform.enterprises.register(
        name, credit_code=credit_code(number), province=ZHEJIANG, sector="power", facts=facts
    )
    platform.units.add(
        platform.enterprises.of(name),
        f"{name}-1",
        UnitFacts(rated_kw=(600_000,)),
        valid_from=20200101,
        document="许可证 1",
    )
    for year in (2024, 2025):
        platform.listing.enter(
            *(year, name),
            cause="over_threshold",
            tonnes=2_900_000,
            decided_on=20231220,
            document="名录 1",
        )


def figures(name: str, months: int) -> list[FiledFigure]:
    """Return the figures of the first months of a firm's unit."""
    return [
        FiledFigure(
            enterprise=name,
            unit=f"{name}-1",
            month=100 * YEAR + month,
            parameter=parameter,
            value=Decimal(value),
            measure=measure,
            origin="default" if parameter.startswith("E.") else "measured",
            evidence="" if parameter.startswith("E.") else PROOF,
        )
        for month in range(1, months + 1)
        for parameter, value, measure in FIGURES
    ]


def _months_filed(platform: Platform, people: dict[str, Person], name: str, months: int) -> None:
    enterprise = platform.enterprises.of(name)
    preparer, reviewer = people["li"], people["wang"]
    if name != "E1":
        preparer = preparer._replace(body=f"enterprise {name}")
        reviewer = reviewer._replace(body=f"enterprise {name}")
    platform.evidence.bring(preparer, enterprise, "皮带秤-2024.csv", SCALE.encode())
    content = table_bytes(MONTH_FIGURES, figures(name, months), ".csv")
    platform.months.enter(preparer, name, SourceFile("2024.csv", content), "")
    for month in range(1, months + 1):
        period = 100 * YEAR + month
        platform.months.file(reviewer, name, period)
        for level in ("chen", "sun"):
            platform.documents.pass_all(people[level], enterprise.enterprise_id, "month", period)


def _verified(platform: Platform, people: dict[str, Person], name: str) -> None:
    of = f"enterprise {name}"
    platform.reports.enter(people["li"]._replace(body=of), name, YEAR)
    platform.reports.sign(people["zhao"]._replace(body=of), name, YEAR)
    task = platform.verifications.give(name, YEAR, "V1", due_on=20251231)
    platform.verifications.conclude(people["wu"], task, {f"{name}-1": VERIFIED})
    platform.verifications.confirm(people["sun"], task)


@contextmanager
def institutions_open(data: Path) -> Iterator[Institutions]:
    """Run the four daemons."""
    with Institutions(data) as institutions:
        institutions.open()
        yield institutions


