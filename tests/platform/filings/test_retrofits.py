"""A guideline that was changed within the year: what was filed is changed in bulk."""

from types import MappingProxyType

import msgspec
import pytest

from cea_exchange.domain.compliance.accounting import GUIDELINES, PARAMETERS, sectors
from cea_exchange.domain.compliance.accounting.guidelines import Default
from cea_exchange.platform.filings import plans, retrofits
from support.platform.platform_world import LI, NATION, VERIFIER, WANG
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

NOTICE = "notice of 2026-06-23"


@pytest.fixture
def notice(monkeypatch):
    """Let a notice set the oxidation of bituminous coal to 98%, and ask for no hours any more."""

    def published():
        known = dict(PARAMETERS["power"])
        known["E.bituminous"] = msgspec.structs.replace(
            known["E.bituminous"], defaults=(Default(value="98"),)
        )
        power = msgspec.structs.replace(
            GUIDELINES["power"], parameters=MappingProxyType(dict(known))
        )
        monkeypatch.setattr(sectors, "GUIDELINES", {**GUIDELINES, "power": power})
        monkeypatch.setattr(retrofits, "PARAMETERS", {**PARAMETERS, "power": known})
        planned = {name: each for name, each in known.items() if name != "N"}
        for module in (plans, retrofits):
            monkeypatch.setattr(module, "PARAMETERS", {**PARAMETERS, "power": planned})

    return published


def retrofit(world, year=2025, sector="power"):
    return world.platform.retrofits.retrofit(NATION, sector, year, NOTICE)


def test_months_have_a_further_version_by_the_guideline_of_now_and_stand_as_they_did(world, notice):
    """CEA-MRV-13, CEA-MRV-08: what counted counts on, and both versions are kept."""
    world.enter(202506)
    world.accept(202506)
    world.enter(202507)
    world.platform.months.file(WANG, "E1", 202507)
    world.enter(202508)
    notice()
    assert retrofit(world) == {"plans": 0, "months": 2, "reported": 0}
    documents = world.platform.documents
    before, after = documents.versions(world.place(period=202506))
    assert (before.emission, after.emission) == ("246477.00", "243987.33")
    assert (after.version, after.reason, after.entered_by) == (2, NOTICE, NATION.name)
    assert documents.accepted(world.place(period=202506)) == after
    states = [
        documents.standing(world.place(period=month)).state for month in range(202506, 202509)
    ]
    assert states == ["accepted", "filed", "draft"]
    assert retrofit(world) == {"plans": 0, "months": 0, "reported": 0}


def test_plans_lose_what_is_asked_no_more(world, notice):
    """CEA-MRV-13, CEA-MRV-11."""
    world.plan(2025)
    world.platform.plans.file(WANG, "E1", 2025)
    world.pass_all("plan", 2025)
    notice()
    assert retrofit(world)["plans"] == 1
    shown = world.platform.pages.plan("E1", 2025)
    assert (shown["version"], shown["cause"], shown["reason"]) == (2, "against_guideline", NOTICE)
    assert "N" not in {each["parameter"] for each in shown["figures"]}


def test_a_year_that_is_reported_is_left_as_it_is(world, notice):
    """CEA-MRV-13."""
    world.reported(2025)
    world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    notice()
    assert retrofit(world) == {"plans": 0, "months": 0, "reported": 1}
    assert len(world.platform.documents.versions(world.place(period=202506))) == 1


def test_other_sectors_are_not_touched(world, notice):
    """CEA-MRV-13."""
    world.enter(202506)
    world.accept(202506)
    notice()
    assert retrofit(world, sector="cement") == {"plans": 0, "months": 0, "reported": 0}
    with refuses("CHOICE_UNKNOWN: sector: expected one of power"):
        retrofit(world, sector="paper")
    with refuses("TEXT_UNSOUND: notice"):
        world.platform.retrofits.retrofit(NATION, "power", 2025, "")


def test_who_has_seen_the_older_version_does_not_file_the_newer(world, notice):
    """CEA-ENT-14: the drafts of enterprises are theirs, and are not changed."""
    world.enter(202507)
    notice()
    retrofit(world)
    (draft,) = world.platform.documents.versions(world.place(period=202507))
    assert draft.entered_by == LI.name != VERIFIER.name
