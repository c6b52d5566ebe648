"""Keys take turns, and what one key brings waits for itself alone."""

import doctest

from cea_exchange.institution.control import fair_queue
from cea_exchange.institution.control.fair_queue import (
    KEY_BURST_NS,
    KEY_PART,
    KEY_REST_NS,
    NS_PER_S,
    FairQueue,
    KeyTimes,
    QueueLimits,
)


def test_the_example_holds():
    assert doctest.testmod(fair_queue).attempted == 7
    assert doctest.testmod(fair_queue).failed == 0


def test_bytes_are_bounded_for_a_key_and_for_all():
    queue = FairQueue(QueueLimits(key_count_max=9, key_bytes_max=100, bytes_max=150))
    assert "" == queue.put("a", 1, 100)
    assert "100 bytes of a key" in queue.put("a", 2, 1)
    assert "150 bytes of all" in queue.put("b", 3, 51)
    assert "" == queue.put("b", 4, 50) and queue.bytes_held == 150
    assert ("a", 1) == queue.take() and ("b", 4) == queue.take()
    assert queue.take() is None and queue.bytes_held == 0 and len(queue) == 0
    assert "" == queue.put("a", 5, 100)


def test_a_few_keys_that_fill_everything_shut_nobody_out():
    """Whoever has nothing waiting is let in, up to as much again for all of them."""
    limits = QueueLimits(key_count_max=9, key_bytes_max=50, bytes_max=100, own_bytes=10)
    queue = FairQueue(limits)
    assert ["", ""] == [queue.put(key, 0, 50) for key in "ab"]
    assert "100 bytes of all" in queue.put("c", 0, 11)
    assert "" == queue.put("c", 1, 10)
    assert "100 bytes of all" in queue.put("c", 2, 1)
    others = [queue.put(f"d{number}", 0, 10) for number in range(10)]
    assert [""] * 9 == others[:9] and "100 bytes of all" in others[9]


def test_a_key_whose_turn_it_is_not_is_passed_over():
    queue = FairQueue(QueueLimits(key_count_max=9, key_bytes_max=9, bytes_max=99))
    for key, item in (("a", 1), ("a", 2), ("b", 3)):
        queue.put(key, item, 1)
    assert ("b", 3) == queue.take(frozenset({"a"}))
    assert queue.take(frozenset({"a"})) is None and len(queue) == 2


def test_a_key_whose_requests_take_much_time_gets_its_share_and_no_more():
    times, now_ns, taken_ns = KeyTimes(), 0, 0
    act_ns, end_ns = NS_PER_S // 2, 1_000 * NS_PER_S
    while now_ns < end_ns:
        if "a" in times.resting(now_ns):
            now_ns += act_ns // 50
            continue
        now_ns += act_ns
        taken_ns += act_ns
        times.spend("a", act_ns, now_ns)
        assert "b" not in times.resting(now_ns)
    assert abs(taken_ns - end_ns // KEY_PART - KEY_BURST_NS) < 2 * NS_PER_S


def test_a_key_rests_for_some_seconds_only_and_is_forgotten_then():
    times = KeyTimes()
    times.spend("a", 1_000 * NS_PER_S, 50 * NS_PER_S)
    assert times.resting(50 * NS_PER_S + KEY_REST_NS - 10) == {"a"}
    assert not times.resting(50 * NS_PER_S + KEY_REST_NS)
    times.spend("b", KEY_BURST_NS, 60 * NS_PER_S)
    assert not times.resting(60 * NS_PER_S)
    times.resting(1_000 * NS_PER_S)
    assert not times._taken
