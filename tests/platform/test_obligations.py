"""Obligations: what entities owe of a year, and how the registry hears of it."""

from decimal import Decimal

from cea_exchange.protocol.links.platform import AllowancesGiven, ObligationsSet, item_decode
from support.platform.platform_world import PROVINCE, VERIFIER, given_2024
from support.refusing import refuses


def test_an_entity_owes_every_verified_tonne_and_the_registry_hears_of_it(world):
    """CEA-SUR-01, CEA-PLK-01."""
    given_2024(world)
    platform = world.platform
    (obligation,) = platform.obligations.set_all(PROVINCE, 33, 2024)
    assert (obligation.due_tonnes, obligation.due_on) == (2_957_724, 20251231)
    items = [item_decode(row[0]) for row in world.store.execute("SELECT item FROM link_items")]
    *_, given, owed = [item.content for item in items]
    assert isinstance(given, AllowancesGiven)
    assert isinstance(owed, ObligationsSet)
    assert given.lines[0].generating[0].emissions == 2_957_724
    assert owed.lines[0].due_tonnes == 2_957_724
    with refuses("OBLIGATIONS_UNCHANGED: 33 2024"):
        platform.obligations.set_all(PROVINCE, 33, 2024)


def test_another_obligation_needs_a_reason_and_both_are_kept(world):
    """CEA-SUR-01."""
    given_2024(world)
    platform = world.platform
    platform.obligations.set_all(PROVINCE, 33, 2024)
    platform.verifications.withdraw(1)
    task = platform.verifications.give("E1", 2024, "V1", due_on=20250630)
    platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2900000.00")})
    platform.verifications.confirm(PROVINCE, task, reason="objection 1")
    given_2024(world, stage="adjustment", is_verified=True)
    with refuses("REASON_MISSING: E1: .*owes 2900000 t and not 2957724 t"):
        platform.obligations.set_all(PROVINCE, 33, 2024)
    (changed,) = platform.obligations.set_all(PROVINCE, 33, 2024, "objection 1")
    assert (changed.version, changed.due_tonnes) == (2, 2_900_000)
    assert platform.obligations.of(1, 2024) == changed


def test_without_a_final_allocation_nothing_is_owed_yet(world):
    with refuses("ALLOCATION_UNKNOWN: 33 2024: expected a final allocation that was distributed"):
        world.platform.obligations.set_all(PROVINCE, 33, 2024)
    assert world.platform.obligations.of(1, 2024) is None
