"""Around blocks and biddings: front running, blocks at the band's limits, bidders of one will."""

from collections.abc import Iterator

import numpy as np

from cea_exchange.domain.records import EventKind, Method
from cea_exchange.domain.units import price_format
from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.sums import per_mille, per_mille_up, sums_by
from cea_exchange.supervision.patterns.context import Context
from cea_exchange.supervision.tape import SECOND_NS


def front_running(context: Context) -> Iterator[Alert]:
    """Find who trades ahead of a block that it can know of.

    Notes
    -----
    Rules: CEA-SVL-16. The block's own party may trade before; it is its own need. An account of
    the same will as a party can know of the block; of another account its trades must say so.
    """
    columns, limits = context.columns, context.limits.front_running
    listed = columns.listed
    best: dict[tuple[int, int, int], Alert] = {}
    for block in columns.blocks:
        start = np.searchsorted(
            listed["time_ns"], block["time_ns"] - limits.window_s * SECOND_NS, side="left"
        )
        end = np.searchsorted(listed["row"], block["row"])
        before = listed[start:end]
        before = before[(before["product"] == block["product"]) & (before["day"] == block["day"])]
        for side in ("buyer", "seller"):
            can_know = columns.will[block[side]]
            parties = (int(block["buyer"]), int(block["seller"]))
            others = before[~np.isin(before[side], parties)]
            wills = columns.will[others[side]]
            for will in np.unique(wills):
                own = others[wills == will]
                alert = _ahead_alert(context, block, own, side, bool(will == can_know))
                if alert is None:
                    continue
                key = int(own[side][0]), int(block["product"]), int(block["day"])
                held = best.get(key)
                if held is None or alert.figures[0].value > held.figures[0].value:
                    best[key] = alert
    yield from best.values()


def _ahead_alert(
    context: Context, block: np.ndarray, own: np.ndarray, side: str, of_one_will: bool
) -> Alert | None:
    columns, limits = context.columns, context.limits.front_running
    day, product = int(block["day"]), int(block["product"])
    mean = _mean_day(context, day, product)
    tonnes = int(own["tonnes"].sum())
    if tonnes * 1_000_000 < mean * limits.least_volume_per_mille * context.limits.warning_per_mille:
        return None
    who = np.unique(own[side])
    whole, back = _around(context, block, who, side)
    share = per_mille_up(tonnes, mean)
    of_own = Figure("per mille of its own", per_mille(tonnes, whole), ">=", limits.own_per_mille)
    turned = Figure(
        "traded back per mille",
        min(per_mille(back, tonnes), 1000),
        ">=",
        limits.reverse_per_mille,
    )
    needed = limits.least_volume_per_mille if of_own.holds else limits.volume_per_mille
    if not of_one_will:
        needed = limits.associate_volume_per_mille
    figures = [Figure("share of a mean day per mille", share, ">", needed)]
    if not of_one_will:
        figures += [of_own, turned]
    grade = grade_of(figures, context.limits.warning_per_mille)
    if grade is None:
        return None
    names = ", ".join(columns.names(who))
    party = columns.tape.accounts[int(block[side])]
    does = "bought" if side == "buyer" else "sold"
    what = "of the same will" if of_one_will else f"and {turned.value} per mille of it back after"
    return context.alert(
        "front_running",
        grade,
        day=day,
        product=product,
        accounts=who,
        counterparties=[int(block["buyer"]), int(block["seller"])],
        rows=[*own["row"], int(block["row"])],
        figures=figures,
        sentence=(
            f"{names} {does} {tonnes} t within an hour before {party} {does} a block of "
            f"{int(block['tonnes'])} t, {what}: {share} per mille of a mean day."
        ),
    )


def _around(context: Context, block: np.ndarray, who: np.ndarray, side: str) -> tuple[int, int]:
    """Return what accounts traded on a side in the days up to a block's, and back after it.

    What comes back counts until the end of the next day, as T+1 bars an earlier way.
    """
    columns = context.columns
    listed = columns.listed[columns.listed["product"] == block["product"]]
    day, since = int(block["day"]), int(block["day"]) - context.limits.front_running.days
    whole = listed[np.isin(listed[side], who) & (listed["day"] > since) & (listed["day"] <= day)]
    other = "seller" if side == "buyer" else "buyer"
    back = listed[np.isin(listed[other], who) & (listed["row"] > block["row"])]
    back = back[back["day"] <= day + 1]
    return int(whole["tonnes"].sum()), int(back["tonnes"].sum())


def _mean_day(context: Context, day: int, product: int) -> int:
    """Return the mean listed volume of the days before, or without any of the day itself."""
    listed = context.columns.listed
    mine = listed[listed["product"] == product]
    days = mine["day"]
    since = day - context.limits.front_running.days
    before = mine[(days < day) & (days >= since)]
    count = min(day, context.limits.front_running.days)
    if len(before) and count:
        return int(before["tonnes"].sum()) // count
    return int(mine["tonnes"][days == day].sum())


