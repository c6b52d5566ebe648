"""What is published of the national market."""

import functools
import tomllib
from importlib import resources

import msgspec
from msgspec import Struct

from cea_exchange.domain.units import price_parse


class Statistic(Struct, frozen=True, kw_only=True):
    """A published figure.

    Attributes
    ----------
    figure
        Of which of the model's figures it is.
    years
        Compliance years that it is held beside.
    period
        Of which it was published, in words.
    value
        A whole number in the figure's unit.
    """

    figure: str
    years: tuple[int, ...]
    period: str
    value: str
    source: str


class PublishedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file."""

    opening: dict[str, str]
    statistic: tuple[Statistic, ...]


@functools.cache
def published_file() -> PublishedFile:
    """Return what the package knows."""
    text = resources.files(__package__).joinpath("published.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), PublishedFile)


def published_of(year: int) -> list[Statistic]:
    """Return what is held beside a compliance year."""
    return [each for each in published_file().statistic if year in each.years]


def opening_price(year: int) -> int:
    """Return the price (fen) with which a compliance year's market begins."""
    return price_parse(published_file().opening[str(year)])
