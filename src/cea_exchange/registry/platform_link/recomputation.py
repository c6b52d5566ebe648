"""Each entity's tonnes, computed again from its units' figures, and held against the item. Pure."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from cea_exchange.domain.compliance.plans import Plan, allocate, plan, pre_allocate
from cea_exchange.domain.compliance.plans.units import Unit
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.protocol.links.platform import AllowancesGiven, GivenLine, Mismatch
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch


class Computed(NamedTuple):
    """What an entity is to have of a year.

    Attributes
    ----------
    verified
        Tonnes of all its units.
    emissions, duty
        Of those within the plan, and what is owed for them; 0 of what is given ahead.
    """

    tonnes: int
    verified: int
    emissions: int
    duty: int


def computed(given: AllowancesGiven) -> list[Computed]:
    """Return what each line comes to.

    Raises
    ------
    Mismatched
        One comes to something else than it says, or its units are not the entity's.

    Notes
    -----
    Rules: CEA-PLK-02.
    """
    rules, balance = _terms(given)
    found, wrong = [], []
    for line in given.lines:
        try:
            mine = _line(rules, balance, given.stage, line)
        except ComplianceError as error:
            wrong.append(mismatch(line.enterprise, str(error)))
            continue
        found.append(mine)
        wrong += _differences(given, line, mine)
    if wrong:
        raise Mismatched(wrong)
    return found


def _terms(given: AllowancesGiven) -> tuple[Plan, dict[Any, Fraction]]:
    try:
        balance: dict[Any, Fraction] = {
            sector: Fraction(value) for sector, value in given.balance.items()
        }
        return plan(given.compliance_year), balance
    except (ComplianceError, ValueError, ZeroDivisionError) as error:
        raise Mismatched([mismatch("", str(error))]) from None


def _line(rules: Plan, balance: Mapping[Any, Fraction], stage: str, line: GivenLine) -> Computed:
    units = _units(line)
    verified = sum(unit.emissions for unit in units)
    if stage == "pre":
        ahead = sum(each.tonnes for each in pre_allocate(rules, units))
        return Computed(ahead, verified, 0, 0)
    entities = allocate(rules, units, balance=balance).entities
    return Computed(
        sum(each.final for each in entities),
        verified,
        sum(each.emissions for each in entities),
        sum(each.duty for each in entities),
    )


def _units(line: GivenLine) -> tuple[Unit, ...]:
    return (*line.generating, *line.plants)


def _differences(given: AllowancesGiven, line: GivenLine, mine: Computed) -> Iterator[Mismatch]:
    whose = (line.enterprise, str(given.province))
    for unit in _units(line):
        if (unit.entity, unit.province) != whose:
            text = f"unit {unit.name}: expected one of {line.enterprise} in {given.province}"
            yield mismatch(line.enterprise, f"{text}, got {unit.entity}'s in {unit.province}")
    if mine.verified != line.emissions:
        text = f"emissions: expected {mine.verified} by its units, got {line.emissions}"
        yield mismatch(line.enterprise, text)
    if mine.tonnes != line.tonnes:
        text = f"tonnes: expected {mine.tonnes} by its units, got {line.tonnes}"
        yield mismatch(line.enterprise, text)
