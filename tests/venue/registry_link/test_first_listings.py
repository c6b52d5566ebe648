"""Where the exchange confirms listings: declared, confirmed, traded from the next day on."""

import pytest

from cea_exchange import Market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.profile import load_profile, profile_parse
from cea_exchange.domain.records import EventKind, Phase, Reason
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.market.noticed_markets import notice, profile_with
from support.venue.venue_world import enter

CCER, CEA = load_profile("ccer"), load_profile("cea")
P, Q = "CCER-01-002-0001-2024", "CCER-14-001-0007-2024"
MONDAY, TUESDAY, WEDNESDAY, FRIDAY = 20260302, 20260303, 20260304, 20260306


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def machine(request):
    return machine_of(CCER, request.param)


def machine_of(profile, core=CompiledMarket, **fields):
    machine = VenueStateMachine(profile, core)
    for command in (
        control.ProductDeclared(product=P, reference_price=8000, **fields),
        control.AccountDeclared(account="bob"),
        control.TransferIn(account="bob", product=P, amount=5_000),
    ):
        feed(machine, command)
    return machine


def feed(machine, command):
    return machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    )


def noon_ns(day):
    return time_to_ns(time_parse(f"{date_of_number(day)}T12:00:00+08:00"))


def confirm(machine, day=MONDAY, product=P):
    act = control.ListingConfirmed(product=product, by="an", why="in order", at_ns=noon_ns(day))
    return machine.apply_control(control.control_decode(control.control_encode(act)))


def opened(machine, day):
    """Open a day, after the end of the last; return the opening's events."""
    if machine.core.day_is_open:
        machine.apply_control(control.DayClose())
    return machine.apply_control(control.DayOpen(date=day))


def asked(machine):
    """Return why an offer of the product is refused in the day's first session."""
    machine.apply_control(control.PhaseSet(phase=int(Phase.LISTED_AND_BLOCK)))
    core = machine.core
    offer = enter(core.command_seq + 1, "sell", 8000, 1, trading_date=core.trading_date)
    return Reason(machine.apply_records(offer.reshape(1))[0]["reason"])


def test_a_listing_takes_effect_on_the_trading_day_after_its_confirmation(machine):
    """CCER-PRD-02: transferred in on Tuesday at 80.00; on Wednesday 72.00 to 88.00."""
    opened(machine, TUESDAY)
    confirm(machine, TUESDAY)
    assert asked(machine) is Reason.PRODUCT_UNKNOWN
    events = opened(machine, WEDNESDAY)
    (listed,) = events[events["kind"] == EventKind.PRODUCT_LISTED]
    assert (listed["product_index"], listed["price"]) == (0, 8000)
    product = machine.core.product(0)
    assert (product["band_low"], product["band_high"]) == (7200, 8800)
    assert asked(machine) is Reason.NONE
    assert machine.listings == {}


def test_what_the_exchange_has_not_confirmed_is_not_traded(machine):
    """CCER-PRD-02: its tonnes may come and leave meanwhile."""
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        assert EventKind.PRODUCT_LISTED not in opened(machine, day)["kind"]
        assert asked(machine) is Reason.PRODUCT_UNKNOWN
    leave = control.TransferOut(account="bob", product=P, amount=5_000)
    assert feed(machine, leave)["kind"].tolist() == [EventKind.WITHDRAWN]


def test_a_confirmation_before_the_days_opening_is_of_that_day(machine):
    """CCER-PRD-02: the clock's day counts, or an opening a minute later would be the next."""
    confirm(machine, MONDAY)
    opened(machine, MONDAY)
    assert asked(machine) is Reason.PRODUCT_UNKNOWN
    opened(machine, TUESDAY)
    assert asked(machine) is Reason.NONE


def test_a_product_is_not_traded_before_the_day_it_was_declared_for():
    """CCER-PRD-02: who transfers it in says from when."""
    for core in (CompiledMarket, ReferenceMarket):
        machine = machine_of(CCER, core, listing_date=FRIDAY)
        confirm(machine, MONDAY)
        opened(machine, WEDNESDAY)
        assert asked(machine) is Reason.PRODUCT_UNKNOWN
        opened(machine, FRIDAY)
        assert asked(machine) is Reason.NONE


