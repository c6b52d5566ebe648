"""The hash of a holding: of the names and the amount, by an algorithm that others know."""

from cea_exchange.domain.naming import CASH_NAME, name_key
from cea_exchange.institution.venue_link.holding_hash import fold, holding_hash, mix


def test_mix_is_the_finalizer_of_splitmix64():
    """The first outputs of splitmix64 from seed 0, as published with the algorithm."""
    gamma = 0x9E3779B97F4A7C15
    assert mix(0) == 0xE220A8397B1DCDAF
    assert mix(gamma) == 0x6E789E6AA1B965F4
    assert mix(2 * gamma % 2**64) == 0x06C45D188009454F


def test_fold_depends_on_order_and_takes_negative_words():
    assert fold([]) == 0
    assert fold([0]) == 0xE220A8397B1DCDAF
    assert fold([1, 2]) != fold([2, 1])
    assert fold([-1]) == fold([2**64 - 1])


def test_a_holding_of_nothing_hashes_to_nothing():
    assert holding_hash("alice", "CEA23", 0) == 0
    expected = fold([1, name_key("alice"), name_key("CEA23"), 5])
    assert holding_hash("alice", "CEA23", 5) == expected
    assert holding_hash("alice", CASH_NAME, 5) != expected
