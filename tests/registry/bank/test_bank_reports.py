"""Whatever the bank says: it is kept, applied as far as it can be, and the rest is shown."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from cea_exchange.domain.bank_identifiers import date_check
from cea_exchange.domain.records import Phase
from cea_exchange.institution.clock import GivenClock
from cea_exchange.ledger.database.interface import DatabaseFull
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_002
from cea_exchange.protocol.bank.statements import (
    AccountStatement,
    Entry,
    InstructionStatus,
    Statement,
    Status,
    StatusReport,
)
from cea_exchange.registry.bank import reports as bank_reports
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.settlement.settlement import Settlement
from registry.bank.test_bank_service import CASH, RESERVE
from support.refusing import refuses
from support.registry.settlement_records import ALICE, BOB, LOG_ID, PRODUCT, Venue

pytestmark = pytest.mark.postgres_at_night

DAY_NS = 86_400_000_000_000
RESERVE_PLACE = Holding(int(Institution.RISK_RESERVE), CASH_ASSET, int(Compartment.REGISTRATION))


class Bank:
    """Answers as it is told; refuses what is in `refused`."""

    def __init__(self):
        self.refused = set()
        self.count = 0

    def answer(self, batch, **statuses):
        self.count += 1
        said = []
        for each in batch.instructions:
            is_refused = each.instruction_id in self.refused
            plain = Status.REFUSED if is_refused else Status.ACCEPTED
            status = statuses.get(each.instruction_id, plain)
            reason = "AM04" if status is Status.REFUSED else ""
            said.append(
                InstructionStatus(instruction_id=each.instruction_id, status=status, reason=reason)
            )
        return pain_002.report_write(
            StatusReport(
                report_id=f"R{self.count}",
                created_s=1_800_000_000,
                batch_id=batch.batch_id,
                statuses=tuple(said),
            )
        )


class Staff:
    """A registry with a bank, and a venue at which alice buys from bob."""

    def __init__(self, registry, mode="end_of_day"):
        self.registry, self.bank, self.venue = registry, Bank(), Venue()
        self.now_ns = 1_784_000_000 * 1_000_000_000
        registry.ledger.clock = GivenClock(lambda: self.now_ns)
        registry.bank.setting = None
        with registry.transaction():
            registry.product_declare(PRODUCT, 9749)
            registry.account_open("alice")
            registry.account_open("bob")
            registry.pay_in("alice", CASH)
            registry.issue("bob", PRODUCT, 1_000)
            into = registry.transfer_in("alice", None, CASH)
            self.venue.deposited(ALICE, into, cash=CASH)
            into = registry.transfer_in("bob", PRODUCT, 1_000)
            self.venue.deposited(BOB, into, tonnes=1_000)
        registry.bank.setting = BankSetting()
        self.settlement = Settlement(registry.store, mode=mode, is_ready=registry.bank.is_ready)

    def settle(self):
        self.settlement.apply(LOG_ID, self.venue.records[self.registry.store.last_seq :])

    def day(self, *tonnes):
        for each in tonnes:
            self.venue.trade(each, 100)
        self.venue.day_closed(volume=sum(tonnes), amount=100 * sum(tonnes))
        self.venue.checkpoint(Phase.CLOSED)
        self.settle()
        while self.registry.bank.instruct():
            pass

    def answered(self, **statuses):
        """Let the bank answer for what it was sent; return what could not be applied."""
        bank = self.registry.bank
        while bank.instruct():
            pass
        unapplied = []
        for batch in bank.batches():
            unapplied += bank.reports.answer_take(batch, self.bank.answer(batch, **statuses))
        while self.settlement.settle_batch():
            pass
        return unapplied

    def default_noticed(self):
        """Trade 1 is refused by the bank, and the notice's last day is over."""
        self.day(5)
        self.bank.refused.add("T3")
        self.answered()
        self.registry.defaults.notice(1, self.registry.business_date())
        self.now_ns += DAY_NS
        self.registry.defaults.reserve_use(1)

    def state(self, name):
        return self.registry.store.one(
            "SELECT state FROM bank_instructions WHERE instruction_id = ?", (name,)
        )

    def statement(self, *accounts, sequence=1):
        """A statement: (account, opening, [entries])."""
        return camt_053.statement_write(
            Statement(
                statement_id=f"S{self.registry.business_date()}-{sequence}",
                created_s=1_800_000_000,
                business_date=self.registry.business_date(),
                sequence=sequence,
                accounts=tuple(
                    AccountStatement(
                        account=account,
                        opening=opening,
                        entries=tuple(entries),
                        closing=opening + sum(entry.cash for entry in entries),
                    )
                    for account, opening, entries in accounts
                ),
            )
        )


