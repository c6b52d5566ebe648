"""The system's clock is set to any time, for a moment or for long: the journal has none of it."""

import random
import time

import pytest

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.journal import read_frames
from cea_exchange.protocol.clock import Clock, ClockSetting, running_ns
from support.rounds import ROUNDS
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.attack

START = "2024-12-31T10:00:00+08:00"
YEAR_NS = 365 * 86_400 * 10**9
SPIKES = 40 * ROUNDS


def test_no_stamp_of_a_spike_is_in_the_journal(tmp_path, monkeypatch):
    chance = random.Random(15)
    true_ns = time_to_ns(time_parse(START)) - running_ns()
    set_ns = 0
    monkeypatch.setattr(Clock, "now_ns", lambda self: true_ns + running_ns() + set_ns)
    with world_open(tmp_path, clock=ClockSetting(kind="system")) as world:
        world.start()
        world.until(lambda: world.admin(op="status")["phase"] == "listed")
        alice = world.logged_on("alice")
        began_ns = true_ns + running_ns()
        for number in range(1, SPIKES + 1):
            # At most to 2262, where a signed 64-bit number ends, and back before 1970.
            set_ns = chance.choice([1, -1]) * chance.randrange(10**12, 237 * YEAR_NS)
            alice.command(enter(number, "buy", 9_000, 1))
            assert len(alice.reports(2)) == 2
            if number % 4 == 0:
                world.admin(op=("suspend", "restore")[number // 4 % 2], account="bob", why="spike")
            time.sleep(chance.random() / 50)
            set_ns = chance.choice([0, set_ns])
        set_ns = 0
        world.until(lambda: world.admin(op="status")["clock_warning"] is None)
        ended_ns = true_ns + running_ns()
        world.stop()
        stamps = [frame.time_ns for frame in read_frames(world.data / "journal")]
        assert stamps == sorted(stamps) and len(stamps) > SPIKES
        # Looks at a clock that runs may be a little apart.
        assert began_ns - 60 * 10**9 < stamps[0] and stamps[-1] < ended_ns + 10**9
