"""How orders are entered: by the hundred, and far from the latest deal."""

from collections.abc import Iterator

import numpy as np

from cea_exchange.domain.units import price_format
from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.sums import per_mille, running_sums, runs_of
from cea_exchange.supervision.patterns.context import Context
from cea_exchange.supervision.tape import SECOND_NS


def dense_entry(context: Context) -> Iterator[Alert]:
    """Find accounts that enter and cancel by the hundred, or say much and trade little.

    Notes
    -----
    Rules: CEA-SVL-09. That most of an account's orders are cancelled is ordinary and no sign.
    """
    columns, limits = context.columns, context.limits.dense_entry
    orders, messages = columns.orders, columns.messages
    accounts = columns.account_count
    owners = columns.events["account_index"][messages].astype(np.int64)
    keys = columns.day_of_row[messages] * accounts + owners
    said = np.bincount(keys, minlength=accounts * max(len(columns.days), 1))
    order_keys = orders["day"] * accounts + orders["account"]
    entered = np.bincount(order_keys, minlength=len(said))
    fast = orders["is_canceled"] & (
        orders["end_time_ns"] - orders["time_ns"] <= limits.fast_s * SECOND_NS
    )
    gone_fast = np.bincount(order_keys[fast], minlength=len(said))
    gone = np.bincount(order_keys[orders["is_canceled"]], minlength=len(said))
    gone_large = np.bincount(order_keys[_is_large_cancel(context)], minlength=len(said))
    ratio, ratio_orders = _orders_to_trades(context, len(said))
    for key in np.flatnonzero(said):
        day, account = divmod(int(key), accounts)
        share = per_mille(int(gone[key]), int(entered[key]))
        canceled = Figure("canceled per mille", share, ">=", limits.canceled_per_mille)
        cancels = Figure(
            "canceled within a second", int(gone_fast[key]), ">", limits.fast_cancels_min
        )
        spoken = Figure("messages", int(said[key]), ">=", limits.messages_min)
        per_trade = Figure("orders to trades", int(ratio[key]), ">", limits.orders_to_trades)
        busy = Figure(
            "orders in ten minutes", int(ratio_orders[key]), ">=", limits.ratio_orders_min
        )
        large = Figure(
            "large orders canceled", int(gone_large[key]), ">=", limits.large_cancels_min
        )
        warning = context.limits.warning_per_mille
        grades = [
            grade_of([canceled, cancels], warning),
            grade_of([large], warning),
            grade_of([spoken], warning),
            grade_of([per_trade, busy, canceled], warning),
        ]
        if not any(grades):
            continue
        own = orders[order_keys == key]
        rows = own["row"] if len(own) else messages[keys == key]
        name = columns.tape.accounts[account]
        yield context.alert(
            "dense_entry",
            "alert" if "alert" in grades else "watch",
            day=day,
            product=int(own["product"][0]) if len(np.unique(own["product"])) == 1 else None,
            accounts=[account],
            rows=[*rows, *own["end_row"][own["is_canceled"]]],
            figures=[cancels, canceled, large, spoken, per_trade, busy],
            sentence=(
                f"{name} sent {spoken.value} messages and took {share} per mille of its orders "
                f"away, {cancels.value} of them within {limits.fast_s} s and {large.value} of them "
                "near the largest that may be entered; at its busiest "
                f"{per_trade.value} orders to a trade."
            ),
        )


def _is_large_cancel(context: Context) -> np.ndarray:
    """Tell of each order whether it was taken away and near the largest; none is without a most."""
    columns, limits = context.columns, context.limits.dense_entry
    most = columns.tape.profile.rules.listed_tonnes_most
    is_large = columns.orders["tonnes"] * 1_000 >= most * limits.large_per_mille
    found: np.ndarray = columns.orders["is_canceled"] & is_large & bool(most)
    return found


