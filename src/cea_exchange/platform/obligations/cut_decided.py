"""A cut of an entity's next allowances, as a case decided it."""

from typing import Literal, NamedTuple


class CutDecided(NamedTuple):
    """A cut, with the order to correct that came before it: '' and 0 where there was none."""

    case_id: int
    province: int
    enterprise_id: int
    compliance_year: int
    cause: Literal["unpaid", "enforcement"]
    tonnes: int
    document: str
    decided_on: int
    order: str
    ordered_on: int
    until: int
    refusal: str
    refused_on: int
