"""The tables of a disclosure: rows, their columns, and how each is written.

Yuan are exact decimals; no table has a column for a participant but the measures, which name whom
the rules let the exchange name.
"""

from decimal import Decimal
from typing import Any, NamedTuple

from cea_exchange.domain.units import TOTAL_LIMIT
from cea_exchange.files.kinds import DAY, EXACT, NAME, Whole, Words
from cea_exchange.files.layout import Column, Layout, Totals

COUNT = Whole(0, TOTAL_LIMIT, "count")
PER_MILLE = Whole(0, 1_001, "per mille")
WORDS = Words()


class StatisticsRow(NamedTuple):
    """What a product was traded at, and how much of it, by one method."""

    product: str
    method: str
    days: int
    trades: int
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    mean: Decimal | None
    change: Decimal | None
    volume: int
    amount: Decimal


class CompositeRow(NamedTuple):
    """The composite."""

    composite: str
    open: Decimal
    high: Decimal | None
    low: Decimal | None
    close: Decimal
    change: Decimal
    volume: int
    amount: Decimal


class LineRow(NamedTuple):
    """A K-line of listed trades: half an hour of a day, a day of a week or month, a month."""

    product: str
    begins: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    amount: Decimal


class ConcentrationRow(NamedTuple):
    """How much of what was bought, or sold, the largest had; accounts of one will are one."""

    product: str
    side: str
    traders: int
    largest_per_mille: int
    five_largest_per_mille: int
    volume: int


class PositionRow(NamedTuple):
    """What all accounts of a class hold together at the end."""

    product: str
    holder: str
    accounts: int
    tonnes: int


class ActivityRow(NamedTuple):
    """A count."""

    figure: str
    number: int


class AnnouncementRow(NamedTuple):
    """An announcement to everybody."""

    day: int
    at: str
    about: str
    product: str
    text: str


class MeasureRow(NamedTuple):
    """A measure from step 5 on, as the public is shown it (CEA-MSR-05)."""

    measure: str
    account: str
    step: int
    name: str
    barred: str
    starts: int | None
    ends: int | None
    is_in_force: str


_PRICES = tuple(Column(name, EXACT, None) for name in ("open", "high", "low", "close"))
_SUMS = (Column("volume", COUNT), Column("amount", EXACT))
_ALL_SUMMED = ("volume", "amount")

LAYOUTS: dict[str, Layout[Any]] = {
    "statistics": Layout(
        title="statistics",
        row=StatisticsRow,
        columns=(
            *(Column("product", NAME), Column("method", WORDS)),
            *(Column("days", COUNT), Column("trades", COUNT)),
            *_PRICES,
            *(Column("mean", EXACT, None), Column("change", EXACT, None)),
            *_SUMS,
        ),
        totals=Totals("product", ("trades", *_ALL_SUMMED)),
        once=("product", "method"),
    ),
    "composite": Layout(
        title="composite",
        row=CompositeRow,
        columns=(Column("composite", NAME), *_PRICES, Column("change", EXACT), *_SUMS),
        totals=Totals("composite", _ALL_SUMMED),
        once=("composite",),
    ),
    "lines": Layout(
        title="lines",
        row=LineRow,
        columns=(Column("product", NAME), Column("begins", WORDS), *_PRICES, *_SUMS),
        totals=Totals("product", _ALL_SUMMED),
        once=("product", "begins"),
    ),
    "concentration": Layout(
        title="concentration",
        row=ConcentrationRow,
        columns=(
            *(Column("product", NAME), Column("side", WORDS), Column("traders", COUNT)),
            *(Column("largest_per_mille", PER_MILLE), Column("five_largest_per_mille", PER_MILLE)),
            Column("volume", COUNT),
        ),
        totals=Totals("product", ("volume",)),
        once=("product", "side"),
    ),
    "positions": Layout(
        title="positions",
        row=PositionRow,
        columns=(
            *(Column("product", NAME), Column("holder", WORDS)),
            *(Column("accounts", COUNT), Column("tonnes", COUNT)),
        ),
        totals=Totals("product", ("tonnes",)),
        once=("product", "holder"),
    ),
    "activity": Layout(
        title="activity",
        row=ActivityRow,
        columns=(Column("figure", WORDS), Column("number", COUNT)),
        totals=Totals("figure", ()),
        once=("figure",),
    ),
    "announcements": Layout(
        title="announcements",
        row=AnnouncementRow,
        columns=(
            *(Column("day", DAY, None), Column("at", WORDS), Column("about", WORDS)),
            *(Column("product", WORDS, None), Column("text", WORDS)),
        ),
        totals=Totals("about", ()),
        once=(),
    ),
    "measures": Layout(
        title="measures",
        row=MeasureRow,
        columns=(
            *(Column("measure", WORDS), Column("account", NAME), Column("step", COUNT)),
            *(Column("name", WORDS), Column("barred", WORDS, None)),
            *(Column("starts", DAY, None), Column("ends", DAY, None)),
            Column("is_in_force", WORDS),
        ),
        totals=Totals("measure", ()),
        once=("measure",),
    ),
}
"""All tables, by name, in the order in which they are published."""


def yuan(fen: int) -> Decimal:
    """Return fen as yuan."""
    return Decimal(fen).scaleb(-2)
