"""What stands for a figure that is missing: what the guideline says, never to the firm's advantage.

Tests of a fuel have the guideline's values. A quantity has none: without a second source the month
is not accepted; with one the larger is taken of fuel and feed, the smaller of what lowers the bill
or raises the allocation.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.figures import Fault, Figure, FiguresError
from cea_exchange.domain.compliance.accounting.guidelines import (
    GUIDELINES,
    NEWEST_YEAR,
    Guideline,
    Parameter,
)
from cea_exchange.domain.compliance.ruled import Mark

_OUTPUTS = {
    "power": ("M", "N", "supplied", "turbine_heat"),
    "cement": ("substitute.",),
    "aluminium": (),
    "steel": ("product.", "iron", "captive"),
}
"""Of these less is conservative: parameters, and groups behind a point."""


class Substitution(Struct, frozen=True, kw_only=True):
    """A figure that was put in the place of a missing one, and by what rule."""

    parameter: str
    value: Decimal
    rule: str
    basis: str
    mark: Mark | None = None


class Filled(Struct, frozen=True, kw_only=True):
    """Figures without gaps, and what was substituted, in the order of the guideline."""

    figures: dict[str, Decimal | Figure]
    substitutions: tuple[Substitution, ...]


def fill_missing(
    sector: str,
    figures: Mapping[str, Decimal | Figure],
    missing: Mapping[str, tuple[Decimal, ...]],
    *,
    year: int = NEWEST_YEAR,
) -> Filled:
    """Return figures in which what is missing is substituted.

    Parameters
    ----------
    sector : str
        One of `GUIDELINES`.
    figures : mapping of str to Decimal or Figure
        What there is.
    missing : mapping of str to tuple of Decimal
        Parameter -> what other sources say of it; empty, where there are none.
    year : int
        The compliance year.

    Raises
    ------
    FiguresError
        If one of them is no parameter or is not missing, or of a quantity there is no other source.

    Notes
    -----
    Rules: CEA-MRV-14, CEA-MRV-15.
    """
    guideline = GUIDELINES[sector]
    faults: list[Fault] = []
    found: list[Substitution] = []
    for name in missing:
        if name not in guideline.parameters:
            words = f"expected a parameter of {sector}, got {name!r}"
            faults.append(Fault(kind="unknown", parameter=name, words=words))
        elif name in figures:
            words = f"expected to be missing, got {figures[name]}"
            faults.append(Fault(kind="fixed", parameter=name, words=words))
    for parameter in guideline.parameters.values():
        if parameter.id in missing and parameter.id not in figures:
            each = _substitution(guideline, parameter, missing[parameter.id], year)
            if isinstance(each, Fault):
                faults.append(each)
            else:
                found.append(each)
    if faults:
        raise FiguresError(tuple(faults))
    filled = dict(figures)
    for each in found:
        filled[each.parameter] = Figure(value=each.value, measured=each.rule != "CEA-MRV-14")
    return Filled(figures=filled, substitutions=tuple(found))


def _substitution(
    guideline: Guideline, parameter: Parameter, second: tuple[Decimal, ...], year: int
) -> Substitution | Fault:
    default = parameter.default_in(year)
    if default is not None:
        return Substitution(
            parameter=parameter.id,
            value=Decimal(default.value),
            rule="CEA-MRV-14",
            basis=f"{guideline.document}, {parameter.source}",
            mark=default.mark,
        )
    if not second:
        words = f"expected a second source of {parameter.name}, got none"
        return Fault(kind="missing", parameter=parameter.id, words=words, rule="CEA-MRV-15")
    less = _is_output(guideline.sector, parameter.id)
    return Substitution(
        parameter=parameter.id,
        value=min(second) if less else max(second),
        rule="CEA-MRV-15",
        basis=f"the {'smallest' if less else 'largest'} of {len(second)} other sources",
        mark="decided",
    )


def _is_output(sector: str, name: str) -> bool:
    return any(
        name.startswith(each) if each.endswith(".") else name == each for each in _OUTPUTS[sector]
    )
