"""Who is on the list of key emitting entities, and who stands for whom."""

from datetime import date

import pytest

from cea_exchange.domain.compliance.listing.firms import ServiceRecord, conflict, report_number
from cea_exchange.domain.compliance.listing.members import (
    EntityRecord,
    captive_plant_of,
    membership,
    next_list,
)
from cea_exchange.domain.compliance.listing.succession import (
    Firm,
    Succession,
    complex_of,
    succeed,
)
from support.refusing import refuses


@pytest.mark.parametrize(
    ("code", "year", "facts", "duty", "sector"),
    [
        ("4411", 2021, {}, "quota", "power"),
        ("4412", 2027, {}, "quota", "power"),
        ("3110", 2024, {"process": "long"}, "quota", "steel"),
        ("3120", 2023, {"process": "long"}, "reporting", "steel"),
        ("3120", 2027, {"process": "stand_alone_furnace"}, "reporting", "steel"),
        ("3110", 2027, {"process": "rolling"}, "reporting", "steel"),
        ("3011", 2024, {"process": "portland"}, "quota", "cement"),
        ("3011", 2026, {"process": "non_portland"}, "reporting", "cement"),
        ("3011", 2027, {"process": "non_portland"}, "quota", "cement"),
        ("3216", 2024, {"process": "electrolytic"}, "quota", "aluminium"),
        ("2511", 2027, {"industry": "petrochemicals"}, "reporting", "petrochemicals"),
        ("5611", 2027, {"industry": "aviation"}, "reporting", "aviation"),
        ("1311", 2027, {}, None, None),
        ("3216", 2023, {"process": "electrolytic"}, None, None),
    ],
)
def test_of_which_sector_a_plant_is(code, year, facts, duty, sector):
    """CEA-ENT-04, CEA-ENT-05, CEA-ENT-07, CEA-ENT-08, CEA-ENT-09."""
    found = membership(code, year, **facts)
    assert (found and found.duty, found and found.sector) == (duty, sector)


@pytest.mark.parametrize(
    ("own", "listed", "entity"),
    [(True, False, "host"), (True, True, "power"), (False, False, "power")],
)
def test_a_captive_plant(own, listed, entity):
    """CEA-ENT-04."""
    assert captive_plant_of(burns_own_secondary=own, on_power_list=listed) == entity


@pytest.mark.parametrize(
    ("record", "change"),
    [
        ({"direct_tonnes": {2025: 26_000}}, "entered"),
        ({"direct_tonnes": {2025: 25_999}}, None),
        ({"direct_tonnes": {}, "expected_tonnes": 26_000}, "entered"),
        ({"direct_tonnes": {2025: 90_000}, "stopped": True}, None),
        ({"direct_tonnes": {2024: 90_000, 2025: 25_999}, "listed": True}, "stayed"),
        ({"direct_tonnes": {2025: 25_999}, "listed": True}, "stayed"),
        ({"direct_tonnes": {2024: 25_999, 2025: 25_999}, "listed": True}, "left"),
        ({"direct_tonnes": {2024: 25_999, 2025: 26_000}, "listed": True}, "stayed"),
        ({"direct_tonnes": {2025: 90_000}, "stopped": True, "listed": True}, "left"),
    ],
)
def test_who_enters_stays_and_leaves(record, change):
    """CEA-ENT-01, CEA-ENT-02, CEA-ENT-10, CEA-ENT-11, example 33: the list of 2027."""
    found = next_list([EntityRecord(entity="E", **record)], 2027)
    assert [each.change for each in found] == ([] if change is None else [change])


def test_a_list_is_in_the_order_of_names_and_names_nobody_twice():
    """CEA-ENT-02."""
    two = [EntityRecord(entity=name, direct_tonnes={2025: 30_000}) for name in ("B", "A")]
    assert [each.entity for each in next_list(two, 2027)] == ["A", "B"]
    with refuses("entity B: expected once, got twice"):
        next_list([*two, two[0]], 2027)
    with refuses("YEAR_OUT_OF_RANGE: entity C: expected verified emissions of 2025, got none"):
        next_list([EntityRecord(entity="C", direct_tonnes={}, listed=True)], 2027)


