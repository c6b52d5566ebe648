"""Looks are read by processes of their own: acts are seen, and nobody waits for another."""

import subprocess
import sys
import time

import msgspec
import pytest

from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.service import Asked
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.control import query_service as looks_module
from cea_exchange.institution.control.query_service import Looks, _Worker
from cea_exchange.institution.control.query_worker import LookSettings
from cea_exchange.institution.persons import Person
from cea_exchange.registry.control.admin import request_decode
from cea_exchange.registry.control.queries import OPENER
from cea_exchange.registry.registry import Registry
from support.patience import patience
from support.registry.service_callers import key_of

pytestmark = [pytest.mark.e2e, pytest.mark.postgres_at_night]

AN = Person("an", key_of("an"), "operator", "registry")
BO = Person("bo", key_of("bo"), "operator", "registry")
SILENT = (sys.executable, "-c", "import time; time.sleep(60)")
READY_AND_SILENT = (
    *(sys.executable, "-c"),
    "import socket, time; from cea_exchange.institution.control.query_worker import READY;"
    " line = socket.socket(fileno=0); line.sendall(READY); time.sleep(60)",
)
BEGINNING_SLOWLY = (
    *(sys.executable, "-c"),
    "import time; time.sleep(5);"
    " from cea_exchange.institution.control.query_worker import main; main()",
)
ENDING = (sys.executable, "-c", "")


class Asking:
    """Asks looks, and lets them have their turns."""

    def __init__(self, data, database=None):
        operators = {AN.key: AN, BO.key: BO}
        self.looks = Looks(LookSettings(OPENER, str(data), database, operators))
        self.answers = []

    def ask(self, op, person=AN, **fields):
        payload = msgspec.msgpack.encode({"op": op, **fields})
        message = Message(person.name.encode(), person.key, [payload])
        asked = Asked(person, request_decode(payload), person.name)
        return self.looks.ask(message, asked, now_ns=time.time_ns(), now_s=time.monotonic())

    def turns(self, count, seconds=None):
        """Turn until so many were answered; return the answers so far, by person."""
        end = time.monotonic() + (30 * patience() if seconds is None else seconds)
        while len(self.answers) < count and time.monotonic() < end:
            self.answers += [(each.asked.person.name, each.answer)
                             for each in self.looks.turn(time.monotonic())]  # fmt: skip
            time.sleep(0.005)
        return self.answers

    def answer(self, op, person=AN, **fields):
        assert self.ask(op, person, **fields) is None
        ((_name, answer),) = self.turns(1)
        self.answers = []
        return answer


@pytest.fixture
def asking(registry, tmp_path, database_address):
    found = Asking(tmp_path, database_address)
    yield found
    found.looks.close()


def test_an_act_that_was_done_is_seen_by_the_look_after_it(registry, asking):
    registry.account_open("P001")
    for cash, held in ((5, 5), (7, 12), (9, 21)):
        registry.pay_in("P001", cash)
        (row,) = asking.answer("balance", account="P001")["balances"]
        assert held == row["amount"]
    assert asking.answer("status")["entries"] == 3
    assert ["an"] == [person["name"] for person in asking.answer("person_list")["persons"][:1]]


def test_what_is_refused_is_answered_as_the_desk_would(asking):
    assert "P009" in asking.answer("balance", account="P009")["error"]


def test_a_look_that_takes_too_long_is_given_up_and_the_next_is_answered(asking, monkeypatch):
    monkeypatch.setattr(_Worker, "program", READY_AND_SILENT)
    monkeypatch.setattr(looks_module, "LOOK_S", 0.3)
    answer = asking.answer("status")
    assert answer["code"] == RegistryRefusal.TOO_SLOW.name
    assert "expected one that takes at most 0 s, got a longer one" in answer["error"]
    monkeypatch.undo()
    assert asking.answer("status")["ok"] and asking.looks.ended_count == 1


def test_the_time_of_a_look_counts_from_when_its_process_is_ready(registry, asking, monkeypatch):
    """A machine that has much to do begins processes slowly: no look took longer for that."""
    monkeypatch.setattr(_Worker, "program", BEGINNING_SLOWLY)
    monkeypatch.setattr(looks_module, "LOOK_S", 4.0)
    assert asking.answer("status")["ok"] and asking.looks.ended_count == 0


