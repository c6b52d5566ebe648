"""A plant's clean year: coal, gas, clinker, aluminium and iron whose figures hold together.

Numbers are drawn from a seed. Coal is made of water, ash and the rest; heat and carbon are those
of the rest, so that they move together as those of real coal do, and each second source is near
the figure.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.deadlines.calendar import filing_due
from cea_exchange.domain.compliance.plans.plan import counts_supplied
from cea_exchange.domain.compliance.plausibility import Filed, UnitFacts

ZERO = Decimal(0)
HOURS = (744, 672, 744, 720, 744, 720, 744, 744, 720, 744, 720, 744)
COALS = {
    # GJ for a tonne of what is neither water nor ash, carbon per heat, water and ash in percent.
    "bituminous": ("33.4", "0.02618", 9, 18),
    "anthracite": ("34.2", "0.02749", 6, 20),
    "lignite": ("25.2", "0.02797", 28, 12),
}


SINTER_RATE, SINTER_FUEL_RATE = Decimal("1.3"), Decimal("0.05")
"""Tonnes of sinter for a tonne of iron, of coal for a tonne of sinter."""

Month = Callable[[int], dict[str, Decimal]]
"""Gives the figures of a month, 1 to 12."""
Made = tuple[UnitFacts, list[Filed]]


class Draw:
    """Exact numbers from a seed."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)

    def near(self, value: Decimal, permille: int) -> Decimal:
        """Return a value so many thousandths around another."""
        return value * (1000 + self.random.randint(-permille, permille)) / 1000

    def within(self, least: int, most: int, decimals: int = 0) -> Decimal:
        """Return a number of so many decimals."""
        scale = 10**decimals
        return Decimal(self.random.randint(least * scale, most * scale)).scaleb(-decimals)


def document(*what: object) -> str:
    """Return the hash of a document of its own."""
    return hashlib.sha256(" ".join(map(str, what)).encode()).hexdigest()


def power_unit_names(number: int) -> list[str]:
    """Return the names of a power enterprise's units."""
    return [f"P{number:04}-{unit}" for unit in range(1 + number % 3 % 2 + (number % 7 == 0))]


def power_capacity(number: int) -> int:
    """Return how many megawatts each of its units has."""
    return 400 if _is_gas(number) else 660 if number % 3 == 0 else 300


def _is_gas(number: int) -> bool:
    return number % 12 == 11


def power_units(draw: Draw, number: int, year: int) -> Iterator[Made]:
    """Make the generating units of a power enterprise."""
    for name in power_unit_names(number):
        yield (_gas if _is_gas(number) else _power)(draw, name, number, year)


def _months(facts: UnitFacts, draw: Draw, year: int, month_of: Month) -> Iterator[Filed]:
    for month in range(1, 13):
        due = filing_due(facts.sector, year, month)
        filed_on = date_number(due - timedelta(days=draw.random.randint(0, 20)))
        for parameter, value in month_of(month).items():
            yield Filed(
                unit=facts.name,
                month=year * 100 + month,
                parameter=parameter,
                value=value,
                document=document(facts.name, month, parameter),
                filed_on=filed_on,
            )


def _supplied(year: int, generated: Decimal, heat: Decimal = ZERO) -> dict[str, Decimal]:
    """Return what a year's plan needs of what left the works; later ones go by what was made."""
    if not counts_supplied(year):
        return {}
    electricity = {"supplied": generated * Decimal("0.94")}
    return electricity if not heat else {**electricity, "turbine_heat": heat + generated * 9}


def _power(draw: Draw, name: str, number: int, year: int) -> Made:
    coal = "lignite" if number % 9 == 4 else "anthracite" if number % 13 == 5 else "bituminous"
    large = number % 3 == 0
    capacity = Decimal(power_capacity(number))
    heat_rate = draw.near(Decimal("8.25" if large else "8.50"), 40)
    organic, per_heat, water, ash = COALS[coal]

    def month(index: int) -> dict[str, Decimal]:
        hours = (HOURS[index - 1] * draw.within(60, 95) / 100).quantize(Decimal("0.01"))
        generated = capacity * hours * draw.within(50, 90) / 100
        moisture, ashes = Decimal(water) + draw.within(0, 1, 2), Decimal(ash) + draw.within(0, 1, 2)
        rest = (100 - moisture - ashes) / 100
        heat = draw.near(Decimal(organic) * rest, 4)
        carbon = draw.near(heat * Decimal(per_heat), 8)
        burnt = generated * draw.near(heat_rate, 15) / heat
        return {
            f"A.{coal}": burnt,
            f"B.{coal}": carbon,
            f"C.{coal}": heat,
            f"moisture.{coal}": moisture,
            f"lab_moisture.{coal}": moisture / 4,
            f"ash.{coal}": ashes,
            "M": generated,
            "O": hours,
            "capacity": capacity,
            f"invoice:A.{coal}": draw.near(burnt, 20),
            f"lab:B.{coal}": carbon,
            "settlement:M": generated * draw.within(92, 95) / 100,
            **_supplied(year, generated),
        }

    peers = f"{'large' if large else 'small'} {coal}"
    facts = UnitFacts(name=name, sector="power", peers=peers, rated_kw=int(capacity * 1000))
    return facts, list(_months(facts, draw, year, month))


