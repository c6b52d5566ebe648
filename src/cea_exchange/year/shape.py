"""When the national market's volume was traded: what the model's trading is shaped by."""

import functools
import tomllib
from collections.abc import Sequence
from datetime import date
from importlib import resources

import msgspec
from msgspec import Struct

WHOLE_PPM = 1_000_000
PARTS = 1_000_000_000
"""Of a month's share, among its days."""


class TradedYear(Struct, frozen=True, kw_only=True):
    """A year's volume.

    Attributes
    ----------
    traded
        The calendar year.
    months
        Tonnes of January to December.
    """

    traded: int
    months: tuple[int, ...]
    source: str


class ShapeFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file."""

    year: tuple[TradedYear, ...]


@functools.cache
def shape_file() -> ShapeFile:
    """Return what the package knows."""
    text = resources.files(__package__).joinpath("shape.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), ShapeFile)


def shape_of(traded: int) -> TradedYear:
    """Return the volume that a calendar year is shaped by: its own, or the last one before."""
    known = [each for each in shape_file().year if each.traded <= traded]
    return max(known, key=lambda each: each.traded)


def weights(days: Sequence[date]) -> list[int]:
    """Return how much of a year's volume each of its days has, by its month.

    A month's volume is that of its days together, however many of them are played.
    """
    months = shape_of(days[-1].year).months
    played = [sum(day.month == month for day in days) for month in range(1, 13)]
    whole = sum(months)
    return [PARTS * months[day.month - 1] // (whole * played[day.month - 1]) for day in days]


def parts_of_rest(weighed: Sequence[int]) -> list[int]:
    """Return, for each day, its millionths of what is traded from it on."""
    found, rest = [], sum(weighed)
    for weight in weighed:
        found.append(WHOLE_PPM * weight // rest if rest else WHOLE_PPM)
        rest -= weight
    return found


def part_of(whole: int, weighed: Sequence[int], number: int) -> int:
    """Return a day's part of a whole number; the parts of all days add up to it."""
    total = sum(weighed)
    before = sum(weighed[:number])
    return whole * (before + weighed[number]) // total - whole * before // total
