"""Inspections on site, and what verifiers report to provinces besides their findings."""

from cea_exchange.platform.verification.inspections import Officer
from support.platform.platform_world import CITY, PROVINCE, VERIFIER, ZHEJIANG
from support.refusing import refuses

LU, HE = Officer("Lu Yi", "33010021"), Officer("He Qi", "33010022")


def inspect(world, officers=(LU, HE), day=20260109):
    return world.platform.inspections.note(
        CITY, 1, day, officers, looked_at="scale 1", found="nothing", document="record 5"
    )


def test_an_inspection_is_kept_with_the_cards_of_its_officers(world):
    """CEA-VER-09."""
    assert inspect(world) == 1
    (kept,) = world.platform.inspections.of(1)
    assert (kept["day"], kept["officers"], kept["noted_by"]) == (
        *(20260109, "Lu Yi (33010021), He Qi (33010022)", "Chen Jie"),
    )


def test_fewer_than_two_officers_are_no_inspection(world):
    """CEA-VER-09."""
    for officers in ((), (LU,), (LU, LU), (LU, Officer("He Qi", LU.card))):
        with refuses("OFFICERS_TOO_FEW: officers: expected 2 or more, each once and with a card"):
            inspect(world, officers)
    assert world.platform.inspections.of(1) == []


def test_an_officer_without_a_card_and_a_day_that_comes_are_refused(world):
    """CEA-VER-09."""
    with refuses("TEXT_UNSOUND: card"):
        inspect(world, (LU, Officer("He Qi", "")))
    with refuses("DATE_OUT_OF_RANGE: day: expected one up to 20260110, got 20260111"):
        inspect(world, day=20260111)


def test_what_a_verifier_came_upon_is_told_to_the_province(world):
    """CEA-VER-14."""
    world.reported(2025)
    task = world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    unit_id = world.place().unit_id
    report = world.platform.irregularities.report
    assert report(VERIFIER, task, "unapproved_uprating", unit_id, "660 MW, 600 approved") == 1
    assert report(VERIFIER, task, "faulty_sampling", 0, "no sample of June was kept") == 2
    last, first = world.platform.irregularities.of_province(ZHEJIANG)
    assert (first["enterprise"], first["unit"], first["kind"]) == (
        *("E1", "E1-1", "unapproved_uprating"),
    )
    assert (last["unit"], last["words"]) == ("", "no sample of June was kept")
    assert world.platform.irregularities.of_province(11) == []


def test_nothing_is_reported_of_a_verification_that_is_over(world):
    """CEA-VER-14."""
    world.reported(2025)
    task = world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    with refuses("CHOICE_UNKNOWN: kind: expected one of unapproved_unit"):
        world.platform.irregularities.report(VERIFIER, task, "rude", 0, "words")
    world.platform.verifications.withdraw(task)
    with refuses("VERIFICATION_STATE: verification 1: expected open or concluded, got withdrawn"):
        world.platform.irregularities.report(PROVINCE, task, "faulty_sampling", 0, "words")
