"""Sequences of acts on a market, as Hypothesis draws them."""

from hypothesis import strategies as st

from support.market.market_flow import Step

NUMBERS = len(Step._fields)


def steps_drawn(least: int, most: int) -> st.SearchStrategy[list[Step]]:
    """So many acts: their bytes are drawn at once, so that drawing takes no time to speak of."""
    return st.binary(min_size=NUMBERS * least, max_size=NUMBERS * most).map(steps_of)


def steps_of(numbers: bytes) -> list[Step]:
    """Read the acts off their numbers; what is left at the end is none."""
    whole = len(numbers) - len(numbers) % NUMBERS
    return [Step(*numbers[at : at + NUMBERS]) for at in range(0, whole, NUMBERS)]