def test_a_confirmation_outlives_a_snapshot(machine):
    """CCER-PRD-02, and both cores come to the same state."""
    confirm(machine)
    states = set()
    for core in (CompiledMarket, ReferenceMarket):
        again = VenueStateMachine.restore(CCER, machine.snapshot(), core)
        assert again.listings == machine.listings
        opened(again, TUESDAY)
        states.add(again.core.state_hash())
        assert asked(again) is Reason.NONE
    assert len(states) == 1


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (control.ListingConfirmed(product=Q), "expected one that waits"),
        (control.ListingConfirmed(product=P), "one that was confirmed on 20260302"),
        (control.ProductList(product=P, price=9000), "expected its first listing confirmed"),
    ],
)
def test_a_first_listing_is_confirmed_once_and_no_other_way(machine, act, words):
    """CCER-PRD-02"""
    confirm(machine)
    before = machine.snapshot()
    with pytest.raises(FrameError, match=words):
        machine.apply_control(act)
    assert machine.snapshot() == before


def test_a_product_that_was_listed_once_is_listed_again_by_the_operators_word(machine):
    """CEA-PRD-03, CCER-PRD-02: the confirmation is of the first listing."""
    confirm(machine)
    opened(machine, TUESDAY)
    machine.apply_control(control.ProductDelist(product=P))
    events = machine.apply_control(control.ProductList(product=P, price=8100))
    assert events["kind"].tolist() == [EventKind.PRODUCT_LISTED]


def test_a_notice_is_the_exchanges_word_too():
    """CCER-PRD-02, CEA-NTC-01: what one lists waits for its day alone, what one ends stays so."""
    listing = notice("2026-03-03", list={P: "70.00"})
    machine = machine_of(profile_with(listing, text=CCER.text))
    assert machine.listings == {}
    opened(machine, MONDAY)
    assert asked(machine) is Reason.PRODUCT_UNKNOWN
    opened(machine, TUESDAY)
    assert machine.core.product(0)["reference_price"] == 7000
    ended = machine_of(profile_with(notice("2026-03-03", delist=f'["{P}"]'), text=CCER.text))
    confirm(ended, MONDAY)
    opened(ended, TUESDAY)
    assert asked(ended) is Reason.PRODUCT_UNKNOWN


def test_where_nobody_confirms_a_product_is_traded_from_its_declaration_on():
    """CEA-PRD-03"""
    machine = machine_of(CEA)
    opened(machine, MONDAY)
    assert asked(machine) is Reason.NONE
    with pytest.raises(FrameError, match="expected one that waits"):
        confirm(machine)


@pytest.mark.parametrize("name", ["CEA24", "CCER-01-002-0001", "-2024", "P0001-1999", "p1-2024"])
def test_an_instrument_is_named_by_its_project_and_year(machine, name):
    """CCER-PRD-01"""
    with pytest.raises(FrameError, match="expected PROJECT-YEAR, such as P0001-2024"):
        feed(machine, control.ProductDeclared(product=name, reference_price=8000))
    with pytest.raises(ValueError, match="expected PROJECT-YEAR"):
        Market("ccer", {name: "80.00"})
    feed(machine, control.ProductDeclared(product=Q, reference_price=8000))
    assert machine.product_names == [P, Q]


def test_no_market_whose_listings_are_confirmed_is_adopted():
    """CCER-PRD-02: a statement of the registry's does not say what the exchange has confirmed."""
    confirmed = 'listing_confirmed = {value = true, rule = "CCER-PRD-02"}\nlevels_max'
    profile = profile_parse(CEA.text.replace("levels_max", confirmed, 1), "cea, confirmed")
    numbers = dict.fromkeys(
        ("settlement_seq", "feed_seq", "trading_date", "trade_id", "order_id", "event_seq",
         "market_data_seq", "command_seq"), 0,
    )
    state = control.AdoptedState(feed_last=None, products=(), accounts=(), **numbers)
    adopt = control.Adopt(
        old_log_id=32 * "0", kept="", registry_by="cy", registry_second="di", state=state,
        by="an", second="bo", why="lost",
    )
    with pytest.raises(FrameError, match="got those the exchange confirms"):
        VenueStateMachine(profile).apply_control(adopt)
    assert VenueStateMachine(CEA).refusal(adopt) is None
