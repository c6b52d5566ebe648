"""Terms of the authority's auctions and releases, as data, and what they make of bids.

Bids that the terms refuse don't count; the others are awarded as any auction is (CEA-AWD-01), the
bidders of a class that has a share together as one group.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cea_exchange.adjustment.days import Day, mean_price, months_before
from cea_exchange.domain.ruled import BasisPoints, Confidence, RuleId
from cea_exchange.domain.units import price_format, price_parse
from cea_exchange.matching.auction import AuctionBid, AuctionResult, clear_auction
from cea_exchange.user_files.csv_rows import CsvRows
from cea_exchange.user_files.formats import toml_parse
from cea_exchange.user_files.opening import text_read

BASIS_POINTS = 10_000
COLUMNS = ("account", "class", "price", "tonnes", "emissions")
Tonnes = Annotated[int, Meta(ge=1, lt=1 << 60)]


class BidderClass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What bidders of a class may win; what is left out has no limit.

    Attributes
    ----------
    bidder_bp, bidder_tonnes
        Each, of what is offered; or in tonnes.
    emissions_bp
        Each, of its own emissions.
    together_bp
        All of the class together.
    """

    bidder_bp: BasisPoints | None = None
    bidder_tonnes: Tonnes | None = None
    emissions_bp: BasisPoints | None = None
    together_bp: BasisPoints | None = None


class Floor(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}
):
    """A floor that is measured from the market: a mean price times a factor."""

    factor_bp: Annotated[int, Meta(ge=1, le=100_000)]
    months: Annotated[int, Meta(ge=1, le=120)] | None = None
    since: date | None = None
    to: date | None = None


class AuctionTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an authority sells."""

    rule: RuleId
    source: str
    confidence: Confidence
    bidders: dict[str, BidderClass]
    tonnes: Tonnes | None = None
    floor: Floor | None = None
    bid_tonnes_min: Tonnes = 1
    bid_tonnes_step: Tonnes = 1
    bidders_min: Annotated[int, Meta(ge=1)] = 1
    deposit_bp: BasisPoints = 0
    released_bp: BasisPoints = BASIS_POINTS
    parts: Annotated[int, Meta(ge=1, le=100)] = 1


class TermedBid(Struct, frozen=True, kw_only=True):
    """A bid by terms: who bids, of which class, and with which emissions of its own."""

    account: str
    bidder_class: str
    price: int
    tonnes: int
    emissions: int = 0


class TermedResult(Struct, frozen=True, kw_only=True):
    """The outcome of an auction by terms.

    Attributes
    ----------
    refused
        Why each bid does not count, by its place; those that count are not in it.
    postponed
        Whether too few bid.
    """

    refused: dict[int, str]
    postponed: bool
    result: AuctionResult | None


def terms_read(file: Path | None = None) -> dict[str, AuctionTerms]:
    """Read the packaged terms, or those of a file of the same shape, by name.

    Raises
    ------
    OSError, ValueError
        It can't be read, or is not as it must be; the message says where.
    """
    if file is None:
        packaged = resources.files("cea_exchange.adjustment").joinpath("auctions.toml")
        text = packaged.read_text(encoding="utf-8")
    else:
        text = text_read(file, "a file of terms")
    terms = msgspec.convert(toml_parse(text), dict[str, AuctionTerms], strict=True)
    for name, each in terms.items():
        shares = {
            one.together_bp for one in each.bidders.values() if one.together_bp is not None
        }
        if len(shares) > 1:
            raise ValueError(f"{name}.bidders: expected one share together, got {sorted(shares)}")
    return terms


# -- Figures --------------------------------------------------------------------------------------


def bidder_most(terms: AuctionTerms, offered: int, bidder_class: str, emissions: int = 0) -> int:
    """Return the most tonnes that one bidder of a class may win, rounded down.

    Notes
    -----
    Rules: CEA-ADJ-05.
    """
    limits = terms.bidders[bidder_class]
    most = [offered]
    if limits.bidder_bp is not None:
        most.append(offered * limits.bidder_bp // BASIS_POINTS)
    if limits.bidder_tonnes is not None:
        most.append(limits.bidder_tonnes)
    if limits.emissions_bp is not None:
        most.append(emissions * limits.emissions_bp // BASIS_POINTS)
    return min(most)


def class_most(terms: AuctionTerms, offered: int, bidder_class: str) -> int:
    """Return the most tonnes that all bidders of a class may win together, rounded down."""
    share = terms.bidders[bidder_class].together_bp
    return offered if share is None else offered * share // BASIS_POINTS


def floor_of(terms: AuctionTerms, days: Sequence[Day], notice: date) -> int | None:
    """Return the floor in fen, half up, by the days before the notice; None where there is none.

    Notes
    -----
    Rules: CEA-ADJ-05.
    """
    floor = terms.floor
    if floor is None:
        return None
    first = floor.since or months_before(notice, floor.months or 0)
    last = floor.to or notice - timedelta(days=1)
    mean = mean_price([day for day in days if first <= day.date <= last])
    if mean is None:
        return None
    return (2 * mean * floor.factor_bp + BASIS_POINTS) // (2 * BASIS_POINTS)


def deposit_of(terms: AuctionTerms, price: int, tonnes: int) -> int:
    """Return the deposit of an application in fen, half up.

    Notes
    -----
    Rules: CEA-ADJ-11.
    """
    return (2 * price * tonnes * terms.deposit_bp + BASIS_POINTS) // (2 * BASIS_POINTS)


def released_most(terms: AuctionTerms, applied_tonnes: int) -> int:
    """Return the most tonnes that are released of what was applied for, rounded down.

    Notes
    -----
    Rules: CEA-ADJ-11.
    """
    return applied_tonnes * terms.released_bp // BASIS_POINTS


def parts_of(terms: AuctionTerms, tonnes: int) -> list[int]:
    """Return the parts in which tonnes are released, alike, what is left over in the last.

    Notes
    -----
    Rules: CEA-ADJ-10.
    """
    each, rest = divmod(tonnes, terms.parts)
    return [each] * (terms.parts - 1) + [each + rest]


# -- Bids -----------------------------------------------------------------------------------------


def bids_parse(lines: Iterable[str]) -> list[TermedBid]:
    """Read bids from the lines of a CSV file, `COLUMNS`, in order of time; emissions may be empty.

    Raises
    ------
    ValueError
        With the line's number, what was expected and what was got.
    """
    rows = CsvRows(lines)
    with rows.errors_placed():
        rows.columns_check(COLUMNS)
        return [_bid(row) for row in rows]


def _bid(row: dict[str, str]) -> TermedBid:
    numbers = {}
    for name in ("tonnes", "emissions"):
        text = row[name] or ("0" if name == "emissions" else "")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ValueError(f"{name}: expected a whole number, got {text[:80]!r}")
        numbers[name] = int(text)
    if not row["account"]:
        raise ValueError("account: expected a name, got nothing")
    price = price_parse(row["price"])
    return TermedBid(
        account=row["account"], bidder_class=row["class"], price=price, **numbers
    )


def refusals(
    terms: AuctionTerms, offered: int, floor: int | None, bids: Sequence[TermedBid]
) -> dict[int, str]:
    """Say of each bid that does not count why, by its place; a bidder's bids count together.

    Notes
    -----
    Rules: CEA-ADJ-05, CEA-ADJ-11.
    """
    refused: dict[int, str] = {}
    asked: Counter[str] = Counter()
    for place, bid in enumerate(bids):
        if bid.bidder_class not in terms.bidders:
            known = ", ".join(terms.bidders)
            refused[place] = f"class: expected one of {known}, got {bid.bidder_class}"
            continue
        most = bidder_most(terms, offered, bid.bidder_class, bid.emissions)
        total = asked[bid.account] + bid.tonnes
        if bid.tonnes < terms.bid_tonnes_min or bid.tonnes <= 0:
            refused[place] = f"tonnes: expected {terms.bid_tonnes_min} or more, got {bid.tonnes}"
        elif bid.tonnes % terms.bid_tonnes_step:
            refused[place] = (
                f"tonnes: expected a multiple of {terms.bid_tonnes_step}, got {bid.tonnes}"
            )
        elif total > most:
            refused[place] = f"tonnes: expected at most {most} of {bid.account}, got {total}"
        elif floor is not None and bid.price < floor:
            refused[place] = (
                f"price: expected {price_format(floor)} or more, got {price_format(bid.price)}"
            )
        else:
            asked[bid.account] = total
    return refused


def awarded(
    terms: AuctionTerms, offered: int, floor: int | None, bids: Sequence[TermedBid]
) -> TermedResult:
    """Award an auction by its terms: by price, then time, at the lowest price that wins.

    Notes
    -----
    Rules: CEA-ADJ-05.
    """
    refused = refusals(terms, offered, floor, bids)
    counted = [bid for place, bid in enumerate(bids) if place not in refused]
    if len({bid.account for bid in counted}) < terms.bidders_min:
        return TermedResult(refused=refused, postponed=True, result=None)
    share = next(
        (each.together_bp for each in terms.bidders.values() if each.together_bp is not None), 0
    )
    result = clear_auction(
        [
            AuctionBid(
                bid.account,
                price_format(bid.price),
                bid.tonnes,
                bid.bidder_class
                if terms.bidders[bid.bidder_class].together_bp is not None
                else None,
            )
            for bid in counted
        ],
        offered,
        reserve_price=None if floor is None else price_format(floor),
        group_cap_bp=share,
    )
    return TermedResult(refused=refused, postponed=False, result=result)
