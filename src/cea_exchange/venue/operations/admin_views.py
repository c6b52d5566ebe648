"""What operators and regulators may look at: the day's statistics, positions, sessions."""

from collections.abc import Iterable
from typing import Any

from cea_exchange.domain.units import tonnes_capped
from cea_exchange.venue.market.names import account_known
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.order_entry.sessions import Session

_AMOUNTS = ("amount", "block_amount", "bidding_amount")
_VOLUMES = ("volume", "block_volume", "intra_group_volume", "bidding_volume")


def statistics(machine: VenueStateMachine) -> dict[str, Any]:
    """Return each product's prices (fen) and totals of the day, listed and block."""
    core = machine.core
    products: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(machine.product_names):
        product = core.product(index)
        products[name] = {
            field: value if isinstance(value, bool) else int(value)
            for field, value in product.items()
            if field not in (*_AMOUNTS, *_VOLUMES)
        }
        # A day's sums may exceed the 64 bits that MessagePack has.
        products[name] |= {field: tonnes_capped(int(product[field])) for field in _VOLUMES}
        products[name] |= {field: str(product[field]) for field in _AMOUNTS}
    return {"trading_date": int(core.trading_date), "products": products}


def position(machine: VenueStateMachine, account: str) -> dict[str, Any]:
    """Return what an account has at the venue; FrameError if there is no such account."""
    index = account_known(machine, account)
    core = machine.core
    held = core.account(index)
    holdings = {
        machine.product_names[product]: dict(
            zip(("tonnes", "locked", "bought_today"), map(int, figures), strict=True)
        )
        for product, figures in held.pop("holdings").items()
    }
    gaps = {
        machine.product_names[product]: {"sale_days": sale_days, "purchase_days": purchase_days}
        for product, (sale_days, purchase_days) in held.pop("gaps").items()
    }
    return {
        "account": account,
        "group": machine.account_groups[index],
        "holder": machine.holders.get(account, "organisation"),
        "may_trade": account not in machine.barred,
        **{field: v if isinstance(v, bool) else int(v) for field, v in held.items()},
        "holdings": holdings,
        **({"gaps": gaps} if gaps else {}),
        "orders": [int(order_id) for order_id in core.orders_of(index)],
        "report_seq": int(core.report_seq(index)),
    }


def sessions(
    machine: VenueStateMachine, logged_on: Iterable[Session], now_s: float
) -> dict[str, Any]:
    """Return who is logged on, and for how many seconds each has been silent."""
    return {
        "sessions": [
            {
                "account": machine.account_names[session.holder.account_index],
                "operator_index": session.holder.operator_index,
                "role": session.holder.role,
                "key": session.key,
                "is_connected": session.is_connected,
                "silent_s": round(now_s - session.seen_s, 1),
            }
            for session in logged_on
        ]
    }
