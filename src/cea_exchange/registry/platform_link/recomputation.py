"""Each entity's tonnes, computed again from its units' figures, and held against the item. Pure."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from cea_exchange.domain.compliance.plans import Plan, allocate, plan, pre_allocate
from cea_exchange.domain.compliance.plans.units import Unit
from cea_exchange.domain.compliance.ruled import ComplianceError, marks_text
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.protocol.links.platform import AllowancesGiven, GivenLine, Mismatch
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch, mismatch_of


class Computed(NamedTuple):
    """What an entity is to have of a year.

    Attributes
    ----------
    verified
        Tonnes of all its units.
    emissions, duty
        Of those within the plan, and what is owed for them; 0 of what is given ahead.
    mark
        Why it is no settled law: by its plan, or as its emissions were accounted.
    """

    tonnes: int
    verified: int
    emissions: int
    duty: int
    mark: str = ""


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
    terms = _terms(given)
    found, wrong = [], []
    for line in given.lines:
        try:
            mine = _line(terms, given, line)
        except ComplianceError as error:
            wrong.append(mismatch_of(error, line.enterprise))
            continue
        found.append(mine)
        wrong += _differences(given, line, mine)
    if wrong:
        raise Mismatched(wrong)
    return found


class _Terms(NamedTuple):
    rules: Plan
    balance: dict[Any, Fraction]
    cap_factor: Fraction | None


def _terms(given: AllowancesGiven) -> _Terms:
    try:
        balance: dict[Any, Fraction] = {
            sector: Fraction(value) for sector, value in given.balance.items()
        }
        rules = plan(given.compliance_year)
        factor = Fraction(given.cap_factor) if given.cap_factor else None
    except (ComplianceError, ValueError, ZeroDivisionError) as error:
        code = RegistryRefusal.PLAN_REFUSES
        raise Mismatched([mismatch_of(error, "", code)]) from None
    if (factor is None) != (rules.absolute_cap is None) or (factor or 0) > 1:
        expected = "none" if rules.absolute_cap is None else "one up to 1"
        text = f"cap_factor: expected {expected}, got {given.cap_factor or 'none'} (CEA-PLN-32)"
        raise Mismatched([mismatch("", RegistryRefusal.PLAN_REFUSES, text)])
    return _Terms(rules, balance, factor)


def _line(terms: _Terms, given: AllowancesGiven, line: GivenLine) -> Computed:
    """Return what a line comes to.

    Its marks are those of the plan and those that the platform says, which knows how the emissions
    were accounted.
    """
    units, rules = _units(line), terms.rules
    verified = sum(unit.emissions for unit in units)
    stated = line.mark.split()
    if given.stage == "pre":
        ahead = pre_allocate(rules, units, share_bp=given.share_bp)
        mark = marks_text(stated, *(each.marks for each in ahead))
        return Computed(sum(each.tonnes for each in ahead), verified, 0, 0, mark)
    found = allocate(rules, units, balance=terms.balance, cap_factor=terms.cap_factor)
    return Computed(
        sum(each.final for each in found.entities),
        verified,
        sum(each.emissions for each in found.entities),
        sum(each.duty for each in found.entities),
        marks_text(stated, found.marks),
    )


def _units(line: GivenLine) -> tuple[Unit, ...]:
    return (*line.generating, *line.plants)


def _differences(given: AllowancesGiven, line: GivenLine, mine: Computed) -> Iterator[Mismatch]:
    whose = (line.enterprise, str(given.province))
    for unit in _units(line):
        if (unit.entity, unit.province) != whose:
            text = f"unit {unit.name}: expected one of {line.enterprise} in {given.province}"
            text += f", got {unit.entity}'s in {unit.province}"
            yield mismatch(line.enterprise, RegistryRefusal.UNIT_OF_OTHERS, text)
    if mine.verified != line.emissions:
        text = f"emissions: expected {mine.verified} by its units, got {line.emissions}"
        yield mismatch(line.enterprise, RegistryRefusal.COMPUTED_OTHERWISE, text)
    if mine.mark != line.mark:
        text = f"mark: expected {mine.mark!r} by its plan, got {line.mark!r} (CEA-PLN-30)"
        yield mismatch(line.enterprise, RegistryRefusal.COMPUTED_OTHERWISE, text)
    if mine.tonnes != line.tonnes:
        text = f"tonnes: expected {mine.tonnes} by its units, got {line.tonnes}"
        yield mismatch(line.enterprise, RegistryRefusal.COMPUTED_OTHERWISE, text)
