"""Awards found without ranking bids: by trying every outcome, and by counting demand.

They know nothing of the two cores but the words of the rules. Each account is in one group.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

from cea_exchange.matching.award import AwardRules, Bid

ALL = 10_000


def counting(bids: Sequence[Bid], rules: AwardRules) -> list[int]:
    """Return the competitive bids that minimum and reserve let count."""
    lowest, highest = 0, 1 << 62
    if rules.reserve_price_fen and rules.reserve_rule == "exclude":
        lowest = rules.reserve_price_fen if rules.side == "sell" else 0
        highest = rules.reserve_price_fen if rules.side == "buy" else 1 << 62
    return [
        index
        for index, bid in enumerate(bids)
        if bid.competitive and bid.tonnes >= rules.bid_tonnes_min and lowest <= bid.price <= highest
    ]


def caps(offered: int, rules: AwardRules) -> tuple[int, int]:
    """Return the most tonnes of a bidder and of a group."""
    shares = (rules.bidder_cap_bp or ALL, rules.group_cap_bp or ALL)
    most = [offered * share // ALL if share < ALL else 1 << 62 for share in shares]
    # A whole share is a cap too where the rules name it; a sum beyond it can't be won anyway.
    return most[0], most[1]


def outcomes(bids: Sequence[Bid], offered: int, rules: AwardRules) -> Iterator[tuple[int, ...]]:
    """Yield every way to fill the competitive bids that the rules allow."""
    allowed = set(counting(bids, rules))
    ranges = [range(bid.tonnes + 1 if i in allowed else 1) for i, bid in enumerate(bids)]
    bidder_cap, group_cap = caps(offered, rules)
    for fills in product(*ranges):
        bidders, groups = defaultdict[int, int](int), defaultdict[int, int](int)
        for bid, fill in zip(bids, fills, strict=True):
            bidders[bid.account_index] += fill
            if bid.group_index:
                groups[bid.group_index] += fill
        if (
            sum(fills) <= offered
            and max(bidders.values(), default=0) <= bidder_cap
            and max(groups.values(), default=0) <= group_cap
        ):
            yield fills


def best_outcomes(
    bids: Sequence[Bid], offered: int, rules: AwardRules
) -> tuple[int, list[tuple[int, ...]]]:
    """Return the most tonnes that can be awarded, and the outcomes worth most with so many."""
    sign = 1 if rules.side == "sell" else -1
    found: dict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
    for fills in outcomes(bids, offered, rules):
        worth = sum(sign * bid.price * fill for bid, fill in zip(bids, fills, strict=True))
        found[sum(fills), worth].append(fills)
    best = max(found)
    return best[0], found[best]


def first_in_time(
    bids: Sequence[Bid], best: Sequence[tuple[int, ...]], rules: AwardRules
) -> tuple[int, ...]:
    """Return, of outcomes worth the same, the one in which at each price the earlier win most."""
    sign = -1 if rules.side == "sell" else 1
    order = sorted(range(len(bids)), key=lambda i: (sign * bids[i].price, i))
    return max(best, key=lambda fills: [fills[i] for i in order])


def awardable(bids: Sequence[Bid], indexes: Sequence[int], offered: int, rules: AwardRules) -> int:
    """Return how many tonnes could go to some of the bids if there were no others."""
    bidder_cap, group_cap = caps(offered, rules)
    of_account, group_of = defaultdict[int, int](int), {}
    for index in indexes:
        of_account[bids[index].account_index] += bids[index].tonnes
        group_of[bids[index].account_index] = bids[index].group_index
    of_group = defaultdict[int, int](int)
    for account, tonnes in of_account.items():
        of_group[group_of[account]] += min(tonnes, bidder_cap)
    capped = [min(tonnes, group_cap) if group else tonnes for group, tonnes in of_group.items()]
    return min(offered, sum(capped))


def demand(bids: Sequence[Bid], offered: int, rules: AwardRules) -> list[tuple[int, int]]:
    """Return (price, tonnes awarded at it or better), from the best price on.

    However the bids are filled: where caps are nested, no award can give the better prices more,
    and one that gives them less is worth less.
    """
    indexes = counting(bids, rules)
    prices = sorted({bids[i].price for i in indexes}, reverse=rules.side == "sell")
    curve = []
    for price in prices:
        if rules.side == "sell":
            at_least = [i for i in indexes if bids[i].price >= price]
        else:
            at_least = [i for i in indexes if bids[i].price <= price]
        curve.append((price, awardable(bids, at_least, offered, rules)))
    return curve


def clearing_of(curve: Sequence[tuple[int, int]]) -> int | None:
    """Return the last price at which the demand awarded still grows."""
    before, clearing_price = 0, None
    for price, tonnes in curve:
        if tonnes > before:
            before, clearing_price = tonnes, price
    return clearing_price
