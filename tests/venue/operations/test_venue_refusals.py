"""The venue's refusals by their codes, over its sockets; see `protocol/venue_refusals.md`."""

import msgspec
import pytest

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.journal import EventDamaged
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.operations import admin_views
from cea_exchange.venue.operations.admin_client import ActRefused, AdminError, admin_ask
from cea_exchange.venue.operations.proposals import PROPOSALS_MAX
from cea_exchange.venue.order_entry.waiting_requests import REQUESTS_WAITING_MAX
from cea_exchange.venue.requests.accounts import Halt
from support.venue.venue_world import PRODUCT, enter, world_open

# The tests share a venue, and each goes on where the one before it ended.
pytestmark = [pytest.mark.e2e, pytest.mark.random_order(disabled=True)]

OPERATORS = tuple(
    OperatorSetting(name=name, key=f"keys/{name}.public", role=role)
    for name, role in (("an", "operator"), ("bo", "operator"), ("reg", "regulator"))
)
BIDDING = {"product": PRODUCT, "tonnes": 100_000, "account": "alice", "limit": 9_749}
BIDDING |= {"pricing": "uniform"}
CASH = {"account": "alice", "cash": 100, "reference": "BK1"}
APPLICATION = {**BIDDING, "limit": "close", "date": "2025-02-05"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    data = tmp_path_factory.mktemp("venue")
    with world_open(data, operators=OPERATORS, admin_keys=()) as world:
        for name in ("an", "bo", "reg"):
            CurveKeys.new().save(data / "keys", name)
        world.admin_key = "an"
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        alice.command(enter(1, "buy", 9_700, 10))
        alice.reports(2)
        bob.command(enter(1, "sell", 9_700, 10))
        bob.reports(2)
        number = world.admin(op="bidding_open", bidding="B1", **BIDDING)["proposal"]
        admin_ask(data, {"op": "approve", "number": number}, key="bo")
        world.admin(op="bidding_apply", bidding="A1", **APPLICATION)
        yield world
        assert world.failure is None


def refusal(world, *, by="an", **request):
    """Return the code by which a request is refused."""
    with pytest.raises(ActRefused) as refused:
        admin_ask(world.data, request, key=by)
    assert refused.value.answer["code"] == refused.value.code.name
    assert str(refused.value).startswith(f"refused {refused.value.code.name}: ")
    return refused.value.code


@pytest.mark.parametrize(
    ("code", "request_fields"),
    [
        (VenueRefusal.BAD_REQUEST, {"op": "explode"}),
        (
            VenueRefusal.LISTING_UNKNOWN,
            {"op": "confirm_listing", "product": PRODUCT, "why": "papers in order"},
        ),
        (VenueRefusal.CASH_NOT_SETTLED_HERE, {"op": "cash_pay_in", **CASH}),
        (VenueRefusal.BAD_REQUEST, {"op": "halt", "market": True}),
        (VenueRefusal.BAD_REQUEST, {"op": "halt", "why": "two\nlines"}),
        (VenueRefusal.BAD_REQUEST, {"op": "kill", "why": "x"}),
        (VenueRefusal.VALUE_UNSOUND, {"op": "open_day", "date": "tomorrow"}),
        (VenueRefusal.VALUE_UNSOUND, {"op": "clock", "at": "noon"}),
        (VenueRefusal.VALUE_UNSOUND, {"op": "clock", "at": "2024-12-31T08:00:00+08:00"}),
        (
            VenueRefusal.VALUE_UNSOUND,
            {"op": "bidding_open", "bidding": "B2", **BIDDING, "opens_at": "noon"},
        ),
        (VenueRefusal.CHOICE_UNKNOWN, {"op": "phase", "phase": "lunch"}),
        (VenueRefusal.WHY_MISSING, {"op": "bidding_review", "bidding": "A1", "approve": False}),
        (VenueRefusal.ACCOUNT_UNKNOWN, {"op": "position", "account": "eve"}),
        (VenueRefusal.ACCOUNT_UNKNOWN, {"op": "suspend", "account": "eve", "why": "x"}),
        (VenueRefusal.PRODUCT_UNKNOWN, {"op": "halt", "product": "CEA99"}),
        (
            VenueRefusal.DATE_OUT_OF_RANGE,
            {"op": "statement", "account": "alice", "date": "2020-01-02"},
        ),
        (VenueRefusal.KEY_NOT_CUT_OFF, {"op": "key_restore", "key": 40 * "x"}),
        (VenueRefusal.DAY_IS_OPEN, {"op": "open_day", "date": "2025-01-02"}),
        (
            VenueRefusal.LISTED_PHASE_BEGUN,
            {"op": "reference_price", "product": PRODUCT, "price": 9_000, "why": "x"},
        ),
        (VenueRefusal.DAY_CONFIRMED, {"op": "override", "why": "x"}),
        (VenueRefusal.BIDDING_UNKNOWN, {"op": "bidding_close", "bidding": "B9"}),
        (VenueRefusal.BIDDING_UNKNOWN, {"op": "bidding_withdraw", "bidding": "A9", "why": "x"}),
        (VenueRefusal.VALUE_UNSOUND, {"op": "bidding_open", "bidding": " ", **BIDDING}),
        (VenueRefusal.VALUE_UNSOUND, {"op": "bidding_apply", "bidding": " ", **APPLICATION}),
        (VenueRefusal.BIDDING_TAKEN, {"op": "bidding_open", "bidding": "B1", **BIDDING}),
        (VenueRefusal.BIDDING_TAKEN, {"op": "bidding_apply", "bidding": "A1", **APPLICATION}),
        (VenueRefusal.SAME_PERSON, {"op": "bidding_review", "bidding": "A1", "approve": True}),
        (
            VenueRefusal.BIDDING_NOT_ALLOWED,
            {"op": "bidding_apply", "bidding": "A2", **APPLICATION, "date": "2025-01-02"},
        ),
        (VenueRefusal.TRADE_UNKNOWN, {"op": "bust", "trade_id": 9, "why": "x"}),
        (VenueRefusal.PROPOSAL_UNKNOWN, {"op": "approve", "number": 1}),
        (VenueRefusal.NO_CLUSTER, {"op": "cluster_handover", "node": "two"}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_request_is_refused_by_its_code(world, code, request_fields):
    before = world.admin(op="status")["state_hash"]
    assert refusal(world, **request_fields) is code
    assert world.admin(op="status")["state_hash"] == before


def test_a_regulator_may_not_act(world):
    assert refusal(world, by="reg", op="halt") is VenueRefusal.NOT_PERMITTED


def test_a_trade_is_busted_once_and_by_two(world):
    number = world.admin(op="bust", trade_id=1, why="typo")["proposal"]
    assert refusal(world, op="approve", number=number) is VenueRefusal.SAME_PERSON
    approval = {"op": "approve", "number": number}
    assert refusal(world, by="bo", **approval, request_hash="x") is VenueRefusal.PROPOSAL_DIFFERS
    admin_ask(world.data, approval, key="bo")
    assert refusal(world, by="bo", **approval) is VenueRefusal.PROPOSAL_DECIDED
    again = refusal(world, op="bust", trade_id=1, why="typo")
    assert again is VenueRefusal.TRADE_BUSTED


def test_a_measure_must_fit_and_be_one_that_was_taken(world):
    """CEA-MSR-01."""
    said = {"account": "bob", "case": "2025-17", "why": "x"}
    assert refusal(world, op="measure_restrict", **said) is VenueRefusal.MEASURE_TERMS
    assert refusal(world, op="measure_lift", measure=9, why="x") is VenueRefusal.MEASURE_UNKNOWN


def test_an_entry_must_fit_its_case_and_the_case_be_open(world):
    """CEA-CAS-01."""
    note = {"op": "case_note", "case": "C1", "text": "x"}
    assert refusal(world, **note) is VenueRefusal.CASE_UNKNOWN
    opened = {"op": "case_open", "case": "C1", "title": "x"}
    world.admin(**opened)
    assert refusal(world, **opened) is VenueRefusal.CASE_TAKEN
    closing = {"op": "case_close", "case": "C1", "outcome": "no_abuse", "why": "x"}
    number = world.admin(**closing)["proposal"]
    admin_ask(world.data, {"op": "approve", "number": number}, key="bo")
    assert refusal(world, **note) is VenueRefusal.CASE_CLOSED


def test_a_bidding_that_has_ended_is_not_ended_again(world):
    world.admin(op="bidding_cancel", bidding="B1", why="x")
    again = refusal(world, op="bidding_cancel", bidding="B1", why="x")
    assert again is VenueRefusal.BIDDING_STATE


def test_events_that_are_damaged_are_told(world, monkeypatch):
    def damaged(_machine):
        raise EventDamaged("events", 5, "event 5 is not as it was written")

    monkeypatch.setattr(admin_views, "statistics", damaged)
    assert refusal(world, op="statistics") is VenueRefusal.EVENTS_DAMAGED


@pytest.mark.parametrize("error", [KeyError("x"), OSError(28, "no space"), OverflowError("big")])
def test_a_look_that_breaks_ends_no_venue(world, monkeypatch, error):
    """CEA-OPR-04: one that can't be kept is not answered either."""

    def broken(_machine):
        raise error

    monkeypatch.setattr(admin_views, "statistics", broken)
    assert refusal(world, op="statistics") is VenueRefusal.INTERNAL
    monkeypatch.undo()
    assert PRODUCT in str(world.admin(op="statistics"))


def test_an_act_that_breaks_before_it_is_journaled_changes_nothing(world, monkeypatch):
    before = world.admin(op="status")

    def broken(_request, _venue):
        raise OverflowError("number too large")

    monkeypatch.setattr(Halt, "command_of", broken)
    assert refusal(world, op="halt", why="x") is VenueRefusal.INTERNAL
    after = world.admin(op="status")
    assert after["state_hash"] == before["state_hash"]


def test_an_act_that_breaks_behind_the_journal_ends_the_venue(tmp_path, monkeypatch):
    halted = Halt.act

    def broken(request, venue, operator):
        halted(request, venue, operator)
        raise OverflowError("number too large")

    with world_open(tmp_path) as world:
        world.listed()
        monkeypatch.setattr(Halt, "act", broken)
        with pytest.raises(AdminError):
            admin_ask(world.data, {"op": "halt", "why": "x"}, timeout_s=2)
        world.until(lambda: world.failure is not None)
        assert isinstance(world.failure, OverflowError)


def test_one_request_more_than_may_wait_is_refused_and_each_is_answered(world):
    alice = world.logged_on("alice")
    request = msgspec.msgpack.encode({"op": "replay", "from": 1, "count": 1})
    sent, codes, report_count = 0, [], 0
    # A busy machine may bring the requests of a burst one by one: the venue then answers them all.
    while not codes and sent < 30 * REQUESTS_WAITING_MAX:
        burst = 3 * REQUESTS_WAITING_MAX
        with world.paused():
            for _ in range(burst):
                alice.send(b"M", request)
        sent += burst
        while report_count + len(codes) < sent:
            frames = alice.receive()
            assert frames is not None, f"{sent} sent, {report_count} reports, refusals {codes}"
            if frames[0] == b"R":
                report_count += len(frames[1]) // EVENT_DTYPE.itemsize
            elif (shown := msgspec.msgpack.decode(frames[1]))["op"] == "refused":
                codes.append(shown["code"])
    assert set(codes) == {VenueRefusal.BUSY.name}, f"{sent} sent, {report_count} reports"


def test_so_many_proposals_wait(world):
    world.admin(op="close_day")
    waiting = len(world.admin(op="proposals")["proposals"])
    for _ in range(PROPOSALS_MAX - waiting):
        world.admin(op="override", why="x")
    assert refusal(world, op="override", why="x") is VenueRefusal.PROPOSALS_TOO_MANY


def test_the_registry_alone_restores_what_it_has_suspended(world):
    world.registry.commands.append(control.AccountSuspended(account="bob"))
    world.until(lambda: world.admin(op="position", account="bob")["suspended"])
    restored = refusal(world, op="restore", account="bob")
    assert restored is VenueRefusal.SUSPENDED_BY_REGISTRY


def test_a_systems_clock_is_confirmed_only_where_it_is_doubted(tmp_path):
    with world_open(tmp_path, clock=ClockSetting(kind="system")) as world:
        world.start()
        world.ready()
        shown = world.admin(op="status")["time"]
        with pytest.raises(ActRefused) as refused:
            world.admin(op="clock_confirm", at=shown)
    assert refused.value.code is VenueRefusal.CLOCK_NOT_DOUBTED


def test_an_answer_without_a_code_that_is_known_has_none():
    """Of a venue of another version."""
    answer = {"op": "refused", "expected": "a", "got": "b", "where": "c"}
    assert str(ActRefused(answer)) == "refused: c: expected a, got b"
    assert ActRefused(answer).code is ActRefused({**answer, "code": "NEW_ONE"}).code is None
    assert issubclass(ActRefused, AdminError)
