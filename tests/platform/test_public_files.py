"""Disclosure: what is public, in the columns that are public."""

from decimal import Decimal

import msgspec
import pytest

from cea_exchange.cli.main import run
from cea_exchange.platform.entity_list.unit_facts import facts_read
from cea_exchange.protocol.links.platform import Completion, LinkQuestion
from support.platform.platform_world import (
    LI,
    PROVINCE,
    VERIFIER,
    WANG,
    given_2024,
    verified_year,
)

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def public(world):
    return world.platform.public_files


def test_what_each_entity_emitted_is_public_by_its_last_result(world, public):
    """CEA-ENT-17, CEA-VER-12."""
    given_2024(world)
    assert public.emissions(2024).decode().splitlines() == [
        "compliance_year,province,enterprise,title,sector,tonnes,mark",
        "2024,33,E1,Power 1,power,2957724,",
        "2024,33,TOTAL,,,2957724,",
        "2024,,TOTAL,,,2957724,",
    ]
    world.platform.verifications.withdraw(1)
    task = world.platform.verifications.give("E1", 2024, "V1", due_on=20250630)
    world.platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2900000.00")})
    world.platform.verifications.confirm(PROVINCE, task, reason="objection 1")
    assert b"E1,Power 1,power,2900000" in public.emissions(2024)


def test_what_was_emitted_by_a_second_hand_default_is_marked_so(world, public):
    """CEA-PLN-30, CEA-ENT-17: from the month to the public file."""
    verified_year(world, 2024, without=("B.bituminous", "C.bituminous"))
    assert public.emissions(2024).decode().splitlines()[1].endswith(",recalled second_hand")


def test_who_has_surrendered_is_public_and_no_tonnes_of_it(world, public):
    """CEA-ENT-17, CEA-PLK-07: an obligation that was raised since is covered no more."""
    given_2024(world)
    platform = world.platform
    platform.obligations.set_all(PROVINCE, 33, 2024)

    def line():
        return public.completion(2024).decode().splitlines()[1]

    assert public.completion(2024).decode().splitlines() == [
        "compliance_year,province,enterprise,title,sector,completed,completed_on",
        "2024,33,E1,Power 1,power,0,",
        "2024,33,TOTAL,,,0,",
        "2024,,TOTAL,,,0,",
    ]
    for seq, owed, said in ((1, 2_900_000, "0,"), (2, 2_957_724, "1,2025-12-20")):
        shown = Completion(seq, "E1", 2024, owed, owed, 0, 20251220)
        question = LinkQuestion(1, 0, platform.outbox.log_id, (), (shown,))
        assert not platform.outbox.answer(msgspec.msgpack.encode(question)).refusal
        assert line() == f"2024,33,E1,Power 1,power,{said}"


def test_changes_in_operation_are_public_and_no_facts_of_a_unit(world, public):
    """CEA-ENT-17: of a year, of listed entities alone."""
    platform = world.platform
    world.listed(2025)
    world.enterprise("E2", number=2)
    world.enterprise("E3", number=3)
    world.unit("E1-2", valid_from=20250815)
    world.unit("E3-1", "E3", valid_from=20250815)
    platform.units.change(
        "E1-1", 1, facts_read('{"rated_kw": [660000]}'), valid_from=20250901, document="licence 2"
    )
    before = platform.enterprises.facts_on(1, 20251231)
    platform.enterprises.change(
        "E1", before._replace(valid_from=20250301, title="Power One", document="decision 7")
    )
    platform.successions.merge("E1", "E2", decided_on=20251201, document="decision 8")
    assert public.changes(2025).decode().splitlines() == [
        "year,province,enterprise,changed_on,change,subject",
        "2025,33,E1,2025-03-01,renamed,Power One",
        "2025,33,E1,2025-08-15,unit added,E1-2",
        "2025,33,E1,2025-09-01,unit changed,E1-1",
        "2025,33,E1,2025-12-01,merged,E2",
        "2025,33,E1,2025-12-01,unit given over,E1-1",
        "2025,33,E1,2025-12-01,unit given over,E1-2",
        "2025,,TOTAL,,,",
    ]
    assert public.changes(2024).decode().splitlines()[1:] == [",,TOTAL,,,"]


def test_whom_an_entity_had_for_its_year_is_public(world, public):
    """CEA-ENT-17."""
    world.firm("A1", 901)
    world.platform.firms.engage("E1", "A1", 2025, "advice")
    assert public.services(2025).decode().splitlines() == [
        "compliance_year,province,enterprise,title,firm,firm_title,service",
        "2025,33,E1,Power 1,A1,Verifiers 901,advice",
        "2025,,TOTAL,,,,",
    ]
    assert public.services(2024).decode().splitlines()[1:] == [",,TOTAL,,,,"]


def test_no_person_figure_or_document_leaves(world, public):
    """CEA-ENT-17."""
    given_2024(world)
    world.platform.firms.score("V1", 2025, 33, quality=90, compliance=100, timeliness=80)
    shown = public.emissions(2024) + public.scores(2025) + public.penalties()
    for secret in (LI.name, WANG.name, PROVINCE.name, LI.key, "0.5432", "scale.pdf", "123000"):
        assert secret.encode() not in shown


def test_what_is_public_is_written_with_a_page_and_nothing_else(
    world, tmp_path, database_address, capsys
):
    """CEA-ENT-02, CEA-ENT-17: lists as they were published, byte for byte."""
    given_2024(world)
    world.platform.listing.publish(2024, 33)
    out = tmp_path / "public"
    command = ["platform", "publish", "2024", "--data", str(tmp_path), "--out", str(out)]
    if database_address is not None:
        command += ["--database", database_address]
    assert run(command) == 0, capsys.readouterr().err
    assert {file.name for file in out.iterdir()} == {
        *("emissions-2024.csv", "completion-2024.csv", "scores-2024.csv", "penalties.csv"),
        *("changes-2024.csv", "list-2024-33.csv", "services-2024.csv"),
        "index-2024.html",
    }
    assert (out / "list-2024-33.csv").read_bytes() == world.platform.listing.published(2024, 33)
    page = (out / "index-2024.html").read_text()
    assert 'href="emissions-2024.csv"' in page
    assert "second_hand, as another than the maker of the rule says" in page
    assert run([*command[:2], "12", *command[3:]]) == 2
    assert "expected a year from 2018" in capsys.readouterr().err
