"""The registry and a bank that refuses, delays, doubles, misstates, misdirects and restarts."""

import threading
import time
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest

from cea_exchange.domain.records import Phase, Reason
from cea_exchange.institution.clock import GivenClock
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.client import BankUnavailable
from cea_exchange.registry.bank.requests import PayIn, SendBatch
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.daemon import RegistryDaemon
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from registry.settlement.test_settlement_modes import audits_are_clean
from support.bank.bank_process import BankProcess
from support.patience import patience
from support.refusing import refuses
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import ALICE, BOB, LOG_ID, PRODUCT, Venue

pytestmark = [pytest.mark.e2e, pytest.mark.postgres_at_night]

CASH, TONNES, RESERVE = 10_000_000, 1_000, 2_000_000
FIRST_DAY = datetime(2025, 7, 15, 10, tzinfo=timezone(timedelta(hours=8)))
MODES = ("realtime", "end_of_day")
ERRING = {"refuse": 80, "delay": 80, "double": 60, "misstate": 60, "misdirect": 60}


class DatedVenue(Venue):
    """A venue whose records have the day they are of."""

    date = 0

    def _row(self, **fields):
        super()._row(**({"trading_date": self.date} | fields))

    def checkpoint(self, phase=Phase.LISTED, *, off_by=0):
        super().checkpoint(phase, off_by=off_by)
        self.rows[-1]["trading_date"] = self.date


class Institutions:
    """A registry with its bank and a venue, over some days."""

    def __init__(self, registry, bank, mode):
        self.registry, self.bank, self.venue = registry, bank, DatedVenue()
        self.statements, self.day = 0, 0
        registry.ledger.clock = GivenClock(self.now_ns)
        registry.bank.setting = BankSetting(batch_count_max=13)
        self.settlement = Settlement(registry.store, mode=mode, is_ready=registry.bank.is_ready)
        self.client = bank.client(timeout_ms=round(400 * patience()), tries_max=1)
        for account in ("alice", "bob", "SUB-FEES", "SUB-RESERVE"):
            self.client.open_account(account)

    def now_ns(self):
        return int((FIRST_DAY + timedelta(days=self.day)).timestamp()) * 1_000_000_000

    @property
    def date(self):
        return self.registry.business_date()

    def next_day(self):
        self.day += 1
        self.statements, self.venue.date = 0, self.date

    def begin(self):
        """Pay in by statement, and send all of it to the venue."""
        registry, venue = self.registry, self.venue
        venue.date = self.date
        registry.product_declare(PRODUCT, 9749)
        registry.account_open("alice")
        registry.account_open("bob")
        registry.issue("bob", PRODUCT, TONNES)
        self.pay_in("alice", CASH, "alice")
        self.pay_in("SUB-RESERVE", RESERVE, "risk reserve")
        self.statement()
        venue.deposited(ALICE, registry.transfer_in("alice", None, CASH), cash=CASH)
        venue.deposited(BOB, registry.transfer_in("bob", PRODUCT, TONNES), tonnes=TONNES)

    def pay_in(self, account, cash, reference, *, number=1):
        payment = PayIn(
            payment_id=f"I-{account}-{number}",
            account=account,
            cash=cash,
            business_date=self.date,
            reference=reference,
        )
        self.bank.client("admin").ask(payment)

    def statement(self):
        self.statements += 1
        content = self.client.statement_content(self.date, self.statements)
        found = self.registry.bank.books.statement_read(content, f"{self.date}.xml")
        assert self.unexplained() == 0
        return found

    def talk(self):
        """Exchange with the bank until it has answered everything, whatever it is at."""
        for _ in range(40):
            try:
                self.client.exchange(self.registry.bank)
            except BankUnavailable:
                self.bank.revive()
                continue
            if not self.registry.bank.batches() and not self.registry.bank.instruct():
                return
        raise AssertionError(self.bank.log())

    def trade_day(self, count, *, fee=0):
        """A day of trades there and back, closed and compared."""
        tonnes = 0
        for number in range(count):
            size = 1 + number % 5
            buyer = ALICE if number % 3 else BOB
            if buyer == BOB and not number:
                buyer = ALICE
            self.venue.trade(size, 9_749, buyer=buyer, buy_fee=fee, sell_fee=fee)
            tonnes += size
        self.venue.day_closed(volume=tonnes, amount=9_749 * tonnes)
        self.venue.checkpoint(Phase.CLOSED)
        self.settle()

    def settle(self):
        self.settlement.apply(LOG_ID, self.venue.records[self.registry.store.last_seq :])

    def deliver(self):
        while self.settlement.settle_batch():
            pass

    def rows(self):
        return {row["account"]: row for row in self.registry.bank.books.reconcile()}

    def unexplained(self):
        return sum(abs(row["unexplained"]) for row in self.rows().values())

    def is_reconciled(self):
        return all(row["bank"] == row["ledger"] for row in self.rows().values())

    def states(self):
        rows = self.registry.store.execute("SELECT state, count(*) FROM trades GROUP BY state")
        return dict(rows.fetchall())

    def default_all(self):
        """Try again what was refused; what is refused again the reserve pays."""
        defaults, service = self.registry.defaults, self.registry.bank
        for default in defaults.all():
            if default["state"] == "open":
                service.again(f"T{default['trade_seq']}")
                defaults.notice(default["default_id"], self.date)
        self.talk()
        self.next_day()
        for default in defaults.all():
            if default["state"] == "noticed":
                defaults.reserve_use(default["default_id"])
        self.talk()


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


