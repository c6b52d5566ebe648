"""The registry without a socket: what it says to what comes, and when."""

import msgspec
import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.institution.venue_link.turns import (
    FEED_WAIT_NS,
    REPLAY_PAUSE_NS,
    REPLAY_WAIT_NS,
    ConnectionDropped,
    FeedAnswered,
    RecordsAsked,
)
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.machine import RegistryMachine
from support.registry.fake_venue import run_frames
from support.registry.settlement_records import ALICE, BOB, LOG_ID, PRODUCT, Venue

NOON_NS = 1_752_638_400_000_000_000
S_NS = 1_000_000_000


@pytest.fixture
def machine(registry):
    registry.product_declare(PRODUCT, 9_749)
    registry.account_open("alice")
    registry.account_open("bob")
    registry.pay_in("alice", 10_000_000)
    registry.issue("bob", PRODUCT, 1_000)
    cash = registry.transfer_in("alice", None, 10_000_000)
    tonnes = registry.transfer_in("bob", PRODUCT, 1_000)
    made = RegistryMachine(
        registry.store, GivenClock(lambda: NOON_NS), RegistryConfig(admission="open"), {}
    )
    made.venue.connected(0)
    made.venue_records = Venue()
    made.venue_records.deposited(ALICE, cash, cash=10_000_000)
    made.venue_records.deposited(BOB, tonnes, tonnes=1_000)
    made.venue_records.trade(10, 9_749)
    return made


def published(machine, first, last):
    """Records of the settlement stream, as the venue publishes them."""
    return [b"S", *run_frames(LOG_ID, machine.venue_records.records[first - 1 : last])]


def turned(machine, now_ns):
    machine.turn(now_ns)
    return machine.outputs()


def test_a_fresh_connection_is_asked_for_all_that_is_missing(machine):
    assert machine.outputs() == [RecordsAsked(None, 1)]
    assert not machine.venue.is_listening
    machine.venue.replayed(run_frames(LOG_ID, machine.venue_records.records), 1)
    assert machine.venue.is_listening and machine.venue.last_seq == 3
    assert turned(machine, 2) == []


def test_a_gap_is_asked_for_and_what_is_published_meanwhile_waits(machine):
    machine.venue.replayed(run_frames(LOG_ID, machine.venue_records.records[:0]), 0)
    machine.outputs()
    machine.venue.published([published(machine, 2, 3)], 1)
    assert machine.venue.last_seq == 0 and machine.venue.lag_records == 3
    assert turned(machine, REPLAY_PAUSE_NS - 1) == []
    assert turned(machine, REPLAY_PAUSE_NS) == [RecordsAsked(None, 1)]
    assert not machine.venue.is_listening
    machine.venue.replayed(run_frames(LOG_ID, machine.venue_records.records[:1]), S_NS)
    assert turned(machine, S_NS) == [RecordsAsked(LOG_ID, 2)]


def test_a_heartbeat_shows_that_the_last_message_was_lost(machine):
    machine.venue.replayed(run_frames(LOG_ID, machine.venue_records.records[:2]), 0)
    machine.outputs()
    beat = [b"H", msgspec.msgpack.encode({"log_id": LOG_ID, "last_seq": 3})]
    machine.venue.published([beat], 1)
    assert turned(machine, 1) == [RecordsAsked(LOG_ID, 3)]


def test_a_venue_that_does_not_answer_is_asked_over_a_fresh_connection(machine):
    beat = [b"H", msgspec.msgpack.encode({"log_id": LOG_ID, "last_seq": 3})]
    machine.venue.published([beat], 1)
    machine.outputs()
    assert turned(machine, REPLAY_WAIT_NS - 1) == []
    assert turned(machine, REPLAY_WAIT_NS) == [ConnectionDropped(), RecordsAsked(None, 1)]


def test_a_question_waits_for_news_but_not_long(machine):
    """What is new is answered at once; where nothing is, so that the venue knows we are there."""

    def asked(first, now_ns):
        question = msgspec.msgpack.encode({"from": first, "count": 10, "log_id": LOG_ID})
        assert machine.venue.feed_question(b"venue", question, now_ns) == ""
        return [each for each in turned(machine, now_ns) if isinstance(each, FeedAnswered)]

    machine.outputs()
    (first,) = asked(1, 0)
    shown = msgspec.msgpack.decode(first.content)
    assert first.connection == b"venue"
    assert shown["items"] and shown["settled_seq"] == 0
    behind = shown["last_seq"] + 1
    assert asked(behind, 1) == []
    assert turned(machine, FEED_WAIT_NS) == []
    (late,) = turned(machine, FEED_WAIT_NS + 1)
    assert msgspec.msgpack.decode(late.content)["items"] == []
    assert asked(behind, S_NS) == []
    machine.venue.replayed(run_frames(LOG_ID, machine.venue_records.records), S_NS + 1)
    (news,) = turned(machine, S_NS + 1)
    assert msgspec.msgpack.decode(news.content)["settled_seq"] == 3


def test_what_is_no_question_is_told_and_answered_nothing(machine):
    machine.outputs()
    assert "count" in machine.venue.feed_question(b"venue", msgspec.msgpack.encode({"from": 1}), 0)
    assert turned(machine, 2 * FEED_WAIT_NS) == []


def test_records_that_are_not_what_they_say_stop_the_line_and_nothing_else(machine):
    spoiled = published(machine, 1, 3)
    spoiled[2] = spoiled[2][:-1] + b"x"
    machine.venue.replayed(run_frames(LOG_ID, machine.venue_records.records[:0]), 0)
    machine.venue.published([spoiled], 1)
    assert machine.state.startswith("stopped: settlement records from 1 on: expected checksum")
    machine.venue.published([published(machine, 1, 3)], 2)
    assert machine.venue.last_seq == 0
    assert not machine.service.reply("x" * 40, b"").answer.is_done
