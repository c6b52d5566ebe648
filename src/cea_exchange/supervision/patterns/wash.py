"""One will on both sides: within a group, round a ring, to and fro."""

from collections.abc import Iterator

import numpy as np

from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.sums import per_mille, per_mille_up, runs_of, sums_by
from cea_exchange.supervision.limits import WashRing
from cea_exchange.supervision.patterns.context import Context


def wash_group(context: Context) -> Iterator[Alert]:
    """Find listed trades between accounts that one will controls.

    Notes
    -----
    Rules: CEA-SVL-03.
    """
    columns, limits = context.columns, context.limits.wash_group
    listed = columns.listed
    will = columns.will
    inside = listed[will[listed["buyer"]] == will[listed["seller"]]]
    place = inside["day"] * columns.product_count + inside["product"]
    keys = place * columns.account_count + will[inside["buyer"]]
    order = np.argsort(keys, kind="stable")
    inside, keys = inside[order], keys[order]
    for start, end in zip(*runs_of(keys), strict=True):
        own = inside[start:end]
        if own["tonnes"].sum() * 1000 < limits.tonnes_min * context.limits.warning_per_mille:
            continue
        day, product = int(own["day"][0]), int(own["product"][0])
        all_day = listed[(listed["day"] == day) & (listed["product"] == product)]
        phase = all_day["phase"][-1]
        day_tonnes, late_tonnes = (
            int(some["tonnes"].sum()) for some in (all_day, all_day[all_day["phase"] == phase])
        )
        tonnes = int(own["tonnes"].sum())
        late = int(own["tonnes"][own["phase"] == phase].sum())
        needed = [
            Figure("tonnes within the group", tonnes, ">=", limits.tonnes_min),
            Figure(
                *("beside chance per mille", _beside_chance(all_day, own, product), ">="),
                limits.chance_per_mille,
            ),
            Figure(
                *("with each other per mille of own", _mutual_share(all_day, own), ">="),
                limits.own_per_mille,
            ),
        ]
        choice = [
            Figure(
                *("share of the day per mille", per_mille(tonnes, day_tonnes), ">="),
                limits.day_per_mille,
            ),
            Figure(
                *("share of the last phase per mille", per_mille(late, late_tonnes), ">="),
                limits.phase_per_mille,
            ),
            Figure("trades", len(own), ">=", limits.trades_min),
        ]
        grade = grade_of(needed, context.limits.warning_per_mille, any_of=choice)
        if grade is None:
            continue
        who = {*own["buyer"].tolist(), *own["seller"].tolist()}
        names = ", ".join(columns.names(who))
        yield context.alert(
            "wash_group",
            grade,
            day=day,
            product=product,
            accounts=who,
            rows=own["row"],
            figures=[*needed, *choice],
            sentence=(
                f"{names}, of one will, traded {tonnes} t with each other in {len(own)} listed "
                f"trades, {choice[0].value} per mille of the day."
            ),
        )


