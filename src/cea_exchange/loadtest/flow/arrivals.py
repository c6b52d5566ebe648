"""When commands are due: times that know nothing of the answers.

Each shape gives the same times for the same seed. All of a run's sending processes draw all of
them, and each keeps its own.
"""

from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
"""Nanoseconds from the beginning, ascending."""

NS = 1_000_000_000
COMMANDS_MAX = 50_000_000
"""Drawn for one run: a rate with a zero too many must not eat the memory."""

DECEMBER_SHARE = 0.75
"""Of a year's trading: obligations are due at the end of it."""
MONTHS = 12


class ArrivalsError(ValueError):
    """Times that can't be drawn; the message says what was expected."""


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every shape has: the mean rate, commands a second, and how long it lasts."""

    rate: float = 1_000.0
    seconds: float = 10.0

    SUMMARY: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not self.rate > 0 or not self.seconds > 0:
            raise ArrivalsError(
                f"arrivals: expected rate and seconds above 0, got {self.rate} and {self.seconds}"
            )
        if self.rate * self.seconds > COMMANDS_MAX:
            raise ArrivalsError(
                f"arrivals: expected at most {COMMANDS_MAX:,} commands a run,"
                f" got {self.rate * self.seconds:,.0f}"
            )


class Constant(_Shape, frozen=True, tag="constant"):
    """One command each 1 / rate."""

    SUMMARY = "one each 1 / rate"

    def times(self, seed: int) -> Times:
        """Return the times."""
        count = round(self.rate * self.seconds)
        return (np.arange(count) * (NS / self.rate)).astype(np.int64)


class Poisson(_Shape, frozen=True, tag="poisson"):
    """Independent of each other, as many participants' commands are."""

    SUMMARY = "independent of each other"

    def times(self, seed: int) -> Times:
        """Return the times."""
        return _poisson(_generator(seed), self.rate, self.seconds)


class Bursts(_Shape, frozen=True, tag="bursts"):
    """`size` commands at once, then nothing until the mean rate is kept."""

    size: int = 100

    SUMMARY = "size=100 at once, then nothing until the mean rate is kept"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise ArrivalsError(f"arrivals: expected a size of bursts above 0, got {self.size}")

    def times(self, seed: int) -> Times:
        """Return the times."""
        count = round(self.rate * self.seconds)
        every = self.size * NS / self.rate
        return (np.arange(count) // self.size * every).astype(np.int64)


class Ramp(_Shape, frozen=True, tag="ramp"):
    """The rate grows evenly from `begin` to twice the mean less that, or falls so."""

    begin: float = 0.0

    SUMMARY = "begin=0: grows evenly from there, the mean is the rate"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.begin <= 2 * self.rate:
            raise ArrivalsError(
                f"arrivals: expected a ramp to begin between 0 and {2 * self.rate:g},"
                f" got {self.begin:g}"
            )

    def times(self, seed: int) -> Times:
        """Return the times: where the growing sum of the rate passes each whole number."""
        count = round(self.rate * self.seconds)
        slope = (2 * self.rate - 2 * self.begin) / self.seconds
        sums = np.arange(count)
        if slope == 0:
            return (sums * (NS / self.rate)).astype(np.int64)
        root = np.sqrt(np.maximum(self.begin**2 + 2 * slope * sums, 0.0))
        seconds = (root - self.begin) / slope
        return (np.clip(seconds, 0, self.seconds) * NS).astype(np.int64)


class Year(_Shape, frozen=True, tag="year"):
    """A year's months in the time given: three quarters of all commands come in December."""

    SUMMARY = "twelve months in the time given, three quarters of all in December"

    def times(self, seed: int) -> Times:
        """Return the times; within a month they are independent of each other."""
        draw = _generator(seed)
        month_s = self.seconds / MONTHS
        total = self.rate * self.seconds
        shares = [(1 - DECEMBER_SHARE) / (MONTHS - 1)] * (MONTHS - 1) + [DECEMBER_SHARE]
        months = [
            _poisson(draw, total * share / month_s, month_s) + round(month * month_s * NS)
            for month, share in enumerate(shares)
        ]
        return np.concatenate(months)


Arrivals = Constant | Poisson | Bursts | Ramp | Year
SHAPES: dict[str, type[Arrivals]] = {
    "constant": Constant,
    "poisson": Poisson,
    "bursts": Bursts,
    "ramp": Ramp,
    "year": Year,
}


def arrivals_parse(text: str, **given: Any) -> Arrivals:
    """Read ``poisson`` or ``bursts:size=50``, with what else is given.

    Raises
    ------
    ArrivalsError
        There is no such shape, or it has no such field.
    """
    kind, _, fields = text.partition(":")
    if kind not in SHAPES:
        raise ArrivalsError(f"arrivals: expected one of {', '.join(SHAPES)}, got {kind!r}")
    content: dict[str, Any] = {"kind": kind, **given}
    for each in filter(None, fields.split(",")):
        name, equals, value = each.partition("=")
        if not equals:
            raise ArrivalsError(f"arrivals: expected name=value behind {kind}:, got {each!r}")
        content[name] = value
    return arrivals_read(content)


def arrivals_read(content: dict[str, Any]) -> Arrivals:
    """Return arrivals of a table such as a TOML file has.

    Raises
    ------
    ArrivalsError
        It is none.
    """
    try:
        arrivals: Arrivals = msgspec.convert(content, Arrivals, strict=False)
    except (msgspec.ValidationError, ArrivalsError) as error:
        raise ArrivalsError(f"arrivals: {str(error).removeprefix('arrivals: ')}") from error
    return arrivals


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([0xA221, seed])


def _poisson(draw: np.random.Generator, rate: float, seconds: float) -> Times:
    # The number of all, then where they fall: the same process as gap after gap.
    count = draw.poisson(rate * seconds)
    return np.sort((draw.random(count) * (seconds * NS)).astype(np.int64))
