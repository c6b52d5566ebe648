"""An auction on its own, without a market: bids in, who wins what and pays how much out."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from cea_exchange.core.award import award_arrays
from cea_exchange.domain.units import cash_format, price_format, price_parse, whole_number
from cea_exchange.matching.award import AwardRules, Bid
from cea_exchange.user_files.csv_rows import CsvRows

BID_COLUMNS = ("account", "price", "tonnes", "group")


class AuctionBid(NamedTuple):
    """A bid as its bidder writes it."""

    account: str
    price: str | None
    """Yuan per tonne with two decimals; None: a non-competitive bid."""
    tonnes: int
    group: str | None = None


class BidResult(NamedTuple):
    """A bid and what came of it."""

    account: str
    price: str | None
    tonnes: int
    group: str | None
    won: int
    """Tonnes."""
    pays: str | None
    """Yuan for a tonne (with side `buy`: gets); None where nothing is won."""


class AuctionResult(NamedTuple):
    """What came of an auction."""

    clearing_price: str | None
    """Yuan per tonne; None if nothing is awarded."""
    tonnes: int
    """Awarded."""
    amount: str
    """Yuan, what all winners pay together."""
    cancelled: str | None
    """`BIDS_SHORT`, `RESERVE_NOT_MET` or None."""
    bids: tuple[BidResult, ...]
    """In the order given."""


def clear_auction(
    bids: Iterable[AuctionBid | tuple[Any, ...]],
    tonnes: SupportsIndex,
    *,
    reserve_price: str | None = None,
    **settings: Any,
) -> AuctionResult:
    """Award an auction.

    Parameters
    ----------
    bids : iterable of AuctionBid, or of tuples of the same
        In order of time.
    tonnes : int
        For sale (with side `buy`: wanted).
    reserve_price : str, optional
        Yuan per tonne, the worst price that is taken.
    **settings
        Those of `AwardRules`: `side`, `pricing`, `tie`, `tie_seed`, `undersubscription`,
        `bid_tonnes_min`, `reserve_rule`, `bidder_cap_bp`, `group_cap_bp`, `noncompetitive_max_bp`.

    Raises
    ------
    TypeError, ValueError
        A bid or a setting is not as it has to be; the message names it.

    Notes
    -----
    `award_arrays` takes numbers as they are, for many bids or many auctions.

    Rules: CEA-AWD-01 to CEA-AWD-09.
    """
    rules = AwardRules(reserve_price_fen=_fen("reserve_price", reserve_price), **settings)
    given = [_bid_given(place, bid) for place, bid in enumerate(bids)]
    numbers = _numbers(given)
    rows = np.array(numbers, np.int64).reshape(-1, len(Bid._fields))
    fills, clearing_price, cancelled = award_arrays(rows, tonnes, rules)
    results, amount = [], 0
    for text, bid, won in zip(given, numbers, fills.tolist(), strict=True):
        pays = rules.paid(bid, clearing_price) if won else 0
        amount += won * pays
        results.append(BidResult(*text, won, price_format(pays) if won else None))
    return AuctionResult(
        clearing_price=None if clearing_price is None else price_format(clearing_price),
        tonnes=int(fills.sum()),
        amount=cash_format(amount),
        cancelled=cancelled,
        bids=tuple(results),
    )


def bids_parse(lines: Iterable[str]) -> list[AuctionBid]:
    """Read bids from the lines of a CSV file.

    Parameters
    ----------
    lines : iterable of str
        A header with `account`, `price` (empty: non-competitive), `tonnes` and, if wanted,
        `group`; then a bid a line, in order of time.

    Raises
    ------
    ValueError
        With the line's number, what was expected and what came.
    """
    rows = CsvRows(lines, may_be_short=True)
    with rows.errors_placed():
        if {*rows.columns, "group"} != {*BID_COLUMNS} or len(rows.columns) > len(BID_COLUMNS):
            got = ",".join(rows.columns)
            raise ValueError(f"expected columns account,price,tonnes[,group], got {got[:80]!r}")
        return [_bid(row) for row in rows]


def _bid(row: dict[str, str]) -> AuctionBid:
    account, price, tonnes = (row[name].strip() for name in BID_COLUMNS[:3])
    if not account:
        raise ValueError("account: expected a name, got nothing")
    if price:
        price_parse(price)
    if not (tonnes.isascii() and tonnes.isdigit() and len(tonnes) < 19):
        raise ValueError(f"tonnes: expected a whole number, got {tonnes[:80]!r}")
    return AuctionBid(account, price or None, int(tonnes), row.get("group", "").strip() or None)


def _numbers(bids: Sequence[AuctionBid]) -> list[Bid]:
    """Give each account and group a number, and take prices as fen."""
    accounts: dict[str, int] = {}
    groups: dict[str | None, int] = {None: 0}
    numbers = []
    for place, bid in enumerate(bids):
        tonnes = whole_number(bid.tonnes, f"bids[{place}].tonnes")
        price = _fen(f"bids[{place}]", bid.price)
        account_index = accounts.setdefault(bid.account, len(accounts))
        group_index = groups.setdefault(bid.group, len(groups))
        numbers.append(Bid(price, tonnes, account_index, group_index, bid.price is not None))
    return numbers


def _bid_given(place: int, bid: Any) -> AuctionBid:
    try:
        return AuctionBid(*bid)
    except TypeError:
        expected = "account, price, tonnes and perhaps a group"
        raise TypeError(f"bids[{place}]: expected {expected}, got {bid!r}") from None


def _fen(place: str, price: str | None) -> int:
    """A price in fen, 0 where there is none; `place` names it in errors."""
    try:
        return 0 if price is None else price_parse(price)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from error