def block_edge(context: Context) -> Iterator[Alert]:
    """Find blocks far off the listed mean, whose pair trades the other way within some days.

    Notes
    -----
    Rules: CEA-SVL-20.
    """
    columns, limits = context.columns, context.limits.block_edge
    trades = columns.trades
    reported: set[tuple[int, int, int]] = set()
    for block in columns.blocks:
        day, product = int(block["day"]), int(block["product"])
        mean = int(columns.closes[day, product])
        off = abs(int(block["price"]) - mean) * 1000 // mean
        figures = [Figure("off the mean per mille", off, ">=", limits.off_per_mille)]
        grade = grade_of(figures, context.limits.warning_per_mille)
        one, other = int(block["buyer"]), int(block["seller"])
        if grade is None or (one, other, product) in reported:
            continue
        back = trades[
            (trades["buyer"] == other)
            & (trades["seller"] == one)
            & (trades["product"] == product)
            & (np.abs(trades["day"] - day) <= limits.days)
        ]
        if not len(back):
            continue
        reported.update(((one, other, product), (other, one, product)))
        names = columns.names((one, other))
        yield context.alert(
            "block_edge",
            grade,
            day=max(day, int(back["day"].max())),
            product=product,
            accounts=(one, other),
            rows=[int(block["row"]), *back["row"]],
            figures=[*figures, Figure("trades the other way", len(back), ">=", 1)],
            sentence=(
                f"{names[0]} and {names[1]} traded a block at {price_format(int(block['price']))}, "
                f"{off} per mille off the mean, and {int(back['tonnes'].sum())} t the other way."
            ),
        )


def bid_ring(context: Context) -> Iterator[Alert]:
    """Find biddings won by accounts of one will, or with bids of one price in one second.

    Notes
    -----
    Rules: CEA-SVL-17.
    """
    columns, limits = context.columns, context.limits.bid_ring
    events = columns.events
    bids = columns.rows(EventKind.BID_ACCEPTED)
    trades = columns.rows(EventKind.TRADE)
    trades = trades[events["method"][trades] == Method.BIDDING]
    for bidding in np.unique(events["counter_order_id"][bids]):
        mine = bids[events["counter_order_id"][bids] == bidding]
        won = trades[events["counter_order_id"][trades] == bidding]
        yield from _group_won(context, mine, won)
        yield from _equal_bids(context, mine, limits.equal_bids_min)


def _group_won(context: Context, bids: np.ndarray, won: np.ndarray) -> Iterator[Alert]:
    columns, limits = context.columns, context.limits.bid_ring
    events = columns.events
    winners = events["account_index"][won].astype(np.int64)
    wills, tonnes = sums_by(columns.will[winners], events["tonnes"][won])
    for will, count in zip(wills.tolist(), tonnes.tolist(), strict=True):
        of_will = columns.will[winners] == will
        who = set(winners[of_will].tolist())
        if len(who) < 2:
            continue
        share = per_mille(count, int(tonnes.sum()))
        figures = [Figure("won per mille", share, ">=", limits.won_per_mille)]
        grade = grade_of(figures, context.limits.warning_per_mille)
        if grade is None:
            continue
        owners = events["account_index"][bids].astype(np.int64)
        rows = [*bids[np.isin(owners, list(who))], *won[of_will]]
        names = ", ".join(columns.names(who))
        yield context.alert(
            "bid_ring",
            grade,
            day=int(columns.day_of_row[rows[0]]),
            product=int(events["product_index"][rows[0]]),
            accounts=who,
            rows=rows,
            figures=figures,
            sentence=f"{names}, of one will, won {share} per mille of a bidding together.",
        )


def _equal_bids(context: Context, bids: np.ndarray, least: int) -> Iterator[Alert]:
    columns = context.columns
    events = columns.events
    prices, seconds = events["price"][bids], columns.time_ns[bids] // SECOND_NS
    for second, price in sorted(set(zip(seconds.tolist(), prices.tolist(), strict=True))):
        rows = bids[(seconds == second) & (prices == price)]
        who = set(events["account_index"][rows].astype(np.int64).tolist())
        figures = [Figure("equal bids", len(who), ">=", least)]
        grade = grade_of(figures, context.limits.warning_per_mille)
        # Two who meet by chance are not worth a watch.
        if grade != "alert":
            continue
        names = ", ".join(columns.names(who))
        yield context.alert(
            "bid_ring",
            grade,
            day=int(columns.day_of_row[rows[0]]),
            product=int(events["product_index"][rows[0]]),
            accounts=who,
            rows=rows,
            figures=figures,
            sentence=(
                f"{names} bid {price_format(price)} in one second, {len(who)} accounts in one "
                "bidding."
            ),
        )
