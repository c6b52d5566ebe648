"""What a meter read, corrected for its error: never to the advantage of who reports."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Literal

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up

_PERCENT = Decimal(100)
Side = Literal["activity", "output"]
"""Fuel and the like, of which more is worse, or power and heat, of which less is."""


class Calibration(Struct, frozen=True, kw_only=True):
    """What is known of a meter in a time.

    Attributes
    ----------
    accuracy
        Its class, in percent.
    found
        The error found when it was calibrated in time, in percent; None: it was not.
    """

    accuracy: Decimal
    found: Decimal | None = None

    @property
    def allowance(self) -> Decimal:
        """Return by how many percent readings are moved."""
        if self.found is None:
            return self.accuracy
        return max(Decimal(0), abs(self.found) - self.accuracy)


def corrected(
    readings: Sequence[tuple[Decimal, Calibration]], side: Side, *, decimals: int = 2
) -> Decimal:
    """Return what counts of readings, each under what was known of the meter then.

    Parameters
    ----------
    readings : sequence of (Decimal, Calibration)
        A meter calibrated too late has two: the days that a calibration covers, and the others.
    side : str
        ``activity``: errors are added; ``output``: they are taken off.

    Notes
    -----
    Rules: CEA-VER-05, CEA-VER-06, CEA-STE-10.
    """
    sign = 1 if side == "activity" else -1
    with localcontext(EXACT):
        total = sum(
            (read * (1 + sign * known.allowance / _PERCENT) for read, known in readings), Decimal(0)
        )
        return half_up(total, decimals)
