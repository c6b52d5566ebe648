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
    """Find who trades ahead of a block that an account of the same will has part in.

    Notes
    -----
    Rules: CEA-SVL-16. The block's own party may trade before; it is its own need.
    """
    columns, limits = context.columns, context.limits.front_running
    best: dict[tuple[int, int, int], Alert] = {}
    for block in columns.blocks:
        for party, side in (("buyer", "buyer"), ("seller", "seller")):
            account = int(block[party])
            mates = np.flatnonzero(columns.will == columns.will[account])
            mates = mates[(mates != block["buyer"]) & (mates != block["seller"])]
            if not len(mates):
                continue
            listed = columns.listed
            start = np.searchsorted(
                listed["time_ns"], block["time_ns"] - limits.window_s * SECOND_NS, side="left"
            )
            end = np.searchsorted(listed["row"], block["row"])
            before = listed[start:end]
            own = before[
                np.isin(before[side], mates)
                & (before["product"] == block["product"])
                & (before["day"] == block["day"])
            ]
            alert = _ahead_alert(context, block, own, side)
            if alert is None:
                continue
            key = int(own[side][0]), int(block["product"]), int(block["day"])
            held = best.get(key)
            if held is None or alert.figures[0].value > held.figures[0].value:
                best[key] = alert
    yield from best.values()


def _ahead_alert(context: Context, block: np.ndarray, own: np.ndarray, side: str) -> Alert | None:
    columns, limits = context.columns, context.limits.front_running
    if not len(own):
        return None
    day, product = int(block["day"]), int(block["product"])
    mean = _mean_day(context, day, product)
    tonnes = int(own["tonnes"].sum())
    figures = [
        Figure(
            "share of a mean day per mille",
            per_mille_up(tonnes, mean),
            ">",
            limits.volume_per_mille,
        )
    ]
    grade = grade_of(figures, context.limits.warning_per_mille)
    if grade is None:
        return None
    who = set(own[side].tolist())
    names = ", ".join(columns.names(who))
    party = columns.tape.accounts[int(block[side])]
    does = "bought" if side == "buyer" else "sold"
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
            f"{names} {does} {tonnes} t within an hour before {party}, of the same will, {does} "
            f"a block of {int(block['tonnes'])} t: {figures[0].value} per mille of a mean day."
        ),
    )


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
