"""Attacks on a CCER registry whose chain the allowance registry and the venue keep heads of."""

import pytest

from support.ledger_attacks.ccer_attacks import ATTACKS
from support.ledger_attacks.known_missed import COPY, expected
from support.ledger_attacks.ran_attacks import Honest
from support.ledger_attacks.verdicts import by_day
from support.ledger_attacks.worlds import BEFORE_ANCHOR, BEHIND_ANCHOR, ccer_made

pytestmark = pytest.mark.attack
BY_DAY = {
    "cancellation and proof are for another entity",
    "a trade has another price",
    "the newest freeze is of another court",
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Honest:
    data = tmp_path_factory.mktemp("honest")
    return Honest(data, "ccer", ccer_made(data))


@pytest.mark.parametrize("attack", by_day(ATTACKS, BY_DAY))
def test_a_rewritten_database_is_found_or_counted(honest, attack, tmp_path, monkeypatch):
    """CEA-REG-05: rows, log, chain and head agree with each other."""
    verdict = honest.after(attack, "ccer", tmp_path, monkeypatch)
    assert expected("ccer", attack.name, attack.verdict) == verdict


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "verdict"), [(BEFORE_ANCHOR, "found"), (BEHIND_ANCHOR, "missed")])
def test_an_older_copy_is_found_if_an_anchor_came_after_it(
    honest, name, verdict, tmp_path, monkeypatch
):
    """CEA-REG-05, CEA-REG-09."""
    assert verdict == honest.put_back(name, "ccer", tmp_path, monkeypatch)
    assert "missed" == expected("ccer", COPY, "found")
