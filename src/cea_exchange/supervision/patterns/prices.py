"""Prices that are made: ramping, late trades, tiny ones."""

from collections.abc import Iterator

import numpy as np

from cea_exchange.domain.records import Side
from cea_exchange.domain.units import price_format
from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.moves import unusual_move
from cea_exchange.supervision.columns.sums import per_mille, per_mille_up, running_sums, sums_by
from cea_exchange.supervision.patterns.context import Context
from cea_exchange.supervision.tape import SECOND_NS


def ramping(context: Context) -> Iterator[Alert]:
    """Find who moves a price with much of what is traded, and then trades the other way.

    Notes
    -----
    Rules: CEA-SVL-10. Accounts of one will count as one. Where T+1 bars the way back, what was held
    before may go it at once, and what was bought the next day.
    """
    for product in range(context.columns.product_count):
        for side in (Side.BUY, Side.SELL):
            yield from _ramps(context, product, side)


def _ramps(context: Context, product: int, side: int) -> Iterator[Alert]:
    columns, limits = context.columns, context.limits.ramping
    warning = context.limits.warning_per_mille
    listed = columns.listed[columns.listed["product"] == product]
    if len(listed) < 2:
        return
    sign = 1 if side == Side.BUY else -1
    wills = columns.will[listed["buyer" if side == Side.BUY else "seller"]]
    taken = listed["side"] == side
    rank = np.arange(len(listed))
    pushed = running_sums(wills[taken], rank[taken], listed["tonnes"][taken])
    all_tonnes = np.concatenate(([0], np.cumsum(listed["tonnes"])))
    times = listed["time_ns"]
    last = rank[taken]
    first = np.searchsorted(times, times[last] - limits.window_s * SECOND_NS, side="left")
    own = pushed.between(wills[taken], first, last)
    volume = all_tonnes[last + 1] - all_tonnes[first]
    before = np.maximum(first - 1, 0)
    start_price = np.where(
        (first > 0) & (listed["day"][before] == listed["day"][last]),
        listed["price"][before],
        listed["price"][first],
    )
    move = (listed["price"][last] - start_price) * sign * 1000 // start_price
    moves_needed, tonnes_needed = _ramp_needs(context, listed, product)
    days = listed["day"][last]
    near = (own * 1_000_000 >= volume * limits.share_per_mille * warning) & (
        move * 1000 >= moves_needed[days] * warning
    )
    near &= own * 1000 >= tonnes_needed[days] * warning
    if not np.any(near):
        return
    other = "seller" if side == Side.BUY else "buyer"
    returned = running_sums(columns.will[listed[other]], rank, listed["tonnes"])
    until = np.searchsorted(times, times[last] + limits.reverse_s * SECOND_NS, side="right") - 1
    next_day = np.searchsorted(listed["day"], listed["day"][last] + 1, side="right") - 1
    after_today = np.searchsorted(listed["day"], listed["day"][last], side="right")
    gone_back = returned.between(wills[taken], last + 1, until) + np.where(
        next_day >= after_today, returned.between(wills[taken], after_today, next_day), 0
    )
    best: dict[tuple[int, int], tuple[int, tuple[Figure, ...], int]] = {}
    for at in np.flatnonzero(near):
        figures = (
            Figure("move per mille", int(move[at]), ">=", int(moves_needed[days[at]])),
            Figure(
                "share of volume per mille",
                per_mille_up(int(own[at]), int(volume[at])),
                ">",
                limits.share_per_mille,
            ),
            Figure("pushed t", int(own[at]), ">=", int(tonnes_needed[days[at]])),
            Figure(
                "traded back per mille",
                min(per_mille(int(gone_back[at]), int(own[at])), 1000),
                ">=",
                limits.reverse_per_mille,
            ),
        )
        grade = grade_of(figures, warning)
        if grade is None:
            continue
        key = int(wills[last[at]]), int(listed["day"][last[at]])
        rank_of = (1 if grade == "alert" else 0) * 1_000_000 + int(move[at])
        if key not in best or rank_of > best[key][0]:
            best[key] = rank_of, figures, int(at)
    for (will, day), (_, found, place) in sorted(best.items()):
        span = int(first[place]), int(last[place])
        yield _ramp_alert(context, listed, will, day, side, found, *span)


