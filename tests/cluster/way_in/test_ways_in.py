"""Several ways in beside each other, and one that nobody has told yet whose keys are granted."""

import shutil
import threading

import pytest

from cea_exchange.client import Client
from cea_exchange.client.connecting import KeyRefused, NotConnected
from cea_exchange.protocol.security import CurveKeys
from support.cluster.way_in_world import Trader, WayInWorld, trade_for, way_in_world
from support.patience import patience
from support.venue.venue_world import world_open

pytestmark = pytest.mark.e2e

WAIT_S = 30


def test_participants_of_a_way_in_that_ends_go_on_by_another(tmp_path):
    with way_in_world(tmp_path / "one") as opened:
        (tmp_path / "two").mkdir()
        shutil.copytree(tmp_path / "one" / "keys", tmp_path / "two" / "keys")
        one, two = opened.way_in, opened.another_way_in(tmp_path / "two")
        opened.world.until(lambda: two.has_leader)
        ways = [each.endpoints["gateway"] for each in (one, two)]
        alice = opened.client("alice", endpoint=ways, report_seq=0)
        bob = opened.client("bob", endpoint=ways[::-1], report_seq=0)
        traders = [Trader(client, seed) for seed, client in enumerate((alice, bob))]
        trade_for(traders, 0.4)
        assert (len(one.way_in), len(two.way_in)) == (1, 1)
        for trader in traders:
            for _ in range(20):
                trader.send()
        opened.way_in_end(one)
        trade_for(traders, 0.4)
        # The venue is gone as well: all go on by the one that is left.
        opened.venue_kill()
        trade_for(traders, 0.2)
        opened.venue_begin()
        for trader in traders:
            trader.settle(WAIT_S)
        assert alice.reconnections >= 1 and bob.reconnections == 0
        for trader, name in zip(traders, ("alice", "bob"), strict=True):
            trader.client.close()
            trader.check(opened.client(name, endpoint=ways[1], report_seq=0))


def test_who_comes_before_the_first_leader_is_let_in_once_there_is_one(tmp_path):
    with world_open(tmp_path) as world:
        opened = WayInWorld(world)
        try:
            opened.way_in = opened.another_way_in(tmp_path)
            place = opened.way_in.endpoints["gateway"]
            found = []
            coming = threading.Thread(target=lambda: found.append(opened.client("alice")))
            coming.start()
            # Not that its key is refused: nobody can know yet.
            with pytest.raises(NotConnected, match="admits nobody yet") as early:
                come(place, CurveKeys.new(), opened.keys.public, 1.5 * patience())
            assert not isinstance(early.value, KeyRefused)
            assert coming.is_alive() and not found
            opened.venue_open()
            coming.join(WAIT_S * patience())
            assert found and found[0].account == "alice"
            with pytest.raises(KeyRefused):
                come(place, CurveKeys.new(), opened.keys.public, 1.0 * patience())
        finally:
            opened.close()


def come(place, keys, server_key, timeout_s):
    """Come in, and go again."""
    Client.connect(place, keys, server_key, timeout_s=timeout_s).close()
