"""When all venues of a cluster have the same."""

from types import SimpleNamespace

import pytest

from cea_exchange.loadtest.stands.local_cluster import LocalCluster

pytestmark = pytest.mark.unit

NAMES = ("venue-1", "venue-2", "venue-3")
LOOKED = (900, "00000000000000aa")
NOWHERE_YET = (0, "0000000000000000")


def is_level(*stands):
    """Tell it of venues, each of (message, lag, last checkpoint)."""
    found = {
        name: SimpleNamespace(
            log_seq=log_seq, lag=lag, checkpoint_seq=looked[0], checkpoint_hash=looked[1]
        )
        for name, (log_seq, lag, looked) in zip(NAMES, stands, strict=False)
    }
    stand = SimpleNamespace(states=lambda: found, venue_names=NAMES)
    return LocalCluster.is_level(stand)


def test_all_have_the_whole_log_and_found_the_same():
    assert is_level((7, 0, LOOKED), (7, 0, LOOKED), (7, 0, LOOKED))
    # Killed after the day's last checkpoint, it began behind it: a run waited for it in vain.
    assert is_level((7, 0, LOOKED), (7, 0, NOWHERE_YET), (7, 0, LOOKED))


@pytest.mark.parametrize(
    "other", [(6, 0, LOOKED), (7, 1, LOOKED), (7, 0, (900, "bb")), (7, 0, (800, LOOKED[1]))]
)
def test_one_is_behind_or_found_another_state(other):
    assert not is_level((7, 0, LOOKED), other, (7, 0, LOOKED))


def test_one_says_nothing():
    assert not is_level((7, 0, LOOKED), (7, 0, LOOKED))
