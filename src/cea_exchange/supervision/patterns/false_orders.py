"""Orders that were never meant to trade: spoofing, layering, queues at the limit."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cea_exchange.domain.records import EventKind, Reason, Side
from cea_exchange.domain.units import price_format
from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.book import LevelsAt, own_share
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.columns.sums import (
    RunningSums,
    per_mille,
    per_mille_up,
    running_sums,
    runs_of,
    sums_by,
)
from cea_exchange.supervision.limits import Layering, Spoofing
from cea_exchange.supervision.patterns.context import Context
from cea_exchange.supervision.tape import MINUTE_NS, SECOND_NS

FILL_DTYPE = np.dtype(
    [
        *(("row", np.int64), ("time_ns", np.int64), ("day", np.int64), ("product", np.int64)),
        *(("account", np.int64), ("side", np.int64), ("tonnes", np.int64), ("opposite", np.int64)),
    ]
)
"""`opposite` is what the account had open on the other side just before."""


class Episode(NamedTuple):
    """Fills of an account on one side of a product, while it had much open on the other.

    Attributes
    ----------
    own, book, levels
        What it had on the best five of the other side, what all had, on how many of them.
    """

    fills: np.ndarray
    own: int
    book: int
    levels: int
    opposite: int
    filled: int
    canceled_per_mille: int
    last_row: int


def fills_facing_orders(columns: Columns) -> np.ndarray:
    """Return each account's listed fills that found it with orders on the other side."""
    listed = columns.listed
    fills = np.zeros(2 * len(listed), FILL_DTYPE)
    for part, account, side in (
        (fills[: len(listed)], "buyer", Side.BUY),
        (fills[len(listed) :], "seller", Side.SELL),
    ):
        for name in ("row", "time_ns", "day", "product", "tonnes"):
            part[name] = listed[name]
        part["account"], part["side"] = listed[account], side
    other = fills.copy()
    other["side"] = np.where(fills["side"] == Side.BUY, Side.SELL, Side.BUY)
    fills["opposite"] = columns.open_by_account.before(columns.side_key(other), fills["row"])
    return fills[fills["opposite"] > 0]


def _taken_away(columns: Columns) -> RunningSums:
    """Return what each account took away of its orders, by side: cancelled, or amended down.

    An order that is amended to another price is taken away at the old one.
    """
    steps = columns.steps
    events = columns.events[steps["row"]]
    is_own = (events["kind"] == EventKind.ORDER_CANCELED) & (events["reason"] == Reason.REQUESTED)
    is_own |= events["kind"] == EventKind.ORDER_AMENDED
    away = steps[is_own & (steps["tonnes"] < 0)]
    return running_sums(columns.side_key(away), away["row"], -away["tonnes"])


def _rounds(fills: np.ndarray, gone_by: np.ndarray, window_ns: int, part: int) -> list[int]:
    """Return where rounds begin among fills of one account, side, product and day, in order.

    A round ends when `part` per mille of what stood at most on the other side is taken away: a
    trader that places, trades and cancels each minute does so in many rounds, not in one without
    an end. It ends as well when nothing is filled for a window.

    Parameters
    ----------
    gone_by
        Of each fill what was taken away of the other side before it, that day and earlier.
    """
    starts = [0]
    most = int(fills["opposite"][0])
    for place in range(1, len(fills)):
        gone = int(gone_by[place] - gone_by[starts[-1]])
        idle = int(fills["time_ns"][place] - fills["time_ns"][place - 1]) > window_ns
        if idle or (gone and gone * 1000 >= most * part):
            starts.append(place)
            most = 0
        most = max(most, int(fills["opposite"][place]))
    return starts


