"""The venue's connection to its registry: what keeps it from being made ends nothing."""

import json
import time

import msgspec
import pytest
import zmq

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.registry_link import connection, feed
from cea_exchange.venue.registry_link.connection import RegistryLine
from cea_exchange.venue.registry_link.feed import RegistryFeed
from support.registry.fake_venue import wait_until


@pytest.fixture
def context():
    with zmq.Context() as one:
        yield one


@pytest.fixture
def make(tmp_path, context):
    CurveKeys.new().save(tmp_path / "keys", "registry")
    made = []

    def feed_of(**settings):
        line = RegistryLine(context, VenueConfig(**settings), tmp_path, CurveKeys.new())
        made.append(line)
        return line, RegistryFeed(line, time.monotonic)

    yield feed_of
    for one in made:
        one.close()


def ask(made):
    line, feed = made
    feed.ask(last=0, log_id="0" * 32)
    return line.is_open


def test_without_a_descriptor_it_is_tried_again(make, context, monkeypatch):
    """Connections of others may have taken them all; the venue trades on, and only cancels."""
    shown = []
    monkeypatch.setattr(
        connection.log, "warning", lambda event, **fields: shown.append((event, fields))
    )
    context.set(zmq.MAX_SOCKETS, 1)
    with context.socket(zmq.DEALER):
        one = make(registry_feed="tcp://127.0.0.1:9")
        assert not ask(one)
        time.sleep(0.11)  # that long it does not try again
        assert not ask(one)
    wait_until(lambda: ask(one))
    ((event, fields),) = shown
    assert event == "registry_not_reached" and "Too many open files" in fields["error"]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff", b"[" * 100_000, b'{"feed": ' * 7_000, b"[]", b"{}", b'{"feed": null}'),
        *(b'{"feed": 5}', b'{"feed": "nowhere"}', b'{"feed": "tcp://127.0.0.1:none"}'),
        *(b'{"feed": "\\ud800"}', b'{"feed": "tcp://\\ud800:1"}', '{"feed": "tcp://碳:1"}'.encode()),
        *(b'{"feed": "%s"}' % (b"a" * 100_000), b'{"feed": "ipc:///%s"}' % (b"a" * 999)),
    ],
)
def test_a_file_without_an_address_is_read_again(make, tmp_path, content):
    (tmp_path / "registry").mkdir()
    file = tmp_path / "registry" / "endpoints.json"
    file.write_bytes(content)
    one = make()
    assert not ask(one)
    file.write_text(json.dumps({"feed": "tcp://127.0.0.1:9"}))
    wait_until(lambda: ask(one))


def test_the_key_of_the_start_is_enough(make, tmp_path):
    one = make(registry_feed="tcp://127.0.0.1:9")
    (tmp_path / "keys" / "registry.public").unlink()
    assert ask(one)


# -- What is asked when, without a socket ----------------------------------------------------------


class Line:
    """A way to the registry that notes what is asked."""

    def __init__(self):
        self.is_there, self.is_open, self.opened = True, False, 0
        self.asked, self.answers = [], []

    def open(self):
        self.opened += self.is_there
        self.is_open = self.is_there
        return self.is_there

    def send(self, content):
        self.asked.append(msgspec.msgpack.decode(content)["from"])
        return True

    def receive(self):
        return self.answers.pop() if self.answers else None

    def close(self):
        self.is_open = False


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def following(line, clock):
    """A feed, as a function that lets it ask at a time and returns what was asked so far."""
    one = RegistryFeed(line, lambda: clock[0])

    def asked(at_s, last=7):
        clock[0] = at_s
        one.answer()
        one.ask(last=last, log_id="0" * 32)
        return line.asked

    asked.feed = one
    return asked


def answer(items=()):
    return msgspec.msgpack.encode({"items": list(items), "last_seq": 7, "settled_seq": 0})


def test_one_question_at_a_time_and_the_last_item_once_more_on_a_new_connection(line, following):
    assert following(100.0) == [7] and following(101.9) == [7]
    line.answers.append(answer([b"x"]))
    assert following(101.9) == [7, 8]


def test_silence_makes_a_new_connection(line, following):
    following(100.0)
    assert following(100.0 + feed.TIMEOUT_S) == [7, 7]
    assert line.opened == 2


def test_nothing_new_is_asked_for_again_after_a_pause(line, following):
    following(100.0)
    line.answers.append(answer())
    assert following(100.1) == [7]
    assert following(100.1 + feed.PAUSE_S) == [7, 8]


def test_a_registry_that_is_not_there_is_looked_for_again(line, following):
    line.is_there = False
    assert following(100.0) == []
    line.is_there = True
    assert following(100.0 + feed.UNREACHED_S / 2) == []
    assert following(100.0 + feed.UNREACHED_S) == [7]


def test_after_a_pause_for_what_can_not_be_applied_it_begins_anew(line, following):
    following(100.0)
    following.feed.pause(1.0)
    assert following(100.9) == [7] and not line.is_open
    assert following(101.0) == [7, 7]
