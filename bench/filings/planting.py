"""Errors and frauds of 28 kinds, each planted into months of its own."""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from bench.filings.year import Draw, Nation
from cea_exchange.domain.compliance.plausibility import Filed

Month = dict[str, Filed]
Kind = Callable[[Month, Month, Draw], Month | None]


class Planted(NamedTuple):
    """Filings with errors in them.

    Attributes
    ----------
    where
        Kind -> the (unit, month) that have one.
    spliced
        Document -> another one, of which a page was put into it.
    """

    nation: Nation
    where: dict[str, set[tuple[str, int]]]
    spliced: dict[str, str]


def plant(nation: Nation, seed: int, each: int) -> Planted:
    """Return filings with so many errors of each kind, at most one in a unit.

    A kind that fits no unit that is left has fewer.
    """
    draw = Draw(seed)
    months: dict[tuple[str, int], Month] = {}
    for filed in nation.filed:
        months.setdefault((filed.unit, filed.month), {})[filed.parameter] = filed
    free = sorted({unit for unit, _ in months})
    draw.random.shuffle(free)
    where: dict[str, set[tuple[str, int]]] = {}
    spliced: dict[str, str] = {}
    for name, kind in KINDS.items():
        where[name] = set()
        for unit in list(free):
            if len(where[name]) == each:
                break
            at = (unit, 202500 + draw.random.randint(5, 11))
            changed = kind(months[at], months[unit, at[1] - 1], draw)
            if changed is None:
                continue
            if name == "repeated":
                # Its lie begins two months before.
                for back in (1, 2):
                    _copy(months, unit, at[1] - back, changed)
            if name == SPLICED:
                report = coal(changed, "B")
                spliced[changed[report].document] = months[unit, at[1] - 1][report].document
            months[at] = changed
            free.remove(unit)
            where[name].add(at)
    filed = [value for month in months.values() for value in month.values()]
    return Planted(Nation(nation.units, filed), where, spliced)


def _copy(months: dict[tuple[str, int], Month], unit: str, month: int, of: Month) -> None:
    name = coal(of, "C")
    if name is not None:
        own = months[unit, month]
        own[name] = replace(own[name], value=of[name].value)


def coal(month: Month, code: str) -> str | None:
    """Return the parameter of a code for the month's coal."""
    for fuel in ("bituminous", "anthracite", "lignite"):
        if f"{code}.{fuel}" in month and f"ash.{fuel}" in month:
            return f"{code}.{fuel}"
    return None


def times(code: str, factor: str, *others: str) -> Kind:
    """Return an error that multiplies a figure, wherever that figure is reported."""

    def change(month: Month, _before: Month, _draw: Draw) -> Month | None:
        name = code if code in month else coal(month, code)
        if name is None:
            return None
        changed = dict(month)
        for each in (name, *(f"{other}:{name}" for other in others)):
            if each in changed:
                changed[each] = replace(changed[each], value=changed[each].value * Decimal(factor))
        return changed

    return change


def put(code: str, value: Callable[[Month, str], Decimal]) -> Kind:
    """Return a kind that puts another value in the place of a figure."""

    def change(month: Month, _before: Month, _draw: Draw) -> Month | None:
        name = code if code in month else coal(month, code)
        if name is None:
            return None
        return {**month, name: replace(month[name], value=value(month, name))}

    return change


def other_kind(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """Lignite is reported as bituminous coal, in every column."""
    if "A.lignite" not in month:
        return None
    return {
        name.replace("lignite", "bituminous"): replace(
            filed, parameter=name.replace("lignite", "bituminous")
        )
        for name, filed in month.items()
    }


def fallen(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """The month's heat was not measured, as it was before."""
    name = coal(month, "C")
    if name is None:
        return None
    return {**month, name: replace(month[name], value=Decimal("26.7"), measured=False)}


def copied(month: Month, before: Month, _draw: Draw) -> Month | None:
    """Last month's report is filed again."""
    name = coal(month, "B")
    if name is None:
        return None
    return {**month, name: replace(month[name], document=before[name].document)}


def spliced_report(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """A report of its own has a page of last month's in it; no figure shows that."""
    return None if coal(month, "B") is None else dict(month)


def undocumented(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """A figure has no document."""
    name = coal(month, "A")
    return None if name is None else {**month, name: replace(month[name], document="")}


def late(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """The month is filed a quarter late."""
    return {name: replace(filed, filed_on=20260401) for name, filed in month.items()}


def altered(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """A figure is replaced, and nobody says why."""
    name = coal(month, "A")
    if name is None:
        return None
    second = replace(
        month[name], version=2, value=month[name].value * Decimal("0.97"), filed_on=20260301
    )
    return {**month, f"{name} again": second}


def repeated(month: Month, _before: Month, _draw: Draw) -> Month | None:
    """The same heat to the last digit, for the third month."""
    return None if coal(month, "C") is None else dict(month)


def ashes(month: Month, before: Month, _draw: Draw) -> Month | None:
    """More ash, and more heat."""
    ash, heat = coal(month, "ash"), coal(month, "C")
    if ash is None or heat is None:
        return None
    return {
        **month,
        ash: replace(month[ash], value=before[ash].value + 4),
        heat: replace(month[heat], value=before[heat].value * Decimal("1.02")),
    }


def hours_of_month(_month: Month, _name: str) -> Decimal:
    """Return more hours than any month has."""
    return Decimal(760)


def wetter(month: Month, name: str) -> Decimal:
    """Return more water than there was as received."""
    return month[name.replace("lab_", "")].value + Decimal("0.5")


SPLICED = "page of last month's report"
KINDS: dict[str, Kind] = {
    "another coal": other_kind,
    "fuel ten times": times("A", "10", "invoice"),
    "fuel a tenth": times("A", "0.1", "invoice"),
    "power ten times": times("M", "10", "settlement"),
    "gas heat out of range": put("C.natural_gas", lambda month, name: Decimal(280)),
    "heat above the boilers": put("N", lambda month, name: month["J"].value + 1),
    "fuel below the boilers": times("A.natural_gas", "0.9", "invoice"),
    "carbon cut by a seventh": times("B", "0.86"),
    "carbon and lab cut by a seventh": times("B", "0.86", "lab"),
    "heat cut by a sixth": times("C", "0.84"),
    "fuel cut by a twelfth": times("A", "0.92"),
    "fuel and invoice cut by a seventh": times("A", "0.86", "invoice"),
    "fuel cut by a thirtieth": times("A", "0.967"),
    "power told a third higher": times("M", "1.33"),
    "more hours than the month": put("O", hours_of_month),
    "wetter dry than wet": put("lab_moisture", wetter),
    "more ash and more heat": ashes,
    "report of last month": copied,
    SPLICED: spliced_report,
    "no document": undocumented,
    "late": late,
    "altered without a reason": altered,
    "default after measuring": fallen,
    "repeated": repeated,
    "clinker told a fifth higher": times("clinker.portland", "1.2"),
    "anodes cut by a tenth": times("anode", "0.9"),
    "coke cut by a sixth": times("iron_in.coke", "0.84"),
    "rating told a tenth higher": times("capacity", "1.1"),
}
