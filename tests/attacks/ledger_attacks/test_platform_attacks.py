"""Attacks on a platform's database whose chain the registry keeps heads of."""

import pytest

from support.ledger_attacks.known_missed import COPY, expected
from support.ledger_attacks.platform_attacks import ATTACKS
from support.ledger_attacks.ran_attacks import Honest
from support.ledger_attacks.registry_attacks import OF_THE_PLATFORM
from support.ledger_attacks.verdicts import by_day
from support.ledger_attacks.worlds import BEFORE_ANCHOR, BEHIND_ANCHOR, platform_made

pytestmark = pytest.mark.attack
BY_DAY = {
    "line, allocation and total give more",
    "the fine is lower, everywhere",
    "the newest step is by another person",
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Honest:
    data = tmp_path_factory.mktemp("honest")
    platform_made(data)
    return Honest(data, "platform")


@pytest.mark.parametrize("attack", by_day(ATTACKS, BY_DAY))
def test_a_rewritten_database_is_found_or_counted(honest, attack, tmp_path, monkeypatch):
    """CEA-REG-05: rows, log, chain and head agree with each other."""
    verdict = honest.after(attack, "platform", tmp_path, monkeypatch)
    assert expected("platform", attack.name, attack.verdict) == verdict


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "verdict"), [(BEFORE_ANCHOR, "found"), (BEHIND_ANCHOR, "missed")])
def test_an_older_copy_is_found_if_an_anchor_came_after_it(
    honest, name, verdict, tmp_path, monkeypatch
):
    """CEA-REG-05, CEA-REG-09."""
    assert verdict == honest.put_back(name, "platform", tmp_path, monkeypatch)
    assert "missed" == expected("platform", COPY, "found")


@pytest.mark.nightly
@pytest.mark.parametrize("attack", by_day(OF_THE_PLATFORM, ()))
def test_a_rewritten_registry_is_found_by_its_platform(honest, attack, tmp_path, monkeypatch):
    """CEA-REG-05, CEA-PLK-01."""
    verdict = honest.after(attack, "registry", tmp_path, monkeypatch)
    assert expected("registry", attack.name, attack.verdict) == verdict