@pytest.fixture
def institutions(registry, tmp_path, mode):
    with BankProcess(tmp_path, 1) as bank:
        found = Institutions(registry, bank, mode)
        found.begin()
        yield found


def test_days_with_a_bank_that_errs_end_settled_and_reconciled(tmp_path, registry, mode):
    """CEA-BNK-09, CEA-BNK-10, CEA-BNK-13: every trade settled, every fen where it should be."""
    with BankProcess(tmp_path, 5, **ERRING, lose_answer=90, restart=90) as bank:
        both = Institutions(registry, bank, mode)
        both.begin()
        errors = 0
        for _ in range(2):
            both.next_day()
            both.trade_day(15, fee=3)
            bank.kill()
            both.talk()
            both.deliver()
            both.talk()
            for _ in range(2):
                errors += both.statement().difference_sum != 0
                both.talk()
                both.deliver()
            assert both.states().keys() <= {"settled", "failed", "busted"}
            assert registry.store.confirmed_date == both.date
        assert registry.store.one("SELECT count(*) FROM defaults") > 0 and errors > 0
        for _ in range(3):
            both.default_all()
            refused = registry.store.execute(
                "SELECT i.instruction_id FROM bank_instructions i WHERE kind = 'fee'"
                " AND state = 'refused' AND NOT EXISTS (SELECT 1 FROM bank_instructions j"
                " WHERE j.kind = 'fee' AND j.subject = i.subject AND j.attempt > i.attempt)"
            ).fetchall()
            for (name,) in refused:
                registry.bank.again(name)
            both.talk()
            both.statement()
        assert both.states() == {"settled": 30}
        assert both.is_reconciled(), both.rows()
        assert audits_are_clean(registry.store)
        assert bank.log().count("bank_started") > 2 and bank.log().count("answer_lost") > 0
    assert check_ledger(tmp_path).differences == []


def test_a_day_waits_for_the_bank_in_one_mode_and_is_posted_first_in_the_other(institutions):
    """CEA-BNK-09: accepted, then posted; or posted, and the bank follows."""
    both = institutions
    is_waiting = both.settlement._mode == "end_of_day"
    both.next_day()
    both.trade_day(10, fee=3)
    both.deliver()
    assert both.states() == {"received" if is_waiting else "settled": 10}
    both.talk()
    both.deliver()
    assert both.states() == {"settled": 10}
    assert both.registry.store.confirmed_date == both.date
    rows = both.registry.store.execute(
        "SELECT kind, count(*) FROM bank_instructions GROUP BY kind ORDER BY kind"
    )
    assert rows.fetchall() == [("fee", 10), ("trade", 10)]
    assert not both.is_reconciled()
    assert both.statement().agrees and both.is_reconciled()


