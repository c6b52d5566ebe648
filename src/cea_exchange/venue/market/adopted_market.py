"""The market that an adopted venue begins with, made of what the registry holds."""

import msgspec

from cea_exchange.domain.naming import name_key
from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import Phase
from cea_exchange.protocol.control import AdoptedState


def adopted_core(
    core_class: type, rules: MarketRules, state: AdoptedState, composite_weights: list[int]
) -> object:
    """Return a market with the registry's holdings and no orders, between two days.

    Notes
    -----
    It is read as a snapshot (protocol/state_hash.md), so either core can be one. T+1 is over with
    the day that was lost: the next opening would release it anyway.

    Raises
    ------
    ValueError
        The state can't be one of a market.
    """
    for account in state.accounts:
        for product, _tonnes in account.holdings:
            if product >= len(state.products):
                raise ValueError(
                    f"adopt: {account.account}: expected a product below {len(state.products)},"
                    f" got {product}"
                )
    groups = groups_of([account.group for account in state.accounts])
    snapshot = {
        "phase": int(Phase.CLOSED),
        "trading_date": state.trading_date,
        "day_is_open": 0,
        "market_halted": 0,
        "listed_started": 0,
        "command_seq": state.command_seq,
        "event_seq": state.event_seq,
        "settlement_seq": state.settlement_seq,
        "market_data_seq": state.market_data_seq,
        "trade_id": state.trade_id,
        "transfer_seq": state.feed_seq,
        "order_id_last": state.order_id,
        "priority_last": state.order_id,
        "order_count_max": core_class(rules).order_count_max,
        "products": [
            # Halted it is not; whether it is delisted is the next bit.
            [name_key(product.product), product.reference_price, weight]
            + [2 * product.delisted, *14 * (0,)]
            for product, weight in zip(state.products, composite_weights, strict=True)
        ],
        "accounts": [
            {
                "account_key": name_key(account.account),
                "group_index": groups.get(account.group, 0),
                "cash": account.cash,
                "proceeds_today": 0,
                "suspended": account.suspended or account.suspended_by_registry,
                "report_seq": account.report_seq,
                "holdings": [[product, tonnes, 0] for product, tonnes in account.holdings],
                "client_order_ids": [],
            }
            for account in state.accounts
        ],
        "orders": b"",
        "blocks": b"",
        "biddings": b"",
        "bids": b"",
    }
    return core_class.from_snapshot(rules, msgspec.msgpack.encode(snapshot))


def groups_of(groups: list[str]) -> dict[str, int]:
    """Return the index of each group, in the order in which accounts name them; "" is no group."""
    found: dict[str, int] = {}
    for group in groups:
        if group:
            # 0 is no group.
            found.setdefault(group, len(found) + 1)
    return found
