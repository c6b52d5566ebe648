"""Who wins a single-direction bidding or an auction, and at what price; plain Python.

The reference: the compiled `core/award` decides the same and shares no code with this. Integers
only: fen per tonne, tonnes, basis points. Nothing is random: lots are drawn from a seed that the
rules name.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple, SupportsIndex

from cea_exchange.domain.units import AMOUNT_FEN_LIMIT, PRICE_FEN_MAX, whole_number

BASIS_POINTS = 10_000
SEED_LIMIT = 1 << 64

BIDS_SHORT = "BIDS_SHORT"
"""Cancelled: the bids that count are for less than what is offered (CEA-AWD-04)."""
RESERVE_NOT_MET = "RESERVE_NOT_MET"
"""Cancelled: the clearing price is worse than the reserve price (CEA-AWD-06)."""


class Bid(NamedTuple):
    """One bid. Bids stand in a list in order of time; its place there is what ties go by."""

    price: int
    """Fen per tonne; 0 of a non-competitive bid."""
    tonnes: int
    account_index: int
    group_index: int = 0
    """0 is no group."""
    competitive: bool = True


@dataclass(frozen=True, kw_only=True)
class AwardRules:
    """What an award is decided by; each value is a setting.

    Notes
    -----
    Rules: CEA-AWD-02 to CEA-AWD-09.
    """

    side: Literal["sell", "buy"] = "sell"
    """What the one who applied does; with `buy` the lowest bids win."""
    pricing: Literal["uniform", "pay_as_bid"] = "uniform"
    tie: Literal["time", "random", "pro_rata"] = "time"
    """Who of several at the marginal price wins."""
    tie_seed: int = 0
    """What lots are drawn from with `random`; to be published."""
    undersubscription: Literal["award_all", "cancel"] = "award_all"
    bid_tonnes_min: int = 1
    """A smaller bid doesn't count; 0 and 1 are no limit."""
    reserve_price_fen: int = 0
    """Per tonne, the worst price that is taken; 0 is none."""
    reserve_rule: Literal["exclude", "cancel"] = "exclude"
    """Worse bids don't count, or a worse clearing price cancels it all."""
    bidder_cap_bp: int = 0
    """Most of what is offered that one account may win, in basis points; 0 is no cap."""
    group_cap_bp: int = 0
    """The same for the accounts of one group together."""
    noncompetitive_max_bp: int = 0
    """Most of what is offered that non-competitive bids win together; 0: they win nothing."""

    def __post_init__(self) -> None:
        for name, words in _CHOICES.items():
            if getattr(self, name) not in words:
                expected = " or ".join(words)
                raise ValueError(f"{name}: expected {expected}, got {getattr(self, name)!r}")
        for name, (least, most) in _RANGES.items():
            object.__setattr__(self, name, _whole(name, getattr(self, name), least, most))

    def paid(self, bid: Bid, clearing_price: int) -> int:
        """Return what a winner pays for a tonne (with side `buy`: gets), in fen.

        Notes
        -----
        Rules: CEA-AWD-02, CEA-AWD-08.
        """
        is_own = self.pricing == "pay_as_bid" and bid.competitive
        return bid.price if is_own else clearing_price


_CHOICES = {
    "side": ("sell", "buy"),
    "pricing": ("uniform", "pay_as_bid"),
    "tie": ("time", "random", "pro_rata"),
    "undersubscription": ("award_all", "cancel"),
    "reserve_rule": ("exclude", "cancel"),
}
_RANGES = {
    "tie_seed": (0, SEED_LIMIT - 1),
    "bid_tonnes_min": (0, AMOUNT_FEN_LIMIT - 1),
    "reserve_price_fen": (0, PRICE_FEN_MAX),
    "bidder_cap_bp": (0, BASIS_POINTS),
    "group_cap_bp": (0, BASIS_POINTS),
    "noncompetitive_max_bp": (0, BASIS_POINTS),
}


class Award(NamedTuple):
    """What came of it."""

    fills: tuple[int, ...]
    """Tonnes won, for each bid in the order given."""
    clearing_price: int | None
    """The lowest winning bid (with side `buy` the highest), in both pricings; None if none won."""
    cancelled_reason: str | None
    """`BIDS_SHORT`, `RESERVE_NOT_MET` or None."""

    @property
    def tonnes(self) -> int:
        """Tonnes awarded."""
        return sum(self.fills)