def test_busts_and_pay_outs_go_by_the_bank(tmp_path, institutions):
    """CEA-BNK-11: cash on its way out is in neither place until the bank has booked it."""
    both, registry = institutions, institutions.registry
    both.next_day()
    both.venue.trade(50, 9_749, buy_fee=3, sell_fee=2)
    both.venue.day_closed(volume=50, amount=50 * 9_749)
    both.venue.checkpoint(Phase.CLOSED)
    both.settle()
    both.talk()
    both.deliver()
    both.talk()
    both.next_day()
    both.venue.busted(1, Reason.NONE, trading_date=both.date)
    both.venue.withdrawn(ALICE, registry.transfer_out("alice", None, 5_000), cash=5_000)
    both.settle()
    both.talk()
    registry.bank.pay_out("alice", 4_000, "6222000000000001")
    place = Holding(ALICE, CASH_ASSET, Compartment.BANKING)
    assert registry.store.balance(place) == 4_000
    both.talk()
    assert registry.store.balance(place) == 4_000 and audits_are_clean(registry.store)
    both.statement()
    assert registry.store.balance(place) == 0 and both.is_reconciled()
    assert check_ledger(tmp_path).differences == []


def test_a_pay_out_that_the_bank_refuses_comes_back(registry, tmp_path):
    """CEA-BNK-11."""
    with BankProcess(tmp_path, 1, refuse=1_000) as bank:
        both = Institutions(registry, bank, "realtime")
        both.begin()
        both.pay_in("bob", 700, "bob")
        both.statement()
        registry.bank.pay_out("bob", 700, "6222000000000001")
        both.talk()
        assert registry.store.balance(Holding(BOB, CASH_ASSET, Compartment.REGISTRATION)) == 700
        assert registry.store.one("SELECT state FROM pay_outs") == "returned"
        with refuses("INSTRUCTION_STATE: instruction: expected a refused one, got T9"):
            registry.bank.again("T9")


@pytest.mark.parametrize("mode", ["realtime"], indirect=True)
def test_cash_between_accounts_goes_by_the_bank(tmp_path, institutions):
    """CEA-BNK-14: deductions, mergers and claims, each with an instruction of its own."""
    both, registry = institutions, institutions.registry
    both.next_day()
    registry.account_open("carol")
    both.client.open_account("carol")
    for account, cash in (("bob", 800_000), ("carol", 200_000)):
        both.pay_in(account, cash, account, number=2)
    both.venue.trade(50, 9_749, buy_fee=3, sell_fee=2)
    both.venue.busted(1, Reason.CASH_INSUFFICIENT, trading_date=both.date)
    both.settle()
    both.talk()
    both.statement()
    assert both.is_reconciled()

    terms = {"order": "E 1", "court": "Wuhan Court", "until": 20271231}
    freeze_id = registry.enforcement.freeze("bob", None, 100_000, **terms)
    del terms["until"]
    registry.enforcement.deduct(freeze_id, 60_000, "alice", **terms)
    (name,) = registry.store.execute(
        "SELECT instruction_id FROM bank_instructions WHERE kind = 'between'"
    ).fetchone()
    assert f"instruction {name} is made" in registry.accounts.pending(ALICE)
    registry.accounts.merge("carol", "alice", "merged")
    cash_owed, fees_owed = (claim for claim in registry.claims.all() if claim["asset"] == "CNY")
    assert (50 * 9_749 - 2, 5) == (cash_owed["amount"], fees_owed["amount"])
    for claim in (cash_owed, fees_owed):
        registry.claims.pay(claim["claim_id"])
    shown = registry.store.execute(
        "SELECT debtor, creditor, cash, purpose FROM bank_instructions WHERE kind = 'between'"
        " ORDER BY subject"
    ).fetchall()
    assert shown == [
        ("bob", "alice", 60_000, "between"),
        ("carol", "alice", 200_000, "between"),
        ("bob", "alice", 50 * 9_749 - 2, "between"),
        ("SUB-FEES", "alice", 5, "between"),
    ]
    assert both.rows()["carol"]["open"] == 200_000
    assert both.unexplained() == 0 and not both.is_reconciled()
    both.talk()
    # What still comes in for carol is alice's: one instruction more.
    before = registry.store.balance(Holding(ALICE, CASH_ASSET, Compartment.REGISTRATION))
    both.pay_in("carol", 300, "carol", number=3)
    both.statement()
    both.talk()
    assert both.statement().agrees and both.is_reconciled(), both.rows()
    after = registry.store.balance(Holding(ALICE, CASH_ASSET, Compartment.REGISTRATION))
    assert 300 == after - before
    assert audits_are_clean(registry.store) and check_ledger(tmp_path).differences == []
    changed(registry.store, "UPDATE bank_instructions SET cash = cash + 1 WHERE cash = 200000")
    logged, difference = check_ledger(tmp_path).differences
    assert "of bank_instructions must be" in logged
    assert "the bank was instructed to move 200001 fen, its entry moved 200000" in difference


