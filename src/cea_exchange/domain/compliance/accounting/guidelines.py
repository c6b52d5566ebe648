"""The accounting guidelines as data: each parameter's unit, range, decimals, default and source."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct, structs

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.ruled import ComplianceRulesError, DecimalText, Mark, Year
from cea_exchange.domain.ruled import Cited
from cea_exchange.user_files.formats import toml_parse

SignedText = Annotated[str, Meta(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$")]
State = Literal["solid", "liquid", "gas"]
Decimals = Annotated[int, Meta(ge=0, le=6)]

FIRST_YEAR = 2018
"""By its output units were given ahead for 2019 and 2020."""
NEWEST_YEAR = 2026
"""Of the newest guideline that is known."""
AMOUNT_OF_STATE = {"solid": "t", "liquid": "t", "gas": "10^4Nm3"}
"""What a fuel is counted in."""


class Default(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands for a figure that was not measured, from a compliance year on."""

    value: DecimalText
    from_year: Year = FIRST_YEAR
    mark: Mark | None = None


class Item(Cited, frozen=True, kw_only=True):
    """A parameter as the file has it; in that of a fuel `{amount}` is the fuel's unit.

    Attributes
    ----------
    maximum_a_tonne
        Of a fuel that is weighed, where a gas by its volume has more.
    needs
        The code, without the fuel, of what it makes no sense without.
    required
        Nothing is computed without it.
    fixed
        The default is the only value there is.
    """

    id: str
    name: str
    unit: str
    minimum: SignedText = "0"
    maximum: DecimalText
    maximum_a_tonne: DecimalText | None = None
    decimals: Decimals
    source: str
    mark: Mark | None = None
    default: tuple[Default, ...] = ()
    needs: str | None = None
    required: bool = False
    fixed: bool = False


class Fuel(Cited, frozen=True, kw_only=True):
    """A fuel and what the guideline's table has for it.

    Attributes
    ----------
    kind
        As which fuel it counts where the unit's class is decided.
    fixed
        Codes of which the table's value is the only one there is.
    defaults
        Code -> the table's value, or several by year.
    """

    id: str
    name: str
    state: State
    kind: Literal["conventional", "unconventional", "gas"] | None = None
    fixed: tuple[str, ...] = ()
    defaults: dict[str, tuple[Default, ...]] = msgspec.field(default_factory=dict)


class Material(Cited, frozen=True, kw_only=True):
    """What is fed, replaced, made or sold besides fuel: `group.id` in tonnes, `EF.id` per tonne."""

    id: str
    name: str
    group: str
    factor: DecimalText
    fixed: bool = True
    mark: Mark | None = None


class GridFactor(Cited, frozen=True, kw_only=True):
    """Tonnes of CO2 counted for a MWh of purchased electricity, in years that counted it."""

    first_year: Year
    last_year: Year
    value: DecimalText
    mark: Mark | None = None


class GuidelineFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of a sector's file."""

    sector: Sector
    document: str
    mark: Mark | None = None
    item: tuple[Item, ...] = ()
    fuel_item: tuple[Item, ...] = ()
    fuel: tuple[Fuel, ...] = ()
    material: tuple[Material, ...] = ()
    grid: tuple[GridFactor, ...] = ()


class Parameter(Struct, frozen=True, kw_only=True):
    """One figure that a guideline asks for.

    Attributes
    ----------
    id
        The guideline's code, behind a point of which fuel or material: ``A.bituminous``.
    minimum, maximum
        Beyond them a figure is absurd and refused. What is merely unlikely is for the cross-checks.
    default
        Of the newest guideline; None: it must be measured. `defaults` has those of every year.
    needs
        A parameter without which this one makes no sense.
    """

    id: str
    name: str
    unit: str
    minimum: Decimal
    maximum: Decimal
    decimals: int
    default: Decimal | None
    source: str
    rule: str
    mark: Mark | None = None
    defaults: tuple[Default, ...] = ()
    needs: str | None = None
    required: bool = False
    fixed: bool = False

    def default_in(self, year: int) -> Default | None:
        """Return the default of a compliance year."""
        for each in reversed(self.defaults):
            if each.from_year <= year:
                return each
        return None


