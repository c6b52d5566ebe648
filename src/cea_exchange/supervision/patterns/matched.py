"""Orders that match: opposite ones of one price and size, almost at once, more than by chance."""

from collections.abc import Iterator
from fractions import Fraction
from math import comb, isqrt
from typing import NamedTuple

import numpy as np

from cea_exchange.domain.records import Side
from cea_exchange.domain.units import price_format
from cea_exchange.supervision.alerts import Alert, Figure, grade_of
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.columns.sums import runs_of
from cea_exchange.supervision.limits import MatchedOrders
from cea_exchange.supervision.patterns.context import Context
from cea_exchange.supervision.tape import SECOND_NS

MEAN_SUMMED_MAX = 64
"""Expected number up to which a probability is summed: its fractions grow with it."""


def matched_orders(context: Context) -> Iterator[Alert]:
    """Find pairs whose orders of one price and size come almost at once, again and again.

    Notes
    -----
    Rules: CEA-SVL-05. Blocks are agreed on by design and do not count. Busy accounts match by
    chance: a pair has to match more often than that explains.
    """
    columns, limits = context.columns, context.limits.matched_orders
    meetings = _meetings(columns, limits)
    matched = meetings.listed[meetings.is_matched]
    apart = meetings.apart_ns[meetings.is_matched]
    keys = _pair_keys(columns, matched)
    order = np.lexsort((matched["row"], keys))
    matched, keys, apart = matched[order], keys[order], apart[order]
    for start, end in zip(*runs_of(keys), strict=True):
        last_day = int(matched["day"][end - 1])
        own = matched[start:end]
        recent = own["day"] > last_day - limits.days
        own, slowest = own[recent], int(apart[start:end][recent].max())
        times = len(np.unique(own["buy_order"]))
        if times < limits.times_min:
            continue
        who = (int(own["buyer"][0]), int(own["seller"][0]))
        least = times_beyond_chance(context, meetings, who, int(own["product"][0]), last_day)
        figures = [
            Figure("times", times, ">=", least),
            Figure("slowest ms", slowest // 1_000_000, "<=", limits.within_s * 1000),
        ]
        grade = grade_of(figures[:1], context.limits.warning_per_mille)
        if grade is None:
            continue
        one, other = columns.names(who)
        price = price_format(int(own["price"][-1]))
        yield context.alert(
            "matched_orders",
            grade,
            day=last_day,
            product=int(own["product"][0]),
            accounts=who,
            rows=own["row"],
            figures=figures,
            sentence=(
                f"{one} and {other} entered opposite orders of one price and size within "
                f"{slowest // 1_000_000} ms, {times} times in {limits.days} days, at {price}; "
                f"{least} times are more than chance explains."
            ),
        )


class Meetings(NamedTuple):
    """Listed trades of two known orders, how far apart these came, and which match."""

    listed: np.ndarray
    apart_ns: np.ndarray
    is_matched: np.ndarray


def _meetings(columns: Columns, limits: MatchedOrders) -> Meetings:
    listed, orders = columns.listed, columns.orders
    buys = columns.order_places(listed["buy_order"])
    sells = columns.order_places(listed["sell_order"])
    known = (buys >= 0) & (sells >= 0)
    listed, buy, sell = listed[known], orders[buys[known]], orders[sells[known]]
    apart = np.abs(buy["time_ns"] - sell["time_ns"])
    matched = (apart <= limits.within_s * SECOND_NS) & (buy["price"] == sell["price"])
    matched &= _alike(buy["tonnes"], sell["tonnes"], limits.size_per_mille_max)
    return Meetings(listed, apart, matched)


def _alike(one: np.ndarray, other: np.ndarray, per_mille_max: int) -> np.ndarray:
    """Tell where two sizes differ by at most so many per mille of the larger."""
    alike: np.ndarray = np.abs(one - other) * 1000 <= np.maximum(one, other) * per_mille_max
    return alike


def _pair_keys(columns: Columns, trades: np.ndarray) -> np.ndarray:
    pair = np.sort(np.stack((trades["buyer"], trades["seller"])), axis=0)
    keys: np.ndarray = pair[0] * columns.account_count + pair[1]
    return keys * columns.product_count + trades["product"]


def times_beyond_chance(
    context: Context, meetings: Meetings, who: tuple[int, int], product: int, last_day: int
) -> int:
    """Return how often a pair must match before chance no longer explains it.

    Two chances are allowed for, each by the number that is too rare: what the pair's orders would
    give if they came at the times of everybody else's, and what its share of all trades would give
    of the matches of all others. The probability of so many or more is multiplied by the number
    of pairs that there are, as each of them might have been the one.
    """
    limits = context.limits.matched_orders
    first_day = last_day - limits.days + 1
    listed = meetings.listed
    near = (listed["product"] == product) & (listed["day"] >= first_day)
    near &= listed["day"] <= last_day
    trades, matched = listed[near], meetings.is_matched[near]
    accounts = len(np.unique(np.concatenate((trades["buyer"], trades["seller"]))))
    by_times, orders = _by_times(context, who, product, first_day, last_day)
    allowed = Fraction(limits.chance_per_million, 1_000_000 * max(comb(accounts, 2), 1))
    return max(
        min(_rare_from(by_times, allowed), _rare_matching(by_times, orders, allowed)),
        _rare_from(_by_shares(trades, matched, who), allowed),
        limits.times_min,
    )


def _rare_from(expected: Fraction, allowed: Fraction) -> int:
    """Return the least number that a Poisson variable reaches with a probability in bounds.

    Without a float: e^-m is at most 1 / (1 + m + ... + m^k / k!), and the terms from k on are at
    most the k-th one times (k + 1) / (k + 1 - m).
    """
    mean = Fraction(-(-expected * 1000 // 1), 1000)
    if mean > MEAN_SUMMED_MAX:
        # Bernstein's bound; a logarithm is at most seven tenths of a number's bits.
        tenths = 7 * int(1 / allowed).bit_length()
        root = isqrt(tenths * tenths // 9 + 20 * tenths * -(-mean // 1)) + 1
        return -(-mean // 1) + -(-(tenths // 3 + root) // 10) + 1
    term = total = Fraction(1)
    times = 0
    while True:
        times += 1
        term *= mean / times
        total += term
        beyond = times + 1 - mean
        if beyond > 0 and term * (times + 1) <= allowed * total * beyond:
            return times


def _rare_matching(expected: Fraction, orders: int, allowed: Fraction) -> int:
    """Return the least number of matches that is too rare where each order matches once at most.

    Of so many orders on the side that has fewer, the expected number of sets of k matches is at
    most m^k / k! * (1 - 1/n) * ... * (1 - (k - 1)/n), by Maclaurin's inequality.
    """
    mean = Fraction(-(-expected * 1_000_000 // 1), 1_000_000)
    bound = Fraction(1)
    for times in range(1, min(orders, MEAN_SUMMED_MAX) + 1):
        bound *= mean / times * (orders - times + 1) / orders
        if bound <= allowed:
            return times
    return orders + 1


def _by_times(
    context: Context, who: tuple[int, int], product: int, first_day: int, last_day: int
) -> tuple[Fraction, int]:
    """Return how many opposite orders of like size a pair would enter almost at once by chance.

    And of how many orders, on the side that has fewer. The chance that two orders fall beside each
    other is that of any two orders of all others on that day: orders come in bursts.
    """
    columns, limits = context.columns, context.limits.matched_orders
    orders = columns.orders
    orders = orders[orders["product"] == product]
    within = limits.within_s * SECOND_NS
    expected, selling, buying = Fraction(0), 0, 0
    for day in range(max(first_day, 0), last_day + 1):
        today = orders[orders["day"] == day]
        others = np.sort(today["time_ns"][~np.isin(today["account"], who)])
        beside = np.searchsorted(others, others + within, side="right")
        beside -= np.searchsorted(others, others - within, side="left")
        together = int(beside.sum()) - len(others)
        alike = 0
        for one, other in (who, who[::-1]):
            sells = today["tonnes"][(today["account"] == one) & (today["side"] == Side.SELL)]
            buys = today["tonnes"][(today["account"] == other) & (today["side"] == Side.BUY)]
            of_sells = _alike_counts(sells, buys, limits.size_per_mille_max)
            of_buys = _alike_counts(buys, sells, limits.size_per_mille_max)
            alike += int(of_sells.sum())
            selling += int(np.count_nonzero(of_sells))
            buying += int(np.count_nonzero(of_buys))
        expected += Fraction(alike * together, max(len(others) * (len(others) - 1), 1))
    return expected, min(selling, buying)


def _alike_counts(sizes: np.ndarray, among: np.ndarray, per_mille_max: int) -> np.ndarray:
    """Return of each size how many of some others are alike, the bound taken of the larger."""
    among = np.sort(among)
    least = -(-sizes * (1000 - per_mille_max) // 1000)
    most = sizes * 1000 // max(1000 - per_mille_max, 1)
    found: np.ndarray = np.searchsorted(among, most, side="right")
    return found - np.searchsorted(among, least, side="left")


def _by_shares(trades: np.ndarray, matched: np.ndarray, who: tuple[int, int]) -> Fraction:
    """Return the matches a pair would have by its share of the trades, of the others' matches."""
    mutual = np.isin(trades["buyer"], who) & np.isin(trades["seller"], who)
    rest, found = trades[~mutual], int(np.count_nonzero(matched & ~mutual))
    if not len(rest):
        return Fraction(0)
    bought = [int(np.count_nonzero(rest["buyer"] == account)) for account in who]
    sold = [int(np.count_nonzero(rest["seller"] == account)) for account in who]
    return Fraction(found * (bought[0] * sold[1] + bought[1] * sold[0]), len(rest) ** 2)