FUNDED = Entry(entry_ref="E1", cash=RESERVE, reference="risk reserve")


def test_a_reserve_that_no_statement_has_shown_waits_and_ends_nothing(tmp_path, registry):
    """CEA-BNK-15: the answer is kept and shown; the statement that funds the reserve applies it."""
    staff = Staff(registry)
    staff.default_noticed()
    staff.venue.trade(7, 100)
    staff.venue.day_closed(volume=12, amount=1_200)
    staff.venue.checkpoint(Phase.CLOSED)
    (unapplied,) = staff.answered()
    assert unapplied.instruction_id == "R1" and unapplied.status == "accepted"
    assert "expected risk reserve to hold 500 of CNY" in unapplied.why
    (shown,), further = registry.bank.reports.listed(count=9)
    assert (shown["source"], shown["instruction_id"], further) == ("report 2", "R1", None)
    assert registry.status()["bank_unapplied"] == 1
    kept = registry.store.execute(
        "SELECT report_no, state, why FROM bank_reports ORDER BY report_no"
    ).fetchall()
    assert [row[:2] for row in kept] == [(1, "applied"), (2, "refused")]
    assert kept[1][2] == f"R1: {unapplied.why}"
    assert registry.defaults.show(1)["state"] == "covering" and staff.state("R1") == "sent"
    # It counts as answered; said again, nothing is kept twice.
    assert registry.bank.batches() == [] and registry.bank.reports.retry() == 0
    assert len(registry.bank.reports.listed(count=9)[0]) == 1
    content = staff.statement(("SUB-RESERVE", 0, [FUNDED]))
    registry.bank.books.statement_read(content, "s.xml")
    assert registry.bank.reports.listed(count=9) == ([], None)
    # Accepted, and then not shown by a statement that should.
    assert staff.state("R1") == "late"
    assert registry.defaults.show(1)["state"] == "covered"
    assert registry.store.balance(RESERVE_PLACE) == RESERVE - 500
    assert check_ledger(tmp_path).differences == []


def test_the_rest_of_the_same_answer_counts(registry):
    """CEA-BNK-15: one instruction's trouble is not another's."""
    staff = Staff(registry)
    staff.default_noticed()
    registry.bank.setting = None
    registry.pay_in("bob", 700)
    registry.bank.setting = BankSetting()
    registry.bank.pay_out("bob", 700, "6222000000000001")
    (batch,) = registry.bank.batches()
    assert {each.instruction_id for each in batch.instructions} == {"R1", "P1"}
    (unapplied,) = staff.answered()
    assert unapplied.instruction_id == "R1"
    assert (staff.state("R1"), staff.state("P1")) == ("sent", "accepted")


def test_one_statement_may_fund_the_reserve_and_show_what_it_paid(tmp_path, registry):
    """CEA-BNK-15: pay-ins first; and what can't be applied is no reason to refuse the statement."""
    staff = Staff(registry)
    staff.default_noticed()
    staff.answered()
    paid = Entry(entry_ref="E2", cash=-500, instruction_id="R1", counter_account="bob")
    got = Entry(entry_ref="E3", cash=500, instruction_id="R1", counter_account="SUB-RESERVE")
    short = Entry(entry_ref="E4", cash=-500, instruction_id="T3")
    content = staff.statement(("SUB-RESERVE", 0, [FUNDED, paid]), ("bob", 0, [got]))
    found = registry.bank.books.statement_read(content, "s.xml")
    assert len(found.pay_ins) == 1 and staff.state("R1") == "booked"
    assert registry.defaults.show(1)["state"] == "covered"
    # An entry of what the bank has refused is an error of its own, and is shown as one.
    content = staff.statement(("SUB-RESERVE", RESERVE - 500, []), ("bob", 500, [short]), sequence=2)
    assert not registry.bank.books.statement_read(content, "s2.xml").agrees
    assert staff.state("T3") == "in_error"
    assert check_ledger(tmp_path).differences == []