def test_a_process_that_is_never_ready_is_ended_and_its_look_refused(asking, monkeypatch):
    monkeypatch.setattr(_Worker, "program", SILENT)
    monkeypatch.setattr(looks_module, "READY_S", 0.3)
    answer = asking.answer("status")
    assert answer["code"] == RegistryRefusal.BUSY.name
    assert "no process to read it was ready within 0 s" in answer["error"]
    monkeypatch.undo()
    assert asking.answer("status")["ok"] and asking.looks.ended_count == 1


def test_a_process_that_ends_costs_its_look_and_is_begun_again(asking, monkeypatch):
    monkeypatch.setattr(_Worker, "program", ENDING)
    answer = asking.answer("status")
    assert answer["code"] == RegistryRefusal.INTERNAL.name and "ended" in answer["error"]
    monkeypatch.undo()
    assert asking.answer("status")["ok"]


def test_one_person_has_one_look_under_way_and_others_are_not_kept_waiting(asking, monkeypatch):
    """However many he asks: those of others are answered meanwhile."""
    monkeypatch.setattr(_Worker, "program", SILENT)
    for _ in range(20):
        asking.ask("status")
    asking.looks.turn(time.monotonic())
    monkeypatch.undo()
    asking.ask("status", BO)
    ((name, answer),) = asking.turns(1)
    assert name == "bo" and answer["ok"]
    assert 2 == len(asking.looks._workers) and 19 == len(asking.looks._waiting)


def test_more_looks_than_may_wait_are_refused(asking):
    refusals = [asking.ask("status") for _ in range(257)]
    assert refusals[:256] == [None] * 256
    assert refusals[256]["code"] == RegistryRefusal.BUSY.name
    assert "expected at most 256 requests of a key" in refusals[256]["error"]
    large = asking.ask("balance", account="P" * 70_000)
    assert large["code"] == RegistryRefusal.TOO_LARGE.name
    assert "at most 65536 bytes" in large["error"]


def test_a_look_that_has_waited_too_long_is_told_so(asking):
    asking.ask("status")
    ((_look, answer),) = [
        (each.asked, each.answer) for each in asking.looks.turn(time.monotonic() + 21)
    ]
    assert answer["code"] == RegistryRefusal.BUSY.name
    assert "waited 20 s for other looks" in answer["error"]


def test_a_database_that_is_not_there_is_told_and_looked_for_again(tmp_path):
    asking = Asking(tmp_path)
    try:
        answer = asking.answer("status")
        assert answer["code"] == RegistryRefusal.DATABASE_AWAY.name
        assert "nothing was read" in answer["error"]
        Registry.open(tmp_path).close()
        assert asking.answer("status")["ok"] and asking.looks.ended_count == 0
    finally:
        asking.looks.close()


def test_a_worker_ends_with_the_daemon(asking):
    """It notices that the line has ended, whatever became of who held it."""
    assert asking.answer("status")["ok"]
    (worker,) = asking.looks._workers
    worker.line.close()
    assert 0 == worker.process.wait(20 * patience())
    asking.looks._workers = []


def test_a_worker_says_what_broke_in_the_daemons_log(registry, asking, capsys):
    """And the person, as ever, that the log says why."""
    with registry.transaction():
        registry.store.insert("public_notices", [(1, 20250101, "merger", "no JSON")])
    answer = asking.answer("public_notices")
    assert "the registry's log says why: DecodeError" in answer["error"]
    shown = capsys.readouterr().out
    assert "look_worker" in shown and "act_broke" in shown and "JSON is malformed" in shown
    assert asking.answer("status")["ok"] and asking.looks.ended_count == 0


def test_its_process_can_not_write(registry, asking, tmp_path, database_address):
    """The connection is a reader's."""
    code = (
        "from cea_exchange.registry.store import RegistryStore\n"
        f"store = RegistryStore.open_reader({str(tmp_path)!r}, {database_address!r})\n"
        "with store.view():\n    store.execute('DELETE FROM objections')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode != 0
