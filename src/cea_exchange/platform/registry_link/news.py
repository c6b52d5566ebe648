"""Makes the items of which the registry is notified, from the platform's acts."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TypeVar

import msgspec

from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant
from cea_exchange.platform.allocation.allocations import AllocationRow
from cea_exchange.platform.allocation.computation import Line, Terms
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.obligations.cut_decided import CutDecided
from cea_exchange.platform.obligations.obligations import Obligation
from cea_exchange.platform.obligations.successions import PassedOn
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.protocol.links.platform import (
    LINES_MAX,
    UNITS_MAX,
    AllowancesCut,
    AllowancesGiven,
    AllowancesRecalled,
    DutyLine,
    EntityListed,
    GivenLine,
    LinkContent,
    ObligationsSet,
    ObligationSucceeded,
    RecalledLine,
    SucceedingLine,
)

Part = TypeVar("Part")


class RegistryNews:
    """Turns acts into items of the stream; each is called in the transaction of its act."""

    def __init__(self, outbox: Outbox, enterprises: Enterprises) -> None:
        self._outbox = outbox
        self._enterprises = enterprises

    def listed(self, list_year: int, enterprise: Enterprise, is_listed: bool) -> int:
        """Tell that an enterprise entered a list, or left it; return the item's number."""
        facts = self._enterprises.facts_on(enterprise.enterprise_id, 10_000 * list_year + 1_231)
        return self._outbox.tell(
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

    def given(self, allocation: AllocationRow, lines: list[Line], terms: Terms) -> None:
        """Tell what a province gave, in items of some lines and units at most."""
        for part in _given_parts([self._line(line) for line in lines]):
            self.allocation_tell(
                allocation.allocation_id,
                AllowancesGiven(
                    allocation.allocation_id,
                    allocation.province,
                    allocation.compliance_year,
                    msgspec.convert(allocation.stage, AllowancesGiven.__annotations__["stage"]),
                    {name: _exact(value) for name, value in terms.balance.items()},
                    part,
                    share_bp=allocation.share_bp,
                    cap_factor="" if terms.cap_factor is None else _exact(terms.cap_factor),
                ),
            )

    def recalled(self, allocation: AllocationRow, lines: list[RecalledLine]) -> None:
        """Tell what entities keep of a year once an allocation is recalled."""
        for part in _parts(lines):
            self.allocation_tell(
                allocation.allocation_id,
                AllowancesRecalled(
                    allocation.allocation_id,
                    allocation.province,
                    allocation.compliance_year,
                    msgspec.convert(allocation.stage, AllowancesGiven.__annotations__["stage"]),
                    tuple(part),
                ),
            )

    def allocation_tell(self, allocation_id: int, content: LinkContent) -> int:
        """Tell something of an allocation, and note of which."""
        link_seq = self._outbox.tell(content)
        self._outbox.allocation_note(link_seq, allocation_id)
        return link_seq

    def owed(self, province: int, year: int, obligations: list[Obligation]) -> None:
        """Tell what entities owe of a year, in items of at most `LINES_MAX` lines."""
        for part in _parts(obligations):
            lines = tuple(map(self.duty_line, part))
            self._outbox.tell(ObligationsSet(province, year, part[0].due_on, lines))

    def passed_on(self, passed: PassedOn) -> int:
        """Tell that successors owe what an entity owed; return the item's number.

        Notes
        -----
        Rules: CEA-ENT-12, CEA-PLK-01.
        """
        return self._outbox.tell(
            ObligationSucceeded(
                passed.enterprise.province,
                passed.enterprise.enterprise,
                passed.compliance_year,
                passed.decided_on,
                passed.document,
                tuple(
                    SucceedingLine(name, self._enterprises.of(name).province, tonnes)
                    for name, tonnes in passed.shares.items()
                ),
            )
        )

    def cut(self, decided: CutDecided) -> None:
        """Tell that an entity's next allowances are cut.

        Notes
        -----
        Rules: CEA-PEN-04, CEA-PLK-01.
        """
        self._outbox.tell(
            AllowancesCut(
                decided.case_id,
                decided.province,
                self._enterprises.name_of(decided.enterprise_id),
                *decided[3:],
            )
        )

    def duty_line(self, obligation: Obligation) -> DutyLine:
        """Return what an obligation is for the registry."""
        return DutyLine(
            self._enterprises.name_of(obligation.enterprise_id),
            obligation.verified_tonnes,
            obligation.own_tonnes,
        )

    def _line(self, line: Line) -> GivenLine:
        is_power = self._enterprises.of(line.enterprise).sector == "power"
        kind = GeneratingUnit if is_power else Plant
        units = tuple(msgspec.json.decode(line.units, type=list[kind]))  # type: ignore[valid-type]
        return GivenLine(
            line.enterprise,
            line.emissions,
            line.tonnes,
            mark=line.mark,
            generating=units if is_power else (),
            plants=() if is_power else units,
        )


def _exact(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _given_parts(lines: list[GivenLine]) -> Iterator[tuple[GivenLine, ...]]:
    part: list[GivenLine] = []
    units = 0
    for line in lines:
        count = len(line.generating) + len(line.plants)
        if part and (len(part) == LINES_MAX or units + count > UNITS_MAX):
            yield tuple(part)
            part, units = [], 0
        part.append(line)
        units += count
    if part:
        yield tuple(part)


def _parts(lines: list[Part]) -> list[list[Part]]:
    return [lines[first : first + LINES_MAX] for first in range(0, len(lines), LINES_MAX)]
