"""The registry computes an allocation file's tonnes again, from the units' figures."""

import msgspec
import pytest

from cea_exchange.institution.checks import ActError
from cea_exchange.registry.distribution.recomputation import recomputed
from cea_exchange.registry.files import UNITS, SourceFile, UnitFigures, table_bytes
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.refusing import refuses
from support.registry.allocation_files import (
    ENTITIES,
    allocation_file,
    entities_open,
    registered,
    registry_open,
    tables,
)

pytestmark = pytest.mark.postgres_at_night

COAL = {
    "unit_class": "coal_large",
    "electricity_kwh": 3_000_000_000,
    "heat_mj": 2_000_000_000,
    "load_bp": 70_00,
    "emissions": 2_700_000,
}
"""The rulebook's own unit: 2,579,600 t."""
GAS = {
    "unit_class": "gas",
    "electricity_kwh": 1_000_000_000,
    "heat_mj": 0,
    "load_bp": 0,
    "emissions": 350_000,
}
"""328,800 t by its benchmark, 350,000 t by the exemption."""
SHORT = {**COAL, "electricity_kwh": 1_000_000_000, "heat_mj": 0, "emissions": 1_000_000}
"""791,000 t by its benchmark; its entity gets 800,000 t."""


@pytest.fixture
def registry(tmp_path, database_address):
    with registry_open(tmp_path, database_address) as opened:
        entities_open(opened, ENTITIES, ("CEA24", "CEA25"))
        yield opened
    assert [] == check_ledger(tmp_path).differences


def unit_file(units, *, year=2024, form=".csv"):
    """Return a file of (account, unit) -> figures."""
    rows = [
        UnitFigures(
            **{
                "compliance_year": year,
                "province": ENTITIES.get(account, 11),
                "account": account,
                "unit": unit,
                "unit_class": "",
                "electricity_kwh": 0,
                "heat_mj": 0,
                "load_bp": 0,
                "emissions": 0,
                "emissions_before": 0,
                "share_bp": None,
                **figures,
            }
        )
        for (account, unit), figures in units.items()
    ]
    return SourceFile(f"units{form}", table_bytes(UNITS, rows, form))


def refusal(registry, *files):
    before = tables(registry)
    with pytest.raises(ActError) as refused:
        registry.distribution.preview(*files)
    assert before == tables(registry)
    return str(refused.value).splitlines()


def test_tonnes_that_come_out_the_same_are_distributed(registry):
    # CEA-DIS-09: units, the exemption of gas, the sum, then the cap; P0003 has no units.
    tonnes = {"P0001": 2_929_600, "P0002": 800_000, "P0003": 5}
    units = {("P0001", "1"): COAL, ("P0001", "2"): GAS, ("P0002", "1"): SHORT}
    preview = registry.distribution.preview(allocation_file("final", tonnes), unit_file(units))
    assert 2 == preview.plan.recomputed
    assert ("line 4: P0003 has no units, its 5 are not computed",) == preview.plan.warnings
    assert preview == registry.distribution.previewed(preview.preview_id)
    done = registry.distribution.distribute(preview.preview_id)
    assert ("units.csv", 2) == (done.units_file, done.plan.recomputed)
    assert 2_929_600 == registered(registry, "P0001")


def test_steel_cement_and_aluminium_of_2024_get_what_they_emitted(registry):
    """CEA-ALC-13, CEA-DIS-09: beside an entity's own power plant, whose cap is of that only."""
    plant = {"unit_class": "steel", "emissions": 500_000}
    units = {("P0001", "1"): SHORT, ("P0001", "mill"): plant}
    source = allocation_file("final", {"P0001": 1_300_000})
    assert 1 == registry.distribution.preview(source, unit_file(units)).plan.recomputed
    assert [
        "2024-final.csv:2: tonnes: expected 1300000 by units.csv:2, 3 (steel mill 500000,"
        " unit 1 791000, cap on the shortfall 9000), got 1300001",
    ] == refusal(registry, allocation_file("final", {"P0001": 1_300_001}), unit_file(units))
    source = allocation_file("final", {"P0001": 500_000}, year=2025)
    assert [
        "units.csv:2: P0001: year of steel: expected 2024 to be computed, got 2025",
    ] == refusal(registry, source, unit_file({("P0001", "mill"): plant}, year=2025))


def test_every_tonne_that_differs_is_told_with_its_line_and_steps(registry):
    # CEA-DIS-09
    tonnes = {"P0003": 1, "P0001": 2_929_601, "P0002": 791_000}
    units = {("P0001", "1"): COAL, ("P0001", "2"): GAS, ("P0002", "1"): SHORT}
    assert [
        "2024-final.csv:3: tonnes: expected 2929600 by units.csv:2, 3"
        " (unit 1 2579600, unit 2 350000), got 2929601",
        "2024-final.csv:4: tonnes: expected 800000 by units.csv:4"
        " (unit 1 791000, cap on the shortfall 9000), got 791000",
    ] == refusal(registry, allocation_file("final", tonnes), unit_file(units))


