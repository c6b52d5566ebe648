"""What is under way to the bank, and when it may be asked again: without thread or clock."""

from cea_exchange.protocol.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import pain_001
from cea_exchange.registry.bank.errands import (
    PAUSE_FIRST_NS,
    PAUSE_LAST_NS,
    Brought,
    Errands,
)
from cea_exchange.registry.bank.requests import AskStatement, AskStatus, SendBatch
from cea_exchange.registry.bank.schedule import StatementOf

DAY = 20260702
BATCH = Batch(
    batch_id="B1",
    created_s=1_782_889_800,
    customer="registry",
    bank="BANK",
    instructions=(
        Instruction(
            instruction_id="T1",
            debtor="alice",
            creditor="bob",
            cash=5,
            business_date=DAY,
            purpose=Purpose.TRADE_LEG,
        ),
    ),
)


def test_what_is_under_way_is_busy_until_it_is_back_and_its_pause_is_over():
    errands = Errands()
    errands.carry(BATCH, 0, is_sent=False)
    (errand,) = errands.taken_out()
    assert errands.taken_out() == [] and errands.count == 1
    assert errands.busy(10 * PAUSE_FIRST_NS) == {"B1"}
    errands.brought_back(Brought(errand, b"report", True))
    assert errands.answers() == [(BATCH, b"report")] and errands.answers() == []
    assert errands.count == 0
    assert errands.busy(PAUSE_FIRST_NS - 1) == {"B1"}
    assert errands.busy(PAUSE_FIRST_NS) == set()


def test_each_pause_is_twice_the_last_up_to_a_minute():
    errands, now_ns, pauses = Errands(), 0, []
    for _ in range(10):
        errands.carry(BATCH, now_ns, is_sent=True)
        (errand,) = errands.taken_out()
        errands.brought_back(Brought(errand, b"pending", True))
        began_ns = now_ns
        while errands.busy(now_ns):
            now_ns += PAUSE_FIRST_NS // 4
        pauses.append(now_ns - began_ns)
    assert pauses[:3] == [PAUSE_FIRST_NS, 2 * PAUSE_FIRST_NS, 4 * PAUSE_FIRST_NS]
    assert pauses[-1] == PAUSE_LAST_NS == max(pauses)


def test_who_was_not_heard_is_asked_again_at_once():
    errands = Errands()
    errands.carry(BATCH, 0, is_sent=False)
    (errand,) = errands.taken_out()
    errands.brought_back(Brought(errand, "no answer", False))
    assert errands.answers() == [] and errands.busy(1) == set()


def test_a_statement_is_fetched_once_at_a_time_and_comes_as_bytes_or_why_not():
    errands, statement = Errands(), StatementOf(DAY, 1)
    errands.fetch(statement, 0)
    errands.fetch(statement, 1)
    (errand,) = errands.taken_out()
    errands.brought_back(Brought(errand, "no such day", True))
    errands.fetch(statement, 2)
    assert errands.taken_out() == []
    assert errands.statements() == [(statement, "no such day")]


def test_a_batch_goes_out_as_it_was_written_and_is_asked_about_by_its_id():
    errands = Errands()
    errands.carry(BATCH, 0, is_sent=False)
    errands.carry(BATCH, 0, is_sent=True)
    errands.fetch(StatementOf(DAY, 2), 0)
    assert [each.request() for each in errands.taken_out()] == [
        SendBatch(content=pain_001.batch_write(BATCH)),
        AskStatus(batch_id="B1"),
        AskStatement(business_date=DAY, sequence=2),
    ]
