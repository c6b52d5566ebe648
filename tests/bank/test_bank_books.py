"""The simulated bank errs by its seed, states what it has booked, and puts its errors right."""

import random

import pytest

from cea_exchange.protocol.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001, pain_002
from cea_exchange.protocol.bank.iso_20022.camt_053 import Known
from cea_exchange.protocol.bank.statements import Status
from cea_exchange.registry.bank.matching import Outcome, match
from cea_exchange.registry.bank.requests import PayIn, Withdraw
from cea_exchange.simulators.bank.books import BankActError, BankBooks
from cea_exchange.simulators.bank.faults import Fault, FaultRates
from support.refusing import refuses

DAY = 20260702
NAMES = ("SUB-A", "SUB-B", "SUB-C", "SUB-FEES")
OFTEN = FaultRates(refuse=100, delay=100, double=100, misstate=100, misdirect=100)
SHOWN = {
    Fault.NONE: Outcome.BOOKED,
    Fault.REFUSE: Outcome.REFUSED,
    Fault.DELAY: Outcome.MISSING,
    Fault.DOUBLE: Outcome.DOUBLED,
    Fault.MISSTATE: Outcome.MISSTATED,
    Fault.MISDIRECT: Outcome.WRONG_ACCOUNT,
}


def books_open(path, seed=1, rates=OFTEN):
    return BankBooks(path / "bank.sqlite", seed, rates, clock=lambda: 1_782_889_800)


@pytest.fixture
def books(tmp_path):
    books = books_open(tmp_path, rates=FaultRates())
    for name in NAMES:
        books.account_open(name)
    books.payment_take(paid_in("I-1", "SUB-A", 10_000))
    yield books
    books.close()


def paid_in(payment_id, account, cash, reference="co"):
    return PayIn(
        payment_id=payment_id, account=account, cash=cash, business_date=DAY, reference=reference
    )


def instruction(name, debtor="SUB-A", creditor="SUB-B", cash=100, day=DAY, purpose="trade_leg"):
    return Instruction(
        instruction_id=name,
        debtor=debtor,
        creditor=creditor,
        cash=cash,
        business_date=day,
        purpose=Purpose(purpose),
    )


def batch(name, *instructions):
    return Batch(
        batch_id=name, created_s=1, customer="registry", bank="BANK", instructions=instructions
    )


def sent(books, one):
    report, _ = books.batch_take(pain_001.batch_write(one))
    return pain_002.report_read(report, "report", batch=one)


def stated(books, day=DAY, sequence=1, known=None):
    return camt_053.statement_read(books.statement(day, sequence), "statement", known or Known())


def reasons(report):
    return [(each.status.value, each.reason) for each in report.statuses]


def test_a_batch_counts_once_however_often_it_comes(books):
    """CEA-BNK-02."""
    one = batch("B-1", instruction("T-1"))
    first, new_id = books.batch_take(pain_001.batch_write(one))
    assert new_id == "B-1"
    assert books.batch_take(pain_001.batch_write(one)) == (first, None)
    assert stated(books).closings()["SUB-B"] == 100
    other = sent(books, batch("B-1", instruction("T-2")))
    assert other.refusal == "DU01" and not other.statuses


def test_a_reference_counts_once_in_whatever_batch(books):
    """CEA-BNK-01."""
    sent(books, batch("B-1", instruction("T-1")))
    again = sent(books, batch("B-2", instruction("T-1"), instruction("T-2")))
    assert reasons(again) == [("accepted", ""), ("accepted", "")]
    changed = sent(books, batch("B-3", instruction("T-1", cash=101)))
    assert reasons(changed) == [("refused", "DU04")]
    assert stated(books).closings()["SUB-B"] == 200


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"debtor": "SUB-X"}, "AC01"),
        ({"creditor": "SUB-X"}, "AC03"),
        ({"purpose": "pay_out"}, "AC03"),
        ({"cash": 10_001}, "AM04"),
        ({"debtor": "SUB-B", "creditor": "SUB-A"}, "AM04"),
        ({"day": DAY - 1}, "DT01"),
    ],
)
def test_what_can_not_be_carried_out_is_refused_with_its_reason(books, what, reason):
    books.statement(DAY, 1)
    report = sent(books, batch("B-1", instruction("T-1", **what), instruction("T-2")))
    assert reasons(report) == [("refused", reason), ("accepted", "")]
    assert stated(books, sequence=2).closings()["SUB-A"] == 9_900


def test_what_is_for_a_later_day_is_stated_then(books):
    sent(books, batch("B-1", instruction("T-1", day=DAY + 1)))
    assert stated(books).closings()["SUB-B"] == 0
    assert stated(books, day=DAY + 1).closings()["SUB-B"] == 100


def test_a_statement_is_made_once_and_in_its_order(books):
    first = books.statement(DAY, 1)
    sent(books, batch("B-1", instruction("T-1")))
    assert books.statement(DAY, 1) == first
    for day, sequence in ((DAY, 3), (DAY - 1, 1), (DAY + 1, 2)):
        with refuses("DAY_OUT_OF_ORDER: .*expected a day from", BankActError):
            books.statement(day, sequence)