def test_an_instruction_between_accounts_that_was_refused_is_given_again(registry, tmp_path):
    """CEA-BNK-14: it stays open until the bank has taken it, and is explained."""
    with BankProcess(tmp_path, 1) as bank:
        both = Institutions(registry, bank, "realtime")
        both.begin()
        both.pay_in("bob", 700, "bob")
        both.statement()
        registry.bank.setting = None
        registry.pay_in("alice", 50)
        registry.bank.setting = BankSetting()
        freeze_id = registry.enforcement.freeze(
            "alice", None, 50, order="E 1", court="Wuhan Court", until=20271231
        )
        terms = {"order": "E 2", "court": "Wuhan Court"}
        # The bank has a sub-account of no such name.
        registry.accounts.bank_set("bob", "BANK", "NOWHERE", "moved")
        registry.enforcement.deduct(freeze_id, 50, "bob", **terms)
        both.talk()
        (name,) = registry.store.execute(
            "SELECT instruction_id FROM bank_instructions WHERE state = 'refused'"
        ).fetchone()
        assert name.startswith("E") and registry.bank.again(name) == f"{name}.2"


def test_a_pay_in_is_booked_once_and_what_nobody_knows_is_shown(institutions):
    """CEA-BNK-07, CEA-BNK-12."""
    both, registry = institutions, institutions.registry
    both.next_day()
    both.pay_in("alice", 500, "alice", number=2)
    both.pay_in("alice", 400, "a cousin", number=3)
    found = both.statement()
    assert [each.entry.cash for each in found.pay_ins] == [500]
    assert [each.entry.cash for each in found.unknown] == [400]
    place = Holding(ALICE, CASH_ASSET, Compartment.REGISTRATION)
    assert registry.store.balance(place) == 500
    assert both.rows()["alice"]["wrong"] == 400
    both.statement()
    assert registry.store.balance(place) == 500 and both.rows()["alice"]["wrong"] == 400


def test_a_spoiled_statement_is_refused_whole(institutions):
    """CEA-BNK-03: with file, line and reason; nothing of it is posted."""
    both, registry = institutions, institutions.registry
    both.next_day()
    both.pay_in("bob", 500, "bob")
    content = both.client.statement_content(both.date, 1)
    before = registry.store.entry_last
    for old, new, why in (
        (b"<EndToEndId>NOTPROVIDED<", b"<EndToEndId>T77<", "T77"),
        (b"5.00", b"5.01", "account bob"),
    ):
        with pytest.raises(BankFileError, match=rf"bad.xml:\d+: .*{why}"):
            registry.bank.books.statement_read(content.replace(old, new, 1), "bad.xml")
    assert registry.store.entry_last == before
    registry.bank.books.statement_read(content, "good.xml")
    with pytest.raises(BankFileError):
        registry.bank.books.statement_read(content, "good.xml")
    assert registry.store.entry_last == before + 1


def test_cash_that_came_past_the_bank_is_unexplained(institutions):
    """CEA-BNK-13."""
    # As in the time before there was a bank.
    setting, institutions.registry.bank.setting = institutions.registry.bank.setting, None
    institutions.registry.pay_in("alice", 900)
    institutions.registry.bank.setting = setting
    assert institutions.rows()["alice"]["unexplained"] == -900