def test_a_statement_shows_what_the_reserve_paid_before_it_was_funded(registry):
    """CEA-BNK-15: the statement is read; its finding waits for the cash, and is taken then."""
    staff = Staff(registry)
    staff.default_noticed()
    staff.answered(R1=Status.PENDING)
    paid = Entry(entry_ref="E2", cash=-500, instruction_id="R1", counter_account="bob")
    got = Entry(entry_ref="E3", cash=500, instruction_id="R1", counter_account="SUB-RESERVE")
    nobody = Entry(entry_ref="E1", cash=RESERVE, reference="a cousin")
    content = staff.statement(("SUB-RESERVE", 0, [nobody, paid]), ("bob", 0, [got]))
    registry.bank.books.statement_read(content, "s.xml")
    (shown,), _ = registry.bank.reports.listed(count=9)
    assert (shown["instruction_id"], shown["status"]) == ("R1", "booked")
    assert shown["source"].startswith("statement S") and staff.state("R1") == "pending"
    registry.bank.setting = None
    registry.defaults.reserve_fund(600)
    registry.bank.setting = BankSetting()
    assert registry.bank.reports.retry() == 1
    assert staff.state("R1") == "booked" and registry.defaults.show(1)["state"] == "covered"
    assert registry.bank.reports.open_count() == 0


def test_what_never_can_be_is_shown_until_a_person_ends_it(registry):
    """CEA-BNK-08, CEA-BNK-15: accepted after it was refused."""
    staff = Staff(registry)
    staff.day(5, 6)
    (batch,) = registry.bank.batches()
    staff.bank.refused.add("T3")
    staff.answered()
    assert staff.state("T3") == "refused"
    staff.bank.refused.clear()
    (unapplied,) = registry.bank.reports.answer_take(batch, staff.bank.answer(batch))
    assert unapplied.why == "instruction T3: expected it to stay refused, got accepted"
    assert (staff.state("T3"), staff.state("T4")) == ("refused", "accepted")
    accepted = InstructionStatus(instruction_id="T3", status=Status.ACCEPTED)
    with refuses("BANK_CONTRADICTION: instruction T3"), registry.transaction():
        registry.bank.status_take(accepted)
    reports = registry.bank.reports
    with refuses("UNAPPLIED_UNKNOWN: .*got 2"):
        reports.close(2, "asked")
    with refuses("TEXT_UNSOUND: why"):
        reports.close(1, "a\tb")
    reports.close(1, "sent in error, says the bank")
    assert reports.listed(count=9) == ([], None)


def test_a_later_word_overtakes_one_that_could_not_be_applied(registry):
    """CEA-BNK-15: the reserve's payment, accepted too early, is refused after all."""
    staff = Staff(registry)
    staff.default_noticed()
    (batch,) = registry.bank.batches()
    staff.answered()
    staff.bank.refused.add("R1")
    assert registry.bank.reports.answer_take(batch, staff.bank.answer(batch)) == []
    assert registry.bank.reports.open_count() == 0
    assert registry.defaults.show(1)["state"] == "noticed" and staff.state("R1") == "refused"


def test_a_reserve_that_has_paid_is_not_asked_again_when_the_bank_thinks_otherwise(
    tmp_path, registry
):
    """CEA-DEF-02: the ledger has paid, the trade is posted; the bank is instructed again."""
    staff = Staff(registry)
    staff.default_noticed()
    registry.bank.setting = None
    registry.defaults.reserve_fund(RESERVE)
    registry.bank.setting = BankSetting()
    (batch,) = registry.bank.batches()
    staff.answered()
    assert registry.defaults.show(1)["state"] == "covered"
    staff.bank.refused.add("R1")
    assert registry.bank.reports.answer_take(batch, staff.bank.answer(batch)) == []
    assert (staff.state("R1"), registry.defaults.show(1)["state"]) == ("refused", "covered")
    assert registry.bank.again("R1") == "R1.2"
    staff.answered()
    assert registry.store.balance(RESERVE_PLACE) == RESERVE - 500
    assert registry.defaults.show(1)["state"] == "covered"
    assert check_ledger(tmp_path).differences == []


def test_answers_that_can_not_be_read_are_kept_some_of_each_batch(registry):
    """CEA-BNK-15: the batch stays unanswered; a bank that talks on fills no disk."""
    staff = Staff(registry)
    staff.day(5)
    (batch,) = registry.bank.batches()
    good = staff.bank.answer(batch)
    for number in range(30):
        for content in (b"no xml %d" % number, b"", good.replace(b"T3", b"T9")):
            assert registry.bank.reports.answer_take(batch, content) == []
    rows = registry.store.execute("SELECT state, count(*) FROM bank_reports GROUP BY state")
    assert rows.fetchall() == [("unreadable", 16)]
    assert registry.store.one("SELECT content FROM bank_reports WHERE report_no = 1") == b"no xml 0"
    assert [each.batch_id for each in registry.bank.batches()] == ["B1"]
    staff.answered()
    assert registry.bank.batches() == []


