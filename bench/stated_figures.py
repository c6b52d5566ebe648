"""What the report on China's market states of allocation, computed here by the plans' rules.

    python -m bench.stated_figures

Each row is a statement, what it says, what the rules give, and whether that is the same. Of a total
only bounds follow: how much each unit made is not public. What can't be computed at all stands in
`NOT_REPRODUCED` with the reason.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from cea_exchange.domain.compliance.allocation import Benchmarks
from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant, allocate, plan, pre_allocate
from cea_exchange.domain.compliance.plans.power import benchmarks_of, by_benchmark

CLASSES = ("coal_large", "coal_small", "coal_unconventional", "gas")
COAL = CLASSES[:-1]
DUTY_2023 = 5_244_000_000
"""Tonnes that 2,096 entities owed of 2023: published with the completion of that year."""
SAID_OF_2023 = "about 5.2 bn t"


class Row(NamedTuple):
    """A statement of the report, and whether our figures agree with it."""

    statement: str
    stated: str
    computed: str
    holds: bool


NOT_REPRODUCED = (
    (
        "about 4.5 bn t a year of 2019 and 2020, about 5.1 bn t of 2021 and 2022",
        "neither what units supplied nor what was owed of these years is public; the plans'"
        " benchmarks are known second-hand only",
    ),
    (
        "5.2 bn t of 2023, to the tonne",
        "what each unit made, its load and heat, and which were topped up is known to the platform"
        " only; from what was owed and the balance values bounds follow",
    ),
    (
        "about 8 bn t of 2024",
        "8.194 bn t were owed; the three industries were given what they emitted, so their part"
        " follows from emissions that are not public by sector",
    ),
    (
        "5.2 bn t in the compliance year of 2024 (table 1)",
        "a slip: the text says 2023, and 2024 has the three industries in it",
    ),
    (
        "balance values themselves",
        "they are solved from the verified year of all units, of which none is public",
    ),
    (
        "classes above, and up to, 300 MW",
        "the plans ask for 400 MW; the report's figure is not followed",
    ),
)
"""Figures that the report states, and why no public data gives them."""


def rows() -> Iterator[Row]:
    """Yield all statements."""
    yield from _benchmarks_and_balance(2023)
    yield from _benchmarks_and_balance(2021)
    yield from _tightened()
    yield _ahead()
    yield _capped()
    yield _gas_whole()
    yield _load()
    yield _industries()
    yield _total()


def _percent(part: Fraction) -> str:
    return f"{float(100 * part):+.2f}%"


def _against(benchmarks: Benchmarks, balance: Benchmarks, name: str, what: str) -> Fraction:
    mine = Fraction(getattr(benchmarks.of(name), what))
    return mine / Fraction(getattr(balance.of(name), what)) - 1


def _benchmarks_and_balance(year: int) -> Iterator[Row]:
    rules = plan(year)
    benchmarks, balance = benchmarks_of(rules), rules.power_balance
    for name in CLASSES:
        for what in ("electricity", "heat"):
            part = _against(benchmarks, balance, name, what)
            yield Row(
                f"{year}, {name}, {what}: the benchmark is slightly below the balance value",
                "below",
                f"{getattr(benchmarks.of(name), what)} against"
                f" {getattr(balance.of(name), what)}, {_percent(part)}",
                part < 0,
            )


def _tightened() -> Iterator[Row]:
    before, after = (benchmarks_of(plan(year)) for year in (2023, 2024))
    for name in CLASSES:
        part = _against(after, before, name, "electricity")
        yield Row(
            f"2024, {name}, electricity: the benchmark is that of 2023, tightened",
            "lower",
            _percent(part),
            part < 0,
        )


def _ahead() -> Row:
    (ahead,) = pre_allocate(plan(2024), [_unit(emissions=1_789_123)])
    return Row(
        "of 2024 70% of the verified emissions of 2023 are given ahead",
        "70%",
        f"{ahead.tonnes} of 1789123 t",
        ahead.tonnes == 1_789_123 * 7 // 10,
    )


def _capped() -> Row:
    emissions = 2_000_000
    (entity,) = allocate(plan(2023), [_unit(emissions=emissions)]).entities
    return Row(
        "who would be given less than 80% of its emissions is given 80%: it lacks 20% at most",
        "80%",
        f"{entity.initial} t by benchmark, {entity.final} given of {emissions} t",
        entity.initial < entity.final == emissions * 8 // 10,
    )


def _gas_whole() -> Row:
    (entity,) = allocate(
        plan(2023), [_unit(emissions=2_000_000, conventional_bp=0, gas_bp=10_000)]
    ).entities
    return Row(
        "a gas unit is topped up to its emissions",
        "its emissions",
        f"{entity.initial} of 2000000 t",
        entity.initial == 2_000_000,
    )


def _load() -> Row:
    factors = [
        by_benchmark(_unit(emissions=1, load_bp=load_bp), plan(2023)).load_factor
        for load_bp in (6_499, 6_500)
    ]
    return Row(
        "a coal unit's allowances are supplemented where its load is below 65%",
        "below 65%",
        f"factor {float(factors[0]):.6f} at 64.99%, {float(factors[1]):.0f} at 65%",
        factors[0] > factors[1] == 1,
    )


def _industries() -> Row:
    plant = Plant(entity="S", province="13", name="S-1", sector="steel", emissions=5_000_000)
    (entity,) = allocate(plan(2024), [plant]).entities
    return Row(
        "of 2024 steel, cement and aluminium are given what they emitted, and nothing ahead",
        "their emissions, 0",
        f"{entity.final} of 5000000 t, {pre_allocate(plan(2024), [plant])[0].tonnes} ahead",
        (entity.final, pre_allocate(plan(2024), [plant])[0].tonnes) == (5_000_000, 0),
    )


def bounds_2023() -> tuple[int, int]:
    """Return between which totals the allowances of 2023 are, were all that is owed coal's.

    At the balance values all together are given what they owe; so at the benchmarks they are given
    that times a mean of benchmark by balance value, which is between the least and the largest.
    What gas has above its balance value, and what units with little load are given besides, is
    small, and left out.
    """
    rules = plan(2023)
    parts = [
        1 + _against(benchmarks_of(rules), rules.power_balance, name, what)
        for name in COAL
        for what in ("electricity", "heat")
    ]
    return int(DUTY_2023 * min(parts)), int(DUTY_2023 * max(parts))


def _total() -> Row:
    least, most = bounds_2023()
    return Row(
        "all allowances of 2023",
        SAID_OF_2023,
        f"{least / 1e9:.3f} to {most / 1e9:.3f} bn t, of {DUTY_2023 / 1e9:.3f} owed",
        round(least / 1e9, 1) == round(most / 1e9, 1) == 5.2,
    )


def _unit(**facts: object) -> GeneratingUnit:
    terms = {
        "entity": "P",
        "province": "13",
        "name": "P-1",
        "rated_kw": (600_000,),
        "conventional_bp": 10_000,
        "electricity_kwh": 1_500_000_000,
        "load_bp": 7_000,
    }
    return GeneratingUnit(**{**terms, **facts})


def table() -> str:
    """Return all of it as the page has it."""
    lines = ["| the report | stated | computed | holds |", "|---|---|---|---|"]
    lines += [
        f"| {row.statement} | {row.stated} | {row.computed} | {'yes' if row.holds else '**no**'} |"
        for row in rows()
    ]
    lines += ["", "| not reproduced | why |", "|---|---|"]
    lines += [f"| {what} | {why} |" for what, why in NOT_REPRODUCED]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