def test_the_daemon_talks_to_the_bank_while_it_goes_on(tmp_path):
    """CEA-BNK-09: a day that waits for the bank is delivered and confirmed without anybody."""
    with BankProcess(tmp_path, 1) as bank:
        CurveKeys.new().save(tmp_path / "keys", "venue")
        with Registry.open(tmp_path, admission="open") as registry:
            both = Institutions(registry, bank, "end_of_day")
            both.begin()
            both.next_day()
            both.trade_day(6, fee=3)
            date = both.date
        config = RegistryConfig(
            fronts=0,
            settlement_mode="end_of_day",
            bank=BankSetting(data=str(tmp_path)),
            settlement="tcp://127.0.0.1:9",
            replay="tcp://127.0.0.1:9",
            clock=ClockSetting(kind="manual"),
        )
        with RegistryDaemon(config, tmp_path) as daemon:
            thread = threading.Thread(target=daemon.run)
            thread.start()
            try:
                with RegistryStore.open_reader(tmp_path) as store:
                    end = time.monotonic() + 30 * patience()
                    while store.confirmed_date != date or _count(store, "accepted") < 12:
                        assert time.monotonic() < end, _count(store, "accepted")
                        time.sleep(0.05)
                    assert _count(store, "accepted") == 12
            finally:
                daemon.stop()
                thread.join(20)
    assert check_ledger(tmp_path).differences == []


def _count(store, state):
    return store.one("SELECT count(*) FROM bank_instructions WHERE state = ?", (state,))


def test_files_carried_by_hand_do_the_same(tmp_path, institutions):
    """CEA-BNK-02, CEA-BNK-03: batches out, statements in, each once and whole."""
    both, files = institutions, institutions.registry.bank_files
    with refuses("BANK_NOT_SET: .*expected a folder"):
        files.batches_write()
    files.folder = tmp_path / "files"
    (tmp_path / "files" / "in").mkdir(parents=True)
    both.next_day()
    both.trade_day(4)
    (path,) = files.batches_write()
    written = Path(path).read_bytes()
    assert files.batches_write() == [path] and Path(path).read_bytes() == written
    answer = both.client.ask(SendBatch(content=written))["content"]
    (tmp_path / "files" / "in" / "report.xml").write_bytes(answer)
    report, unapplied = files.report_read("report.xml", sha256(answer).hexdigest())
    assert (len(report.statuses), unapplied, files.batches_write()) == (4, [], [])
    both.deliver()
    assert both.states() == {"settled": 4}
    content = both.client.statement_content(both.date, 1)
    for name, text, why in (
        ("bad.xml", content[:-20], "BANK_FILE_REFUSED: .*bad.xml:"),
        ("../out/B1.xml", None, "BANK_FILE_UNKNOWN: file: expected a name in"),
        ("none.xml", None, "BANK_FILE_UNKNOWN: .*No such file"),
    ):
        if text is not None:
            (tmp_path / "files" / "in" / name).write_bytes(text)
        with refuses(why):
            files.statement_read(name, sha256(text or b"").hexdigest())
    (tmp_path / "files" / "in" / "good.xml").write_bytes(content)
    found = files.statement_read("good.xml", sha256(content).hexdigest())
    assert found.agrees and both.is_reconciled()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("UPDATE bank_entries SET cash = cash + 1", "the bank's entry is of"),
        ("UPDATE bank_accounts SET closing = 0", "sub-account alice: its closing balance"),
        ("INSERT INTO pay_outs VALUES (1, 1, 5, 'own', 'begun')", "account bob: in banking"),
    ],
)
def test_what_is_changed_by_hand_in_the_banks_tables_is_found(registry, tmp_path, change, sentence):
    with BankProcess(tmp_path, 1) as bank:
        Institutions(registry, bank, "realtime").begin()
    registry.store.execute(change)
    assert any(sentence in difference for difference in check_ledger(tmp_path).differences)


@pytest.mark.parametrize("mode", ["realtime"], indirect=True)
def test_the_risk_reserve_is_filled_by_the_bank(tmp_path, institutions):
    """CEA-BNK-14, CEA-RSV-02: fee sub-account to reserve sub-account, as the entry says."""
    both, registry = institutions, institutions.registry
    both.next_day()
    registry.risk_reserve.terms_set(10**9, 5_000)
    both.venue.trade(50, 9_749, buy_fee=300, sell_fee=201)
    both.settle()
    both.talk()
    both.statement()
    assert registry.risk_reserve.contribute() == 250
    shown = registry.store.execute(
        "SELECT debtor, creditor, cash, purpose FROM bank_instructions WHERE kind = 'between'"
    ).fetchall()
    assert shown == [("SUB-FEES", "SUB-RESERVE", 250, "between")]
    assert both.unexplained() == 0 and not both.is_reconciled()
    both.talk()
    assert both.statement().agrees and both.is_reconciled(), both.rows()
    assert check_ledger(tmp_path).differences == []
