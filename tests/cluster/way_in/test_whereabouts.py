"""Where a leader may be, and to which place one goes."""

import json
import os

import pytest

from cea_exchange.cluster.way_in.whereabouts import Addresses, EndpointsFiles, Following, Place

NAMES = ("settlement", "replay")


class Given:
    """Whereabouts that a test changes."""

    def __init__(self, *places):
        self.now = list(places)

    def places(self):
        return self.now


A, B = Place(0, ("a",)), Place(0, ("b",))


def test_it_stays_where_it_is_answered_and_goes_on_where_it_is_not():
    following = Following(Given(A, B))
    assert following.choose(is_alive=False) == A
    assert following.choose(is_alive=True) == A
    assert following.choose(is_alive=False) == B
    assert following.choose(is_alive=True) == B
    assert following.choose(is_alive=False) == A


def test_a_later_epoch_is_gone_to_though_the_place_before_answers():
    given = Given(Place(1, ("a",)))
    following = Following(given)
    following.choose(is_alive=False)
    given.now = [Place(2, ("b",))]
    assert following.choose(is_alive=True) == Place(2, ("b",))


@pytest.mark.parametrize("is_alive", [True, False])
def test_an_earlier_epoch_is_not_gone_back_to(is_alive):
    given = Given(Place(2, ("b",)))
    following = Following(given)
    following.choose(is_alive=False)
    given.now = [Place(1, ("a",))]
    assert following.choose(is_alive=is_alive) == Place(2, ("b",))
    given.now = [Place(3, ("a",))]
    assert following.choose(is_alive=is_alive) == Place(3, ("a",))


def test_what_was_known_last_stays_while_nothing_is_known():
    given = Given(A)
    following = Following(given)
    following.choose(is_alive=False)
    given.now = []
    assert following.choose(is_alive=False) == A


def test_a_place_that_moved_is_followed():
    given = Given(A)
    following = Following(given)
    following.choose(is_alive=False)
    given.now = [B]
    assert following.choose(is_alive=True) == B


def test_addresses_are_tried_as_they_were_given():
    following = Following(Addresses([("a",), ("b",)]))
    tried = [following.choose(is_alive=False).addresses for _ in range(3)]
    assert tried == [("a",), ("b",), ("a",)]


def said(path, at, **fields):
    path.write_text(json.dumps(fields))
    os.utime(path, (at, at))


def test_the_file_that_was_written_last_comes_first(tmp_path):
    one, other, none = (tmp_path / name for name in ("one", "other", "none"))
    said(one, 100, settlement="s1", replay="r1", pid=1)
    said(other, 200, settlement="s2", replay="r2")
    files = EndpointsFiles([one, other, none], NAMES)
    assert [place.addresses for place in files.places()] == [("s2", "r2"), ("s1", "r1")]
    said(one, 300, settlement="s3", replay="r3")
    assert files.places()[0].addresses == ("s3", "r3")


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "[" * 100_000, '{"a": "\\ud800"}'),
        *('{"settlement": "s"}', '{"settlement": 1, "replay": 2}'),
    ],
)
def test_a_file_that_does_not_say_it_is_passed_over(tmp_path, content):
    path = tmp_path / "endpoints.json"
    path.write_text(content)
    assert EndpointsFiles([path], NAMES).places() == []