def award(bids: Sequence[Bid], offered_tonnes: int, rules: AwardRules) -> Award:
    """Award what is offered to the best bids.

    Parameters
    ----------
    bids : sequence of Bid
        In order of time.
    offered_tonnes : int
        Tonnes for sale (with side `buy`: wanted).

    Raises
    ------
    TypeError, ValueError
        A number is no int, or out of range; price x tonnes is 2^60 fen or more.

    Notes
    -----
    What could be won is found first, bid by bid (minimum, reserve, caps); only then who wins it.

    Rules: CEA-AWD-01, CEA-AWD-02, CEA-AWD-04, CEA-AWD-06, CEA-AWD-08.
    """
    offered_tonnes = _whole("offered_tonnes", offered_tonnes, 1, AMOUNT_FEN_LIMIT - 1)
    bids = _bids_taken(bids)
    fills = [0] * len(bids)
    room = _Room(bids, offered_tonnes, rules)
    limit_first = offered_tonnes * rules.noncompetitive_max_bp // BASIS_POINTS
    taken_first = _noncompetitive(bids, room, limit_first, rules)
    standing = _competitive(bids, room, rules)
    competitive_wins = standing and sum(taken_first.values()) < offered_tonnes
    has_price = rules.reserve_price_fen > 0 or competitive_wins
    if taken_first and not has_price:
        # Nobody has named a price that they could pay: as if they were not there.
        taken_first = {}
        standing = _competitive(bids, _Room(bids, offered_tonnes, rules), rules)

    could_be_won = sum(taken_first.values()) + sum(standing.values())
    if rules.undersubscription == "cancel" and could_be_won < offered_tonnes:
        return Award(tuple(fills), None, BIDS_SHORT)

    left = offered_tonnes - sum(taken_first.values())
    won = _best_first(bids, standing, left, rules)
    for index, tonnes in (taken_first | won).items():
        fills[index] = tonnes
    if not any(fills):
        return Award(tuple(fills), None, None)
    prices = [bids[index].price for index, tonnes in won.items() if tonnes]
    worst = min if rules.side == "sell" else max
    clearing_price = worst(prices, default=rules.reserve_price_fen)
    if rules.reserve_rule == "cancel" and _is_under_reserve(clearing_price, rules):
        return Award((0,) * len(bids), None, RESERVE_NOT_MET)
    return Award(tuple(fills), clearing_price, None)


def lot(seed: int, index: int) -> int:
    """Return the lot that the bid at a place draws: the lowest one wins first.

    It is number `index` (from 0) of the splitmix64 generator that starts from `seed`.

    Notes
    -----
    Rules: CEA-AWD-03.
    """
    word = (seed + (index + 1) * 0x9E3779B97F4A7C15) % SEED_LIMIT
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % SEED_LIMIT
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % SEED_LIMIT
    return word ^ (word >> 31)


