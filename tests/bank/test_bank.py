"""The bank as a process: it errs, loses answers, ends, is killed, and loses nothing it has said."""

import random
import signal
import threading
import time

import pytest

from cea_exchange.protocol.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022.camt_053 import Known
from cea_exchange.protocol.bank.statements import Status
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.client import BankRefused, BankUnavailable
from cea_exchange.registry.bank.matching import match
from cea_exchange.registry.bank.requests import AskStatement, AskTruth, PayIn, Withdraw
from support.bank.bank_files import FOLDER
from support.bank.bank_process import RESTART_STATUS, BankProcess
from support.venue.venue_process import command

pytestmark = pytest.mark.e2e

DAY = 20260702
NAMES = ("SUB-A", "SUB-B", "SUB-C", "SUB-FEES")
REFERENCES = dict.fromkeys(NAMES, "co")
PAID_IN = 100_000


def batch_of(number, count=40):
    chance = random.Random(number)
    instructions = []
    for place in range(count):
        debtor, creditor = chance.sample(NAMES, 2)
        instruction = Instruction(
            instruction_id=f"T-{number}-{place}",
            debtor=debtor,
            creditor=creditor,
            cash=chance.randint(1, 500),
            business_date=DAY,
            purpose=Purpose.TRADE_LEG,
        )
        instructions.append(instruction)
    return Batch(
        batch_id=f"B-{number}",
        created_s=1_782_889_800,
        customer="registry",
        bank="BANK",
        instructions=tuple(instructions),
    )


def accounts_fill(bank):
    admin = bank.client("admin")
    for name in NAMES:
        bank.client().open_account(name)
        admin.ask(paid_in(name))


def paid_in(name):
    return PayIn(
        payment_id=f"I-{name}", account=name, cash=PAID_IN, business_date=DAY, reference="co"
    )


def send_until_answered(bank, client, batch, ends):
    """Send a batch until there is an answer; note in `ends` what was in the way."""
    while True:
        try:
            return client.send(batch)
        except BankUnavailable:
            ends.append(bank.revive())


def truth_of(bank):
    return bank.client("admin").ask(AskTruth())


def statements_until_right(client, shown):
    """Return the day's statements until one more has nothing left to put right."""
    statements = []
    for sequence in (1, 2):
        known = Known(
            statement_ids={each.statement_id for each in statements},
            instruction_ids={each.instruction_id for each in shown},
            closings=statements[-1].closings() if statements else {},
            last=(DAY, sequence - 1) if statements else None,
        )
        statements.append(client.statement(DAY, sequence, known))
    return statements


def test_a_day_with_errors_lost_answers_restarts_and_kills(tmp_path):
    """CEA-BNK-02: whatever is lost on the way, each instruction is carried out once at most."""
    chance = random.Random(4)
    faults = {"refuse": 50, "delay": 80, "double": 80, "misstate": 80, "misdirect": 80}
    with BankProcess(tmp_path, 4, **faults, lose_answer=250, restart=150) as bank:
        accounts_fill(bank)
        client = bank.client(timeout_ms=300, tries_max=1)
        shown, statuses, ends = [], [], []
        for number in range(6):
            batch = batch_of(number)
            shown += batch.instructions
            killer = threading.Timer(chance.uniform(0.0, 0.03), bank.process.kill)
            is_killed = number % 3 == 0
            if is_killed:
                killer.start()
            report = send_until_answered(bank, client, batch, ends)
            if is_killed:
                killer.join()
            # Said once, said for ever: the second answer is the first one.
            assert send_until_answered(bank, client, batch, ends) == report
            statuses += report.statuses
        assert ends.count(RESTART_STATUS) == 1 and ends.count(-signal.SIGKILL) == 2, ends
        assert ends.count(None) >= 1, "an answer was lost"
        bank.kill()
        bank.start()
        statements = statements_until_right(bank.client(), shown)
        truth = truth_of(bank)
    found = match(shown, statuses, statements[:1], REFERENCES)
    assert not found.agrees and found.difference_sum > 0 and not found.unknown
    found = match(shown, statuses, statements, REFERENCES)
    assert found.agrees and found.differences == {}
    assert len(found.pay_ins) == len(NAMES)
    assert {one["fault"] for one in truth["instructions"].values()} >= {"", *faults}
    for status in statuses:
        # A promise, or a refusal, that was heard has outlived every kill.
        said = truth["instructions"][status.instruction_id]["status"]
        assert (said == Status.REFUSED) == (status.status is Status.REFUSED)
    closings = statements[-1].closings()
    assert sum(closings.values()) == PAID_IN * len(NAMES)
    assert closings == {name: one["true_balance"] for name, one in truth["accounts"].items()}


