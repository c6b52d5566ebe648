"""Holdings that are too much: a corner before the deadline, a limit passed by several accounts."""

from collections.abc import Iterator
from datetime import date

import numpy as np

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.holdings import holding_changes
from cea_exchange.supervision.columns.sums import per_mille
from cea_exchange.supervision.large_holders import limit_of
from cea_exchange.supervision.limits import Corner
from cea_exchange.supervision.patterns.context import Context


def corner(context: Context) -> Iterator[Alert]:
    """Find who holds so much of what can be had that others can't comply, while the price rises.

    Notes
    -----
    Rules: CEA-SVL-14. What one will must surrender itself is no corner: it is taken off both the
    holding and the float. Without a float in the facts nothing can be said.
    """
    columns, limits = context.columns, context.limits.corner
    changes = holding_changes(columns)
    rows_end = _last_rows(context)
    for product, name in enumerate(columns.tape.products):
        total = context.facts.float_tonnes.get(name, 0)
        if not total:
            continue
        held, need = _opening(context, name), _needs(context, name)
        best: dict[int, tuple[int, Alert]] = {}
        own = changes[changes["product"] == product]
        done = 0
        for day, row in enumerate(rows_end):
            end = int(np.searchsorted(own["row"], row, side="right"))
            np.add.at(held, own["account"][done:end], own["tonnes"][done:end])
            done = end
            if not _is_near(limits, date_of_number(int(columns.days[day]))):
                continue
            price = _rise(context, day, product)
            for will in np.unique(columns.will):
                members = np.flatnonzero(columns.will == will)
                taken = int(need[members].sum())
                have = int(held[members].sum()) - taken
                share = per_mille(max(have, 0), max(total - taken, 1))
                alert = _corner_alert(context, day, product, members, have, share, price, row)
                if alert is not None and share > best.get(int(will), (0, None))[0]:
                    best[int(will)] = share, alert
        for _, alert in best.values():
            yield alert


def _is_near(limits: Corner, day: date) -> bool:
    deadline = date(day.year, limits.deadline_month, limits.deadline_day)
    return 0 <= (deadline - day).days <= limits.deadline_days


def _rise(context: Context, day: int, product: int) -> int:
    columns = context.columns
    before = day - context.limits.corner.price_days
    old = columns.reference(max(before + 1, 0), product)
    return (int(columns.closes[day, product]) - old) * 1000 // old


def _corner_alert(
    context: Context,
    day: int,
    product: int,
    members: np.ndarray,
    have: int,
    share: int,
    price: int,
    row: int,
) -> Alert | None:
    columns, limits = context.columns, context.limits.corner
    figures = [
        Figure("share of the float per mille", share, ">=", limits.float_per_mille),
        Figure("price over twenty days per mille", price, ">=", limits.price_per_mille),
    ]
    if not (figures[1].holds and share >= limits.lower_per_mille):
        return None
    bought = columns.trades
    bought = bought[np.isin(bought["buyer"], members) & (bought["product"] == product)]
    active = [int(a) for a in members if a in set(bought["buyer"].tolist())] or members.tolist()
    names = ", ".join(columns.names(active))
    return context.alert(
        "corner",
        "alert" if figures[0].holds else "watch",
        day=day,
        product=product,
        accounts=active,
        rows=[*bought["row"], row],
        figures=figures,
        sentence=(
            f"{names} held {have} t beyond its own need, {share} per mille of what can be had, "
            f"shortly before the deadline, while the price rose by {price} per mille."
        ),
    )


def evasion(context: Context) -> Iterator[Alert]:
    """Find one will that holds more than the limit together, while no account of it does.

    Notes
    -----
    Rules: CEA-SVL-15. All vintages and open buys count.
    """
    columns = context.columns
    if not limit_of(context, ()):
        return
    changes = holding_changes(columns, with_open_buys=True)
    opening = np.zeros(len(columns.tape.accounts), np.int64)
    for name in columns.tape.products:
        opening += _opening(context, name)
    wills, counts = np.unique(columns.will, return_counts=True)
    whose = columns.will[changes["account"]]
    order = np.argsort(whose, kind="stable")
    changes, whose = changes[order], whose[order]
    for will in wills[counts > 1]:
        members = np.flatnonzero(columns.will == will)
        limit = limit_of(context, columns.names(members))
        own = changes[slice(*np.searchsorted(whose, (will, will + 1)))]
        start = opening[members]
        together = int(start.sum()) + np.cumsum(own["tonnes"])
        if not len(own):
            continue
        at = int(np.argmax(together))
        alone = max(
            int(start[i] + own["tonnes"][: at + 1][own["account"][: at + 1] == member].sum())
            for i, member in enumerate(members)
        )
        figures = [
            Figure("together t", int(together[at]), ">", limit),
            Figure("most of one t", alone, "<=", limit),
        ]
        grade = grade_of(figures[:1], context.limits.warning_per_mille)
        if grade is None or not figures[1].holds:
            continue
        # Who brought it over, not every account of the group.
        names = ", ".join(columns.names(members))
        row = int(own["row"][at])
        yield context.alert(
            "evasion",
            grade,
            day=int(columns.day_of_row[row]),
            product=None,
            accounts=members,
            rows=own["row"][: at + 1],
            figures=figures,
            sentence=(
                f"{names}, of one will, held or were buying {int(together[at])} t together, over "
                f"the limit of {limit} t, and none of them more than {alone} t."
            ),
        )


def _last_rows(context: Context) -> list[int]:
    """Return the last row of each day."""
    days = context.columns.day_of_row
    return [
        int(np.searchsorted(days, day, side="right")) - 1
        for day in range(len(context.columns.days))
    ]


def _opening(context: Context, product: str) -> np.ndarray:
    accounts = context.columns.tape.accounts
    held = context.facts.opening_tonnes
    return np.array([held.get(name, {}).get(product, 0) for name in accounts], np.int64)


def _needs(context: Context, product: str) -> np.ndarray:
    accounts = context.columns.tape.accounts
    needs = context.facts.need_tonnes
    return np.array([needs.get(name, {}).get(product, 0) for name in accounts], np.int64)
