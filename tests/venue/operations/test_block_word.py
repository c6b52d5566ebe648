"""The exchange's word on blocks, by its operators: what they may confirm, and what comes of it."""

import numpy as np
import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.market.views import block_word_check, blocks_of_all
from support.market.noticed_markets import notice, profile_with

P, MONDAY = "CCER-01-002-0001-2024", 20260302
PROFILE = profile_with(
    notice(block_allowed="true", block_tonnes_min="100_000"), text=load_profile("ccer").text
)
BOB, ALICE = 0, 1


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def machine(request):
    """Bob offers alice 100,000 t; the first session runs."""
    machine = VenueStateMachine(PROFILE, request.param)
    commands = (
        control.ProductDeclared(product=P, reference_price=7076),
        control.AccountDeclared(account="bob"),
        control.AccountDeclared(account="alice"),
        control.TransferIn(account="bob", product=P, amount=100_000),
    )
    for number, command in enumerate(commands, 1):
        machine.apply_control(control.FeedItem(transfer_seq=number, command=command))
    machine.apply_control(control.ListingConfirmed(product=P))
    machine.apply_control(control.DayOpen(date=MONDAY))
    machine.apply_control(control.PhaseSet(phase=int(Phase.LISTED_AND_BLOCK)))
    paid = {"account": "alice", "amount": 10**10, "reference": "BK1"}
    machine.apply_control(control.CashPaidIn(**paid, by="an", second="bo"))
    said(machine, BOB, CommandKind.BLOCK_OFFER, 1, side=Side.SELL, price=7076, tonnes=100_000,
         product_index=0, flags=BlockFlag.TO_ACCOUNT, pick_order_id=ALICE)
    return machine


def said(machine, account_index, kind, client_order_id, **fields):
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["account_index"] = kind, account_index
    command["client_order_id"], command["trading_date"] = client_order_id, MONDAY
    for name, value in fields.items():
        command[name] = value
    return machine.apply_records(command)


def accepted(machine):
    return said(machine, ALICE, CommandKind.BLOCK_ACCEPT, 7, order_id=1)


def refused(machine, block_id, *, confirms=True):
    with pytest.raises(FrameError) as info:
        block_word_check(machine, block_id, confirms=confirms)
    assert info.value.code is VenueRefusal.BLOCK_STATE
    return info.value.got


def test_an_agreed_block_waits_for_the_operators_and_trades_by_their_word(machine):
    """CCER-BLK-01: the acceptance has its answer before, the trade answers no command."""
    (agreed,) = accepted(machine)
    assert (agreed["kind"], agreed["client_order_id"]) == (EventKind.BLOCK_AGREED, 7)
    assert (agreed["account_index"], agreed["counter_account_index"]) == (ALICE, BOB)
    (shown,) = blocks_of_all(machine, 0)["blocks"]
    assert (shown["agreed"], shown["tonnes_locked"]) == (1, 100_000)
    block_word_check(machine, 1, confirms=True)
    (trade,) = machine.apply_control(control.BlockConfirmed(block_id=1, by="an"))
    assert (trade["kind"], trade["client_order_id"]) == (EventKind.TRADE, 0)
    assert (trade["account_index"], trade["cash"]) == (ALICE, 707_600_000)
    assert machine.core.blocks().size == 0


def test_a_refusal_is_told_with_its_reason(machine):
    """CCER-BLK-01"""
    accepted(machine)
    block_word_check(machine, 1, confirms=False)
    (ended,) = machine.apply_control(control.BlockRefused(block_id=1, by="an", why="no papers"))
    assert (ended["kind"], ended["reason"]) == (EventKind.BLOCK_WITHDRAWN, Reason.NOT_CONFIRMED)


def test_the_operators_hear_what_they_can_not_judge(machine):
    """CCER-BLK-01: what is negotiated, unknown or over; and outside a session what would trade."""
    assert refused(machine, 1) == "1, still negotiated"
    assert refused(machine, 2, confirms=False) == "2, unknown, or over"
    accepted(machine)
    machine.apply_control(control.Halt(product=P))
    assert refused(machine, 1) == "a halt"
    machine.apply_control(control.Resume(product=P))
    machine.apply_control(control.PhaseSet(phase=int(Phase.BREAK)))
    assert refused(machine, 1) == "break"
    block_word_check(machine, 1, confirms=False)


def test_an_agreed_block_outlives_a_snapshot(machine):
    """CCER-BLK-01: with both cores the same state, and the same trade."""
    accepted(machine)
    hashes = set()
    for core in (CompiledMarket, ReferenceMarket):
        again = VenueStateMachine.restore(PROFILE, machine.snapshot(), core)
        again.core.check()
        hashes.add(again.core.state_hash())
        (trade,) = again.apply_control(control.BlockConfirmed(block_id=1))
        assert trade["kind"] == EventKind.TRADE
        hashes.add(again.core.state_hash())
    assert len(hashes) == 2
