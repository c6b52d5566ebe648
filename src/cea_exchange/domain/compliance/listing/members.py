"""Decides who is listed: the 26,000 t test, sector codes, who enters and who leaves."""

import functools
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.ruled import (
    ComplianceError,
    Count,
    Mark,
    Year,
    load_rules,
)
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import Cited, Ruled, Tonnes
from cea_exchange.domain.units import tonnes_check

Process = Literal[
    "long", "stand_alone_furnace", "rolling", "foundry", "portland", "non_portland", "electrolytic"
]
Duty = Literal["quota", "reporting"]
Change = Literal["entered", "stayed", "left"]
ActivityCode = Annotated[str, Meta(pattern=r"^[0-9]{4}$")]


class Activity(Cited, frozen=True, kw_only=True):
    """A code of the classification of industries whose plants are under quota.

    Attributes
    ----------
    processes
        Which of the code's; all, if empty.
    quota_from_list
        The first yearly list that has them.
    """

    code: ActivityCode
    sector: Sector
    processes: tuple[Process, ...] = ()
    quota_from_list: Year


class Reporting(Cited, frozen=True, kw_only=True):
    """Industries whose large plants report and are checked, without quota."""

    industries: tuple[str, ...]


class ListingRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file of listing."""

    threshold_tonnes: Ruled[Tonnes]
    years_below: Ruled[Count]
    activity: tuple[Activity, ...]
    reporting: Reporting


class Membership(Struct, frozen=True, kw_only=True):
    """Of which sector a plant is, whether under quota, and by what rule."""

    duty: Duty
    sector: str
    rule: str


class EntityRecord(Struct, frozen=True, kw_only=True):
    """What decides whether an entity is on the next list.

    Attributes
    ----------
    direct_tonnes
        Year -> verified direct emissions, tonnes of CO2 equivalent.
    expected_tonnes
        Of a plant new this year, what it is expected to emit.
    stopped
        It has stopped for good and emits nothing more.
    listed
        Whether the list in force has it.
    """

    entity: str
    direct_tonnes: dict[int, int]
    expected_tonnes: int | None = None
    stopped: bool = False
    listed: bool = False


class ListChange(Struct, frozen=True, kw_only=True):
    """What becomes of an entity with the next list."""

    entity: str
    change: Change
    rule: str
    words: str
    mark: Mark | None = None


@functools.cache
def listing_rules() -> ListingRules:
    """Return the packaged rules."""
    return load_rules("listing/listing", ListingRules, drafts=True)


def membership(
    code: str, list_year: int, *, process: Process | None = None, industry: str | None = None
) -> Membership | None:
    """Return of which sector a plant is; None if it neither is under quota nor reports.

    Parameters
    ----------
    code : str
        Its code in the classification of industries.
    list_year : int
        Of which yearly list.
    process : str, optional
        What it does, where the code has several.
    industry : str, optional
        The reporting industry it belongs to.

    Notes
    -----
    Rules: CEA-ENT-04, CEA-ENT-05, CEA-ENT-07, CEA-ENT-08, CEA-ENT-09.
    """
    rules = listing_rules()
    for activity in rules.activity:
        fits = activity.code == code and (not activity.processes or process in activity.processes)
        if fits and list_year >= activity.quota_from_list:
            return Membership(duty="quota", sector=activity.sector, rule=activity.rule)
    sector = industry or next((each.sector for each in rules.activity if each.code == code), None)
    if sector in rules.reporting.industries:
        return Membership(duty="reporting", sector=sector, rule=rules.reporting.rule)
    return None


def captive_plant_of(*, burns_own_secondary: bool, on_power_list: bool) -> Literal["power", "host"]:
    """Tell whether a captive power plant is an entity of power, or part of the works it serves.

    Notes
    -----
    Rules: CEA-ENT-04.
    """
    return "host" if burns_own_secondary and not on_power_list else "power"


def next_list(records: Iterable[EntityRecord], list_year: int) -> tuple[ListChange, ...]:
    """Return who enters the list of a year, stays on it and leaves it, in the order of names.

    Parameters
    ----------
    records : iterable of EntityRecord
        Every entity of the province and sector with figures; who is neither on the list nor large
        enough is left out.
    list_year : int
        The year whose list is made: its test is of two years before, the latest verified.

    Raises
    ------
    ComplianceError
        If an entity is given twice, or a listed one has no verified year to be tested by.

    Notes
    -----
    Rules: CEA-ENT-01, CEA-ENT-02, CEA-ENT-10, CEA-ENT-11.
    """
    found: dict[str, ListChange] = {}
    seen: set[str] = set()
    for record in records:
        if record.entity in seen:
            raise ComplianceError(
                RegistryRefusal.NAME_RESERVED, f"entity {record.entity}: expected once, got twice"
            )
        seen.add(record.entity)
        change = _change(record, list_year - 2)
        if change is not None:
            found[record.entity] = change
    return tuple(found[name] for name in sorted(found))


def _change(record: EntityRecord, latest: int) -> ListChange | None:
    threshold = listing_rules().threshold_tonnes
    verified = record.direct_tonnes.get(latest)
    if verified is not None:
        tonnes_check(verified, f"emissions of {record.entity}")
    if record.listed:
        return _of_listed(record, latest)
    for tonnes, words in (
        (verified, f"verified of {latest}"),
        (record.expected_tonnes, "expected"),
    ):
        if tonnes is not None and tonnes >= threshold.value and not record.stopped:
            return ListChange(
                entity=record.entity,
                change="entered",
                rule=threshold.rule,
                words=f"{tonnes} t {words}, at least {threshold.value}",
            )
    return None


def _of_listed(record: EntityRecord, latest: int) -> ListChange:
    threshold, years = listing_rules().threshold_tonnes.value, listing_rules().years_below

    def change(what: Change, words: str) -> ListChange:
        return ListChange(
            entity=record.entity, change=what, rule=years.rule, words=words, mark="decided"
        )

    if record.stopped:
        return change("left", "stopped, and emits nothing more")
    tested = [record.direct_tonnes.get(latest - back) for back in range(years.value)]
    if tested[0] is None and record.expected_tonnes is None:
        raise ComplianceError(
            RegistryRefusal.YEAR_OUT_OF_RANGE,
            f"entity {record.entity}: expected verified emissions of {latest}, got none"
            f" ({years.rule})",
        )
    if all(tonnes is not None and tonnes < threshold for tonnes in tested):
        return change("left", f"{years.value} years in a row below {threshold} t")
    return change("stayed", f"not {years.value} years in a row below {threshold} t")