def test_a_bank_asked_again_by_those_it_knows_and_by_no_one_else(tmp_path):
    with BankProcess(tmp_path, refuse=1_000, lose_answer=1_000) as bank:
        accounts_fill(bank)
        customer, admin = bank.client(timeout_ms=1_000), bank.client("admin")
        report = customer.send(batch_of(1, count=2))
        assert {each.reason for each in report.statuses} == {"MS03"}
        assert bank.log().count("answer_lost") == 1
        for request in (paid_in("SUB-A"), AskTruth()):
            with pytest.raises(BankRefused, match="refused NOT_PERMITTED: .*, got customer"):
                customer.ask(request)
        admin.ask(
            Withdraw(payment_id="W-1", account="SUB-A", cash=1, business_date=DAY, reference="co")
        )
        with pytest.raises(BankRefused, match="expected a batch that was sent, got B-7"):
            customer.status(batch_of(7))
        statement = customer.statement(DAY)
        assert statement.closings()["SUB-A"] == PAID_IN - 1
        found = match([], [], [statement], REFERENCES)
        assert [each.entry.cash for each in found.unknown] == [-1]
        assert bank.client().statement_content(DAY) == customer.statement_content(DAY)
        CurveKeys.new().save(tmp_path / "keys", "stranger")
        with pytest.raises(BankUnavailable, match=", asked 1 times"):
            bank.client("stranger", timeout_ms=300, tries_max=1).ask(AskTruth())
        second = command("bank", "serve", "--data", str(tmp_path))
        assert second.returncode == 2 and "is in use by process" in second.stderr
        began = time.monotonic()
        assert bank.end() == 0 and time.monotonic() - began < 10
    with pytest.raises(BankUnavailable, match="asked 2 times"):
        bank.client(timeout_ms=100, tries_max=2).open_account("SUB-Z")


def test_check_says_what_a_file_holds_or_why_it_is_refused(tmp_path):
    checked = command("bank", "file", "check", str(FOLDER / "statement.xml"))
    assert checked.returncode == 0, checked.stderr
    expected = "statement STMT-20260701-1 of 2026-07-01, sequence 1: 3 sub-accounts, 5 entries\n"
    assert checked.stdout == expected
    bad = tmp_path / "bad.xml"
    bad.write_text((FOLDER / "statement.xml").read_text().replace("<Sum>1949", "<Sum>1948", 1))
    checked = command("bank", "file", "check", str(bad))
    assert checked.returncode == 2
    assert f"{bad}:51: Sum: expected 194980.00, got 194880.00" in checked.stderr


@pytest.mark.parametrize("number", [2**64 - 1, 2**63, 2**62, -(2**63), -1, 0])
def test_no_number_a_peer_says_ends_the_bank(tmp_path, number):
    """Each is refused, in words, and the next request is served."""
    with BankProcess(tmp_path) as bank:
        accounts_fill(bank)
        admin = bank.client("admin", tries_max=1)
        fields = {"payment_id": "I-1", "account": "SUB-A", "cash": 5, "business_date": DAY}
        for request in (
            PayIn(**(fields | {"cash": number})),
            PayIn(**(fields | {"business_date": number})),
            Withdraw(**(fields | {"cash": number})),
            PayIn(**(fields | {"account": f"SUB-{number}"})),
            AskStatement(business_date=number),
            AskStatement(business_date=DAY, sequence=number),
        ):
            with pytest.raises(BankRefused):
                admin.ask(request)
        assert bank.client().send(batch_of(1)).statuses
        assert bank.end() == 0 and "request_broke" not in bank.log()
