"""Venue, registry and bank in one process for a trading day, without a socket, thread or clock.

    participants <--> venue <--> registry <--> bank        every arrow: two seeded links
    operators    <--> venue
    persons       --> registry

Everything that happens is drawn from one seed. Persons are generators: each yields what it waits
for, and is asked to go on when that is so.
"""

import random
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import apsw
import msgspec

from cea_exchange.client.reports import Report
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.holdings_hash import holdings_hash
from cea_exchange.registry.store import RegistryStore
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.venue.config import VenueConfig
from support.exchange.simulated_bank import SimulatedBank
from support.exchange.simulated_links import SimulatedTime
from support.exchange.simulated_participant import SimulatedParticipant
from support.exchange.simulated_registry import SimulatedRegistry
from support.exchange.simulated_venue import LOG_ID, SimulatedVenue, VenueWays
from support.market.market_scripts import cea_with

DAY = "2025-07-16"
DATE = 20250716
START = f"{DAY}T08:40:00+08:00"
SPEED = 400
PRODUCT, REFERENCE_PRICE = "CEA24", 9_749
ACCOUNTS = ("alice", "bob", "carol", "dave")
CASH, TONNES, RESERVE = 60_000_000_000, 1_500_000, 1_000_000_000
OFFICERS = ("an", "bo")
STEPS_MAX = 10_000
STEPS_LAST = 20
"""So that what is on its way at the end arrives."""
PROFILE = cea_with(fee_bp=3, fee_min_fen=100)
BANK_FAULTS = FaultRates(
    delay=40, double=30, misstate=30, misdirect=30, lose_answer=200, restart=150
)


def key_of(name):
    """A key for a name: it is compared, and proves nothing."""
    return name.ljust(40, "-")


def wall_ns(time):
    return time_to_ns(time_parse(f"{DAY}T{time}+08:00"))


class Outcome(NamedTuple):
    """What a day leaves behind, to be compared byte by byte."""

    venue_files: dict[str, bytes]
    published: str
    ledger: bytes
    bank: bytes
    reports: dict[str, dict[int, Report]]
    steps: int


