"""What a plan reads of a unit: the facts that decide its treatment, and its verified year."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.compliance.allocation import Industry
from cea_exchange.domain.ruled import BasisPoints, Tonnes

Share = Literal["biomass", "own_secondary", "biomass_and_secondary", "green_fuel", "carbide_slag"]
"""What a plan compares with a share of its own."""
Case = Literal[
    "special_gas", "own_waste_gas", "converted_boiler", "oil", "igcc", "engine", "closed", "new",
    "pure_heat", "emergency_reserve", "hydrogen_blast_furnace", "white_clinker", "acid_clinker",
]  # fmt: skip
"""What a unit is or is not."""
Cooling = Literal["water", "air", "back_pressure"]

Energy = Annotated[int, Meta(ge=0, lt=1 << 62)]
Rating = Annotated[int, Meta(ge=1, le=2_000_000)]
"""Of a generator, in kW: the largest has 1,750,000."""


class GeneratingUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A generating unit, or several that report as one, and its verified year.

    Attributes
    ----------
    rated_kw
        Of each generator that reports in it.
    conventional_bp, unconventional_bp, gas_bp, biomass_bp, own_secondary_bp, green_bp
        Shares of the year's heat, in hundredths of a percent; what is left is other fuel.
    electricity_kwh
        Generated; for 2019 to 2022 supplied.
    load_bp
        None: it made electricity and its hours are not known; a benchmark may not need them.
    heat_share_bp
        Part of its heat that is supplied as such (供热比); asked for 2019 to 2022.
    emissions
        Verified tonnes.
    """

    entity: str
    province: str
    name: str
    rated_kw: tuple[Rating, ...]
    conventional_bp: BasisPoints = 0
    unconventional_bp: BasisPoints = 0
    gas_bp: BasisPoints = 0
    biomass_bp: BasisPoints = 0
    own_secondary_bp: BasisPoints = 0
    green_bp: BasisPoints = 0
    cases: tuple[Case, ...] = ()
    electricity_kwh: Energy = 0
    heat_mj: Energy = 0
    load_bp: Annotated[int, Meta(ge=0, le=100_000)] | None = 0
    heat_share_bp: BasisPoints = 0
    cooling: Cooling = "water"
    emissions: Tonnes

    @property
    def sector(self) -> Literal["power"]:
        """Return the sector it is allocated in."""
        return "power"

    def share(self, name: Share) -> int:
        """Return a share that a plan asks for, in hundredths of a percent."""
        shares: dict[Share, int] = {
            "biomass": self.biomass_bp,
            "own_secondary": self.own_secondary_bp,
            "biomass_and_secondary": self.biomass_bp + self.own_secondary_bp,
            "green_fuel": self.green_bp,
        }
        return shares.get(name, 0)


class Plant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A steel enterprise, a clinker line or an electrolysis, and its verified year.

    Attributes
    ----------
    emissions
        Verified tonnes.
    intensity
        Tonnes of CO2 for a tonne of what it makes, unrounded; steel's is of iron and sinter only.
    carbide_slag_bp
        A clinker line's, in hundredths of a percent, rounded up: what counts is whether it is over.
    """

    entity: str
    province: str
    name: str
    sector: Industry
    emissions: Tonnes
    intensity: Decimal | None = None
    carbide_slag_bp: BasisPoints = 0
    cases: tuple[Case, ...] = ()

    def share(self, name: Share) -> int:
        """Return a share that a plan asks for, in hundredths of a percent."""
        return self.carbide_slag_bp if name == "carbide_slag" else 0


Unit = GeneratingUnit | Plant