class Guideline(Struct, frozen=True, kw_only=True, dict=True):
    """A sector's guideline: what it asks for, and the fuels and materials it knows.

    Attributes
    ----------
    document
        Its number, which results name.
    mark
        Why the whole of it is no settled law; None: its text was seen.

    Notes
    -----
    Rules: CEA-VER-15.
    """

    sector: Sector
    document: str
    mark: Mark | None
    parameters: Mapping[str, Parameter]
    fuels: Mapping[str, Fuel]
    materials: Mapping[str, Material]
    grid: tuple[GridFactor, ...]

    @cached_property
    def required(self) -> tuple[Parameter, ...]:
        """What nothing is computed without."""
        return tuple(each for each in self.parameters.values() if each.required)

    @cached_property
    def quantities(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Group of materials -> each of them, and the parameter that its tonnes are."""
        found: dict[str, list[tuple[str, str]]] = {}
        for each in self.materials.values():
            found.setdefault(each.group, []).append((each.id, f"{each.group}.{each.id}"))
        return {group: tuple(materials) for group, materials in found.items()}

    def grid_in(self, year: int) -> GridFactor | None:
        """Return the factor of purchased electricity; None in years that don't count it."""
        years = (each for each in self.grid if each.first_year <= year <= each.last_year)
        return next(years, None)


def parse_guideline(text: str, place: str) -> Guideline:
    """Read a guideline from TOML text; `place` names it in errors.

    Raises
    ------
    ComplianceRulesError
        If it is no TOML, or does not fit.
    """
    try:
        file = msgspec.convert(toml_parse(text), GuidelineFile, strict=True)
    except ValueError as error:
        raise ComplianceRulesError(f"{place}: {error}") from error
    parameters = [_parameter(item) for item in file.item]
    parameters += [_of_fuel(item, fuel) for fuel in file.fuel for item in file.fuel_item]
    for material in file.material:
        parameters += _of_material(material)
    return Guideline(
        sector=file.sector,
        document=file.document,
        mark=file.mark,
        parameters=MappingProxyType({each.id: each for each in parameters}),
        fuels=MappingProxyType({fuel.id: fuel for fuel in file.fuel}),
        materials=MappingProxyType({each.id: each for each in file.material}),
        grid=file.grid,
    )


def _of_fuel(item: Item, fuel: Fuel) -> Parameter:
    amount = AMOUNT_OF_STATE[fuel.state]
    is_weighed = amount == "t" and item.maximum_a_tonne is not None
    return _parameter(
        structs.replace(
            item,
            id=f"{item.id}.{fuel.id}",
            name=f"{item.name} of {fuel.name}",
            unit=item.unit.replace("{amount}", amount),
            maximum=item.maximum_a_tonne if is_weighed else item.maximum,
            default=fuel.defaults.get(item.id, item.default),
            needs=None if item.needs is None else f"{item.needs}.{fuel.id}",
            fixed=item.fixed or item.id in fuel.fixed,
        )
    )


def _of_material(material: Material) -> tuple[Parameter, Parameter]:
    quantity = Item(
        id=f"{material.group}.{material.id}",
        name=material.name,
        unit="t",
        maximum="50000000",
        decimals=2,
        source=f"table of materials: {material.group}",
        rule=material.rule,
        mark=material.mark,
    )
    factor = structs.replace(
        quantity,
        id=f"EF.{material.id}",
        name=f"factor of {material.name}",
        unit="tCO2/t",
        maximum="10",
        decimals=4,
        default=(Default(value=material.factor, mark=material.mark),),
        needs=quantity.id,
        fixed=material.fixed,
    )
    return _parameter(quantity), _parameter(factor)


def _parameter(item: Item) -> Parameter:
    return Parameter(
        id=item.id,
        name=item.name,
        unit=item.unit,
        minimum=Decimal(item.minimum),
        maximum=Decimal(item.maximum),
        decimals=item.decimals,
        default=Decimal(item.default[-1].value) if item.default else None,
        source=item.source,
        rule=item.rule,
        mark=item.mark,
        defaults=item.default,
        needs=item.needs,
        required=item.required,
        fixed=item.fixed,
    )


def _load(sector: str) -> Guideline:
    file = resources.files("cea_exchange.domain.compliance.accounting").joinpath(f"{sector}.toml")
    return parse_guideline(file.read_text(encoding="utf-8"), f"guideline {sector}")


GUIDELINES: Mapping[str, Guideline] = MappingProxyType(
    {sector: _load(sector) for sector in get_args(Sector)}
)
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {sector: guideline.parameters for sector, guideline in GUIDELINES.items()}
)
"""Sector -> parameter id -> parameter."""
