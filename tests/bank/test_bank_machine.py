"""The bank without a socket: requests and the time in, answers out, or nothing as it draws."""

import msgspec
import pytest

from cea_exchange.protocol.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import pain_001, pain_002
from cea_exchange.registry.bank.requests import AskTruth, OpenAccount, PayIn, SendBatch
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.machine import BankMachine
from support.bank.persons import CUSTOMER_KEY, OPERATOR_KEY, PERSONS

DAY = 20260702
NOW_S = 1_782_889_800


def bank_of(path, **faults):
    machine = BankMachine(path, PERSONS, 1, FaultRates(**faults))
    for name in ("SUB-A", "SUB-B"):
        asked(machine, OpenAccount(account=name))
    paid = PayIn(payment_id="I-1", account="SUB-A", cash=500, business_date=DAY, reference="co")
    asked(machine, paid)
    return machine


def take(machine, request, key=OPERATOR_KEY):
    return machine.take(msgspec.msgpack.encode(request), key=key, now_s=NOW_S)


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
    first = take(bank, batch_sent(), CUSTOMER_KEY)
    assert first.content is None and first.is_restart == (fault == "restart")
    again = take(bank, batch_sent(), CUSTOMER_KEY)
    report = msgspec.msgpack.decode(again.content)["content"]
    assert not again.is_restart
    assert pain_002.report_read(report, "report").created_s == NOW_S
    accounts = asked(bank, AskTruth())["accounts"]
    assert {name: one["true_balance"] for name, one in accounts.items()} == {
        "SUB-A": 300,
        "SUB-B": 200,
    }


def test_what_only_an_operator_may_ask_is_refused_to_the_customer():
    answer = take(bank_of(":memory:"), AskTruth(), CUSTOMER_KEY)
    assert msgspec.msgpack.decode(answer.content) == {
        "ok": False,
        "code": "NOT_PERMITTED",
        "error": "truth: expected one of operator, got customer registry",
    }
    assert not answer.unreadable


def test_what_is_no_request_is_answered_and_counted():
    answer = take(bank_of(":memory:"), {"op": "lend"})
    shown = msgspec.msgpack.decode(answer.content)
    assert (shown["ok"], shown["code"]) == (False, "BAD_REQUEST")
    assert answer.unreadable == shown["error"]


def test_the_same_requests_at_the_same_times_give_the_same_answers():
    shown = []
    for _ in range(2):
        bank = bank_of(":memory:", delay=500, lose_answer=500)
        shown.append([take(bank, batch_sent()), take(bank, batch_sent()), take(bank, AskTruth())])
    assert shown[0] == shown[1]
