"""Technical facts of a unit, as its licence and its province's register have them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.compliance.plans.units import Case, Cooling, Rating
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.domain.ruled import BasisPoints
from cea_exchange.platform.checks import PlatformActError
from cea_exchange.protocol.control import DECODE_ERRORS


class ClinkerLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clinker line as its approval has it.

    Attributes
    ----------
    number
        Of the line at its works.
    kind
        Of the clinker: the guideline's word behind ``clinker.``
    variety
        As it is sold.
    approved_t_a_day
        Clinker that it may make.

    Notes
    -----
    Rules: CEA-CEM-08.
    """

    number: Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^\S+$")]
    kind: Literal["portland", "white", "sulphoaluminate", "aluminate"]
    variety: Annotated[str, Meta(max_length=60, pattern="^[^\x00-\x1f]*$")] = ""
    approved_t_a_day: Annotated[int, Meta(ge=1, le=50_000)]


class UnitFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What decides how a unit is allocated, beside what it burnt and made.

    Attributes
    ----------
    rated_kw
        Of each generator that reports in it; a plant of another sector has none.
    green_bp
        The share of green hydrogen or ammonia in its heat, in hundredths of a percent. Those of
        biomass, of the works' own coke and gas, and of heat supplied follow from its figures.
    cases
        What a plan treats apart: ``oil``, ``closed``, ``new``, ``white_clinker``.
    line
        Of a clinker line: its number, what it makes, and what it was approved for.
    """

    rated_kw: tuple[Rating, ...] = ()
    cooling: Cooling = "water"
    green_bp: BasisPoints = 0
    cases: tuple[Case, ...] = ()
    line: ClinkerLine | None = None


def facts_read(text: str) -> UnitFacts:
    """Return facts from JSON, checked.

    Raises
    ------
    PlatformActError
        One is unknown, of the wrong type or beyond its bounds.
    """
    try:
        return msgspec.json.decode(text, type=UnitFacts)
    except DECODE_ERRORS as error:
        raise PlatformActError(
            PlatformRefusal.UNIT_FACTS_UNSOUND, f"facts: expected a unit's, got others: {error}"
        ) from None
