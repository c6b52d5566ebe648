"""Who may trade: natural persons not at first, barred persons never."""

import msgspec
import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile, profile_parse
from cea_exchange.domain.records import EventKind, Phase, Reason
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market.participants import BARRED
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.venue.venue_world import enter

CCER, CEA = load_profile("ccer"), load_profile("cea")
OPENED = profile_parse(CCER.text.replace('value = "organisations"', 'value = "not_barred"'), "open")
PRODUCT, MONDAY = "CCER-01-002-0001-2024", 20260302


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def core(request):
    return request.param


def machine_of(holder, profile=CCER, core=CompiledMarket):
    """A market with an account of a holder's, zoe's, who has tonnes."""
    machine = VenueStateMachine(profile, core)
    feed(machine, control.ProductDeclared(product=PRODUCT, reference_price=8000))
    declared = control.AccountDeclared(account="zoe", holder=holder)
    feed(machine, control.control_decode(control.control_encode(declared)))
    feed(machine, control.TransferIn(account="zoe", product=PRODUCT, amount=100))
    if profile.listing_confirmed:
        machine.apply_control(control.ListingConfirmed(product=PRODUCT))
    return machine


def feed(machine, command):
    return machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    )


def trades(machine):
    """Return whether zoe's offer is taken on the next day; the day is over then."""
    core = machine.core
    machine.apply_control(control.DayOpen(date=max(core.trading_date + 1, MONDAY)))
    machine.apply_control(control.PhaseSet(phase=int(Phase.LISTED_AND_BLOCK)))
    offer = enter(core.command_seq + 1, "sell", 8000, 1, trading_date=core.trading_date)
    reason = Reason(machine.apply_records(offer.reshape(1))[0]["reason"])
    machine.apply_control(control.DayClose())
    assert reason in (Reason.NONE, Reason.ACCOUNT_SUSPENDED)
    return reason is Reason.NONE


def change(machine, profile):
    return machine.apply_control(
        control.ProfileChanged(
            profile_hash=profile.profile_hash(),
            previous_hash=machine.profile.profile_hash(),
            text=profile.text,
        )
    )


@pytest.mark.parametrize("holder", ["natural_person", *BARRED])
def test_an_account_of_who_may_not_trade_begins_suspended(core, holder):
    """CCER-PAR-01, CCER-PAR-02"""
    machine = VenueStateMachine(CCER, core)
    declared = control.AccountDeclared(account="zoe", holder=holder)
    assert feed(machine, declared)["kind"].tolist() == [EventKind.ACCOUNT_SUSPENDED]
    assert not trades(machine_of(holder, core=core))


@pytest.mark.parametrize("holder", ["organisation", msgspec.UNSET])
def test_organisations_trade(core, holder):
    """CCER-PAR-01: and who is not named is one."""
    assert trades(machine_of(holder, core=core))


@pytest.mark.parametrize(
    "act", [control.Restore(account="zoe"), control.Restore(account="zoe", by="an", why="asked")]
)
def test_no_operator_lets_a_barred_person_trade(core, act):
    """CCER-PAR-02"""
    machine = machine_of("verifier", core=core)
    with pytest.raises(FrameError, match="a holder that may not: verifier"):
        machine.apply_control(act)
    machine.apply_control(control.Suspend(account="zoe"))
    machine.apply_control(act)  # lifts the operator's own
    assert not trades(machine)


def test_nor_does_the_registry(core):
    """CCER-PAR-02, CEA-ACC-03"""
    machine = machine_of("staff", core=core)
    feed(machine, control.AccountSuspended(account="zoe"))
    feed(machine, control.AccountRestored(account="zoe"))
    assert not trades(machine)


def test_natural_persons_trade_once_the_profile_says_so(core):
    """CCER-PAR-01: by a change of the rules, and until another."""
    machine = machine_of("natural_person", core=core)
    assert change(machine, OPENED)["kind"].tolist() == [EventKind.ACCOUNT_RESTORED]
    assert trades(machine)
    assert change(machine, CCER)["kind"].tolist() == [EventKind.ACCOUNT_SUSPENDED]
    assert not trades(machine)
    barred = machine_of("authority", core=core)
    assert change(barred, OPENED)["kind"].tolist() == []
    assert not trades(barred)


@pytest.mark.parametrize("suspends", ["registry", "operator", "both"])
def test_another_suspension_outlasts_the_switch(core, suspends):
    """CCER-PAR-01, CEA-DAY-06, CEA-ACC-03: whichever came first."""
    for is_first in (True, False):
        machine = machine_of("natural_person", OPENED if is_first else CCER, core)
        if suspends in ("operator", "both"):
            machine.apply_control(control.Suspend(account="zoe"))
        if suspends in ("registry", "both"):
            feed(machine, control.AccountSuspended(account="zoe"))
        if is_first:
            change(machine, CCER)
        change(machine, OPENED)
        assert not trades(machine)
        if suspends in ("registry", "both"):
            feed(machine, control.AccountRestored(account="zoe"))
            assert trades(machine) is (suspends == "registry")
        if suspends in ("operator", "both"):
            machine.apply_control(control.Restore(account="zoe"))
        assert trades(machine)


def test_a_suspension_that_the_registry_repeats_is_one(core):
    """CEA-ACC-03: the second is no operator's."""
    machine = machine_of("organisation", core=core)
    for _ in range(2):
        feed(machine, control.AccountSuspended(account="zoe"))
    feed(machine, control.AccountRestored(account="zoe"))
    assert trades(machine)


def test_who_holds_an_account_outlives_a_snapshot(core):
    """CCER-PAR-01, and both cores come to the same state."""
    machine = machine_of("natural_person", core=core)
    states = set()
    for other in (CompiledMarket, ReferenceMarket):
        again = VenueStateMachine.restore(CCER, machine.snapshot(), other)
        change(again, OPENED)
        states.add(again.core.state_hash())
        assert trades(again)
    assert len(states) == 1


def test_what_is_seized_leaves_a_barred_account_suspended(core):
    """CCER-PAR-02, CEA-ENF-02"""
    machine = machine_of("exchange", core=core)
    seizure = control.Seizure(account="zoe", product=PRODUCT, amount=40, why="court")
    assert EventKind.WITHDRAWN in feed(machine, seizure)["kind"]
    assert not trades(machine)


def test_a_market_that_asks_nobody_lets_anybody_trade(core):
    """CCER-PAR-01: the national profile as it was."""
    machine = machine_of("natural_person", CEA, core)
    assert (machine.holders, machine.barred) == ({"zoe": "natural_person"}, {})