def _ramp_needs(
    context: Context, listed: np.ndarray, product: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return by day the move per mille and the tonnes that make a push: less in a calm market."""
    columns, limits = context.columns, context.limits.ramping
    moves, tonnes = np.zeros((2, len(columns.days)), np.int64)
    for day in range(len(columns.days)):
        unusual = unusual_move(columns, day, product, limits.window_s, limits.usual_moves)
        moves[day] = min(max(unusual, limits.least_move_per_mille), limits.move_per_mille)
        share = int(listed["tonnes"][listed["day"] == day].sum()) * limits.least_day_per_mille
        tonnes[day] = min(-(-share // 1000), limits.tonnes_min)
    return moves, tonnes


def _ramp_alert(
    context: Context,
    listed: np.ndarray,
    will: int,
    day: int,
    side: int,
    figures: tuple[Figure, ...],
    first: int,
    last: int,
) -> Alert:
    columns = context.columns
    mine, other = ("buyer", "seller") if side == Side.BUY else ("seller", "buyer")
    window = listed[first : last + 1]
    own = window[columns.will[window[mine]] == will]
    back = listed[last + 1 :]
    back = back[(columns.will[back[other]] == will) & (back["day"] <= day + 1)]
    who = {*own[mine].tolist(), *back[other].tolist()}
    names = ", ".join(columns.names(who))
    way = "up" if side == Side.BUY else "down"
    grade = grade_of(figures, context.limits.warning_per_mille)
    assert grade is not None
    return context.alert(
        "ramping",
        grade,
        day=day,
        product=int(own["product"][0]),
        accounts=who,
        rows=[*own["row"], *back["row"]],
        figures=figures,
        sentence=(
            f"{names} moved the price {way} by {figures[0].value} per mille to "
            f"{price_format(int(window['price'][-1]))} with {figures[1].value} per mille of what "
            f"was traded, and traded {figures[3].value} per mille of it back."
        ),
    )


def marking_close(context: Context) -> Iterator[Alert]:
    """Find whose late trades are most of the last minutes and move price or close.

    Notes
    -----
    Rules: CEA-SVL-11. The close is the mean of the whole day, so tonnes count, not the last price.
    """
    columns, limits = context.columns, context.limits.marking_close
    for day in range(len(columns.days)):
        for product in range(columns.product_count):
            listed = columns.listed
            all_day = listed[(listed["day"] == day) & (listed["product"] == product)]
            from_ns = columns.closing_ns[day] - limits.window_s * SECOND_NS
            late = all_day[all_day["time_ns"] >= from_ns]
            if not len(late):
                continue
            for side in (Side.BUY, Side.SELL):
                mine = "buyer" if side == Side.BUY else "seller"
                own = late[late["side"] == side]
                wills, tonnes = sums_by(columns.will[own[mine]], own["tonnes"])
                # Most trade too little to be looked at closely.
                least = max(
                    int(late["tonnes"].sum()) * limits.window_per_mille,
                    int(all_day["tonnes"].sum()) * limits.least_day_per_mille,
                )
                near = tonnes * 1_000_000 >= least * context.limits.warning_per_mille
                wills, tonnes = wills[near], tonnes[near]
                for will, count in zip(wills.tolist(), tonnes.tolist(), strict=True):
                    alert = _marking_alert(context, all_day, late, side, will, count)
                    if alert is not None:
                        yield alert


def _marking_alert(
    context: Context, all_day: np.ndarray, late: np.ndarray, side: int, will: int, tonnes: int
) -> Alert | None:
    columns, limits = context.columns, context.limits.marking_close
    mine = "buyer" if side == Side.BUY else "seller"
    own = late[(late["side"] == side) & (columns.will[late[mine]] == will)]
    rest = all_day[~np.isin(all_day["row"], own["row"])]
    before = all_day[all_day["row"] < late["row"][0]]
    day, product = int(own["day"][0]), int(own["product"][0])
    reference = int(before["price"][-1]) if len(before) else columns.reference(day, product)
    sign = 1 if side == Side.BUY else -1
    # How far it went, not where it ended: the last trade may be small and elsewhere.
    furthest = int((own["price"] * sign).max()) * sign
    move = max((furthest - reference) * sign * 1000 // reference, 0)
    close, without = _mean_thousandth(all_day), _mean_thousandth(rest)
    effect = abs(close - without) * 100_000 // without if without else 0
    unusual = unusual_move(columns, day, product, limits.window_s, limits.usual_moves)
    move_needed = min(max(unusual, limits.least_move_per_mille), limits.move_per_mille)
    is_rare = move >= move_needed
    day_needed = limits.least_day_per_mille if is_rare else limits.day_per_mille
    needed = [
        Figure(
            "share of the last minutes per mille",
            per_mille(tonnes, int(late["tonnes"].sum())),
            ">=",
            limits.window_per_mille,
        ),
        Figure(
            "share of the day per mille",
            per_mille(tonnes, int(all_day["tonnes"].sum())),
            ">=",
            day_needed,
        ),
    ]
    choice = [
        Figure("move per mille", move, ">=", move_needed if is_rare else limits.move_per_mille),
        Figure("effect on the close per 100,000", effect, ">=", limits.close_per_hundred_thousand),
    ]
    grade = grade_of(needed, context.limits.warning_per_mille, any_of=choice)
    if grade is None or not len(rest):
        return None
    who = set(own[mine].tolist())
    names = ", ".join(columns.names(who))
    return context.alert(
        "marking_close",
        grade,
        day=day,
        product=product,
        accounts=who,
        counterparties=own["seller" if side == Side.BUY else "buyer"],
        rows=own["row"],
        figures=[*needed, *choice],
        sentence=(
            f"{names} traded {tonnes} t in the last {limits.window_s // 60} minutes, "
            f"{needed[0].value} per mille of them and {needed[1].value} of the day; the price "
            f"moved by {move} per mille, the close by {effect} per 100,000."
        ),
    )


def _mean_thousandth(trades: np.ndarray) -> int:
    """Return the mean price of trades in thousandths of a fen; 0 of none."""
    tonnes = int(trades["tonnes"].sum())
    return int(trades["amount"].sum()) * 1000 // tonnes if tonnes else 0


def thin_close(context: Context) -> Iterator[Alert]:
    """Find days whose close is made by a few tonnes, far from the close before.

    Notes
    -----
    Rules: CEA-SVL-12. Both sides are named.
    """
    columns, limits = context.columns, context.limits.thin_close
    listed = columns.listed
    for day in range(len(columns.days)):
        for product in range(columns.product_count):
            own = listed[(listed["day"] == day) & (listed["product"] == product)]
            tonnes = int(own["tonnes"].sum())
            if not tonnes:
                continue
            before, close = columns.reference(day, product), int(columns.closes[day, product])
            move = abs(close - before) * 1000 // before
            figures = [
                Figure("tonnes of the day", tonnes, "<=", limits.tonnes_max),
                Figure("move of the close per mille", move, ">=", limits.move_per_mille),
            ]
            grade = grade_of(figures, context.limits.warning_per_mille)
            if grade is None:
                continue
            who = {*own["buyer"].tolist(), *own["seller"].tolist()}
            names = " and ".join(columns.names(who))
            yield context.alert(
                "thin_close",
                grade,
                day=day,
                product=product,
                accounts=who,
                rows=own["row"],
                figures=figures,
                sentence=(
                    f"{tonnes} t between {names} are the whole day and moved the close from "
                    f"{price_format(before)} to {price_format(close)}."
                ),
            )