def test_a_full_disk_takes_nothing_and_loses_nothing(registry, monkeypatch):
    """CEA-BNK-15: nothing of the answer is done, and the bank is asked again."""
    staff = Staff(registry)
    staff.day(5)
    (batch,) = registry.bank.batches()
    insert = registry.store.database.insert

    def full(into, rows):
        if into.startswith("bank_reports "):
            raise DatabaseFull("no space")
        return insert(into, rows)

    monkeypatch.setattr(registry.store.database, "insert", full)
    with pytest.raises(DatabaseFull):
        registry.bank.reports.answer_take(batch, staff.bank.answer(batch))
    assert staff.state("T3") == "sent" and len(registry.bank.batches()) == 1
    monkeypatch.undo()
    staff.answered()
    assert staff.state("T3") == "accepted"


def test_what_waits_is_tried_again_some_at_a_time(registry, monkeypatch):
    """CEA-BNK-15: what never can be applied does not keep the rest from its turn."""
    monkeypatch.setattr(bank_reports, "RETRY_COUNT_MAX", 2)
    staff = Staff(registry)
    staff.day(1, 2, 3)
    staff.bank.refused |= {"T3", "T4", "T5"}
    (batch,) = registry.bank.batches()
    staff.answered()
    staff.bank.refused.clear()
    registry.bank.reports.answer_take(batch, staff.bank.answer(batch))
    assert registry.bank.reports.open_count() == 3
    # By hand: the last of them may be accepted after all.
    with registry.transaction():
        registry.store.execute(
            "UPDATE bank_instructions SET state = 'sent' WHERE instruction_id = 'T5'"
        )
    assert [registry.bank.reports.retry_some() for _ in range(3)] == [0, 1, 0]
    assert registry.bank.reports.open_count() == 2


def test_whatever_breaks_within_an_answer_is_a_reason_like_others(registry, monkeypatch):
    """CEA-BNK-15: also what nobody foresaw."""
    staff = Staff(registry)
    staff.default_noticed()

    def broken(default_id):
        raise OverflowError("too large")

    monkeypatch.setattr(registry.defaults, "covered", broken)
    (unapplied,) = staff.answered()
    assert unapplied.why == "OverflowError: too large"


def test_reading_a_statement_looks_at_no_instruction_that_is_settled(registry):
    """CEA-BNK-06: the work grows with the statement, not with what was ever instructed."""
    staff = Staff(registry)
    staff.day(*[1] * 60)
    staff.answered()
    booked = []
    for seq in range(3, 63):
        ends = {"alice": -100, "bob": 100}
        booked.append(
            {
                account: Entry(entry_ref=f"E{seq}{account}", cash=cash, instruction_id=f"T{seq}")
                for account, cash in ends.items()
            }
        )
    content = staff.statement(
        ("alice", 0, [each["alice"] for each in booked]),
        ("bob", 0, [each["bob"] for each in booked]),
    )
    assert registry.bank.books.statement_read(content, "s.xml").agrees
    nothing = staff.statement(("alice", -6_000, []), ("bob", 6_000, []), sequence=2)
    with rows_counted(registry.store) as counted:
        registry.bank.books.statement_read(nothing, "s2.xml")
    assert counted.rows < 30


def test_an_entry_that_was_stated_before_refuses_the_statement_in_words(registry):
    """CEA-BNK-03, CEA-BNK-12: what was booked once is not booked again."""
    staff = Staff(registry)
    books = registry.bank.books
    books.statement_read(staff.statement(("SUB-RESERVE", 0, [FUNDED])), "s.xml")
    again = staff.statement(("SUB-RESERVE", RESERVE, [FUNDED]), sequence=2)
    with refuses("BANK_STATED_TWICE: statement S20260714-2: expected a new AcctSvcrRef each"):
        books.statement_read(again, "s2.xml")
    assert registry.store.balance(RESERVE_PLACE) == RESERVE
    books.statement_read(staff.statement(("SUB-RESERVE", RESERVE, []), sequence=2), "s3.xml")


@contextmanager
def rows_counted(store):
    """Count the rows that are fetched of the bank's tables."""
    counted = SimpleNamespace(rows=0)
    execute = store.execute

    def counting(sql, values=()):
        found = execute(sql, values)
        if "bank_" not in sql or not sql.startswith("SELECT"):
            return found
        rows = found.fetchall()
        counted.rows += len(rows)
        return SimpleNamespace(fetchall=lambda: rows, fetchone=lambda: rows[0] if rows else None)

    store.execute = counting
    try:
        yield counted
    finally:
        del store.execute


@pytest.mark.parametrize("day", [2**64 - 1, -1, 10**30, 0, 20261301])
def test_a_date_of_any_size_is_refused_as_one(day):
    with pytest.raises(ValueError, match=f"day: expected a date as yyyymmdd, got {day}"):
        date_check(day, "day")