def _episodes(
    context: Context, fills: np.ndarray, window_s: int, part: int, least_share: int
) -> Iterator[Episode]:
    """Yield the episodes among fills: rounds of orders placed, a trade, and orders taken away.

    The book is looked at where most stood open. What is taken away counts from a round's first
    fill to a window after its last one, but not beyond the first fill of the next round.
    """
    columns = context.columns
    if not len(fills):
        return
    window = window_s * SECOND_NS
    order = np.lexsort((fills["row"], columns.side_key(fills), fills["day"]))
    fills = fills[order]
    other = fills.copy()
    other["side"] = 3 - fills["side"]
    away, keys = _taken_away(columns), columns.side_key(other)
    gone_by = away.before(keys, fills["row"])
    row_after = np.searchsorted(columns.time_ns, fills["time_ns"] + window, side="right") - 1
    found: list[tuple[int, int, int, int]] = []
    places = columns.side_key(fills) * (len(columns.days) + 1) + fills["day"]
    for start, end in zip(*runs_of(places), strict=True):
        begins = _rounds(fills[start:end], gone_by[start:end], window, part)
        for begin, following in zip(begins, [*begins[1:], None], strict=True):
            first = int(start) + begin
            until = int(end) if following is None else int(start) + following
            last = int(row_after[until - 1])
            if following is not None:
                last = min(last, int(fills["row"][until]) - 1)
            most = first + int(np.argmax(fills["opposite"][first:until]))
            found.append((most, first, until, last))
    found.sort(key=lambda place: int(fills["row"][place[0]]))
    for product in range(columns.product_count):
        for side in (Side.BUY, Side.SELL):
            levels = LevelsAt(columns, product, 3 - side)
            for at, start, end, last in found:
                fill = fills[at]
                if (fill["product"], fill["side"]) != (product, side):
                    continue
                levels.move(int(fill["row"]) - 1)
                own, book, count = own_share(levels, int(fill["account"]))
                if own * 1000 < book * least_share:
                    continue
                rows = fills["row"][start : start + 1]
                gone = int(away.between(keys[start : start + 1], rows, np.array([last]))[0])
                opposite = int(fill["opposite"])
                yield Episode(
                    fills[start:end],
                    own,
                    book,
                    count,
                    opposite,
                    int(fills["tonnes"][start:end].sum()),
                    min(per_mille(gone, opposite), 1000),
                    last,
                )


def _place_of(fill: np.void) -> tuple[int, int, int, int]:
    """Return whose, of which product, side and day a fill is."""
    return int(fill["account"]), int(fill["product"]), int(fill["side"]), int(fill["day"])


def spoofing(context: Context) -> Iterator[Alert]:
    """Find large orders that stand against an own fill and are taken away after it.

    Notes
    -----
    Rules: CEA-SVL-06. Orders that can't rest (`ioc`, `fok`) never count, nor what expires.
    """
    columns, limits = context.columns, context.limits.spoofing
    warning = context.limits.warning_per_mille
    fills = fills_facing_orders(columns)
    fills = fills[fills["opposite"] * 1000 >= limits.tonnes_min * warning]
    fills = fills[fills["opposite"] * 1000 >= fills["tonnes"] * limits.ratio_min * warning]
    found: dict[tuple[int, int, int, int], list[tuple[Episode, list[Figure]]]] = {}
    for episode in _episodes(
        context,
        fills,
        limits.window_s,
        limits.canceled_per_mille,
        limits.book_per_mille * warning // 1000,
    ):
        figures = _spoofing_figures(episode, limits)
        if grade_of(figures, warning) is None:
            continue
        fill = episode.fills[0]
        key = _place_of(fill)
        found.setdefault(key, []).append((episode, figures))
    for (account, product, side, day), episodes in sorted(found.items()):
        whole = [item for item in episodes if grade_of(item[1], warning) == "alert"]
        worst, figures = max(whole or episodes, key=lambda item: item[1][1].value)
        times = Figure("episodes", len(whole), ">=", limits.episodes_min)
        is_case = bool(whole) and times.holds
        is_high = is_case and figures[1].value >= limits.ratio_high
        name = columns.tape.accounts[account]
        does, stood = ("bought", "sell") if side == Side.BUY else ("sold", "buy")
        yield context.alert(
            "spoofing",
            "high" if is_high else "alert" if is_case else "watch",
            day=day,
            product=product,
            accounts=[account],
            rows=_rows_of(
                columns, [item[0] for item in (whole or episodes)], account, product, side
            ),
            figures=[*figures, times],
            sentence=(
                f"{name} {does} {worst.filled} t with {worst.opposite} t of its own {stood} orders "
                f"open, {figures[2].value} per mille of the best five levels, and took "
                f"{worst.canceled_per_mille} per mille of them away; {len(whole)} such episodes."
            ),
        )


