"""A disk that gives nothing back for a while, and a part of a turn that breaks: shown, retried."""

import random
import time

import apsw
import pytest

from cea_exchange.institution.links import turns as link_turns
from cea_exchange.institution.venue_link.turns import VenueTurns
from cea_exchange.ledger.database import sqlite
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseUnreadable
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.ccer_link.setting import CcerSetting
from cea_exchange.registry.ccer_link.turns import CcerTurns
from cea_exchange.registry.config import RegistryConfig
from support.registry.fake_venue import FakeVenue, wait_until
from support.registry.registry_process import running
from support.registry.senseless_servers import FakeCcer
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB,
    BOB_TONNES,
    LOG_ID,
    Venue,
    registry_prepare,
)

pytestmark = pytest.mark.e2e

READ_FAILED, DAMAGED = apsw.SQLITE_IOERR_READ, apsw.SQLITE_CORRUPT


@pytest.fixture
def world(tmp_path):
    """A registry that follows a venue and a CCER registry; a function that asks it."""
    for name in ("registry", "venue", "admin", "ccer"):
        CurveKeys.new().save(tmp_path / "keys", name)
    registry_prepare(tmp_path, None)
    venue_records = Venue()
    venue_records.deposited(ALICE, 4, cash=ALICE_CASH)
    venue_records.deposited(BOB, 5, tonnes=BOB_TONNES)
    venue = FakeVenue(tmp_path, LOG_ID, venue_records.records)
    ccer = FakeCcer(tmp_path, random.Random(1))
    ccer.is_sane = True
    config = RegistryConfig(fronts=0, ccer=CcerSetting(), second_person=())
    try:
        with running(config, tmp_path) as ask:
            wait_until(lambda: ask(op="status")["troubles"] == {})
            yield ask, venue
    finally:
        ccer.close()
        venue.close()


@pytest.fixture
def disk(monkeypatch):
    """What the disk says to a statement: a function of its text, or nothing."""
    said, execute = {"code": lambda sql: None}, Sqlite.execute

    def execute_or_fail(self, sql, values=()):
        code = said["code"](sql)
        if code is not None:
            with sqlite._errors_translated():
                raise apsw.exception_for(code)
        return execute(self, sql, values)

    monkeypatch.setattr(Sqlite, "execute", execute_or_fail)
    return said


@pytest.mark.parametrize("code", [READ_FAILED, DAMAGED])
def test_a_state_that_can_not_be_read_is_shown_and_ends_nothing(world, disk, code):
    ask, _venue = world
    disk["code"] = lambda sql: code if sql == "SELECT state FROM meta" else None
    wait_until(lambda: ask(op="status")["state"].startswith("stopped: the database can't be read"))
    disk["code"] = lambda sql: None
    wait_until(lambda: ask(op="status")["state"] == "ok")


@pytest.mark.parametrize("code", [READ_FAILED, DAMAGED])
def test_a_disk_that_gives_nothing_back_for_a_while_ends_nothing(world, disk, code):
    ask, _venue = world
    failed = []
    disk["code"] = lambda sql: failed.append(sql) or code
    wait_until(lambda: len(failed) > 100)
    disk["code"] = lambda sql: None
    wait_until(lambda: (ask(op="status") or {}).get("state") == "ok")
    wait_until(lambda: ask(op="status")["troubles"] == {})


def test_records_that_a_disk_kept_from_being_read_are_asked_for_again(world, disk):
    ask, venue = world
    disk["code"] = lambda sql: READ_FAILED if "settlement_runs" in sql else None
    venue.publish(1, 2)
    wait_until(lambda: "DatabaseUnreadable" in str(ask(op="status")["troubles"]))
    assert ask(op="status")["last_seq"] == 0
    disk["code"] = lambda sql: None
    wait_until(lambda: ask(op="status")["last_seq"] == 2)
    assert ask(op="status")["state"] == "ok"


def test_which_answers_of_a_disk_are_which_errors():
    for code, kind in ((READ_FAILED, DatabaseUnreadable), (DAMAGED, DatabaseError)):
        with pytest.raises(DatabaseError) as raised, sqlite._errors_translated():
            raise apsw.exception_for(code)
        assert raised.type is kind


@pytest.mark.parametrize(
    ("turns", "taking", "part"),
    [(CcerTurns, "take", "ccer_answer"), (VenueTurns, "replayed", "replayed")],
)
def test_a_trouble_is_shown_until_it_is_over(world, monkeypatch, turns, taking, part):
    """Turns in which nothing comes, of which there are fifty a second, do not end it."""
    ask, venue = world
    monkeypatch.setattr(link_turns, "ANSWER_WAIT_NS", 500_000_000)

    def fails(self, *_):
        raise DatabaseUnreadable("no")

    with monkeypatch.context() as patched:
        patched.setattr(turns, taking, fails)
        # Heard by none who listens: it is asked for.
        venue.publish(1, 2, lost=True)
        wait_until(lambda: part in ask(op="status")["troubles"])
        for _ in range(20):
            assert ask(op="status")["troubles"][part] == "DatabaseUnreadable: no"
            time.sleep(0.02)
    wait_until(lambda: ask(op="status")["troubles"] == {})
    wait_until(lambda: ask(op="status")["last_seq"] == 2)
