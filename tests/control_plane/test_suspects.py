"""The key that ends fronts is found by halving, and nobody else is cut off."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cea_exchange.control_plane.fronts.suspects import (
    CALM_S,
    PARTS_MAX,
    RECENT_S,
    REMEMBERED_S,
    REPEAT_S,
    TOGETHER_S,
    WITNESSED_ENDS,
    Suspects,
)

S = 1.0


def ended_alone(suspects, admitted, now_s):
    """A front of those who are not set apart ends, and no other within the moment."""
    suspects.ended(0, admitted, now_s)
    suspects.turn(now_s + TOGETHER_S)


def keys(count):
    return [f"key-{number:04}" for number in range(count)]


@given(st.integers(1, 3_600), st.data())
def test_the_culprit_is_found_in_as_many_ends_as_halving_takes(count, data):
    """Whoever it is; who is not set apart any more is free."""
    everybody = keys(count)
    culprit = data.draw(st.sampled_from(everybody))
    suspects, now_s, ends = Suspects(), 1_000.0, 0
    part = 0
    while culprit not in suspects.cut_off:
        there = {key: now_s - S for key in everybody if suspects.parts.get(key, 0) == part}
        assert culprit in there
        found = suspects.ended(part, there, now_s)
        suspects.turn(now_s + TOGETHER_S)
        ends += 1
        now_s += 2 * S
        part = suspects.parts.get(culprit, 0)
        assert len(set(suspects.parts.values())) <= PARTS_MAX
    assert found == culprit and list(suspects.cut_off) == [culprit]
    assert ends <= 3 + count.bit_length()


def test_who_came_last_is_set_apart_first():
    suspects, now_s = Suspects(), 10_000.0
    admitted = {"old": 0.0, "new": now_s - RECENT_S, "newer": now_s - 1}
    ended_alone(suspects, admitted, now_s)
    assert suspects.parts == {"new": 1, "newer": 2}


def test_an_end_waits_a_moment_for_others():
    """Nobody is moved before it is known whether one process ends several fronts."""
    suspects = Suspects()
    suspects.ended(0, {"a": 0.0, "b": 0.0}, 1.0)
    assert not suspects.turn(1.0 + TOGETHER_S / 2) and not suspects.parts
    assert suspects.turn(1.0 + TOGETHER_S) and suspects.parts.keys() == {"a", "b"}


@given(st.integers(2, 8), st.integers(1, 400), st.data())
def test_of_fronts_that_end_together_only_who_was_at_several_is_set_apart(fronts, count, data):
    """One process comes to all of them, everybody else to one."""
    everybody = keys(count)
    culprit = data.draw(st.sampled_from(everybody))
    suspects, now_s = Suspects(), 1_000.0
    for front in range(fronts):
        there = dict.fromkeys(everybody[front::fronts], now_s - S) | {culprit: now_s - S}
        assert suspects.ended(0, there, now_s) is None
        now_s += TOGETHER_S / 10
        suspects.turn(now_s)
    assert suspects.parts == {culprit: 1}
    assert suspects.ended(1, {culprit: now_s}, now_s + S) is None
    assert suspects.ended(2, {culprit: now_s}, now_s + 2 * S) == culprit


def test_who_came_lately_to_both_is_set_apart_before_who_was_at_both_once():
    suspects, now_s = Suspects(), 10_000.0
    for _ in range(2):
        suspects.ended(0, {"old": 0.0, "new": now_s}, now_s)
    assert suspects.parts == {"new": 1}


def test_fronts_that_end_together_without_anybody_in_common_are_judged_each():
    suspects = Suspects()
    suspects.ended(0, {"a": 0.0, "b": 0.0}, 1.0)
    suspects.ended(0, {"c": 0.0}, 1.0 + TOGETHER_S / 2)
    assert suspects.parts.keys() == {"a", "b", "c"}


def test_an_end_that_waits_and_is_explained_by_who_is_cut_off_makes_no_suspects():
    suspects = Suspects()
    ended_alone(suspects, {"culprit": 0.0}, 1.0)
    suspects.ended(1, {"culprit": 2.0}, 3.0)
    suspects.turn(3.0 + CALM_S)
    assert not suspects.parts
    later_s = 4.0 + CALM_S
    ended_alone(suspects, {"culprit": later_s}, later_s)
    (part,) = suspects.parts.values()
    suspects.ended(0, {"culprit": later_s, "other": later_s}, later_s + TOGETHER_S / 2)
    assert suspects.ended(part, {"culprit": later_s}, later_s + 2 * S) == "culprit"
    assert not suspects.turn(later_s + 3 * S) and not suspects.parts


def test_where_nobody_came_lately_or_it_was_nobody_of_them_all_are_set_apart():
    suspects, now_s = Suspects(), 10_000.0
    ended_alone(suspects, {"old": 0.0, "older": 0.0}, now_s)
    assert suspects.parts.keys() == {"old", "older"}
    suspects = Suspects()
    ended_alone(suspects, {"old": 0.0, "new": now_s}, now_s)
    now_s += RECENT_S + 1
    ended_alone(suspects, {"old": 0.0, "new": now_s, "newer": now_s}, now_s)
    assert suspects.parts.keys() == {"new", "old", "newer"}


def test_one_end_alone_cuts_nobody_off():
    """It may have been anything: who was there alone is set apart, and again alone cut off."""
    suspects = Suspects()
    assert suspects.ended(0, {"only": 0.0}, 1.0) is None
    suspects.turn(1.0 + TOGETHER_S)
    assert suspects.parts == {"only": 1} and not suspects.cut_off
    assert suspects.ended(1, {"only": 2.0}, 3.0) is None
    assert suspects.parts == {"only": 2} and not suspects.cut_off
    assert suspects.ended(2, {"only": 4.0}, 5.0) == "only"
    assert suspects.parts == {} and suspects.cut_off == {"only": 5.0}


def test_an_end_with_nobody_there_blames_nobody():
    suspects = Suspects()
    ended_alone(suspects, {"a": 0.0, "b": 0.0}, 1.0)
    before = dict(suspects.parts)
    assert suspects.ended(1, {}, 2.0) is None
    assert suspects.parts == before and not suspects.cut_off


@pytest.mark.parametrize("others", [(44,), (4, 5, 44)])
def test_several_culprits_are_all_found(others):
    suspects, now_s, everybody = Suspects(), 0.0, keys(50)
    culprits = {everybody[3], *(everybody[other] for other in others)}
    for _ in range(60):
        now_s += S
        for part in (0, *sorted(set(suspects.parts.values()))):
            there = {key: now_s for key in everybody if suspects.parts.get(key, 0) == part}
            there = {key: at_s for key, at_s in there.items() if key not in suspects.cut_off}
            if culprits & there.keys():
                suspects.ended(part, there, now_s)
                suspects.turn(now_s + TOGETHER_S)
                break
        else:
            break
    assert suspects.cut_off.keys() == culprits


@given(st.integers(0, 2**32), st.integers(2, 400))
def test_who_waits_until_all_are_free_is_found_by_having_been_there_each_time(seed, count):
    """Of two fronts, at which the kernel puts everybody anew after each end."""
    dice, suspects, now_s = random.Random(seed), Suspects(), 0.0
    everybody = keys(count)
    culprit, ends = everybody[count // 2], 0
    while culprit not in suspects.parts:
        assert (ends := ends + 1) < 60
        there = {key: 0.0 for key in everybody if key == culprit or dice.random() < 0.5}
        suspects.ended(0, there, now_s)
        now_s += CALM_S + 1
        suspects.turn(now_s)
    assert not suspects.cut_off
    # It is not free by waiting, and alone where it goes on.
    now_s += REMEMBERED_S / 2
    suspects.turn(now_s)
    part = suspects.parts[culprit]
    assert [key for key, its in suspects.parts.items() if its == part] == [culprit]
    assert suspects.ended(part, {culprit: now_s}, now_s) is None
    part = suspects.parts[culprit]
    assert suspects.ended(part, {culprit: now_s}, now_s + S) == culprit
    assert list(suspects.cut_off) == [culprit]


@pytest.mark.parametrize("culprits", [["a"], ["a", "b"]])
@pytest.mark.parametrize("poll_s", [0.5, 2.0, 5.0, 10.0])
def test_who_polls_with_connections_of_its_own_is_not_cut_off_for_others(culprits, poll_s):
    """It is at every front now and then, whoever ends them in turn and waits in between."""
    dice, suspects, now_s = random.Random(1), Suspects(), 0.0
    for end in range(60):
        culprit = culprits[end % len(culprits)]
        part = suspects.parts.get(culprit, 0)
        sitting = {key for key in keys(50) if dice.random() < 0.5}
        # It leaves at once; for a moment it is taken to be there yet.
        polling = {"poller"} if dice.random() < min(1.0, 2 / poll_s) / 2 else set()
        there = {culprit} | sitting | polling
        there = {key: now_s for key in there if suspects.parts.get(key, 0) == part}
        suspects.ended(part, there, now_s)
        now_s += CALM_S + poll_s
        suspects.turn(now_s)
        if suspects.cut_off.keys() >= set(culprits):
            break
    assert suspects.cut_off.keys() <= set(culprits)
    assert suspects.cut_off or len(culprits) > 1


def test_who_was_always_there_beside_the_culprit_is_alone_and_not_cut_off():
    """Its sessions are at every front: nobody knows which of the two it was, until one goes on."""
    suspects, now_s = Suspects(), 0.0
    for number in range(WITNESSED_ENDS):
        suspects.ended(0, {"culprit": 0.0, "busy": 0.0, f"other-{number}": 0.0}, now_s)
        now_s += CALM_S + 1
        suspects.turn(now_s)
    assert suspects.parts.keys() == {"culprit", "busy"} and not suspects.cut_off
    assert suspects.parts["culprit"] != suspects.parts["busy"]
    for _ in range(2):
        suspects.ended(suspects.parts["culprit"], {"culprit": now_s}, now_s)
        now_s += CALM_S + 1
        suspects.turn(now_s)
    assert list(suspects.cut_off) == ["culprit"] and list(suspects.parts) == ["busy"]
    suspects.turn(now_s + REMEMBERED_S)
    assert not suspects.parts


def test_what_was_long_ago_is_forgotten():
    suspects = Suspects()
    ended_alone(suspects, {"only": 0.0}, 1.0)
    suspects.ended(1, {"only": 0.0}, 2.0)
    later_s = 3.0 + REMEMBERED_S
    suspects.turn(later_s)
    ended_alone(suspects, {"only": 0.0}, later_s)
    (part,) = suspects.parts.values()
    assert suspects.ended(part, {"only": 0.0}, later_s + 1) is None


def test_all_are_free_again_once_it_is_calm():
    suspects = Suspects()
    ended_alone(suspects, {"a": 0.0, "b": 0.0}, 1.0)
    assert not suspects.turn(CALM_S) and suspects.parts
    assert suspects.turn(1.0 + CALM_S) and not suspects.parts
    assert not suspects.turn(2.0 + CALM_S)


def test_a_key_is_restored_by_who_may():
    suspects = Suspects()
    for part in range(3):
        suspects.ended(part, {"only": 0.0}, 1.0 + 2 * part)
        suspects.turn(2.0 + 2 * part)
    assert suspects.restore("only") and not suspects.cut_off
    assert not suspects.restore("only")


@pytest.mark.parametrize("later_s", [RECENT_S + 1, REPEAT_S])
def test_an_end_within_the_time_is_a_repeat(later_s):
    suspects = Suspects()
    ended_alone(suspects, {"old": 0.0, "new": 5_000.0}, 5_000.0)
    now_s = 5_000.0 + later_s
    ended_alone(suspects, {"old": 0.0, "newest": now_s}, now_s)
    assert "old" in suspects.parts
