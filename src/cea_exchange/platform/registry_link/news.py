"""What of the platform's acts the registry has to hear."""

from fractions import Fraction
from typing import TypeVar

import msgspec

from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant
from cea_exchange.platform.allocation.allocations import AllocationRow, Line
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.obligations.obligations import Obligation
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.protocol.links.platform import (
    LINES_MAX,
    AllowancesGiven,
    DutyLine,
    EntityListed,
    GivenLine,
    ObligationsSet,
)

Part = TypeVar("Part")


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

    def owed(self, province: int, year: int, obligations: list[Obligation]) -> None:
        """Tell what entities owe of a year, in items of at most `LINES_MAX` lines."""
        for part in _parts(obligations):
            self._outbox.tell(
                ObligationsSet(
                    province,
                    year,
                    part[0].due_on,
                    tuple(
                        DutyLine(
                            self._enterprises.name_of(each.enterprise_id),
                            each.verified_tonnes,
                            each.due_tonnes,
                        )
                        for each in part
                    ),
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


def _parts(lines: list[Part]) -> list[list[Part]]:
    return [lines[first : first + LINES_MAX] for first in range(0, len(lines), LINES_MAX)]
