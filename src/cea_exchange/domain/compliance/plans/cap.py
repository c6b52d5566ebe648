"""An absolute cap over what plans give bottom-up. No plan of 2019 to 2026 has one.

The sum of the units' allowances is the total, without limit from above. From 2027 on the total may
be capped; then each entity's are multiplied by one factor, so that together they fit.
"""

from collections.abc import Mapping
from fractions import Fraction

from msgspec import Struct

from cea_exchange.domain.compliance.ruled import Mark
from cea_exchange.domain.units import tonnes_check


class Capped(Struct, frozen=True, kw_only=True):
    """Tonnes that fit under a cap.

    Attributes
    ----------
    factor
        1, where they fitted as they were.
    tonnes
        Each rounded down; together at most the cap, and short of it by fewer tonnes than there are
        entities.
    """

    factor: Fraction
    tonnes: dict[str, int]
    mark: Mark = "decided"


def under_cap(tonnes: Mapping[str, int], cap: int) -> Capped:
    """Return tonnes by entity that together are no more than a cap.

    Notes
    -----
    Rules: CEA-PLN-32.
    """
    total = sum(tonnes_check(each, f"tonnes of {name}") for name, each in tonnes.items())
    factor = min(Fraction(1), Fraction(tonnes_check(cap, "cap"), total)) if total else Fraction(1)
    return Capped(factor=factor, tonnes={name: each * factor // 1 for name, each in tonnes.items()})
