"""Account statements: read from the ledger, always the same, open to objections for a night."""

import msgspec
import pytest

from cea_exchange.domain.records import EventKind
from cea_exchange.institution.paging import PAGE_BYTES_MAX
from cea_exchange.registry.settlement.account_statements import OBJECTIONS_MAX
from cea_exchange.registry.settlement.settlement import Settlement
from registry.settlement.test_settlement_modes import accounts_open, day_closed
from support.refusing import refuses
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB_TONNES,
    DATE,
    LOG_ID,
    PRODUCT,
    venue_with_deposits,
)

pytestmark = pytest.mark.postgres_at_night

NEXT = DATE + 1


@pytest.fixture(params=["realtime", "end_of_day"])
def settlement(registry, request):
    accounts_open(registry)
    return Settlement(registry.store, mode=request.param)


@pytest.fixture
def venue(registry, settlement):
    """A day of two purchases of alice's and one sale, with 5,000 taken from the venue, closed."""
    venue = venue_with_deposits()
    venue.trade(50, buy_fee=3, sell_fee=2)
    venue.trade(7, buy_fee=1)
    venue.trade(20, buyer=1, buy_fee=4, sell_fee=6)
    venue.withdrawn(ALICE, registry.transfer_out("alice", None, 5_000), cash=5_000)
    finish(settlement, venue, 77)
    return venue


def finish(settlement, venue, tonnes):
    day_closed(venue, tonnes)
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass


def next_day_open(settlement, venue):
    venue._row(kind=EventKind.DAY_OPENED, trading_date=NEXT)
    settlement.apply(LOG_ID, venue.records)


def test_a_statement_says_what_the_day_did(registry, venue):
    """CEA-STM-01: cash and tonnes, and where they lie at the close."""
    alice = registry.statements.statement("alice", DATE)
    cash = alice["cash"]
    assert (cash["opening"], cash["deposits"], cash["withdrawals"]) == (0, ALICE_CASH, 0)
    assert (cash["bought"], cash["sold"], cash["fees"], cash["other"]) == (5_700, 2_000, 10, 0)
    assert cash["closing"] == ALICE_CASH - 5_700 + 2_000 - 10
    assert (cash["registration"], cash["trading"]) == (5_000, cash["closing"] - 5_000)
    (line,) = alice["products"]
    assert (line["product"], line["opening"], line["closing"]) == (PRODUCT, 0, 37)
    assert (line["bought"], line["sold"], line["received"], line["given"]) == (57, 20, 0, 0)
    (line,) = registry.statements.statement("bob", DATE)["products"]
    assert (line["received"], line["sold"], line["closing"]) == (BOB_TONNES, 57, BOB_TONNES - 37)


def test_what_comes_later_stands_in_the_next(registry, settlement, venue):
    """CEA-STM-01: a statement never changes; each opens where the one before closed."""
    before = registry.statements.statement("alice", DATE)
    registry.pay_in("alice", 900)
    assert registry.statements.statement("alice", DATE) == before
    with refuses(f"DAY_NOT_CONFIRMED: .*got {NEXT}"):
        registry.statements.statement("alice", NEXT)
    next_day_open(settlement, venue)
    venue.trade(1, trading_date=NEXT)
    venue.day_closed(volume=1, amount=100)
    venue.rows[-1]["trading_date"] = NEXT
    venue.checkpoint(0)
    venue.rows[-1]["trading_date"] = NEXT
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass
    after = registry.statements.statement("alice", NEXT)["cash"]
    assert after["opening"] == before["cash"]["closing"]
    assert (after["deposits"], after["bought"]) == (900, 100)
    assert after["closing"] == after["opening"] + 800


def test_objections_come_before_the_next_day_opens(registry, settlement, venue):
    """CEA-STM-02: after that the statement counts as accepted."""
    statements = registry.statements
    number = statements.object("alice", DATE, "I bought 56 t, not 57")
    (objection,) = statements.statement("alice", DATE)["objections"]
    assert objection["state"] == "open" and statements.statement("bob", DATE)["objections"] == []
    next_day_open(settlement, venue)
    pending = [what for check in registry.accounts.pending_checks for what in check(ALICE)]
    assert "objection 1 is open" in pending
    assert statements.statement("alice", DATE)["state"] == "accepted"
    with refuses("TOO_LATE: objection: expected before the statement of 20250716 is accepted"):
        statements.object("bob", DATE, "too late")
    statements.resolve(number, "57 t, by trades 1 and 2")
    with refuses("OBJECTION_STATE: objection 1: expected an open one, got resolved"):
        statements.resolve(number, "again")
    (objection,) = statements.objections("alice")
    assert objection["answer"] == "57 t, by trades 1 and 2"


def test_an_objection_says_something_of_an_account_there_is(registry, venue):
    for account, content, why in (
        ("alice", " ", "TEXT_UNSOUND: content: expected 1 to 2000 characters"),
        ("nobody", "x", "ACCOUNT_UNKNOWN: account: expected an open one"),
    ):
        with refuses(why):
            registry.statements.object(account, DATE, content)
    with refuses("ACCOUNT_UNKNOWN: account: expected one of the registry"):
        registry.statements.statement("nobody", DATE)


def test_an_account_objects_so_often_that_all_can_still_be_read(registry, venue):
    """CEA-STM-03: its statement and the lists stay as short as a message, whatever is written."""
    for _ in range(OBJECTIONS_MAX):
        registry.statements.object("alice", DATE, "异" * 2_000)
    with refuses("OBJECTIONS_TOO_MANY: .*at most 20, got one more"):
        registry.statements.object("alice", DATE, "x")
    registry.statements.object("bob", DATE, "another's")
    for number in range(1, OBJECTIONS_MAX + 1):
        registry.statements.resolve(number, "复" * 2_000)
    with refuses("OBJECTIONS_TOO_MANY: .*at most 20, got one more"):
        registry.statements.object("alice", DATE, "x")
    answer = registry.statements.statement("alice", DATE)
    assert OBJECTIONS_MAX == len(answer["objections"])
    assert len(msgspec.msgpack.encode(answer)) < PAGE_BYTES_MAX
