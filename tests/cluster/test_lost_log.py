"""Most of the log's disks are lost for good: what contrib/cluster.md says to do, step by step."""

import shutil

import pytest

from cea_exchange.domain.records import EventKind
from cea_exchange.venue.operations.admin_client import admin_ask
from support.cluster.cluster_world import cluster_open, peer
from support.venue.venue_process import command
from support.venue.venue_world import enter

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
DATE = 20241231
LISTED, CLOSED = "2024-12-31T09:30:00+08:00", "2024-12-31T15:00:00+08:00"


def admin(node, /, **request):
    return admin_ask(node.data, request, key="admin")


def accepted(world, client_order_id=1):
    """Enter an order of alice's, a new one or one of before, and return what is acknowledged."""
    participant = peer(world, "alice")
    participant.command(enter(client_order_id, "sell", 9749, 5))

    def fits(rows):
        is_it = rows["client_order_id"] == client_order_id
        return rows[(rows["kind"] == EventKind.ORDER_ACCEPTED) & is_it]

    return fits(participant.reports_until(lambda rows: len(fits(rows))))[0].tobytes()


def opened(world, node):
    """Wait until a venue on its own takes orders."""
    world.until(node.endpoints_file.exists)
    world.until(lambda: not admin(node, op="status")["cancels_only"])
    world.find(node)


def test_a_venue_goes_on_alone_until_the_close_and_gives_its_journal_to_a_new_log(tmp_path):
    with cluster_open(tmp_path) as world:
        one, two = world.nodes.values()
        one.start()
        world.until(lambda: not admin(world.leader(), op="status")["cancels_only"])
        admin(one, op="clock", at=LISTED)
        two.start()
        world.until(lambda: two.log_file.exists() and two.events("follows"))
        first = accepted(world)
        for node in (one, two):
            node.kill()
        log_nodes_lose_all(world)

        # A venue does not begin a new log beside the old journal by itself.
        one.start()
        assert "the journal here was in it" in one.fails() and one.process.returncode == 1

        places = ("--config", str(one.config), "--data", str(one.data))
        (one.data / "venue" / "cluster.json").rename(one.data / "cluster.json.lost")
        cluster, one.cluster = one.cluster, None
        one.start()
        opened(world, one)
        assert accepted(world) == first
        second = accepted(world, 2)
        admin(one, op="clock", at=CLOSED)
        world.keys_of.registry.confirmed_date = DATE
        world.until(lambda: admin(one, op="status")["confirmed_date"] == DATE)
        assert one.end() == 0

        one.cluster = cluster
        one.settings_write()
        joined = command("cluster", "join", *places)
        assert joined.returncode == 0, joined.stderr
        copy = str(tmp_path / "copy")
        copied = command("venue", "backup", copy, "--with-keys", "--data", str(one.data))
        assert copied.returncode == 0, copied.stderr
        shutil.rmtree(two.data)
        restored = command("venue", "restore", copy, "--data", str(two.data))
        assert restored.returncode == 0, restored.stderr
        one.start()
        assert world.leader() is one
        two.start()
        world.until(lambda: two.log_file.exists() and two.events("follows"))
        assert accepted(world) == first and accepted(world, 2) == second
        verified = command("cluster", "verify", *places)
        assert verified.returncode == 0, verified.stderr


def log_nodes_lose_all(world):
    """Let the log's nodes come back with empty disks."""
    world.log_nodes.close()
    for number in range(world.log_nodes.count):
        shutil.rmtree(world.log_nodes.data(number))
    world.log_nodes.start()
