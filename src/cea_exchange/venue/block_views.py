"""What a participant may see of the open blocks: its own and those it is asked in."""

from typing import Any

from cea_exchange.domain.records import ACCOUNT_NONE, BlockFlag
from cea_exchange.protocol.framing import BLOCKS_COUNT_MAX, PartyRequest
from cea_exchange.venue.state_machine import VenueStateMachine

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
        The lowest block id that is told.

    Notes
    -----
    Rules: CEA-BLK-04, CEA-BLK-07. At most BLOCKS_COUNT_MAX are told; the locks of a block are its
    parties' own affair and are not.
    """
    group_index = machine.group_index(machine.account_groups[account_index])
    told = []
    for block_id in machine.core.block_ids():
        if block_id < first:
            continue
        block = machine.core.block(block_id)
        if _is_seen(block, account_index, group_index):
            account = machine.account_names[block["account_index"]]
            told.append({"account": account, **{name: int(block[name]) for name in _FIELDS}})
        if len(told) == BLOCKS_COUNT_MAX:
            break
    return {"op": "blocks", "from": first, "blocks": told}


def _is_seen(block: dict[str, int], account_index: int, group_index: int) -> bool:
    if block["account_index"] == account_index:
        return True
    if block["flags"] & BlockFlag.TO_ACCOUNT:
        return block["counterparty_index"] == account_index
    if block["flags"] & BlockFlag.TO_GROUP:
        return block["counterparty_index"] == group_index
    return True


def _known(index: int) -> int | None:
    return None if index == ACCOUNT_NONE else index
