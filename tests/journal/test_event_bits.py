"""Bits of the event store flip: what is damaged is said, and never served."""

import random
import shutil

import msgspec
import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Reason, Side
from cea_exchange.journal import EventDamaged, snapshot_paths, snapshot_read
from cea_exchange.venue.operations.admin_client import AdminError
from support.rounds import ROUNDS
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.attack

FLIPS = 10 * ROUNDS
HEADER_BYTES = 64
SUM_BYTES = 4


def flip(path, chance, share=1.0):
    """Flip a bit behind the header, in the first part; return how to take it back."""
    size = HEADER_BYTES + int(share * (path.stat().st_size - HEADER_BYTES))
    return flip_at(path, chance.randrange(HEADER_BYTES, size), 1 << chance.randrange(8))


def flip_at(path, offset, bit):
    """Flip a bit of one byte; return how to take it back."""

    def turn():
        with path.open("r+b") as file:
            file.seek(offset)
            (byte,) = file.read(1)
            file.seek(offset)
            file.write(bytes([byte ^ bit]))

    turn()
    return turn


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        yield world


def traded(world):
    """Trade a little, and return all reports of alice."""
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    for number in range(1, 31):
        alice.command(enter(number, "buy", 9749, 2))
        bob.command(enter(number, "sell", 9749, 1))
        alice.reports_until(lambda rows: len(rows) and rows["trade_id"].any())
    return alice


def replayed(peer, count):
    """Return the bytes of the reports that a replay gives, and the answer that ends it early."""
    peer.send(b"M", msgspec.msgpack.encode({"op": "replay", "from": 1, "count": count}))
    rows = b""
    while len(rows) < count * EVENT_DTYPE.itemsize:
        frames = peer.receive()
        assert frames is not None
        if frames[0] == b"R":
            rows += frames[1]
        elif b"refused" in frames[1]:
            return rows, frames[1]
    return rows, b""


@pytest.mark.parametrize("name", ["events.rows", "events.sums"])
def test_who_asks_gets_the_truth_or_is_refused_and_others_trade_on(world, name):
    chance = random.Random(15)
    alice = traded(world)
    count = 60
    truth, refusal = replayed(alice, count)
    assert not refusal and len(truth) == count * EVENT_DTYPE.itemsize
    history = world.admin(op="history", account="alice", **{"from": 1, "count": count})
    statement = world.admin(op="statement", account="alice", date=None)
    stranger, path = world.logged_on("bob"), world.data / "events" / name
    found = 0
    for number in range(FLIPS):
        take_back = flip(path, chance)
        rows, refusal = replayed(alice, count)
        assert rows == truth if not refusal else truth.startswith(rows)
        if refusal:
            assert b"is not as it was written" in refusal
            found += 1
        for expected, request in (
            (history, {"op": "history", "account": "alice", "from": 1, "count": count}),
            (statement, {"op": "statement", "account": "alice", "date": None}),
        ):
            try:
                assert world.admin(**request) == expected
            except AdminError as error:
                assert "is not as it was written" in str(error)
                found += 1
        # Who asks for nothing of it notices nothing.
        stranger.command(enter(1_000 + number, "buy", 9700, 1))
        assert len(stranger.reports(2)) == 2
        take_back()
    assert found and world.failure is None
    assert replayed(alice, count) == (truth, b"")


def test_a_resend_of_what_is_damaged_is_refused_by_the_market(world):
    """It never ends the venue, and no acceptance is told that is not as it was written."""
    chance = random.Random(18)
    alice = traded(world)
    sent = enter(1, "buy", 9749, 2)

    def answered():
        alice.command(sent)
        (row,) = alice.reports(1)
        return row.tobytes() if row["kind"] == EventKind.ORDER_ACCEPTED else row["reason"]

    truth = answered()
    assert isinstance(truth, bytes)
    sums = world.data / "events" / "events.sums"
    rows = np.fromfile(world.data / "events" / "events.rows", EVENT_DTYPE, offset=HEADER_BYTES)
    is_first, is_buy = rows["client_order_id"] == 1, rows["side"] == Side.BUY
    (row,) = np.flatnonzero(is_first & is_buy & (rows["kind"] == EventKind.ORDER_ACCEPTED))
    for bit in range(8 * SUM_BYTES):
        take_back = flip_at(sums, HEADER_BYTES + SUM_BYTES * row + bit // 8, 1 << bit % 8)
        assert answered() == Reason.ORDER_ID_DUPLICATE
        take_back()
    for _ in range(FLIPS):
        take_back = flip(sums, chance, 0.2)
        assert answered() in (truth, Reason.ORDER_ID_DUPLICATE)
        take_back()
    assert answered() == truth
    assert world.failure is None


def test_the_registry_gets_no_record_that_is_damaged(world):
    chance = random.Random(16)
    traded(world)
    peer = world.peer("registry", "replay")

    def shown():
        peer.socket.send(msgspec.msgpack.encode({"from": 1, "count": 30}))
        return peer.receive(300)

    truth = shown()
    assert len(truth[-1]) >= 30 * EVENT_DTYPE.itemsize
    answers = []
    for _ in range(FLIPS):
        take_back = flip(world.data / "events" / "events.rows", chance)
        answers.append(shown())
        take_back()
    assert all(each in (None, truth) for each in answers) and None in answers
    assert shown() == truth


def test_no_venue_starts_on_a_bit_that_flipped_before_its_snapshot(tmp_path):
    chance = random.Random(17)
    with world_open(tmp_path / "venue", snapshot_commands=1) as world:
        world.listed()
        traded(world)
        world.admin(op="close_day")
        rows = world.data / "events" / "events.rows"
        half = (rows.stat().st_size - HEADER_BYTES) // EVENT_DTYPE.itemsize // 2

        def is_kept():
            snapshots = map(snapshot_read, snapshot_paths(world.data / "snapshots"))
            return any(each.header.event_count > half for each in snapshots)

        world.until(is_kept)
        world.stop()
        state = world.venue.machine.core.state_hash()
        for name in ("events.rows", "events.sums"):
            for _ in range(2 * ROUNDS):
                take_back = flip(world.data / "events" / name, chance, 0.5)
                with pytest.raises(EventDamaged, match="is not as it was written"):
                    world.start()
                take_back()
        # What the message says to do.
        kept = rows.read_bytes()
        shutil.move(rows, tmp_path / "rows")
        shutil.move(rows.with_name("events.sums"), tmp_path / "sums")
        world.start()
        assert world.venue.machine.core.state_hash() == state
        assert rows.read_bytes()[: len(kept)] == kept
