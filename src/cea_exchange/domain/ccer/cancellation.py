"""Cancellation (注销): what CCERs are used for, which ends them for good."""

from enum import StrEnum

from msgspec import Struct

from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class Purpose(StrEnum):
    """For what CCERs are cancelled; what crosses borders is to come (CCER-CAN-01)."""

    NATIONAL_ETS = "national_ets"
    """An entity of the national market surrenders less: 全国碳市场清缴抵销."""
    LOCAL_ETS = "local_ets"
    """The same in a regional market: 地方碳市场抵销."""
    EVENT_NEUTRALITY = "event_neutrality"
    """大型活动碳中和."""
    COMPANY_OFFSET = "company_offset"
    """抵销企业温室气体排放."""
    PUBLIC_BENEFIT = "public_benefit"
    """自愿注销, 公益."""


class Use(Struct, frozen=True, kw_only=True):
    """What CCERs are cancelled for.

    Attributes
    ----------
    beneficiary
        Whose emissions they offset; in the national market its account in the allowance registry.
    compliance_year
        Of these emissions in a market; 0 where there is no market.
    """

    purpose: Purpose
    beneficiary: str = ""
    compliance_year: int = 0

    @property
    def needs_proof(self) -> bool:
        """Whether another registry must be notified."""
        return self.purpose is Purpose.NATIONAL_ETS


YEARS = range(2019, 2100)
"""Of emissions that CCERs may offset: the first is the national market's, the last the last that
its rules may name."""
_OF_A_MARKET = (Purpose.NATIONAL_ETS, Purpose.LOCAL_ETS)


def use_of(purpose: str, beneficiary: str, compliance_year: int) -> Use:
    """Return a use that is whole: a market's has a beneficiary and a year, another has no year.

    A year is one that a market can have, or the proof of it would stop the link (CCER-LNK-01).

    Raises
    ------
    ProgrammeError
        It is not.

    Notes
    -----
    Rules: CCER-CAN-01, CCER-CAN-02.
    """
    if purpose not in tuple(Purpose):
        raise ProgrammeError(
            CcerRefusal.PURPOSE_UNKNOWN,
            f"purpose: expected one of {', '.join(Purpose)}, got {purpose!r}",
        )
    use = Use(
        purpose=Purpose(purpose), beneficiary=beneficiary, compliance_year=compliance_year
    )
    of_market = use.purpose in _OF_A_MARKET
    if bool(compliance_year) != of_market or (of_market and not beneficiary):
        needed = "a beneficiary and a year" if of_market else "no year"
        raise ProgrammeError(
            CcerRefusal.PURPOSE_INCOMPLETE,
            f"{purpose}: expected {needed}, got beneficiary {beneficiary!r}, year"
            f" {compliance_year}",
        )
    if of_market and compliance_year not in YEARS:
        raise ProgrammeError(
            CcerRefusal.DATE_OUT_OF_RANGE,
            f"compliance_year: expected {YEARS[0]} to {YEARS[-1]}, got {compliance_year}",
        )
    return use
