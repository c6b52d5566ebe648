"""What a cross-check says."""

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True, order=True):
    """Something unlikely in a filed month.

    Attributes
    ----------
    month
        yyyymm.
    figure
        The parameter, or what was computed of several.
    found, expected
        As text, with the unit.
    document
        The hash of what the figure was filed with; empty: of none.
    """

    unit: str
    month: int
    detector: str
    figure: str
    found: str
    expected: str
    rule: str
    document: str = ""