def _gas(draw: Draw, name: str, number: int, year: int) -> Made:
    capacity = Decimal(power_capacity(number))
    heat_rate = draw.near(Decimal("8.4"), 30)

    def month(index: int) -> dict[str, Decimal]:
        hours = (HOURS[index - 1] * draw.within(30, 60) / 100).quantize(Decimal("0.01"))
        generated = capacity * hours * draw.within(60, 90) / 100
        supplied = generated * draw.within(30, 60) / 100
        heat = draw.near(Decimal(360), 10)
        burnt = (generated * heat_rate + supplied) / heat
        boilers = burnt * heat * Decimal("0.9")
        return {
            "A.natural_gas": burnt,
            "C.natural_gas": heat,
            "M": generated,
            "N": supplied,
            "J": boilers,
            "I": Decimal(90),
            "O": hours,
            "capacity": capacity,
            "invoice:A.natural_gas": draw.near(burnt, 20),
            "settlement:M": generated * draw.within(95, 97) / 100,
            **_supplied(year, generated, supplied),
        }

    facts = UnitFacts(name=name, sector="power", peers="gas", rated_kw=int(capacity * 1000))
    return facts, list(_months(facts, draw, year, month))


def cement(draw: Draw, number: int, year: int) -> Made:
    """Make a clinker line."""
    heat_rate = draw.near(Decimal("3.30"), 50)
    ability = draw.within(60_000, 180_000)

    def month(_index: int) -> dict[str, Decimal]:
        clinker = ability * draw.within(60, 95) / 100
        heat = draw.near(Decimal("22.9"), 15)
        burnt = clinker * draw.near(heat_rate, 15) / heat
        return {
            "clinker.portland": clinker,
            "FC.bituminous": burnt,
            "NCV.bituminous": heat,
            "substitute.steel_slag": clinker * draw.within(1, 4) / 100,
            "invoice:FC.bituminous": draw.near(burnt, 20),
            "production_report:clinker.portland": clinker,
        }

    facts = UnitFacts(name=f"C{number:04}", sector="cement", peers="cement")
    return facts, list(_months(facts, draw, year, month))


def aluminium(draw: Draw, number: int, year: int) -> Made:
    """Make an electrolysis."""
    per_tonne = draw.near(Decimal("0.475"), 20)

    def month(_index: int) -> dict[str, Decimal]:
        metal = draw.within(30_000, 45_000)
        return {"aluminium": metal, "anode": metal * draw.near(per_tonne, 8)}

    facts = UnitFacts(name=f"A{number:04}", sector="aluminium", peers="aluminium")
    return facts, list(_months(facts, draw, year, month))


def steel(draw: Draw, number: int, year: int) -> Made:
    """Make a steel works."""
    coke_rate = draw.near(Decimal("0.38"), 60)

    def month(_index: int) -> dict[str, Decimal]:
        iron = draw.within(250_000, 400_000)
        coke = iron * draw.near(coke_rate, 15)
        blown, bought = (iron * draw.within(13, 16) / 100 for _ in range(2))
        sinter = iron * SINTER_RATE
        return {
            "iron": iron,
            "iron_in.coke": coke,
            "iron_in.anthracite": blown,
            "sinter": sinter,
            "sinter_in.anthracite": sinter * SINTER_FUEL_RATE,
            "FC.coke": coke,
            "FC.anthracite": bought + sinter * SINTER_FUEL_RATE,
            "product.crude_steel": iron * draw.within(104, 108) / 100,
            "invoice:FC.coke": draw.near(coke, 20),
        }

    facts = UnitFacts(name=f"S{number:04}", sector="steel", peers="steel")
    return facts, list(_months(facts, draw, year, month))
