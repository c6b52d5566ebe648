"""Figures as a firm gives them, and every fault there is in them."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up
from cea_exchange.domain.compliance.accounting.guidelines import Guideline, Parameter

FaultKind = Literal["unknown", "not_a_number", "unit", "negative", "absurd", "fixed", "missing"]

_SLIPS = (("1000", "a thousand times"), ("10000", "ten thousand times"), ("100", "a hundred times"))


class Figure(Struct, frozen=True, kw_only=True):
    """A figure with what is said about it; a bare Decimal is a measured one in the asked unit.

    Attributes
    ----------
    unit
        As the parameter has it.
    measured
        False: it is the guideline's default that stands here, and must be it.
    """

    value: Decimal
    unit: str | None = None
    measured: bool = True


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong with one figure."""

    kind: FaultKind
    parameter: str
    words: str
    rule: str | None = None

    def __str__(self) -> str:
        rule = f" ({self.rule})" if self.rule else ""
        return f"{self.parameter}: {self.words}{rule}"


class FiguresError(ValueError):
    """Figures that can't be accounted; `faults` has all that is wrong with them."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


def checked(
    guideline: Guideline, figures: Mapping[str, Decimal | Figure], year: int
) -> dict[str, tuple[Decimal, bool]]:
    """Return parameter -> (value as the guideline rounds it, whether it was measured).

    Raises
    ------
    FiguresError
        With every fault: an unknown parameter, no exact number, another unit, a negative or an
        absurd value, another one than the year's default where only that stands, and one that
        goes with another which is missing.
    """
    faults: list[Fault] = []
    sound: dict[str, tuple[Decimal, bool]] = {}
    for name, given in figures.items():
        parameter = guideline.parameters.get(name)
        if parameter is None:
            words = f"expected a parameter of {guideline.sector}, got {name!r}"
            faults.append(Fault(kind="unknown", parameter=str(name), words=words))
            continue
        figure = given if isinstance(given, Figure) else Figure(value=given)
        found = list(_faults(parameter, figure, year))
        if found:
            faults += found
        else:
            sound[name] = half_up(Decimal(figure.value), parameter.decimals), figure.measured
    faults += _missing(guideline, figures)
    if faults:
        raise FiguresError(tuple(faults))
    return sound


def _faults(parameter: Parameter, figure: Figure, year: int) -> Iterator[Fault]:
    def fault(kind: FaultKind, words: str) -> Fault:
        return Fault(kind=kind, parameter=parameter.id, words=words, rule=parameter.rule)

    value = figure.value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        yield fault("not_a_number", f"expected Decimal or int, got {type(value).__name__}")
        return
    value = Decimal(value)
    if not value.is_finite():
        yield fault("not_a_number", f"expected a finite number, got {value}")
        return
    if figure.unit is not None and figure.unit != parameter.unit:
        yield fault("unit", f"expected in {parameter.unit}, got in {figure.unit}")
        return
    default = parameter.default_in(year)
    only_default = default is not None and (parameter.fixed or not figure.measured)
    if value < 0 <= parameter.minimum:
        yield fault("negative", f"expected 0 {parameter.unit} or more, got {value}")
    elif not parameter.minimum <= value <= parameter.maximum:
        least, most = parameter.minimum, parameter.maximum
        words = f"expected within {least}..{most} {parameter.unit}, got {value}"
        yield fault("absurd", words + _slip(parameter, value))
    elif only_default and default is not None and value != Decimal(default.value):
        yield fault("fixed", f"expected the guideline's {default.value}, got {value}")
    elif default is None and not figure.measured:
        yield fault("fixed", f"expected to be measured, got {value} as a default")


def _slip(parameter: Parameter, value: Decimal) -> str:
    """Say that another unit would explain the value, where one of the common ones does."""
    for times, words in _SLIPS:
        for other, slip in (
            (EXACT.divide(value, Decimal(times)), f"{words} too large"),
            (EXACT.multiply(value, Decimal(times)), f"{words} too small"),
        ):
            if value and max(parameter.minimum, Decimal("1E-9")) <= other <= parameter.maximum:
                return f", {slip} if it is in another unit"
    return ""


def _missing(guideline: Guideline, figures: Mapping[str, Decimal | Figure]) -> Iterator[Fault]:
    for name in figures:
        parameter = guideline.parameters.get(name)
        if parameter is not None and parameter.needs and parameter.needs not in figures:
            words = f"expected with {parameter.needs}, got without it"
            yield Fault(kind="missing", parameter=parameter.needs, words=words, rule=parameter.rule)
    for parameter in guideline.required:
        if parameter.id not in figures:
            yield Fault(
                kind="missing",
                parameter=parameter.id,
                words=f"expected {parameter.unit} of {parameter.name}, got nothing",
                rule=parameter.rule,
            )