def _orders_to_trades(context: Context, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return by day and account the largest ratio of orders to trades, and of how many orders.

    Of the windows that end with one of its orders and have orders enough.
    """
    columns, limits = context.columns, context.limits.dense_entry
    orders, listed = columns.orders, columns.listed
    most, count_then = np.zeros((2, size), np.int64)
    if not len(orders):
        return most, count_then
    stamps = columns.time_ns
    first_row = np.searchsorted(
        stamps, orders["time_ns"] - limits.ratio_window_s * SECOND_NS, side="left"
    )
    ones = np.ones(len(orders), np.int64)
    entered = running_sums(orders["account"], orders["row"], ones)
    dealt = running_sums(
        np.concatenate((listed["buyer"], listed["seller"])),
        np.concatenate((listed["row"], listed["row"])),
        np.ones(2 * len(listed), np.int64),
    )
    count = entered.between(orders["account"], first_row, orders["row"])
    trades = dealt.between(orders["account"], first_row, orders["row"])
    # Rounded up: 15.1 orders to a trade are more than 15.
    ratio = -(-count // np.maximum(trades, 1))
    least = limits.ratio_orders_min * context.limits.warning_per_mille // 1000
    kept = count >= least
    keys = (orders["day"] * columns.account_count + orders["account"])[kept]
    np.maximum.at(most, keys, ratio[kept])
    is_most = ratio[kept] == most[keys]
    np.maximum.at(count_then, keys[is_most], count[kept][is_most])
    return most, count_then


def off_price(context: Context) -> Iterator[Alert]:
    """Find large orders whose price is far from the latest deal.

    Notes
    -----
    Rules: CEA-SVL-19. Before a product's first listed trade the reference price counts.
    """
    columns, limits = context.columns, context.limits.off_price
    warning = context.limits.warning_per_mille
    orders = columns.orders
    orders = orders[orders["tonnes"] * 1000 >= limits.tonnes_min * warning]
    for product in range(columns.product_count):
        mine = orders[orders["product"] == product]
        listed = columns.listed[columns.listed["product"] == product]
        if not len(mine):
            continue
        place = np.searchsorted(listed["row"], mine["row"]) - 1
        reference = np.array([columns.reference(int(day), product) for day in mine["day"]])
        if len(listed):
            before = listed[np.maximum(place, 0)]
            is_today = (place >= 0) & (before["day"] == mine["day"])
            reference = np.where(is_today, before["price"], reference)
        off = np.abs(mine["price"] - reference) * 1000 // np.maximum(reference, 1)
        near = off * 1000 >= limits.off_per_mille * warning
        mine, off = mine[near], off[near]
        keys = mine["account"] * (len(columns.days) + 1) + mine["day"]
        order = np.argsort(keys, kind="stable")
        mine, off, keys = mine[order], off[order], keys[order]
        for start, end in zip(*runs_of(keys), strict=True):
            yield from _off_alert(context, mine[start:end], off[start:end])


def _off_alert(context: Context, own: np.ndarray, off: np.ndarray) -> Iterator[Alert]:
    columns, limits = context.columns, context.limits.off_price
    at = int(np.argmax(np.where(own["tonnes"] >= limits.tonnes_min, off + 1_000_000, off)))
    figures = [
        Figure("off per mille", int(off[at]), ">=", limits.off_per_mille),
        Figure("tonnes", int(own["tonnes"][at]), ">=", limits.tonnes_min),
    ]
    grade = grade_of(figures, context.limits.warning_per_mille)
    if grade is None:
        return
    account, day, product = (int(own[name][at]) for name in ("account", "day", "product"))
    yield context.alert(
        "off_price",
        grade,
        day=day,
        product=product,
        accounts=[account],
        rows=own["row"][at : at + 1],
        figures=figures,
        sentence=(
            f"{columns.tape.accounts[account]} asked for {int(own['tonnes'][at])} t at "
            f"{price_format(int(own['price'][at]))}, {int(off[at])} per mille off the latest deal."
        ),
    )
