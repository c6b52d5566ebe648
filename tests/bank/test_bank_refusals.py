"""The bank's refusals by their codes, over its socket; `protocol/bank_refusals.md` lists them."""

import msgspec
import pytest

from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.registry.bank.client import BankRefused
from cea_exchange.registry.bank.requests import (
    AskStatement,
    AskStatus,
    AskTruth,
    OpenAccount,
    PayIn,
    SendBatch,
    Withdraw,
)
from cea_exchange.simulators.bank.books import BankBooks
from cea_exchange.simulators.bank.faults import FaultRates
from cea_exchange.simulators.bank.machine import BankMachine
from support.bank.bank_process import BankProcess

pytestmark = pytest.mark.e2e

DAY = 20260701
PAYMENT = {"payment_id": "I-1", "account": "SUB-A", "cash": 5, "business_date": DAY}


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    with BankProcess(tmp_path_factory.mktemp("bank")) as bank:
        admin = bank.client("admin")
        admin.open_account("SUB-A")
        admin.ask(PayIn(**PAYMENT))
        yield bank


@pytest.mark.parametrize(
    ("code", "request_made"),
    [
        (BankRefusal.VALUE_UNSOUND, PayIn(**PAYMENT | {"cash": 0})),
        (BankRefusal.VALUE_UNSOUND, PayIn(**PAYMENT | {"business_date": 20260230})),
        (BankRefusal.VALUE_UNSOUND, OpenAccount(account="")),
        (BankRefusal.ACCOUNT_UNKNOWN, PayIn(**PAYMENT | {"payment_id": "I-2", "account": "SUB-Z"})),
        (BankRefusal.PAYMENT_REUSED, PayIn(**PAYMENT | {"cash": 6})),
        (BankRefusal.BALANCE_OUT_OF_RANGE, Withdraw(**PAYMENT | {"payment_id": "W-1", "cash": 6})),
        (BankRefusal.DAY_OUT_OF_ORDER, AskStatement(business_date=DAY, sequence=7)),
        (BankRefusal.BATCH_UNKNOWN, AskStatus(batch_id="B-9")),
        (BankRefusal.BATCH_UNSOUND, SendBatch(content=b"<no/>")),
    ],
    ids=lambda value: value.name if isinstance(value, BankRefusal) else "",
)
def test_a_request_is_refused_by_its_code(bank, code, request_made):
    with pytest.raises(BankRefused, match=f"refused {code.name}: ") as refused:
        bank.client("admin").ask(request_made)
    assert refused.value.code is code


def test_the_customer_may_not_ask_what_operators_may(bank):
    with pytest.raises(BankRefused) as refused:
        bank.client().ask(AskTruth())
    assert refused.value.code is BankRefusal.BAD_REQUEST


def test_what_nobody_thought_of_has_a_code_too(tmp_path, monkeypatch):
    def broken(_books):
        raise KeyError("truth")

    monkeypatch.setattr(BankBooks, "truth", broken)
    machine = BankMachine(tmp_path / "b.sqlite", 1, FaultRates())
    question = msgspec.msgpack.encode(AskTruth())
    content = machine.take(question, is_operator=True, now_s=0).content
    machine.close()
    answer = msgspec.msgpack.decode(content)
    assert answer["code"] == BankRefusal.INTERNAL.name and not answer["ok"]