def test_a_pre_allocation_is_the_share_of_the_year_before(registry):
    # CEA-ALC-08: 70% of each unit's emissions, each rounded down; a province may give less in 2025.
    before = {
        ("P0001", "1"): {"emissions_before": 2_700_001},
        ("P0001", "2"): {"emissions_before": 350_000},
    }
    source = allocation_file("pre", {"P0001": 2_135_000})
    assert 1 == registry.distribution.preview(source, unit_file(before)).plan.recomputed
    less = {("P0001", "1"): {"emissions_before": 3_579, "share_bp": 40_00}}
    source = allocation_file("pre", {"P0001": 1_431}, year=2025)
    assert 1 == registry.distribution.preview(source, unit_file(less, year=2025)).plan.recomputed
    source = allocation_file("pre", {"P0001": 1_431})
    assert [
        "units.csv:2: P0001: share of 2024: expected within 7000..7000 bp, got 4000",
    ] == refusal(registry, source, unit_file(less))


def test_steel_cement_and_aluminium_are_given_nothing_ahead_for_2024(registry):
    """CEA-ALC-14: 70% for 2025; an entity's own power plant beside them gets its share."""
    mill = {"unit_class": "steel", "emissions_before": 500_000}
    plant = {"unit_class": "coal_large", "emissions_before": 1_000_000}
    source = allocation_file("pre", {"P0001": 350_000})
    said = "2024-pre.csv:2: tonnes: expected 0 by units.csv:2 (unit mill 0), got 350000"
    assert [said] == refusal(registry, source, unit_file({("P0001", "mill"): mill}))
    units = {("P0001", "1"): plant, ("P0001", "mill"): mill}
    source = allocation_file("pre", {"P0001": 700_000})
    assert 1 == registry.distribution.preview(source, unit_file(units)).plan.recomputed
    source = allocation_file("pre", {"P0001": 850_000}, year=2025)  # 50% of power, 70% of steel
    units = unit_file(units, year=2025)
    assert 1 == registry.distribution.preview(source, units).plan.recomputed


@pytest.mark.parametrize("sector", ["steel", "cement", "aluminium"])
def test_a_sector_that_is_given_nothing_ahead_needs_no_figures_to_be_refused(registry, sector):
    """CEA-ALC-14: by the account's sector, whether its units came with the file or not."""
    registry.accounts.open("P0004", province=11, sector=sector)
    entities = {**ENTITIES, "P0004": 11}
    source = allocation_file("pre", {"P0001": 700, "P0004": 700}, entities=entities)
    said = f"2024-pre.csv:3: stage: expected nothing ahead for {sector} of 2024 (CEA-ALC-14), got"
    assert [f"{said} pre"] == refusal(registry, source)
    figures = {("P0004", "1"): {"emissions_before": 1_000}}
    said = "2024-pre.csv:3: tonnes: expected 0 by units.csv:2 (unit 1 0), got 700"
    assert [said] == refusal(registry, source, unit_file(figures))
    final = allocation_file("final", {"P0004": 700}, entities=entities)
    assert () == registry.distribution.preview(final).plan.warnings
    later = allocation_file("pre", {"P0004": 700}, entities=entities, year=2025)
    assert () == registry.distribution.preview(later).plan.warnings


def test_figures_that_can_not_be_are_refused(registry):
    source = allocation_file("final", {"P0001": 2_579_600})
    for units, why in [
        (unit_file({("P0001", "1"): COAL}, year=2025), "expected 2024, the year that is allocated"),
        (unit_file({("P0002", "1"): COAL}), "expected an account of the allocation file"),
        (unit_file({("P0001", "1"): {}}), "unit_class: expected one in stage final, got nothing"),
        (SourceFile("units.csv", b"account\nP0001\n"), "compliance_year: expected the column"),
    ]:
        assert why in "\n".join(refusal(registry, source, units))
    twice = unit_file({("P0001", "1"): COAL}).data.decode()
    head, unit, *totals = twice.splitlines(keepends=True)
    twice = SourceFile("units.csv", "".join([head, unit, unit, *totals]).encode())
    assert (
        "units.csv:3: unit: expected each account and unit once, got P0001 1 of line 2 again"
        in refusal(registry, source, twice)
    )


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_both_times_it_is_computed(registry, monkeypatch):
    # CEA-DIS-09: rules that have changed since the preview give other tonnes.
    source = allocation_file("final", {"P0001": 2_579_600})
    for form in (".xlsx", ".parquet"):
        units = unit_file({("P0001", "1"): COAL}, form=form)
        preview = registry.distribution.preview(source, units)
    before = tables(registry)
    rules = registry.ledger.rules.allocation
    (year,) = (each for each in rules.year if each.year == 2025)
    rules = msgspec.structs.replace(rules, year=(msgspec.structs.replace(year, year=2024),))
    monkeypatch.setattr(
        "cea_exchange.registry.distribution.plan.recomputed",
        lambda table, figures, _rules, sectors: recomputed(table, figures, rules, sectors),
    )
    with refuses("FILE_REFUSED: .*2024-final.csv:2: tonnes: expected 2576000 by units"):
        registry.distribution.distribute(preview.preview_id)
    assert before == tables(registry)
