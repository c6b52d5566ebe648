"""Methodologies (方法学): after which a project is designed and its reductions are counted."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.ccer.programme import packaged
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.domain.ruled import Cited

Sector = Annotated[int, Meta(ge=1, le=16)]
"""The field of activity (专业领域) that a VVB is accredited for; the code's middle number."""
CreditingYears = Annotated[int, Meta(ge=1, le=60)]


class Methodology(Cited, frozen=True, kw_only=True):
    """One methodology.

    Attributes
    ----------
    code, version
        As ``CCER-01-002`` and ``V01``.
    source
        The document, as in protocol/rules.md.
    crediting_years_min, crediting_years_max
        How long a project's crediting period (计入期) lasts.

    Notes
    -----
    Rules: CCER-MET-01.
    """

    code: str
    version: str
    title: str
    title_zh: str
    sector: Sector
    released_on: date
    crediting_years_max: CreditingYears
    crediting_years_min: CreditingYears = 1
    source: str


class Methodologies(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All methodologies that were released."""

    methodology: tuple[Methodology, ...]

    @classmethod
    def load(cls) -> "Methodologies":
        """Read the packaged ones."""
        return packaged("methodologies", cls)

    def in_force(self, code: str, on: int) -> Methodology:
        """Return the methodology of a code that was released by a day.

        Raises
        ------
        ProgrammeError
            There is none, or not yet.

        Notes
        -----
        Rules: CCER-MET-01.
        """
        found = next((each for each in self.methodology if each.code == code), None)
        if found is None:
            known = ", ".join(each.code for each in self.methodology)
            raise ProgrammeError(
                CcerRefusal.METHODOLOGY_UNKNOWN,
                f"methodology: expected one of {known}, got {code!r}",
            )
        released_on = date_number(found.released_on)
        if on < released_on:
            raise ProgrammeError(
                CcerRefusal.METHODOLOGY_NOT_IN_FORCE,
                f"methodology {code}: expected from {released_on} on, got {on}",
            )
        return found
