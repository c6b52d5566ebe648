"""Attacks on a registry's database whose chain the venue keeps heads of."""

import pytest

from support.ledger_attacks.known_missed import COPY, expected
from support.ledger_attacks.ran_attacks import Honest
from support.ledger_attacks.registry_attacks import OF_THE_VENUE as ATTACKS
from support.ledger_attacks.verdicts import by_day
from support.ledger_attacks.worlds import BEFORE_ANCHOR, BEHIND_ANCHOR, registry_made

pytestmark = pytest.mark.attack
BY_DAY = {
    "more allowances are issued, with both postings",
    "a transfer is of more",
    "a day begins that never was",
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Honest:
    data = tmp_path_factory.mktemp("honest")
    return Honest(data, books=registry_made(data))


@pytest.mark.parametrize("attack", by_day(ATTACKS, BY_DAY))
def test_a_rewritten_database_is_found_or_counted(honest, attack, tmp_path, monkeypatch):
    """CEA-REG-05: rows, log, chain and head agree with each other."""
    verdict = honest.after(attack, "registry", tmp_path, monkeypatch)
    assert expected("registry", attack.name, attack.verdict) == verdict


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "verdict"), [(BEFORE_ANCHOR, "found"), (BEHIND_ANCHOR, "missed")])
def test_an_older_copy_is_found_if_an_anchor_came_after_it(
    honest, name, verdict, tmp_path, monkeypatch
):
    """CEA-REG-05, CEA-REG-09."""
    assert verdict == honest.put_back(name, "registry", tmp_path, monkeypatch)
    assert "missed" == expected("registry", COPY, "found")