IRON = Firm(name="Iron", city="Tangshan", site="S1", group="Group", linked=frozenset({"Steel"}))
STEEL = Firm(name="Steel", city="Tangshan", site="S1", group="Group")


def test_a_steelworks_of_several_firms():
    """CEA-ENT-06: the group's legal person reports and names its members."""
    found = complex_of([STEEL, IRON])
    assert (found.reports, found.members) == ("Group", ("Iron", "Steel"))


@pytest.mark.parametrize(
    ("firms", "message"),
    [
        ([IRON], "firms: expected two or more of one works, got 1"),
        ([IRON, Firm(name="X", city="Handan", site="S1", group="Group")], "city of the firms"),
        ([IRON, Firm(name="X", city="Tangshan", site="S2", group="Group")], "site of the firms"),
        ([IRON, Firm(name="X", city="Tangshan", site="S1", group="Other")], "group of the firms"),
        ([IRON, STEEL, Firm(name="X", city="Tangshan", site="S1", group="Group")], "got X alone"),
    ],
)
def test_firms_that_are_no_one_works(firms, message):
    """CEA-ENT-06."""
    with refuses(f"CHOICE_UNKNOWN: .*{message}"):
        complex_of(firms)


@pytest.mark.parametrize(
    ("kind", "before", "after", "parts", "owed"),
    [
        ("rename", ("A",), ("N",), (), {"N": 101, "B": 7}),
        ("merger", ("A", "B"), ("N",), (), {"N": 108}),
        ("merger", ("A", "B"), ("B",), (), {"B": 108}),
        ("split", ("A",), ("N", "M"), (5000, 5000), {"B": 7, "N": 51, "M": 50}),
        ("split", ("A",), ("A", "M"), (2500, 7500), {"B": 7, "A": 26, "M": 75}),
    ],
)
def test_what_was_owed_goes_to_who_succeeds(kind, before, after, parts, owed):
    """CEA-ENT-12."""
    change = Succession(kind=kind, before=before, after=after, parts_bp=parts)
    found = succeed(change, {"A": 101, "B": 7})
    assert found == owed and sum(found.values()) == 108


@pytest.mark.parametrize(
    ("kind", "before", "after", "parts", "message"),
    [
        ("merger", ("A",), ("N",), (), "merger: expected names that fit it, got A before"),
        ("split", ("A",), ("N",), (10_000,), "split: expected names that fit it"),
        ("split", ("A",), ("N", "N"), (5000, 5000), "split: expected names that fit it"),
        ("split", ("A",), ("N", "M"), (5000, 4000), "parts of a split: expected 2 that are 10000"),
        ("rename", ("A",), ("N",), (10_000,), "parts of a rename: expected 0"),
        ("rename", ("A",), ("B",), (), "NAME_RESERVED: rename: expected new names, got B"),
    ],
)
def test_changes_that_can_not_be(kind, before, after, parts, message):
    """CEA-ENT-12."""
    with refuses(message):
        succeed(Succession(kind=kind, before=before, after=after, parts_bp=parts), {"A": 1, "B": 1})


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({}, None),
        ({"prepared_in": frozenset({"Hubei"})}, "prepares reports in Hubei"),
        ({"prepared_in": frozenset({"Anhui"})}, None),
        ({"advises": True}, "advises on allowances"),
        ({"trades": True}, "trades allowances"),
        ({"interests": frozenset({"E1"})}, "holds an interest in E1"),
        ({"managers": {"E1": date(2023, 6, 2)}}, "shared a manager with E1 until 2023-06-02"),
        ({"managers": {"E1": date(2023, 6, 1)}}, None),
        ({"banned_until": date(2026, 6, 1)}, "is banned until 2026-06-01"),
    ],
)
def test_who_may_not_verify_whom(record, says):
    """CEA-ENT-15: on 1 June 2026, a manager of three years ago counts no more."""
    found = conflict(ServiceRecord(name="F", **record), "E1", "Hubei", date(2026, 6, 1))
    assert (found is None) if says is None else (says in found)


def test_the_number_of_a_verification_report():
    """CEA-VER-11."""
    number = report_number("42", "F7", "91420000123456789X", 2025, 2)
    assert number == "42-F7-56789X-2025-2"
    with pytest.raises(ValueError, match="report: expected a version from 1 on"):
        report_number("42", "F7", "91420000123456789X", 2025, 0)
