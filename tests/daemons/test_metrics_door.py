"""Askers of the metrics who say little, much, or nothing: others get their answer."""

import random
import socket
import time
import urllib.request
from contextlib import ExitStack, suppress

import pytest

from support.patience import patience
from support.rounds import ROUNDS
from support.venue.venue_world import world_open

pytestmark = pytest.mark.attack

ASKED_S_MAX = 3.0


def test_whatever_is_said_to_the_metrics_others_get_theirs(tmp_path, capfd):
    chance = random.Random(15)
    with world_open(tmp_path, metrics="127.0.0.1:0") as world, ExitStack() as stack:
        world.start()
        address = world.admin(op="status")["metrics"]
        host, port = address.split(":")
        capfd.readouterr()
        for _ in range(3 * ROUNDS):
            for _ in range(12):
                asker = stack.enter_context(socket.create_connection((host, int(port)), 60))
                said = chance.choice(
                    [b"", b"GET /metrics", b"GET /" + b"a" * 100_000, chance.randbytes(500)]
                )
                with suppress(OSError):
                    asker.sendall(said)
                if chance.random() < 0.3:
                    asker.close()
            began_s = time.monotonic()
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
                assert b"cea_venue_commands_total" in answer.read()
            assert time.monotonic() - began_s < ASKED_S_MAX * patience()
        assert "Traceback" not in capfd.readouterr().err
