"""Which of the bank's statements the registry fetches, and when (CEA-BNK-16)."""

from datetime import datetime, time, timedelta, timezone

import msgspec
import pytest

from cea_exchange.protocol.bank.iso_20022 import camt_053
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.bank.statements import AccountStatement, Statement
from cea_exchange.registry.bank.requests import PayIn
from cea_exchange.registry.bank.schedule import StatementOf, StatementSchedule
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from support.bank.bank_process import BankProcess
from support.institution.later_calendar import YEAR_2027
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

SHANGHAI = timezone(timedelta(hours=8))
AT = time(17, 30)
WEDNESDAY, THURSDAY, FRIDAY, MONDAY = 20250716, 20250717, 20250718, 20250721


class Days:
    """A registry whose clock is set, with a schedule and statements that a bank makes."""

    def __init__(self, store, bank, at):
        self.now = datetime(2025, 7, 16, 9, tzinfo=SHANGHAI)
        self.registry = Registry(store, self.now_ns, admission="open")
        self.bank = bank.client()
        self.admin = bank.client("admin")
        self.at = at
        self.service = self.registry.bank
        self.service.setting = BankSetting(data=str(bank.data))
        self.restart()
        self.registry.day_begin()

    def restart(self):
        self.service.schedule = StatementSchedule(
            self.registry.store, self.at, self.registry.context.working_days
        )

    def now_ns(self):
        return int(self.now.timestamp()) * 10**9

    def set(self, day, hour, minute=0):
        self.now = datetime(2025, 7, day, hour, minute, tzinfo=SHANGHAI)

    def due(self):
        return self.service.schedule.due(self.now_ns())

    def fetch(self):
        """Do as the daemon does; return what was read."""
        due = self.due()
        assert "" == self.service.statement_take(due, self.bank.statement_content(*due))
        self.service.schedule.end(due)
        return due


@pytest.fixture
def days(tmp_path, database_address):
    with (
        BankProcess(tmp_path) as bank,
        RegistryStore.open(tmp_path / "data", database_address) as store,
    ):
        bank.client().open_account("alice")
        yield Days(store, bank, AT)


def test_a_days_statement_is_due_once_from_its_time_on(days):
    assert days.due() is None
    days.set(16, 17, 29)
    assert days.due() is None
    days.set(16, 17, 30)
    assert days.fetch() == StatementOf(WEDNESDAY, 1)
    assert days.due() is None
    days.restart()
    days.set(17, 17, 29)
    assert days.due() is None
    days.set(17, 23)
    assert days.fetch() == StatementOf(THURSDAY, 1)


def test_what_an_operator_fetched_before_does_not_stand_for_the_days_end(days):
    days.set(16, 10)
    assert days.service.statement_ask(None) == StatementOf(WEDNESDAY, 1)
    assert days.fetch() == StatementOf(WEDNESDAY, 1)
    assert days.due() is None
    days.set(16, 18)
    assert days.fetch() == StatementOf(WEDNESDAY, 2)
    assert days.due() is None


def test_a_day_off_of_a_year_that_was_loaded_has_no_statement(days):
    """CEA-DAY-10: Monday, 8 February 2027; the weekday alone would say that it has one."""
    days.now = datetime(2027, 2, 8, 18, tzinfo=SHANGHAI)
    assert days.due() == StatementOf(20270208, 1)
    year = YEAR_2027 + '2027-02-08 = "New Year"\n'
    days.registry.context.working_days.load("2027.toml", year.encode(), 20261201)
    assert days.due() == StatementOf(20270205, 1)


def test_days_that_were_missed_come_first_and_weekends_have_none(days):
    days.set(16, 18)
    days.fetch()
    days.set(21, 18)
    fetched = [days.fetch() for _ in range(3)]
    assert fetched == [StatementOf(day, 1) for day in (THURSDAY, FRIDAY, MONDAY)]
    assert days.due() is None


def test_a_day_that_was_fetched_in_part_is_ended_before_the_next(days):
    days.set(16, 10)
    days.service.statement_ask(None)
    days.fetch()
    days.set(18, 9)
    fetched = [days.fetch() for _ in range(2)]
    assert fetched == [StatementOf(WEDNESDAY, 2), StatementOf(THURSDAY, 1)]
    assert days.due() is None


def test_a_statement_of_a_day_to_come_or_of_another_is_none(days):
    """CEA-BNK-04: taken, it would be the last of all: none of a day before it counts any more."""
    days.set(16, 18)
    due = days.due()
    first = Statement(
        statement_id="S1",
        created_s=0,
        business_date=99991231,
        sequence=1,
        accounts=(AccountStatement(account="alice", opening=0, entries=(), closing=0),),
    )
    second = msgspec.structs.replace(first, business_date=WEDNESDAY, sequence=2)
    late = "Dt: expected 2025-07-16 at the latest, got 9999-12-31"
    for statement, why in (
        (first, late),
        (second, "ElctrncSeqNb: expected 1 of 20250716, as was asked for, got 2 of 20250716"),
    ):
        content = camt_053.statement_write(statement)
        assert why in days.service.statement_take(due, content)
    with refuses(late, BankFileError):
        days.service.books.statement_read(camt_053.statement_write(first), "carried.xml")
    assert days.fetch() == due == StatementOf(WEDNESDAY, 1)


def test_without_a_time_only_what_is_asked_for_is_fetched(days):
    days.at = None
    days.restart()
    days.set(18, 18)
    assert days.due() is None
    assert days.service.statement_ask(THURSDAY) == StatementOf(THURSDAY, 1)
    assert days.fetch() == StatementOf(THURSDAY, 1)
    with refuses("DATE_OUT_OF_RANGE: .*one from 20250717 on, of which a statement was read"):
        days.service.statement_ask(WEDNESDAY)
    with refuses("DATE_OUT_OF_RANGE: business_date: expected 20250718 at most"):
        days.service.statement_ask(MONDAY)
    with refuses("DATE_UNSOUND: .*date: expected a date as yyyymmdd"):
        days.service.statement_ask(20250700)


def test_cash_of_a_fetched_statement_has_its_act(days):
    days.registry.account_open("alice")
    days.admin.ask(
        PayIn(
            payment_id="I-1",
            account="alice",
            cash=500,
            business_date=WEDNESDAY,
            reference="alice",
        )
    )
    days.set(16, 18)
    days.fetch()
    (row,) = days.registry.store.execute(
        "SELECT op, kind, entries.amount FROM entries JOIN acts ON acts.act_id = entries.act_id"
    ).fetchall()
    assert row == ("bank_stated", 2, 500)
    (shown,) = days.service.statements(0, 10)
    assert (shown["business_date"], shown["sequence"], shown["entries"]) == (WEDNESDAY, 1, 1)


def test_what_is_no_statement_changes_nothing_and_is_told(days):
    days.set(16, 18)
    due = days.due()
    why = days.service.statement_take(due, b"<Document/>")
    days.service.schedule.end(due, why)
    assert "expected namespace" in days.service.schedule.trouble
    assert days.fetch() == StatementOf(WEDNESDAY, 1)
    assert days.service.schedule.trouble == ""