def _spoofing_figures(episode: Episode, limits: Spoofing) -> list[Figure]:
    return [
        Figure("large side t", episode.opposite, ">=", limits.tonnes_min),
        Figure("large side to fill", episode.opposite // episode.filled, ">=", limits.ratio_min),
        Figure(
            "share of best five per mille",
            per_mille_up(episode.own, episode.book),
            ">",
            limits.book_per_mille,
        ),
        Figure("canceled per mille", episode.canceled_per_mille, ">=", limits.canceled_per_mille),
    ]


def layering(context: Context) -> Iterator[Alert]:
    """Find orders on several levels that stand against own fills and are taken away.

    Notes
    -----
    Rules: CEA-SVL-07.
    """
    columns, limits = context.columns, context.limits.layering
    warning = context.limits.warning_per_mille
    found: dict[tuple[int, int, int, int], list[Episode]] = {}
    fills = fills_facing_orders(columns)
    for episode in _episodes(
        context,
        fills,
        limits.window_s,
        limits.canceled_per_mille,
        limits.book_per_mille * warning // 1000,
    ):
        if episode.levels < limits.levels_min or episode.opposite <= episode.filled:
            continue
        fill = episode.fills[0]
        key = _place_of(fill)
        found.setdefault(key, []).append(episode)
    for (account, product, side, day), episodes in sorted(found.items()):
        whole = [e for e in episodes if e.own * 1000 > e.book * limits.book_per_mille]
        figures = _layering_figures(columns, limits, whole or episodes, account, product, side, day)
        figures[0] = Figure("episodes", len(whole), ">=", limits.episodes_min)
        grade = grade_of(figures, warning)
        if grade is None:
            continue
        name = columns.tape.accounts[account]
        yield context.alert(
            "layering",
            grade,
            day=day,
            product=product,
            accounts=[account],
            rows=_rows_of(columns, whole or episodes, account, product, side),
            figures=figures,
            sentence=(
                f"{name} stood on {figures[1].value} of the best five levels with "
                f"{figures[2].value} per mille of them while it traded the other way, "
                f"{len(whole)} times, and took {figures[3].value} per mille of it away."
            ),
        )


def _layering_figures(
    columns: Columns,
    limits: Layering,
    episodes: list[Episode],
    account: int,
    product: int,
    side: int,
    day: int,
) -> list[Figure]:
    orders = columns.orders
    own = orders[
        (orders["account"] == account)
        & (orders["product"] == product)
        & (orders["side"] == 3 - side)
        & (orders["day"] == day)
    ]
    gone, entered = int(own["canceled"].sum()), int(own["tonnes"].sum())
    best = max(episodes, key=lambda e: per_mille(e.own, e.book))
    return [
        Figure("episodes", len(episodes), ">=", limits.episodes_min),
        Figure("own levels of best five", best.levels, ">=", limits.levels_min),
        Figure(
            "share of best five per mille",
            per_mille_up(best.own, best.book),
            ">",
            limits.book_per_mille,
        ),
        Figure("canceled per mille", per_mille(gone, entered), ">=", limits.canceled_per_mille),
    ]


def _rows_of(
    columns: Columns, episodes: list[Episode], account: int, product: int, side: int
) -> list[int]:
    """Return the rows an alert spans: from the large orders' entry to their end."""
    first = min(int(e.fills["row"][0]) for e in episodes)
    last = max(e.last_row for e in episodes)
    orders = columns.orders
    stood = orders[
        (orders["account"] == account)
        & (orders["product"] == product)
        & (orders["side"] == 3 - side)
        & (orders["row"] <= max(int(e.fills["row"][-1]) for e in episodes))
        & (orders["end_row"] >= first)
    ]
    ends = stood["end_row"][stood["is_canceled"] & (stood["end_row"] <= last)]
    fills = [int(e.fills["row"][-1]) for e in episodes]
    return [*stood["row"].tolist(), *ends.tolist(), first, *fills]


def limit_queue(context: Context) -> Iterator[Alert]:
    """Find orders that queue at the limit price, much of the queue, and are taken away.

    Notes
    -----
    Rules: CEA-SVL-08.
    """
    columns, limits = context.columns, context.limits.limit_queue
    orders, rules = columns.orders, columns.tape.profile.rules
    if rules.listed_band_bp == 0 or not len(orders):
        return
    at_limit = np.zeros(len(orders), bool)
    for day in range(len(columns.days)):
        for product in range(columns.product_count):
            low, high = _band(columns, day, product)
            mine = (orders["day"] == day) & (orders["product"] == product)
            at_limit |= mine & (orders["side"] == Side.BUY) & (orders["price"] == high)
            at_limit |= mine & (orders["side"] == Side.SELL) & (orders["price"] == low)
    orders = orders[at_limit]
    rested = orders["end_time_ns"] - orders["time_ns"] >= limits.resting_s * SECOND_NS
    taken = orders[orders["is_canceled"] & rested]
    keys = columns.side_key(taken) * (len(columns.days) + 1) + taken["day"]
    for key in np.unique(keys):
        own = taken[keys == key]
        account, product, side, day = (
            int(own[name][0]) for name in ("account", "product", "side", "day")
        )
        shares = []
        levels = LevelsAt(columns, product, side)
        for order in np.sort(own, order="end_row"):
            levels.move(int(order["end_row"]) - 1)
            prices, tonnes = levels.best(1)
            if len(prices) and prices[0] == order["price"]:
                mine = int(levels.own(account, prices)[0])
                shares.append(per_mille_up(mine, int(tonnes[0])))
        large = [share for share in shares if share > limits.queue_per_mille]
        same = (orders["account"] == account) & (orders["product"] == product)
        same &= (orders["side"] == side) & (orders["day"] == day)
        gone = per_mille(int(own["canceled"].sum()), int(orders["tonnes"][same].sum()))
        figures = [
            Figure("times", len(large), ">=", limits.times_min),
            Figure(
                "share of the queue per mille", max(shares, default=0), ">", limits.queue_per_mille
            ),
            Figure("canceled per mille", gone, ">=", limits.canceled_per_mille),
        ]
        grade = grade_of(figures, context.limits.warning_per_mille)
        if grade is None:
            continue
        name = columns.tape.accounts[account]
        yield context.alert(
            "limit_queue",
            grade,
            day=day,
            product=product,
            accounts=[account],
            rows=[*own["row"], *own["end_row"]],
            figures=figures,
            sentence=(
                f"{name} stood with {figures[1].value} per mille of the queue at the limit price "
                f"{price_format(int(own['price'][0]))} and took it away, {len(large)} times."
            ),
        )


def _band(columns: Columns, day: int, product: int) -> tuple[int, int]:
    """Return the day's listed band, as the market has it (CEA-LST-02, CEA-LST-03)."""
    rules, reference = columns.tape.profile.rules, columns.reference(day, product)
    low, high = (reference * (10_000 + sign * rules.listed_band_bp) for sign in (-1, 1))
    if rules.band_rounding == "half_up":
        return (low + 5_000) // 10_000, (high + 5_000) // 10_000
    return -(-low // 10_000), high // 10_000


def building(context: Context) -> Iterator[Alert]:
    """Find one price that an account holds up, or down, with most of a side, day after day.

    Notes
    -----
    Rules: CEA-SVL-13. Looked at each minute of the sessions.
    """
    columns, limits = context.columns, context.limits.building
    for product in range(columns.product_count):
        for side in (Side.BUY, Side.SELL):
            least = limits.minutes_min * context.limits.warning_per_mille // 1000
            minutes = _minutes_held(
                columns, product, side, limits.side_per_mille, least * MINUTE_NS
            )
            held: dict[int, dict[int, tuple[int, int]]] = {}
            for (account, day, price), count in minutes.items():
                if count >= least:
                    best = held.setdefault(account, {}).get(day, (0, 0))
                    held[account][day] = max(best, (count, price))
            for account, days in sorted(held.items()):
                alert = _building_alert(context, account, product, side, days)
                if alert is not None:
                    yield alert


def _minutes_held(
    columns: Columns, product: int, side: int, share: int, least_ns: int
) -> dict[tuple[int, int, int], int]:
    """Count the minutes in which one account's orders at one price are such a share of a side."""
    orders = columns.orders
    mine = orders[(orders["product"] == product) & (orders["side"] == side)]
    # Only an account whose orders stand long enough together can hold a price. One order need not:
    # a price is held as well by orders that are renewed each minute.
    accounts, stood = sums_by(mine["account"], mine["end_time_ns"] - mine["time_ns"])
    patient = accounts[stood >= least_ns]
    minutes: dict[tuple[int, int, int], int] = {}
    if not len(patient):
        return minutes
    levels = LevelsAt(columns, product, side)
    dates = np.ascontiguousarray(columns.events["trading_date"])
    for day, date in enumerate(columns.days):
        of_day = np.flatnonzero(dates == date)
        first, last = columns.time_ns[of_day[[0, -1]]] // MINUTE_NS
        moments = np.arange(first + 1, last + 1) * MINUTE_NS
        rows = np.searchsorted(columns.time_ns, moments, side="left") - 1
        # Minutes behind the same event show the same book.
        for row, count in zip(*np.unique(rows, return_counts=True), strict=True):
            levels.move(int(row))
            for account, price in _holding(levels, patient, share):
                key = account, day, price
                minutes[key] = minutes.get(key, 0) + int(count)
    return minutes


def _holding(levels: LevelsAt, patient: np.ndarray, share: int) -> list[tuple[int, int]]:
    """Return who of the patient has such a share of a side at the price where most is open."""
    price, tonnes, total = levels.largest()
    if not total or tonnes * 1000 < total * share:
        return []
    accounts, own = levels.holders(price)
    holding = accounts[(own * 1000 >= total * share) & np.isin(accounts, patient)]
    return [(int(account), price) for account in holding]


def _building_alert(
    context: Context, account: int, product: int, side: int, days: dict[int, tuple[int, int]]
) -> Alert | None:
    columns, limits = context.columns, context.limits.building
    whole = {day: held for day, held in days.items() if held[0] >= limits.minutes_min}
    prices = [price for _, price in (whole or days).values()]
    spread = per_mille_up(max(prices) - min(prices), min(prices))
    figures = [
        Figure("days", len(whole), ">=", limits.days_min),
        Figure("longest min", max(count for count, _ in days.values()), ">=", limits.minutes_min),
        Figure("apart per mille", spread, "<=", limits.price_per_mille_max),
    ]
    grade = grade_of(figures, context.limits.warning_per_mille)
    if grade is None:
        return None
    orders = columns.orders
    own = orders[
        (orders["account"] == account)
        & (orders["product"] == product)
        & (orders["side"] == side)
        & np.isin(orders["day"], list(whole or days))
        & np.isin(orders["price"], prices)
    ]
    name = columns.tape.accounts[account]
    what = "floor" if side == Side.BUY else "ceiling"
    return context.alert(
        "building",
        grade,
        day=max(whole or days),
        product=product,
        accounts=[account],
        rows=[*own["row"], *own["end_row"]],
        figures=figures,
        sentence=(
            f"{name} was half of the side or more at one price, about "
            f"{price_format(prices[-1])}, for an hour or more on {len(whole)} days: a {what}."
        ),
    )