class OneProcess:
    """The three institutions and who deals with them.

    Parameters
    ----------
    folder
        For the two databases and the bulletins.
    seed
        Of everything.
    bank_class
        For a bank that does what it may not.
    registry_options
        For `RegistryMachine`.
    """

    def __init__(self, folder, seed, *, bank_class=SimulatedBank, **registry_options):
        self.folder = folder
        self.chance = chance = random.Random(seed)
        self.time = SimulatedTime()
        self._began_ns = self.time.now_ns
        self.steps = 0
        clock = ClockSetting(kind="accelerated", start=START, speed=SPEED)
        (folder / "venue").mkdir(parents=True)
        self._registry_prepare(folder)
        self.bank = bank_class(
            *(folder / "bank.sqlite", seed, BANK_FAULTS, self.time, chance),
            lambda: self.now_ns() // 1_000_000_000,
        )
        ways = self.ways = VenueWays(self.time, chance)
        bank_setting = BankSetting(data="carried", batch_count_max=25, statement_at="15:30")
        self.registry = SimulatedRegistry(
            folder,
            RegistryConfig(
                clock=clock,
                admission="open",
                settlement_mode="end_of_day",
                bank=bank_setting,
            ),
            {key_of(name): Person(name, key_of(name), "operator", "registry") for name in OFFICERS},
            self.time,
            ways,
            self.bank,
            **registry_options,
        )
        self.venue = SimulatedVenue(
            folder / "venue",
            VenueConfig(clock=clock),
            PROFILE,
            {key_of(name): Operator(name, key_of(name)) for name in ("ops1", "ops2")},
            self.time,
            chance,
            ways,
        )
        self.participants = [
            SimulatedParticipant(
                number,
                name,
                key_of(name),
                self.venue,
                self.time,
                random.Random(chance.getrandbits(64)),
                DATE,
            )
            for number, name in enumerate(ACCOUNTS)
        ]
        self._persons = [
            [script, lambda: True]
            for script in (self._officers(), self._service(), self._public(), self._losses())
        ]
        self.is_over = False

    def _registry_prepare(self, folder):
        """Let there be accounts, allowances and persons since the day before."""
        before = datetime(2025, 7, 15, 10, tzinfo=timezone(timedelta(hours=8)))
        before_ns = int(before.timestamp()) * 1_000_000_000
        store = RegistryStore.open(folder)
        with Registry(store, lambda: before_ns, admission="open") as registry:
            registry.product_declare(PRODUCT, REFERENCE_PRICE)
            for name in ACCOUNTS:
                registry.account_open(name)
                registry.issue(name, PRODUCT, TONNES)
                registry.key_grant(key_of(name), name)
                for role in ("approver", "initiator"):
                    person = f"{name}-{role}"
                    registry.persons.add(person, key_of(person), role, account=name)

    def now_ns(self):
        """The time of the day, in nanoseconds since 1970."""
        return time_to_ns(time_parse(START)) + (self.time.now_ns - self._began_ns) * SPEED

    # -- the day -----------------------------------------------------------------------------------

    def run(self):
        """Step through the day until it is settled, confirmed and paid."""
        while not self.is_over:
            self.step()
            assert self.steps < STEPS_MAX, self.registry.machine.place()
        for each in self.participants:
            each.is_quiet = True
        for _ in range(STEPS_LAST):
            self.step()

    def step(self):
        """Let some milliseconds pass, and everybody take a turn, in whatever order."""
        self.steps += 1
        self.time.pass_ms(self.chance.randint(5, 45))
        turns = [
            self.venue.turn,
            self.registry.turn,
            self.bank.turn,
            *(each.turn for each in self.participants),
        ]
        self.chance.shuffle(turns)
        for turn in turns:
            turn()
        for person in self._persons:
            script, may_go_on = person
            if may_go_on is not None and may_go_on():
                person[1] = next(script, None)

    def has_ended_by(self, time):
        """Say whether the day is over, or it is so late already."""
        return self.is_over or self._at(time)()

    def check(self):
        """Everything agrees at the end of a day."""
        machine, store, core = self.registry.machine, self.registry.store, self.venue.core
        assert machine.state == "ok"
        assert machine.troubles.count == 0
        assert store.log_id == LOG_ID
        assert store.confirmed_date == self.venue.sequencer.machine.confirmed_date == DATE
        assert store.last_seq == core.settlement_seq
        assert holdings_hash(store) == core.holdings_hash()
        core.check()
        states = dict(store.execute("SELECT state, count(*) FROM trades GROUP BY state").fetchall())
        assert states.keys() <= {"settled", "busted"}, states
        assert self._instructions() == {"booked"}
        rows = machine.registry.bank.books.reconcile()
        assert all(row["bank"] == row["ledger"] for row in rows), rows
        truth = self.bank.truth()["accounts"]
        ledger = {row["account"]: row["ledger"] for row in rows}
        for account, cash in truth.items():
            assert cash["balance"] == cash["true_balance"] == ledger[account], account
        assert check_ledger(self.folder).differences == []
        for each in self.participants:
            last = core.report_seq(each.number)
            assert sorted(each.reports) == list(range(1, last + 1)), each.name

    def outcome(self):
        """End everything, and return what it leaves behind."""
        self.venue.close()
        files = self.venue.files()
        self.registry.close()
        self.bank.close()
        return Outcome(
            venue_files=files,
            published=self.venue.published.hexdigest(),
            ledger=_dumped(self.folder / "registry" / "registry.sqlite"),
            bank=_dumped(self.folder / "bank.sqlite"),
            reports={each.name: each.reports for each in self.participants},
            steps=self.steps,
        )

    # -- persons -----------------------------------------------------------------------------------

    def _at(self, time):
        return lambda: self.now_ns() >= wall_ns(time)

    def _after(self, minutes):
        until_ns = self.now_ns() + minutes * 60_000_000_000
        return lambda: self.now_ns() >= until_ns

    def _by_two(self, first, second, op, **fields):
        """One proposes at the registry, another approves."""
        proposal = self.registry.ask(key_of(first), op, **fields)
        assert proposal["ok"], proposal
        answer = self.registry.ask(key_of(second), "approve", proposal=proposal["proposal"])
        assert answer["ok"], answer

    def _by_holder(self, account, op, **fields):
        self._by_two(f"{account}-initiator", f"{account}-approver", op, account=account, **fields)

    def _balance(self, account, compartment):
        index = ACCOUNTS.index(account)
        return self.registry.store.balance(Holding(index, CASH_ASSET, compartment))

    def _fetch(self):
        answer = self.registry.ask(key_of("an"), "bank_fetch")
        assert answer["ok"], answer

    def _officers(self):
        """The registry's operators and the accounts' persons: cash in and out, by the bank."""
        yield self._at("08:42")
        for account, cash, reference in (
            *((name, CASH, name) for name in ACCOUNTS),
            ("SUB-RESERVE", RESERVE, "risk reserve"),
            ("SUB-FEES", 0, ""),
        ):
            self.bank.account_open(account)
            if cash:
                self.bank.pay_in(account, cash, DATE, reference)
        while not all(self._balance(each, Compartment.REGISTRATION) for each in ACCOUNTS):
            self._fetch()
            yield self._after(8)
        for account in ACCOUNTS:
            self._by_holder(account, "transfer_in", amount=CASH)
            self._by_holder(account, "transfer_in", amount=TONNES, product=PRODUCT)
        yield self._at("14:20")
        account, cash = self.chance.choice(ACCOUNTS), self.chance.randint(1_000, 1_000_000)
        self._by_holder(account, "transfer_out", amount=cash)
        yield lambda: self._balance(account, Compartment.REGISTRATION) >= cash
        self._by_holder(account, "pay_out", cash=cash, creditor="6222000000000001")
        yield self._at("15:40")
        while not self._is_settled_and_paid():
            self._fetch()
            yield self._after(20)
        self.is_over = True

    def _is_settled_and_paid(self):
        if self.venue.sequencer.machine.confirmed_date != DATE:
            return False
        rows = self.registry.machine.registry.bank.books.reconcile()
        is_paid = all(row["bank"] == row["ledger"] for row in rows)
        return is_paid and self._instructions() == {"booked"}

    def _instructions(self):
        """Return how the instructions to the bank stand, each state once."""
        rows = self.registry.store.execute("SELECT DISTINCT state FROM bank_instructions")
        return {state for (state,) in rows.fetchall()}

    def _ask_venue(self, name, answers, **request):
        """Put an operator's request on its way; the answer comes into `answers`."""
        asked, link = self._operators[name]
        asked.send([msgspec.msgpack.encode(request)])

        def is_answered():
            frames = link.receive()
            if frames is None:
                return False
            answers.append(msgspec.msgpack.decode(frames[0]))
            assert answers[-1]["op"] != "refused", answers[-1]
            return True

        return is_answered

    def _service(self):
        """The venue's operators: a bidding that two announce, a halt, and a trade that two undo."""
        self._operators = {
            name: self.venue.service.connect(name.encode(), key_of(name))
            for name in ("ops1", "ops2")
        }
        shown: list[dict] = []
        yield self._at("09:35")
        yield self._ask_venue(
            *("ops1", shown),
            op="bidding_open",
            bidding="B1",
            account="alice",
            product=PRODUCT,
            tonnes=self.chance.randint(100_000, 200_000),
            limit=8_774,
            pricing=self.chance.choice(("uniform", "pay_as_bid")),
            opens_at=f"{DAY}T10:15:00+08:00",
            closes_at=f"{DAY}T11:00:00+08:00",
        )
        yield self._ask_venue("ops2", shown, op="approve", number=shown[-1]["proposal"])
        yield self._at("13:30")
        yield self._ask_venue("ops2", shown, op="halt", product=PRODUCT)
        yield self._after(self.chance.randint(1, 10))
        yield self._ask_venue("ops2", shown, op="resume", product=PRODUCT)
        yield lambda: self.venue.core.trade_id > 0
        trade_id = self.chance.randint(1, self.venue.core.trade_id)
        yield self._ask_venue("ops1", shown, op="bust", trade_id=trade_id, why="a slip")
        yield self._ask_venue("ops2", shown, op="approve", number=shown[-1]["proposal"])

    def _public(self):
        """Somebody who asks for the whole market now and then."""
        asked, answers = self.venue.public.connect(b"public", key_of("public"))
        while True:
            yield self._after(self.chance.randint(20, 90))
            asked.send([msgspec.msgpack.encode({"op": "snapshot"})])
            for frames in answers.arrived():
                self.venue.published.update(b"".join(frames))

    def _losses(self):
        """Participants whose connection is lost."""
        yield self._at("09:40")
        for each in self.chance.sample(self.participants, 2):
            yield self._after(self.chance.randint(1, 140))
            each.lose()


def _dumped(path):
    """Return every row of a database as bytes, table by table."""
    content = []
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            content.append(msgspec.msgpack.encode((table, sorted(rows, key=repr))))
    return b"".join(content)