def _beside_chance(trades: np.ndarray, own: np.ndarray, product: int) -> int:
    """Return what accounts traded with each other per mille of what chance would give.

    Desks that are much of a market meet by chance as often as the market is theirs: what one buys
    of others times the share that the other is of all else that is sold, each way.
    """
    days = np.unique(own["day"])
    same = trades[(trades["product"] == product) & np.isin(trades["day"], days)]
    same = same[~np.isin(same["row"], own["row"])]
    total = int(same["tonnes"].sum())
    who = {*own["buyer"].tolist(), *own["seller"].tolist()}
    bought = {a: int(same["tonnes"][same["buyer"] == a].sum()) for a in who}
    sold = {a: int(same["tonnes"][same["seller"] == a].sum()) for a in who}
    by_chance = sum(bought[a] * sold[b] for a in who for b in who if a != b)
    mutual = int(own["tonnes"].sum()) * max(total, 1)
    return min(mutual * 1000 // max(by_chance, 1), 1_000_000)


def _mutual_share(all_day: np.ndarray, own: np.ndarray) -> int:
    """Return which share trades with each other are of all that the busiest of them traded."""
    shares = []
    for account in {*own["buyer"].tolist(), *own["seller"].tolist()}:
        whole, mutual = (
            int(some["tonnes"][(some["buyer"] == account) | (some["seller"] == account)].sum())
            for some in (all_day, own)
        )
        shares.append(per_mille(mutual, whole))
    return min(shares)


def wash_ring(context: Context) -> Iterator[Alert]:
    """Find allowances that go round three to six accounts and change nobody's holding.

    Notes
    -----
    Rules: CEA-SVL-04. Only trades that carry a sixth of what a ring needs at least can be part of
    one: what is left of the graph is small, and its cycles are looked at one by one.
    """
    columns = context.columns
    limits = context.limits.wash_ring
    reported: set[tuple[int, frozenset[int]]] = set()
    for product in range(columns.product_count):
        trades = columns.listed[columns.listed["product"] == product]
        for days in limits.windows_days:
            for day in range(len(columns.days)):
                if not np.any(trades["day"] == day):
                    continue
                window = trades[(trades["day"] > day - days) & (trades["day"] <= day)]
                for members in _rings(window, limits, columns.account_count):
                    if (product, members) in reported:
                        continue
                    alert = _ring_alert(context, window, members, day, product)
                    if alert is not None:
                        reported.add((product, members))
                        yield alert


def _rings(window: np.ndarray, limits: WashRing, account_count: int) -> Iterator[frozenset[int]]:
    keys = window["seller"] * account_count + window["buyer"]
    edges, tonnes = sums_by(keys, window["tonnes"])
    least = (
        (int(window["tonnes"].sum()) * limits.volume_per_mille // 1000 // limits.accounts_max)
        * 8
        // 10
    )
    heavy = edges[tonnes >= max(least, 1)]
    to: dict[int, list[int]] = {}
    for edge in heavy.tolist():
        to.setdefault(edge // account_count, []).append(edge % account_count)
    found: set[frozenset[int]] = set()
    for start in sorted(to):
        # Each cycle is found from its lowest account.
        paths: list[tuple[int, ...]] = [(start,)]
        while paths:
            path = paths.pop()
            for following in to.get(path[-1], ()):
                if following == start and len(path) >= limits.accounts_min:
                    found.add(frozenset(path))
                elif following > start and following not in path:
                    if len(path) < limits.accounts_max:
                        paths.append((*path, following))
    yield from sorted(found, key=sorted)


def _legs(inside: np.ndarray) -> np.ndarray:
    """Leave out what is small beside the rest of the ring: its members met by chance.

    A trade is small beside the largest of the same two, and two are beside the two who traded most.
    """
    kept = np.zeros(len(inside), bool)
    pairs = {(int(trade["seller"]), int(trade["buyer"])) for trade in inside}
    edges = [(inside["seller"] == one) & (inside["buyer"] == other) for one, other in pairs]
    most = max((int(inside["tonnes"][edge].sum()) for edge in edges), default=0)
    for edge in edges:
        tonnes = inside["tonnes"][edge]
        if int(tonnes.sum()) * 10 >= most:
            kept |= edge & (inside["tonnes"] * 10 >= tonnes.max())
    return inside[kept]


def _ring_alert(
    context: Context, window: np.ndarray, members: frozenset[int], day: int, product: int
) -> Alert | None:
    limits = context.limits.wash_ring
    who = np.array(sorted(members))
    inside = _legs(window[np.isin(window["buyer"], who) & np.isin(window["seller"], who)])
    net = value = 0
    for account in who:
        bought, sold = inside[inside["buyer"] == account], inside[inside["seller"] == account]
        tonnes = int(bought["tonnes"].sum()), int(sold["tonnes"].sum())
        amounts = int(bought["amount"].sum()), int(sold["amount"].sum())
        net = max(net, per_mille_up(abs(tonnes[0] - tonnes[1]), sum(tonnes)))
        value = max(value, per_mille_up(max(amounts) - min(amounts), max(min(amounts), 1)))
    ring, total = int(inside["tonnes"].sum()), int(window["tonnes"].sum())
    figures = [
        Figure("largest net per mille of gross", net, "<=", limits.net_per_mille_max),
        Figure("largest difference of value per mille", value, "<=", limits.value_per_mille_max),
        Figure("share of volume per mille", per_mille(ring, total), ">=", limits.volume_per_mille),
    ]
    grade = grade_of(figures, context.limits.warning_per_mille)
    if grade is None:
        return None
    names = ", ".join(context.columns.names(who))
    return context.alert(
        "wash_ring",
        grade,
        day=day,
        product=product,
        accounts=who,
        rows=inside["row"],
        figures=figures,
        sentence=(
            f"{ring} t went round {names} and left holdings as they were: "
            f"{figures[2].value} per mille of {total} t traded."
        ),
    )


def reverse_trades(context: Context) -> Iterator[Alert]:
    """Find pairs of one will that trade both ways, and round trips that pass value on.

    Notes
    -----
    Rules: CEA-SVL-18.
    """
    columns, limits = context.columns, context.limits.reverse_trades
    trades = columns.trades
    pair = np.sort(np.stack((trades["buyer"], trades["seller"])), axis=0)
    keys = (pair[0] * columns.account_count + pair[1]) * columns.product_count + trades["product"]
    order = np.lexsort((trades["row"], keys))
    trades, keys, low = trades[order], keys[order], pair[0][order]
    starts, ends = runs_of(keys)
    # Both ways, before any of it is looked at closely.
    forth = np.concatenate(([0], np.cumsum(trades["buyer"] == low)))
    counts = forth[ends] - forth[starts]
    least = np.minimum(counts, ends - starts - counts)
    for start, end in zip(starts[least > 1], ends[least > 1], strict=True):
        own = trades[start:end]
        last_day = int(own["day"][-1])
        own = own[own["day"] > last_day - limits.days]
        alert = _reverse_alert(context, own, last_day)
        if alert is not None:
            yield alert


def _reverse_alert(context: Context, own: np.ndarray, last_day: int) -> Alert | None:
    columns, limits = context.columns, context.limits.reverse_trades
    if not len(own):
        return None
    one = int(min(own["buyer"][0], own["seller"][0]))
    other = int(max(own["buyer"][0], own["seller"][0]))
    buys, sells = own[own["buyer"] == one], own[own["seller"] == one]
    times = min(len(buys), len(sells))
    if not times:
        return None
    tonnes = min(int(buys["tonnes"].sum()), int(sells["tonnes"].sum()))
    # Against each day's mean, or a market that rises would pass value on by itself.
    product = int(own["product"][0])
    beyond = [
        int(((side["price"] - columns.closes[side["day"], product]) * side["tonnes"]).sum())
        * tonnes
        // int(side["tonnes"].sum())
        for side in (buys, sells)
    ]
    value = int(columns.closes[last_day, product]) * tonnes
    lost = per_mille(abs(beyond[0] - beyond[1]), value)
    related = columns.will[one] == columns.will[other]
    turns = Figure("both ways", times, ">=", limits.times_min)
    trips = [
        Figure("round trips", times, ">=", limits.round_trips_min),
        Figure("value passed on per mille", lost, ">=", limits.loss_per_mille),
    ]
    chance = Figure(
        "beside chance per mille",
        _beside_chance(columns.trades, own, product),
        ">=",
        limits.chance_per_mille,
    )
    within = columns.trades
    within = within[(within["product"] == product) & (within["day"] > last_day - limits.days)]
    of_own = Figure(
        "with each other per mille of own", _mutual_share(within, own), ">=", limits.own_per_mille
    )
    figures = [turns, chance, of_own] if related else [*trips, of_own]
    grade = grade_of(figures, context.limits.warning_per_mille)
    if grade is None:
        return None
    names = columns.names((one, other))
    what = "belong together and traded" if related else f"passed on {lost} per mille of value"
    return context.alert(
        "reverse_trades",
        grade,
        day=last_day,
        product=product,
        accounts=(one, other),
        rows=own["row"],
        figures=[turns, chance, of_own, *trips[1:]],
        sentence=(
            f"{names[0]} and {names[1]} {what}, {times} times each way, {tonnes} t to and fro."
        ),
    )
