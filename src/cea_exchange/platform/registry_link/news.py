"""What of the platform's acts the registry has to hear."""

from fractions import Fraction

import msgspec

from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant
from cea_exchange.platform.allocation.allocations import AllocationRow, Line
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.protocol.platform_link import (
    LINES_MAX,
    AllowancesGiven,
    EntityListed,
    GivenLine,
)


class RegistryNews:
    """Turns acts into items of the stream; each is called in the transaction of its act."""

    def __init__(self, outbox: Outbox, enterprises: Enterprises) -> None:
        self._outbox = outbox
        self._enterprises = enterprises

    def listed(self, list_year: int, enterprise: Enterprise, is_listed: bool) -> None:
        """Tell that an enterprise entered a list, or left it."""
        facts = self._enterprises.facts_on(enterprise.enterprise_id, 10_000 * list_year + 1_231)
        self._outbox.tell(
            EntityListed(
                list_year,
                enterprise.enterprise,
                enterprise.credit_code,
                enterprise.province,
                enterprise.sector,
                facts.title,
                is_listed,
            )
        )

    def given(
        self, allocation: AllocationRow, lines: list[Line], balance: dict[str, Fraction]
    ) -> None:
        """Tell what a province gave, in items of at most `LINES_MAX` lines."""
        for part in _parts(lines):
            self._outbox.tell(
                AllowancesGiven(
                    allocation.allocation_id,
                    allocation.province,
                    allocation.compliance_year,
                    msgspec.convert(allocation.stage, AllowancesGiven.__annotations__["stage"]),
                    {
                        name: f"{value.numerator}/{value.denominator}"
                        for name, value in balance.items()
                    },
                    tuple(map(self._line, part)),
                )
            )

    def _line(self, line: Line) -> GivenLine:
        is_power = self._enterprises.of(line.enterprise).sector == "power"
        kind = GeneratingUnit if is_power else Plant
        units = tuple(msgspec.json.decode(line.units, type=list[kind]))  # type: ignore[valid-type]
        return GivenLine(
            line.enterprise,
            line.emissions,
            line.tonnes,
            generating=units if is_power else (),
            plants=() if is_power else units,
        )


def _parts(lines: list[Line]) -> list[list[Line]]:
    return [lines[first : first + LINES_MAX] for first in range(0, len(lines), LINES_MAX)]
