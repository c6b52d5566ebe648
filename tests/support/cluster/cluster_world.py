"""Venue nodes on three log nodes, a fake registry and raw peers: real processes on the loopback."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time

import msgspec

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable
from cea_exchange.cluster.lease import leader_read
from cea_exchange.cluster.log_nodes.local import LogNodes
from support.patience import patience
from support.venue.venue_process import CLOCK
from support.venue.venue_world import Peer, World

SERVE = (sys.executable, "-m", "cea_exchange.cli.main", "venue", "serve")
WAIT_S = 30


def settings_table(config):
    """Return the table ``[cluster]`` of settings, as TOML."""
    return "\n[cluster]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in config.items() if value is not None
    )


class Node:
    """One venue node: a data folder of its own, and a process while it runs."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.data = world.folder / name
        self.process = None
        shutil.copytree(world.keys_of.data / "keys", self.data / "keys")
        self.cluster = world.log_nodes.cluster_settings(name)
        self.settings = CLOCK
        self.config = self.data / "venue.toml"

    def settings_write(self):
        """Write its settings: of a node of the cluster, or of a venue alone."""
        registry = self.world.keys_of.data / "registry" / "endpoints.json"
        top = f"registry_endpoints = {json.dumps(str(registry))}\n"
        cluster = "" if self.cluster is None else settings_table(self.cluster)
        self.config.write_text(top + self.settings + cluster)

    def start(self, *, program=SERVE):
        """Start its process; whether it leads or follows is for the log to say."""
        self.settings_write()
        self.endpoints_file.unlink(missing_ok=True)
        arguments = ("--config", str(self.config), "--data", str(self.data))
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen([*program, *arguments], stderr=log)

    @property
    def log_file(self):
        return self.data / "venue.log"

    @property
    def endpoints_file(self):
        return self.data / "venue" / "endpoints.json"

    def log(self):
        return self.log_file.read_text()

    def events(self, name):
        """Return its log's lines of an event."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(WAIT_S)

    def end(self):
        """End it as a supervisor does, and return its exit status."""
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def fails(self):
        """Return what it says as it ends by itself, in its last line."""
        self.process.wait(WAIT_S * patience())
        return self.log().splitlines()[-1]


class ClusterWorld:
    """Log nodes, venue nodes by name, and what participants need to speak with the leader."""

    def __init__(self, folder, names=("one", "two")):
        self.folder = folder
        self.keys_of = World(folder / "registry")
        self.log_nodes = LogNodes(folder / "log")
        self.log_nodes.start()
        self.nodes = {name: Node(self, name) for name in names}
        watcher = msgspec.convert(
            self.log_nodes.cluster_settings("test"), ClusterConfig
        )
        self.connection = LogConnection(watcher, folder)

    def leader(self, *, beside=()):
        """Wait until a node leads with open doors, none of `beside`, and return it."""
        found = []

        def is_there():
            try:
                record = leader_read(self.connection)
            except LogUnreachable:
                return False  # its nodes elect
            if record is None or not record.endpoints or record.node in beside:
                return False
            node = self.nodes[record.node]
            if node.process is None or record.endpoints["pid"] != node.process.pid:
                return False
            found.append((node, record))
            return True

        self.until(is_there)
        node, record = found[-1]
        self.keys_of.venue = _Found(record.endpoints)
        return node

    def find(self, node):
        """Let participants come to a venue that is in no cluster."""
        self.keys_of.venue = _Found(json.loads(node.endpoints_file.read_text()))

    def until(self, condition, timeout_s=WAIT_S):
        end = time.monotonic() + timeout_s * patience()
        while not condition():
            assert time.monotonic() < end, "\n".join(
                f"{node.name}: {node.log()[-3000:]}" for node in self.nodes.values() if node.process
            )
            time.sleep(0.02)

    def close(self):
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is None:
                node.kill()
        self.connection.close()
        self.log_nodes.close()
        self.keys_of.close()


class _Found:
    """Where the leader is, for what takes a world's venue."""

    def __init__(self, endpoints):
        self.endpoints = endpoints
        self.market_data_public_key = endpoints["market_data_public_key"]


@contextlib.contextmanager
def cluster_open(folder, names=("one", "two")):
    world = ClusterWorld(folder, names)
    try:
        yield world
    finally:
        world.close()


def peer(world, name):
    """Return a participant that is logged on to the leader."""
    found = Peer(world.keys_of, name)
    answer = found.ask(op="logon")
    assert answer["op"] == "logon", answer
    return found

