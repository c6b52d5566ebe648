"""Attacks on a venue's folder by somebody who computes checksums and derived files anew."""

import pytest

from support.ledger_attacks.known_missed import expected
from support.ledger_attacks.venue_attacks import ATTACKS
from support.ledger_attacks.venue_verdicts import folder_verdict
from support.ledger_attacks.venue_world import copied, venue_made
from support.ledger_attacks.verdicts import MISSED, by_day

pytestmark = [pytest.mark.attack, pytest.mark.slow]
BY_DAY = {"a block is of one tonne more", "all forms of the bulletin", "the event index is gone"}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    data = tmp_path_factory.mktemp("honest")
    venue_made(data)
    return data


@pytest.mark.parametrize("attack", by_day(ATTACKS, BY_DAY))
def test_a_changed_folder_is_found(honest, attack, tmp_path):
    """CEA-REG-05, CEA-INF-01, CEA-CAS-03: or it is named as missing, or nothing is lost."""
    data = copied(honest, tmp_path)
    attack.change(data)
    verdict = folder_verdict(data, honest)
    assert expected("venue", attack.name, attack.verdict) == verdict


@pytest.mark.nightly
def test_nothing_is_found_in_an_honest_folder(honest, tmp_path):
    """CEA-REG-05."""
    assert MISSED == folder_verdict(copied(honest, tmp_path), honest)