def test_a_payment_counts_once_and_needs_cover(books):
    books.payment_take(paid_in("I-1", "SUB-A", 10_000))
    with refuses("PAYMENT_REUSED: payment_id: expected a new one, got another's I-1", BankActError):
        books.payment_take(paid_in("I-1", "SUB-A", 10_001))
    out = Withdraw(payment_id="W-1", account="SUB-A", cash=10_001, business_date=DAY)
    with refuses("BALANCE_OUT_OF_RANGE: .*within 0[.][.]999999999999999 fen, got -1", BankActError):
        books.payment_take(out)
    with refuses("ACCOUNT_UNKNOWN: account: expected a sub-account, got SUB-X", BankActError):
        books.payment_take(paid_in("I-2", "SUB-X", 1))
    with pytest.raises(ValueError, match="reference: expected at most 140 printable"):
        books.payment_take(paid_in("I-3", "SUB-A", 1, reference="\n"))
    assert stated(books).closings()["SUB-A"] == 10_000


def random_instruction(chance, number):
    debtor, creditor = chance.sample(NAMES, 2)
    purpose = chance.choice(list(Purpose))
    if purpose is Purpose.PAY_OUT:
        creditor = "6222000011112222"
    return instruction(f"T-{number}", debtor, creditor, chance.randint(1, 400), purpose=purpose)


@pytest.mark.parametrize("seed", range(8))
def test_by_its_seed_every_error_is_shown_as_what_it_is_and_put_right(tmp_path, seed):
    """CEA-BNK-05, CEA-BNK-06: what matching finds is what the bank knows to be wrong."""
    chance = random.Random(seed)
    books = books_open(tmp_path, seed)
    paid = dict.fromkeys(NAMES, 0)
    for name in NAMES:
        books.account_open(name)
    shown, statuses, statements, known = [], [], [], Known(closings={})
    for step in range(10):
        account, cash = chance.choice(NAMES), chance.randint(1, 5_000)
        books.payment_take(paid_in(f"I-{step}", account, cash))
        paid[account] += cash
        new = [random_instruction(chance, 100 * step + number) for number in range(6)]
        report = sent(books, batch(f"B-{step}", *new))
        shown += new
        statuses += report.statuses
        if chance.random() < 0.5:
            books.close()
            books = books_open(tmp_path, seed)
    for sequence in (1, 2, 3):
        known = Known(
            statement_ids={each.statement_id for each in statements},
            instruction_ids={each.instruction_id for each in shown},
            closings=statements[-1].closings() if statements else {},
        )
        statements.append(stated(books, sequence=sequence, known=known))
        found = match(shown, statuses, statements, dict.fromkeys(NAMES, "co"))
        truth = books.truth()["instructions"]
        for finding in found.findings:
            one = truth[finding.instruction_id]
            expected = SHOWN[Fault(one["fault"]) if sequence == 1 else Fault.NONE]
            if one["status"] == Status.REFUSED:
                expected = Outcome.REFUSED
            assert finding.outcome is expected, one
        assert found.agrees == (sequence > 1) and not found.unknown
        assert sum(stated.entry.cash for stated in found.pay_ins) == sum(paid.values())
    faults = {one["fault"] for one in truth.values()}
    assert faults == set(Fault), "every fault has come"
    assert all(one["corrected"] for one in truth.values())
    accounts = books.truth()["accounts"]
    assert {name: one["balance"] for name, one in accounts.items()} == statements[-1].closings()
    assert all(one["balance"] == one["true_balance"] for one in accounts.values())
    out = sum(
        each.cash
        for each in shown
        if each.purpose is Purpose.PAY_OUT and truth[each.instruction_id]["status"] != "refused"
    )
    assert sum(statements[-1].closings().values()) == sum(paid.values()) - out
    assert not statements[2].accounts[0].entries, "nothing is put right twice"
    books.close()


def test_the_same_seed_gives_the_same_files(tmp_path):
    contents = []
    for name in ("one", "two", "another"):
        (tmp_path / name).mkdir()
        books = books_open(tmp_path / name, seed=9 if name == "another" else 5)
        for account in NAMES:
            books.account_open(account)
        books.payment_take(paid_in("I-1", "SUB-A", 10_000))
        sent(books, batch("B-1", *(instruction(f"T-{number}") for number in range(20))))
        contents.append([books.statement(DAY, 1), books.statement(DAY, 2)])
        books.close()
    assert contents[0] == contents[1] != contents[2]


def test_the_status_of_what_was_late_becomes_accepted(tmp_path):
    books = books_open(tmp_path, rates=FaultRates(delay=1_000))
    for account in NAMES:
        books.account_open(account)
    books.payment_take(paid_in("I-1", "SUB-A", 10_000))
    one = batch("B-1", instruction("T-1"), instruction("T-2", cash=99_999))
    assert reasons(sent(books, one)) == [("pending", ""), ("refused", "AM04")]
    for sequence, status in ((1, "pending"), (2, "accepted")):
        books.statement(DAY, sequence)
        report = pain_002.report_read(books.status_report("B-1"), "report", batch=one)
        assert reasons(report) == [(status, ""), ("refused", "AM04")]
    with refuses("BATCH_UNKNOWN: batch_id: expected a batch that was sent, got B-2", BankActError):
        books.status_report("B-2")
    books.close()
