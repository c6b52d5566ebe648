"""Runs of Hypothesis examples from one seed, each in whatever process it falls to."""

from typing import NamedTuple

import numpy as np
from hypothesis import Phase, given, seed, settings

from cea_exchange.domain.records import EventKind, Reason
from support.book.book_flow import (
    KINDS_OF_A_BOOK,
    REASONS_OF_A_BOOK,
    Comparison,
    book_cases,
)
from support.market.market_cases import (
    REASONS_ELSEWHERE,
    REASONS_OF_BLOCKS,
    MarketComparison,
    market_cases,
)

EXPECTED = {
    "book": (KINDS_OF_A_BOOK, REASONS_OF_A_BOOK),
    "market": (set(EventKind), set(Reason) - REASONS_ELSEWHERE, REASONS_OF_BLOCKS),
}
"""What must come, of books and of markets: events, reasons, those against a block command."""


class Block(NamedTuple):
    """A run of examples from one seed."""

    kind: str
    seed: int
    examples: int


class Found(NamedTuple):
    """What a block's examples were."""

    kind: str
    command_counts: list[int]
    seen: np.ndarray


def block_run(block: Block) -> Found:
    """Run the examples of a block; a comparison that fails raises, with the shrunk case."""
    command_counts: list[int] = []
    seen = np.zeros((len(EXPECTED[block.kind]), 256), np.int64)
    cases = book_cases if block.kind == "book" else market_cases

    @seed(block.seed)
    @settings(
        max_examples=block.examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        print_blob=True,
    )
    @given(cases)
    def agree(case) -> None:
        if block.kind == "book":
            comparison = Comparison(case)
            comparison.run()
        else:
            comparison = MarketComparison(case)
            comparison.take_all()
        command_counts.append(comparison.command_count)
        seen.__iadd__(comparison.seen)

    agree()
    return Found(block.kind, command_counts, seen)
