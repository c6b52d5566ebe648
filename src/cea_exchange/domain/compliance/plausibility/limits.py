"""What the cross-checks compare with, as data."""

import functools
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.ruled import DecimalText, Mark, load_rules
from cea_exchange.domain.ruled import BasisPoints, Cited

Share = Annotated[int, Meta(ge=0, le=100_000)]


class Auxiliary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure that is filed beside those of the bill: in which unit and how many decimals."""

    name: str
    unit: str
    decimals: int


class Range(Cited, frozen=True, kw_only=True):
    """Between which values a parameter is likely."""

    parameter: str
    least: DecimalText
    most: DecimalText
    mark: Mark | None = None


class CoalKind(Cited, frozen=True, kw_only=True):
    """How a coal shows: carbon without water and ash, in hundredths of a percent, and per heat."""

    fuel: str
    least_daf_bp: BasisPoints
    most_daf_bp: BasisPoints
    carbon_per_heat: DecimalText


class Source(Cited, frozen=True, kw_only=True):
    """A second source of some parameters, and how far the filed figure may be from it.

    Attributes
    ----------
    side
        ``below``: a filed figure that is less is suspicious, as of fuel; ``above``: one that is
        more, as of output; ``either``.
    """

    source: str
    codes: tuple[str, ...]
    side: Literal["below", "above", "either"]
    within_bp: Share
    mark: Mark | None = None


class Rate(Cited, frozen=True, kw_only=True):
    """A rate that is much the same from month to month and among like plants.

    Attributes
    ----------
    over
        Codes whose columns are added; with `times` each is multiplied by that code's column.
    under
        Codes whose columns are added.
    """

    name: str
    sector: Sector
    over: tuple[str, ...]
    times: str | None = None
    under: tuple[str, ...]
    month_bp: Share
    peers_bp: Share
    mark: Mark | None = None


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Single numbers, in hundredths of a percent where they are shares.

    Attributes
    ----------
    short_each_thousandths, short_together_thousandths
        How far below a unit's middle month each witness of its fuel is at least, and all of them
        together, in thousandths of what such units usually differ.
    short_months_least
        Of a unit of fewer months no middle one is known.
    short_usual_least_millionths
        Units never differ by less: figures are rounded.
    """

    condensing_efficiency_bp: BasisPoints
    heat_and_power_efficiency_bp: BasisPoints
    carbon_per_heat_within_bp: BasisPoints
    change_bp: Share
    ash_rise_bp: Share
    boiler_balance_within_bp: Share
    slip_times: int
    peers_least: int
    repeated_months: int
    short_each_thousandths: int
    short_together_thousandths: int
    short_months_least: int
    short_usual_least_millionths: int
    mark: Mark | None = None


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file."""

    auxiliary_figure: tuple[Auxiliary, ...]
    range: tuple[Range, ...]
    coal: tuple[CoalKind, ...]
    source: tuple[Source, ...]
    rate: tuple[Rate, ...]
    steady: tuple[str, ...]
    evidenced: tuple[str, ...]
    thresholds: Thresholds

    @property
    def auxiliary(self) -> dict[str, Auxiliary]:
        """Return the auxiliary figures by name."""
        return {each.name: each for each in self.auxiliary_figure}


@functools.cache
def limits() -> Limits:
    """Return the packaged limits."""
    return load_rules("plausibility/plausibility", Limits, drafts=True)
