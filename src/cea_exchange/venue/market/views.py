"""The open blocks as each party sees them, and the biddings as all do: notice and result."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from cea_exchange.domain.records import ACCOUNT_NONE, BiddingState, Phase, Pricing, Side
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol.framing import BLOCKS_COUNT_MAX, PartyRequest
from cea_exchange.venue.market.state_machine import VenueStateMachine

_FIELDS = (
    "block_id",
    "enquiry_id",
    "account_index",
    "counterparty_index",
    "product_index",
    "side",
    "price",
    "tonnes",
    "flags",
    "agreed",
)


def party(machine: VenueStateMachine, request: PartyRequest) -> dict[str, Any]:
    """Return what a request about an account or a group asks; None where there is none."""
    index, name = request.account_index, request.account
    if index is not None:
        name = machine.account_names[index] if index < len(machine.account_names) else None
    elif name is not None:
        index = _known(machine.account_index(name))
    group = None if request.group is None else _known(machine.group_index(request.group))
    return {
        "op": "party",
        "account": name,
        "account_index": index,
        "group": request.group,
        "group_index": group,
    }


def blocks(machine: VenueStateMachine, account_index: int, first: int) -> dict[str, Any]:
    """Return the open offers and enquiries that an account made or is asked in, by id.

    Parameters
    ----------
    machine : VenueStateMachine
        The market and its names.
    account_index : int
        Who asks.
    first : int
        The lowest block id that is shown.

    Notes
    -----
    Rules: CEA-BLK-04, CEA-BLK-07. At most BLOCKS_COUNT_MAX are shown; the locks of a block are its
    parties' own affair and are not. Of very many open ones the core looks at a part: who asks goes
    on from `next`.
    """
    core = machine.core
    block_ids, following = core.blocks_seen(account_index, first, BLOCKS_COUNT_MAX)
    shown = _shown(machine, [core.block(block_id) for block_id in block_ids], _FIELDS)
    return {"op": "blocks", "from": first, "blocks": shown, "next": int(following)}


def blocks_of_all(machine: VenueStateMachine, first: int) -> dict[str, Any]:
    """Return all open offers and enquiries with what their sides have locked: an operator's view.

    At most BLOCKS_COUNT_MAX are shown, from an id on; `open` says how many there are.
    """
    rows = machine.core.blocks()
    shown = rows[rows["block_id"] >= first][:BLOCKS_COUNT_MAX]
    locks = ("cash_locked", "tonnes_locked")
    return {"from": first, "open": len(rows), "blocks": _shown(machine, shown, _FIELDS + locks)}


def block_word_check(machine: VenueStateMachine, block_id: int, *, confirms: bool) -> None:
    """Refuse the exchange's word on a block that does not wait for it, or can't trade now.

    Notes
    -----
    Rules: CCER-BLK-01.
    """
    core = machine.core
    block = core.block(block_id)
    expected, got = "a block that both sides agree on", ""
    if block is None or not block["agreed"]:
        got = f"{block_id}, {'unknown, or over' if block is None else 'still negotiated'}"
    elif confirms:
        expected = "a session of blocks"
        is_halted = core.market_halted or core.product(block["product_index"])["halted"]
        if core.phase != Phase.LISTED_AND_BLOCK or is_halted:
            got = "a halt" if is_halted else Phase(core.phase).name.lower()
    if got:
        raise FrameError(VenueRefusal.BLOCK_STATE, expected=expected, got=got, where="block")


def biddings(machine: VenueStateMachine) -> list[dict[str, Any]]:
    """Return the day's biddings in order of announcement, ended ones too; prices are fen.

    Notes
    -----
    Rules: CEA-BID-05 (sealed), CEA-BID-09 (results). An operator sees no more here than the public.
    """
    shown = []
    for name, bidding_id in machine.biddings.items():
        bidding = machine.core.bidding(bidding_id)
        has_ended = bidding["state"] == BiddingState.ENDED
        shown.append(
            {
                "bidding": name,
                "bidding_id": int(bidding_id),
                "product": machine.product_names[bidding["product_index"]],
                "side": Side(bidding["side"]).name.lower(),
                "pricing": Pricing(bidding["pricing"]).name.lower(),
                **{field: int(bidding[field]) for field in ("tonnes", "floor", "ceiling")},
                **{field: _time(bidding[field]) for field in ("opens_at", "closes_at")},
                "state": BiddingState(bidding["state"]).name.lower(),
                "tonnes_awarded": int(bidding["tonnes_awarded"]) if has_ended else None,
                "clearing_price": int(bidding["clearing_price"]) or None,
            }
        )
    return shown


def _shown(
    machine: VenueStateMachine,
    rows: np.ndarray | Iterable[dict[str, int]],
    fields: tuple[str, ...],
) -> list[dict[str, Any]]:
    return [
        {
            "account": machine.account_names[int(row["account_index"])],
            **{name: int(row[name]) for name in fields},
        }
        for row in rows
    ]


def _known(index: int) -> int | None:
    return None if index == ACCOUNT_NONE else index


def _time(time_ns: int) -> str | None:
    return time_from_ns(time_ns).isoformat() if time_ns else None
