"""A year's figures in words: for the terminal and for the report."""

import re
from collections.abc import Iterable, Iterator

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.units import price_format
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.figures import Beside, YearFigures
from cea_exchange.year.outcome.speech import say

YEAR = re.compile(r"\b\d{4}\b")
NAMES = {
    "entities": "entities",
    "due_tonnes": "due",
    "surrendered_bp": "surrendered of it",
    "volume_tonnes": "volume",
    "value_fen": "value",
    "block_share_bp": "volume by block",
    "december_share_bp": "volume in December",
    "biddings": "biddings",
    "close_fen": "last close",
    "trading_days": "trading days",
    "ccer_tonnes": "CCERs traded",
}
"""What each figure that is held beside a published one is called."""


def figure_rows(figures: YearFigures) -> Iterator[tuple[str, str]]:
    """Yield what a year came to, each with its name."""
    yield say("entities with an obligation"), f"{figures.entities:,}"
    yield say("of them surrendered in full, in time"), f"{figures.complied:,}"
    yield say("allocated"), say("{:,} t", figures.allocated_tonnes)
    yield say("due"), say("{:,} t", figures.due_tonnes)
    share = part_shown(figures.surrendered_bp)
    yield say("surrendered"), say("{:,} t, with offsets {}", figures.surrendered_tonnes, share)
    yield say("offset by CCERs"), say("{:,} t", figures.offset_tonnes)
    yield say("fined"), say("{:,}, short of {:,} t", figures.fined, figures.short_tonnes)
    yield say("listed orders"), say("{:,}, of them refused {:,}", figures.orders, figures.refused)
    yield say("trades settled"), f"{figures.trades:,}"
    yield say("volume"), say("{:,} t", figures.volume_tonnes)
    yield say("value"), say("{} yuan", yuan_shown(figures.value_fen))
    share = part_shown(figures.block_share_bp)
    yield say("by block"), say("{:,} t, {}", figures.block_tonnes, share)
    yield say("by bidding"), say("{:,} t in {}", figures.bidding_tonnes, figures.biddings)
    share = part_shown(figures.december_share_bp)
    yield say("in December"), say("{:,} t, {}", figures.december_tonnes, share)
    yield say("CCERs traded"), say("{:,} t", figures.ccer_tonnes)
    reserve = say("{} of the risk reserve", yuan_shown(figures.reserve_fen))
    yield say("cash at the end"), _cash(figures.cash_fen, figures.fees_fen, reserve)
    yield say("at the exchange of CCERs"), _cash(figures.ccer_cash_fen, figures.ccer_fees_fen)
    yield say("last close"), say("{} yuan/t", price_format(figures.close_fen))


def beside_rows(rows: Iterable[Beside]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield figure, model, published, of which period, and what the model's is."""
    for row in rows:
        model, published = (_shown(row.figure, value) for value in (row.model, row.published))
        yield say(NAMES[row.figure]), model, published, _period(row.period), say(row.origin)


def part_shown(basis_points: int) -> str:
    """Return hundredths of a percent as a percentage."""
    return f"{basis_points // 100}.{basis_points % 100:02}%"


def yuan_shown(fen: int) -> str:
    """Return fen as yuan, in groups of three digits.

    Examples
    --------
    >>> yuan_shown(1_811_357_658_500), yuan_shown(-5)
    ('18,113,576,585.00', '-0.05')
    """
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def traded_days(state: YearState) -> tuple[str, str]:
    """Return a year's first and last trading day, as ISO 8601 has them."""
    first, last = (date_of_number(state.bulletins[place].trading_date) for place in (0, -1))
    return str(first), str(last)


def _cash(participants: int, fees: int, *others: str) -> str:
    parts = (
        say("{} yuan of participants", yuan_shown(participants)),
        say("{} of fees", yuan_shown(fees)),
    )
    return ", ".join((*parts, *others))


def _period(words: str) -> str:
    years = YEAR.findall(words)
    return say(YEAR.sub("{}", words), *years)


def _shown(figure: str, value: int) -> str:
    if figure.endswith("_bp"):
        return part_shown(value)
    if figure == "close_fen":
        return say("{} yuan/t", price_format(value))
    if figure.endswith("_fen"):
        # Published are whole yuan.
        return say("{} yuan", f"{value // 100:,}")
    return say("{:,} t", value) if figure.endswith("_tonnes") else f"{value:,}"
