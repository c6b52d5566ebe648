"""What the bank was told against what it has booked: every outcome, and the sum of differences."""

import pytest

from cea_exchange.protocol.bank.instructions import Instruction, Purpose
from cea_exchange.protocol.bank.statements import (
    AccountStatement,
    Entry,
    InstructionStatus,
    Statement,
    Status,
)
from cea_exchange.registry.bank.matching import Outcome, match
from support.bank.bank_files import meaning_of

DAY = 20260701
PAID = Instruction(
    instruction_id="T-1",
    debtor="BUYER",
    creditor="SELLER",
    cash=100,
    business_date=DAY,
    purpose=Purpose.TRADE_LEG,
)
OUT = Instruction(
    instruction_id="P-1",
    debtor="SELLER",
    creditor="6222",
    cash=70,
    business_date=DAY,
    purpose=Purpose.PAY_OUT,
)
REFERENCES = {"BUYER": "buyer co", "SELLER": "seller co"}


def statement(*booked, sequence=1):
    """Return a statement of (account, fen, what else an entry says)."""
    accounts = []
    numbered = [
        (account, Entry(entry_ref=f"E{sequence}-{number}", cash=cash, **what))
        for number, (account, cash, what) in enumerate(booked)
    ]
    for account in ("BUYER", "OTHER", "SELLER"):
        entries = tuple(entry for name, entry in numbered if name == account)
        closing = sum(entry.cash for entry in entries)
        accounts.append(
            AccountStatement(account=account, opening=0, entries=entries, closing=closing)
        )
    return Statement(
        statement_id=f"S-{sequence}",
        created_s=1,
        business_date=DAY,
        sequence=sequence,
        accounts=tuple(accounts),
    )


def legs(*booked):
    return statement(*((account, cash, {"instruction_id": "T-1"}) for account, cash in booked))


@pytest.mark.parametrize(
    ("booked", "outcome", "differences"),
    [
        ([("BUYER", -100), ("SELLER", 100)], Outcome.BOOKED, {}),
        ([], Outcome.MISSING, {"BUYER": 100, "SELLER": -100}),
        (
            [("BUYER", -100), ("SELLER", 100)] * 2,
            Outcome.DOUBLED,
            {"BUYER": -100, "SELLER": 100},
        ),
        ([("BUYER", -101), ("SELLER", 101)], Outcome.MISSTATED, {"BUYER": -1, "SELLER": 1}),
        ([("BUYER", -100), ("SELLER", 10)], Outcome.MISSTATED, {"SELLER": -90}),
        ([("BUYER", 100), ("SELLER", -100)], Outcome.MISSTATED, {"BUYER": 200, "SELLER": -200}),
        ([("BUYER", -100), ("OTHER", 100)], Outcome.WRONG_ACCOUNT, {"OTHER": 100, "SELLER": -100}),
        ([("BUYER", -100)], Outcome.ONE_SIDED, {"SELLER": -100}),
        ([("SELLER", 60), ("SELLER", 40), ("BUYER", -100)], Outcome.DOUBLED, {}),
    ],
)
def test_each_outcome_with_its_differences(booked, outcome, differences):
    """CEA-BNK-06."""
    found = match([PAID], [], [legs(*booked)], REFERENCES)
    assert found.findings[0].outcome is outcome
    assert found.differences == differences
    assert found.difference_sum == sum(abs(cash) for cash in differences.values())
    assert found.agrees == (outcome is Outcome.BOOKED)


def test_refused_is_no_difference_unless_it_is_booked():
    refused = InstructionStatus(instruction_id="T-1", status=Status.REFUSED, reason="AM04")
    pending = InstructionStatus(instruction_id="T-1", status=Status.PENDING)
    found = match([PAID], [pending, refused], [], REFERENCES)
    assert found.findings[0].outcome is Outcome.REFUSED and found.agrees
    assert found.differences == {}
    found = match([PAID], [refused], [legs(("BUYER", -100), ("SELLER", 100))], REFERENCES)
    assert found.findings[0].outcome is Outcome.REFUSED_YET_BOOKED and not found.agrees
    assert found.differences == {"BUYER": -100, "SELLER": 100}


def test_a_pay_out_has_one_leg():
    found = match([OUT], [], [statement(("SELLER", -70, {"instruction_id": "P-1"}))], REFERENCES)
    assert found.findings[0].outcome is Outcome.BOOKED and found.agrees


@pytest.mark.parametrize(
    ("account", "cash", "what", "is_pay_in"),
    [
        ("BUYER", 5, {"reference": "buyer co"}, True),
        ("BUYER", 5, {"reference": "seller co"}, False),
        ("BUYER", 5, {}, False),
        ("OTHER", 5, {"reference": "buyer co"}, False),
        ("BUYER", -5, {"reference": "buyer co"}, False),
        ("BUYER", 5, {"reference": "buyer co", "instruction_id": "T-7"}, False),
        ("BUYER", 5, {"reference": "buyer co", "reverses": "E0"}, False),
    ],
)
def test_a_pay_in_is_a_credit_with_the_participants_reference(account, cash, what, is_pay_in):
    """CEA-BNK-07."""
    found = match([], [], [statement((account, cash, what))], REFERENCES)
    assert (len(found.pay_ins), len(found.unknown)) == ((1, 0) if is_pay_in else (0, 1))
    assert found.differences == ({} if is_pay_in else {account: cash})
    assert found.agrees == is_pay_in


def test_a_reversal_takes_away_what_it_reverses_exactly_once():
    """CEA-BNK-05."""
    instructed = {"instruction_id": "T-1"}
    twice = [("BUYER", -100, instructed), ("SELLER", 100, instructed)] * 2
    undone = [
        ("BUYER", 100, {**instructed, "reverses": "E1-2"}),
        ("SELLER", -100, {**instructed, "reverses": "E1-3"}),
    ]
    first = statement(*twice)
    found = match([PAID], [], [first, statement(*undone, sequence=2)], REFERENCES)
    assert found.findings[0].outcome is Outcome.BOOKED and found.agrees
    # Undone once more, with another amount, or on another account, it does not go away.
    for wrong in (
        undone + undone[:1],
        [("BUYER", 99, {**instructed, "reverses": "E1-2"}), undone[1]],
        [("OTHER", 100, {**instructed, "reverses": "E1-2"}), undone[1]],
    ):
        found = match([PAID], [], [first, statement(*wrong, sequence=2)], REFERENCES)
        assert not found.agrees and found.difference_sum > 0, wrong


def test_the_golden_files_tell_of_a_doubled_trade_that_is_put_right():
    batch, report = meaning_of("batch"), meaning_of("report")
    first, second = meaning_of("statement"), meaning_of("statement_of_correction")
    references = {"SUB-BUYER": "买方公司 BUYER"}
    found = match(batch.instructions, report.statuses, [first], references)
    assert [each.outcome for each in found.findings] == [
        Outcome.DOUBLED,
        Outcome.MISSING,
        Outcome.REFUSED,
    ]
    assert [stated.entry.cash for stated in found.pay_ins] == [10_000_000]
    assert found.differences == {
        "SUB-BUYER": -9_749_000 + 5_049,
        "SUB-FEES": -5_049,
        "SUB-SELLER": 9_749_000,
    }
    found = match(batch.instructions, report.statuses, [first, second], references)
    assert found.agrees and found.differences == {}
