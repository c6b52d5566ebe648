"""`surveil --follow` beside a running venue: what is done there is said here within a second."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from support.patience import patience
from support.venue.venue_process import VenueProcess
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.e2e

WITHIN_S = 1.0
WAIT_S = 60
STATUS_INTERRUPTED = 130


@contextmanager
def followed(folder):
    """Run `surveil FOLDER --follow` beside; it is ended where it says nothing for too long."""
    command = [sys.executable, "-m", "cea_exchange.cli.main", "surveil", str(folder), "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ending = threading.Timer(WAIT_S * patience(), process.kill)
        ending.start()
        try:
            yield process
        finally:
            ending.cancel()
            process.kill()


def said(process, words):
    """Return the next line with these words, and when it was read."""
    for line in process.stdout:
        if words in line:
            return line, time.monotonic()
    raise AssertionError(f"it ended, and has not said: {words}")


def matched(alice, bob, number):
    """Let both enter opposite orders of one price and size; return when that was acknowledged."""
    alice.command(enter(number, "sell", 9_700 + number, 500))
    alice.reports_until(lambda rows: len(rows) >= 2)
    bob.command(enter(number, "buy", 9_700 + number, 500))
    bob.reports_until(lambda rows: len(rows) >= 2)
    return time.monotonic()


def test_what_is_done_at_a_running_venue_is_said_within_a_second(tmp_path):
    """CEA-SVL-01, CEA-SVL-05: the third matched pair of orders makes the alert."""
    with world_open(tmp_path) as world:
        world.venue = VenueProcess(world)
        world.ready()
        world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        with followed(tmp_path) as process:
            said(process, "not looked for")
            for number in (1, 2, 3):
                done_s = matched(alice, bob, number)
            line, said_s = said(process, "matched_orders")
            assert line.startswith("alert  20241231") and "alice and bob" in line
            assert said_s - done_s < WITHIN_S * patience()
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT_S) == STATUS_INTERRUPTED
        # It took nothing of the venue, which trades on.
        matched(alice, bob, 4)
        assert world.venue.end(signal.SIGTERM) == 0
        world.venue = None