def pro_rata(wanted: Sequence[int], tonnes: int) -> list[int]:
    """Share tonnes out in proportion to what is wanted, which is as much or more.

    Each gets its exact share less the fraction of a tonne; what is left goes, a tonne each, to the
    largest fractions, of equal ones to the earlier.
    """
    total = sum(wanted)
    shares = [tonnes * each // total for each in wanted]
    by_fraction = sorted(range(len(wanted)), key=lambda i: (-(tonnes * wanted[i] % total), i))
    for index in by_fraction[: tonnes - sum(shares)]:
        shares[index] += 1
    return shares


class _Room:
    """How much each bidder and each group may still win.

    Notes
    -----
    Rules: CEA-AWD-07.
    """

    def __init__(self, bids: Sequence[Bid], offered_tonnes: int, rules: AwardRules) -> None:
        self._bids = bids
        bidder_cap = offered_tonnes * (rules.bidder_cap_bp or BASIS_POINTS) // BASIS_POINTS
        group_cap = offered_tonnes * (rules.group_cap_bp or BASIS_POINTS) // BASIS_POINTS
        self._is_capped = (rules.bidder_cap_bp > 0, rules.group_cap_bp > 0)
        self._bidders = defaultdict[int, int](lambda: bidder_cap)
        self._groups = defaultdict[int, int](lambda: group_cap)

    def take(self, indexes: Iterable[int]) -> dict[int, int]:
        """Return, bid by bid in the order given, what of it the caps let count; none of nothing."""
        taken = {}
        for index in indexes:
            bid = self._bids[index]
            tonnes = bid.tonnes
            if self._is_capped[0]:
                tonnes = min(tonnes, self._bidders[bid.account_index])
            if self._is_capped[1] and bid.group_index:
                tonnes = min(tonnes, self._groups[bid.group_index])
            if tonnes > 0:
                self._use(index, tonnes)
                taken[index] = tonnes
        return taken

    def give_back(self, index: int, tonnes: int) -> None:
        """Make room again for what a bid does not win after all."""
        self._use(index, -tonnes)

    def _use(self, index: int, tonnes: int) -> None:
        self._bidders[self._bids[index].account_index] -= tonnes
        self._groups[self._bids[index].group_index] -= tonnes


def _noncompetitive(
    bids: Sequence[Bid], room: _Room, limit: int, rules: AwardRules
) -> dict[int, int]:
    """What non-competitive bids win, before all others.

    Rules: CEA-AWD-05, CEA-AWD-08.
    """
    taken = room.take(
        index
        for index, bid in enumerate(bids)
        if not bid.competitive and bid.tonnes >= rules.bid_tonnes_min
    )
    if sum(taken.values()) <= limit:
        return taken
    shares = dict(zip(taken, pro_rata(list(taken.values()), limit), strict=True))
    for index, tonnes in taken.items():
        room.give_back(index, tonnes - shares[index])
    return shares


def _competitive(bids: Sequence[Bid], room: _Room, rules: AwardRules) -> dict[int, int]:
    """What of each competitive bid counts, best price first, at one price the earlier first.

    Rules: CEA-AWD-01, CEA-AWD-05, CEA-AWD-06, CEA-AWD-07.
    """
    counting = [
        index
        for index, bid in enumerate(bids)
        if bid.competitive
        and bid.tonnes >= rules.bid_tonnes_min
        and not (rules.reserve_rule == "exclude" and _is_under_reserve(bid.price, rules))
    ]
    # Sorting keeps the order of time among equal prices, in reverse too.
    counting.sort(key=lambda index: bids[index].price, reverse=rules.side == "sell")
    return room.take(counting)


def _best_first(
    bids: Sequence[Bid], standing: dict[int, int], left: int, rules: AwardRules
) -> dict[int, int]:
    """Who wins what is left; `standing` has the best price first.

    Rules: CEA-AWD-01, CEA-AWD-03.
    """
    won: dict[int, int] = {}
    for _, level in groupby(standing, key=lambda index: bids[index].price):
        indexes = list(level)
        wanted = [standing[index] for index in indexes]
        if rules.tie == "pro_rata" and sum(wanted) > left:
            won |= dict(zip(indexes, pro_rata(wanted, left), strict=True))
            break
        if rules.tie == "random":
            indexes.sort(key=lambda index: (lot(rules.tie_seed, index), index))
        for index in indexes:
            won[index] = min(standing[index], left)
            left -= won[index]
    return won


def _is_under_reserve(price: int, rules: AwardRules) -> bool:
    """Whether a price is worse for the applicant than the reserve price.

    Rules: CEA-AWD-06, CEA-AWD-09.
    """
    reserve = rules.reserve_price_fen
    if reserve == 0:
        return False
    return price < reserve if rules.side == "sell" else price > reserve


def _bids_taken(bids: Sequence[Bid]) -> list[Bid]:
    """Return the bids in Python's own numbers; TypeError or ValueError names what is wrong."""
    taken = []
    for index, bid in enumerate(bids):
        place = f"bids[{index}]"
        if type(bid.competitive) is not bool:
            raise TypeError(
                f"{place}.competitive: expected bool, got {type(bid.competitive).__name__}"
            )
        prices = (1, PRICE_FEN_MAX) if bid.competitive else (0, 0)
        price = _whole(f"{place}.price", bid.price, *prices)
        tonnes = _whole(f"{place}.tonnes", bid.tonnes, 1, AMOUNT_FEN_LIMIT - 1)
        account_index = _whole(f"{place}.account_index", bid.account_index, 0, (1 << 32) - 1)
        group_index = _whole(f"{place}.group_index", bid.group_index, 0, (1 << 32) - 1)
        if price * tonnes >= AMOUNT_FEN_LIMIT:
            raise ValueError(
                f"{place}: price x tonnes: expected below 2^60 fen, got {price * tonnes}"
            )
        taken.append(Bid(price, tonnes, account_index, group_index, bid.competitive))
    return taken


def _whole(name: str, value: SupportsIndex, least: int, most: int) -> int:
    number = whole_number(value, name)
    if not least <= number <= most:
        raise ValueError(f"{name}: expected within {least}..{most}, got {number}")
    return number
