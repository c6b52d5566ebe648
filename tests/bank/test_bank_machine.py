"""The bank without a socket: requests and the time in, answers out, or nothing as it draws."""

import msgspec
import pytest

from cea_exchange.registry.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.registry.bank.iso_20022 import pain_001, pain_002
from cea_exchange.registry.bank.requests import AskTruth, OpenAccount, PayIn, SendBatch
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.machine import BankMachine

DAY = 20260702
NOW_S = 1_782_889_800


def bank_of(path, **faults):
    machine = BankMachine(path, 1, FaultRates(**faults))
    for name in ("SUB-A", "SUB-B"):
        asked(machine, OpenAccount(account=name))
    paid = PayIn(
        payment_id="I-1", account="SUB-A", cash=500, business_date=DAY, reference="co"
    )
    asked(machine, paid)
    return machine


def take(machine, request, *, is_operator=True):
    return machine.take(msgspec.msgpack.encode(request), is_operator=is_operator, now_s=NOW_S)


def asked(machine, request):
    answer = msgspec.msgpack.decode(take(machine, request).content)
    assert answer["ok"], answer
    return answer


def batch_sent():
    instruction = Instruction(
        instruction_id="T-1",
        debtor="SUB-A",
        creditor="SUB-B",
        cash=200,
        business_date=DAY,
        purpose=Purpose.TRADE_LEG,
    )
    batch = Batch(
        batch_id="B-1",
        created_s=NOW_S,
        customer="registry",
        bank="BANK",
        instructions=(instruction,),
    )
    return SendBatch(content=pain_001.batch_write(batch))


@pytest.mark.parametrize("fault", ["lose_answer", "restart"])
def test_a_batch_that_gets_no_answer_is_carried_out_once(fault):
    """CEA-BNK-02."""
    bank = bank_of(":memory:", **{fault: 1_000})
    first = take(bank, batch_sent(), is_operator=False)
    assert first.content is None and first.is_restart == (fault == "restart")
    again = take(bank, batch_sent(), is_operator=False)
    report = msgspec.msgpack.decode(again.content)["content"]
    assert not again.is_restart
    assert pain_002.report_read(report, "report").created_s == NOW_S
    accounts = asked(bank, AskTruth())["accounts"]
    assert {name: one["true_balance"] for name, one in accounts.items()} == {
        "SUB-A": 300,
        "SUB-B": 200,
    }


def test_what_only_an_operator_may_ask_is_no_request_of_the_customer():
    bank = bank_of(":memory:")
    answer = take(bank, AskTruth(), is_operator=False)
    assert answer.unreadable
    assert not msgspec.msgpack.decode(answer.content)["ok"]


def test_the_same_requests_at_the_same_times_give_the_same_answers():
    told = []
    for _ in range(2):
        bank = bank_of(":memory:", delay=500, lose_answer=500)
        told.append([take(bank, batch_sent()), take(bank, batch_sent()), take(bank, AskTruth())])
    assert told[0] == told[1]
