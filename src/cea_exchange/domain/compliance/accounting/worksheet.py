"""A bill in the making: figures taken, quantities computed, each with its unit, rule and marks."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Literal

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import half_up
from cea_exchange.domain.compliance.accounting.figures import Fault, FiguresError
from cea_exchange.domain.compliance.accounting.guidelines import Guideline
from cea_exchange.domain.compliance.ruled import Mark

EMISSION_DECIMALS = 2

Origin = Literal["measured", "default", "computed"]


class Quantity(Struct, frozen=True, kw_only=True):
    """One line of the bill."""

    name: str
    value: Decimal
    unit: str
    rule: str
    origin: Origin
    mark: Mark | None = None


class Accounted(Struct, frozen=True, kw_only=True, dict=True):
    """A unit's emissions and every quantity on the way to them.

    Attributes
    ----------
    emissions
        Tonnes of CO2 equivalent, half up to 0.01 t.
    quantities
        In the order in which they are computed.
    """

    sector: str
    guideline: str
    year: int
    emissions: Decimal
    quantities: tuple[Quantity, ...]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Return why the result is no settled law; empty if all of it is."""
        return tuple(sorted({each.mark for each in self.quantities if each.mark is not None}))

    def __getitem__(self, name: str) -> Decimal:
        """Return a quantity's value by its name."""
        if name in self._values:
            return self._values[name]
        raise KeyError(f"quantity: expected one of {', '.join(self._values)}, got {name!r}")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    @cached_property
    def _values(self) -> dict[str, Decimal]:
        return {each.name: each.value for each in self.quantities}

    def __str__(self) -> str:
        rows = [
            (each.name, f"{each.value:f}", each.unit, each.rule, each.origin, each.mark or "")
            for each in self.quantities
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column == 1 else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


class Worksheet:
    """Takes figures from what was filed or from the guideline, and writes quantities down.

    Parameters
    ----------
    guideline : Guideline
        Of the sector.
    year : int
        Whose defaults stand in.
    figures : mapping of str to (Decimal, bool)
        As `checked` returns them.
    """

    def __init__(
        self, guideline: Guideline, year: int, figures: Mapping[str, tuple[Decimal, bool]]
    ) -> None:
        self.guideline = guideline
        self.year = year
        self._figures = figures
        self._quantities: dict[str, Quantity] = {}

    def has(self, name: str) -> bool:
        """Tell whether a figure was given."""
        return name in self._figures

    def fuels(self, code: str) -> Iterator[str]:
        """Yield the fuels of which a code was given, in the guideline's order."""
        return (fuel for fuel in self.guideline.fuels if f"{code}.{fuel}" in self._figures)

    def materials(self, group: str) -> Iterator[str]:
        """Yield the materials of a group of which some was given, in the guideline's order."""
        for material, parameter in self.guideline.quantities.get(group, ()):
            if parameter in self._figures:
                yield material

    def material(self, group: str, material: str) -> Decimal:
        """Return the tonnes of CO2 of a material by its factor."""
        return self.figure(f"{group}.{material}") * self.figure(f"EF.{material}")

    def figure(self, name: str) -> Decimal:
        """Take a figure, or the guideline's default for it, and write it down.

        Raises
        ------
        FiguresError
            If it was not given, and nothing may stand for it.
        """
        if name in self._quantities:
            return self._quantities[name].value
        parameter = self.guideline.parameters[name]
        given = self._figures.get(name)
        if given is not None:
            value, measured = given
            origin: Origin = "measured" if measured else "default"
            mark = parameter.mark
        else:
            default = parameter.default_in(self.year)
            if default is None:
                words = f"expected {parameter.unit} of {parameter.name}, got nothing"
                fault = Fault(kind="missing", parameter=name, words=words, rule=parameter.rule)
                raise FiguresError((fault,))
            value = half_up(Decimal(default.value), parameter.decimals)
            origin, mark = "default", default.mark
        self._write(name, value, parameter.unit, parameter.rule, origin, mark)
        return value

    def computed(
        self,
        name: str,
        value: Decimal,
        unit: str,
        rule: str,
        *,
        decimals: int = EMISSION_DECIMALS,
        mark: Mark | None = None,
    ) -> Decimal:
        """Write down a quantity, rounded half up, and return it as it is written."""
        rounded = half_up(value, decimals)
        self._write(name, rounded, unit, rule, "computed", mark or self.guideline.mark)
        return rounded

    def result(self, emissions: Decimal) -> Accounted:
        """Return the bill; FiguresError if it says that less than nothing was emitted."""
        if emissions < 0:
            words = f"expected 0 tCO2 or more, got {half_up(emissions, EMISSION_DECIMALS)}"
            raise FiguresError((Fault(kind="absurd", parameter="emissions", words=words),))
        return Accounted(
            sector=self.guideline.sector,
            guideline=self.guideline.document,
            year=self.year,
            emissions=half_up(emissions, EMISSION_DECIMALS),
            quantities=tuple(self._quantities.values()),
        )

    def _write(
        self, name: str, value: Decimal, unit: str, rule: str, origin: Origin, mark: Mark | None
    ) -> None:
        self._quantities[name] = Quantity(
            name=name, value=value, unit=unit, rule=rule, origin=origin, mark=mark
        )
