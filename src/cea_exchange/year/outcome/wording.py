"""A year's figures in words: for the terminal and for the report."""

from collections.abc import Iterable, Iterator

from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.year.outcome.figures import Beside, YearFigures

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
    yield "entities with an obligation", f"{figures.entities:,}"
    yield "of them surrendered in full, in time", f"{figures.complied:,}"
    yield "allocated", f"{figures.allocated_tonnes:,} t"
    yield "due", f"{figures.due_tonnes:,} t"
    share = part_shown(figures.surrendered_bp)
    yield "surrendered", f"{figures.surrendered_tonnes:,} t, with offsets {share}"
    yield "offset by CCERs", f"{figures.offset_tonnes:,} t"
    yield "fined", f"{figures.fined:,}, short of {figures.short_tonnes:,} t"
    yield "listed orders", f"{figures.orders:,}, of them refused {figures.refused:,}"
    yield "trades settled", f"{figures.trades:,}"
    yield "volume", f"{figures.volume_tonnes:,} t"
    yield "value", f"{cash_format(figures.value_fen)} yuan"
    share = part_shown(figures.block_share_bp)
    yield "by block", f"{figures.block_tonnes:,} t, {share}"
    yield "by bidding", f"{figures.bidding_tonnes:,} t in {figures.biddings}"
    yield "in December", f"{figures.december_tonnes:,} t, {part_shown(figures.december_share_bp)}"
    yield "CCERs traded", f"{figures.ccer_tonnes:,} t"
    reserve = f"{cash_format(figures.reserve_fen)} of the risk reserve"
    yield "cash at the end", _cash(figures.cash_fen, figures.fees_fen, reserve)
    yield "at the exchange of CCERs", _cash(figures.ccer_cash_fen, figures.ccer_fees_fen)
    yield "last close", f"{price_format(figures.close_fen)} yuan/t"


def beside_rows(rows: Iterable[Beside]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield figure, model, published, of which period, and what the model's is."""
    for row in rows:
        model, published = (_shown(row.figure, value) for value in (row.model, row.published))
        yield NAMES[row.figure], model, published, row.period, row.origin


def part_shown(basis_points: int) -> str:
    """Return hundredths of a percent as a percentage."""
    return f"{basis_points // 100}.{basis_points % 100:02}%"


def _cash(participants: int, fees: int, *others: str) -> str:
    parts = (f"{cash_format(participants)} yuan of participants", f"{cash_format(fees)} of fees")
    return ", ".join((*parts, *others))


def _shown(figure: str, value: int) -> str:
    if figure.endswith("_bp"):
        return part_shown(value)
    if figure == "close_fen":
        return f"{price_format(value)} yuan/t"
    if figure.endswith("_fen"):
        return f"{cash_format(value)} yuan"
    return f"{value:,} t" if figure.endswith("_tonnes") else f"{value:,}"
