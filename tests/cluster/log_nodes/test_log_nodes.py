"""Three log nodes as real processes: encrypted, each right held to, one lost, one refused."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress

import nats
import nats.errors
import nats.js.errors
import pytest
import trustme
from nats.js import api

from cea_exchange.cluster.log_nodes.free_ports import free_ports
from cea_exchange.cluster.log_nodes.local import Certificates, LogNodes, LogNodesError
from cea_exchange.cluster.log_nodes.replica_files import ReplicaError, replica_messages
from cea_exchange.cluster.log_nodes.rights import VENUE, WATCHER, inbox, secrets_new
from cea_exchange.cluster.log_nodes.service import LOOK_S
from cea_exchange.loadtest.stands.cluster_audit import replica_differences
from support.patience import patience

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

STREAM, SUBJECT = "cea-journal", "cea.journal"
COUNT = 40
ASK_S_MAX = 30.0
NODES_S = 30.0
NO_PEERS = 10005


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    found = []
    for number in range(3):
        own = authority.issue_cert("127.0.0.1", f"log-{number + 1}")
        names = (folder / f"{number}.pem", folder / f"{number}.key")
        own.cert_chain_pems[0].write_to_path(names[0])
        own.private_key_pem.write_to_path(names[1])
        names[1].chmod(0o600)
        found.append(Certificates(folder / "ca.pem", *names))
    return found


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, certificates):
    with LogNodes(tmp_path_factory.mktemp("log"), certificates=certificates) as nodes:
        nodes.start()
        yield nodes


async def connected(nodes, holder, certificates, secret=None):
    own = certificates[0]
    tls = ssl.create_default_context(cafile=own.ca)
    tls.load_cert_chain(own.certificate, own.certificate_key)
    return await nats.connect(
        nodes.addresses,
        user=holder,
        password=secret or nodes.secret_file(holder).read_text().strip(),
        inbox_prefix=inbox(holder),
        tls=tls,
        allow_reconnect=False,
        connect_timeout=30,
        error_cb=_quiet,
    )


async def _quiet(_):
    pass


async def journal_open(line):
    log = line.jetstream(timeout=ASK_S_MAX)
    config = api.StreamConfig(
        name=STREAM,
        subjects=[SUBJECT],
        num_replicas=3,
        discard=api.DiscardPolicy.NEW,
        deny_delete=True,
        deny_purge=True,
        duplicate_window=120,
    )
    until_s = time.monotonic() + NODES_S * patience()
    while True:
        try:
            await log.add_stream(config)
        except nats.js.errors.BadRequestError as error:
            # A node that has just begun is offline to the others for a moment.
            if error.err_code != NO_PEERS or time.monotonic() > until_s:
                raise
            await asyncio.sleep(0.2)
        else:
            return log


async def journal_fill(line):
    """Put the first messages, unless they are there."""
    log = await journal_open(line)
    if (await log.stream_info(STREAM)).state.messages == 0:
        for last in range(COUNT):
            ack = await log.publish(SUBJECT, b"%d" % last, headers=expecting(last))
            assert ack.seq == last + 1
    return log


def expecting(last):
    return {"Nats-Expected-Last-Sequence": str(last), "Nats-Msg-Id": f"1-{last}"}


def test_a_log_of_three_keeps_what_it_acknowledged_and_each_right_is_held_to(nodes, certificates):
    async def venue():
        line = await connected(nodes, VENUE, certificates)
        log = await journal_fill(line)
        with pytest.raises(nats.js.errors.APIError) as fenced:
            await log.publish(SUBJECT, b"late", headers={"Nats-Expected-Last-Sequence": "3"})
        assert fenced.value.err_code == 10071
        again = await log.publish(SUBJECT, b"3", headers=expecting(3))
        assert again.duplicate and again.seq == 4
        for refused in ("STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.MSG.DELETE"):
            with pytest.raises(nats.errors.TimeoutError):
                await line.request(f"$JS.API.{refused}.{STREAM}", b"{}", timeout=0.3)
        await line.close()

    async def watcher():
        line = await connected(nodes, WATCHER, certificates)
        assert (await line.jetstream(timeout=ASK_S_MAX).get_msg(STREAM, 4)).data == b"3"
        log = line.jetstream(timeout=0.5)
        for subject in (SUBJECT, "$KV.cea-lease.leader"):
            with pytest.raises(nats.errors.TimeoutError):
                await log.publish(subject, b"mine")
        overheard = await line.subscribe(f"{inbox(VENUE)}.>")
        with pytest.raises(nats.errors.TimeoutError):
            await overheard.next_msg(timeout=0.2)
        await line.close()

    async def strangers():
        with pytest.raises(nats.errors.Error):
            await connected(nodes, VENUE, certificates, secret="x" * 40)
        with pytest.raises((nats.errors.Error, ssl.SSLError, OSError)):
            await nats.connect(
                nodes.addresses[0].replace("tls:", "nats:"),
                user=VENUE,
                password=nodes.secret_file(VENUE).read_text().strip(),
                tls=ssl.create_default_context(),
                allow_reconnect=False,
                error_cb=_quiet,
            )

    for part in (venue, watcher, strangers):
        asyncio.run(part())
    for health in nodes.health():
        assert health.is_well and health.syncs_always and health.routes == 2, health.faults
        assert health.disk_free_bytes > 0
    (journal,) = nodes.node_health(0).streams
    assert (journal.last_seq, journal.first_seq) == (COUNT, 1)


@pytest.mark.nightly
def test_a_killed_node_comes_back_with_all_of_it(nodes, certificates):
    """Each of the three copies on disk has all messages, in the same order."""

    async def before():
        line = await connected(nodes, VENUE, certificates)
        await journal_fill(line)
        await line.close()

    asyncio.run(before())
    leads = next(number for number in range(3) if nodes.settings[number].node == leader(nodes))
    nodes.kill(leads)

    async def more():
        line = await connected(nodes, VENUE, certificates)
        log = line.jetstream(timeout=1.0)
        deadline = time.monotonic() + 30 * patience()
        while True:
            try:
                ack = await log.publish(SUBJECT, b"%d" % COUNT, headers=expecting(COUNT))
                break
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
        assert ack.seq == COUNT + 1
        await line.close()

    asyncio.run(more())
    with pytest.raises(LogNodesError, match="waited"):
        nodes.wait_ready(0.1)
    nodes.start(leads)
    nodes.wait_ready(30 * patience())
    nodes.close()
    copies = {
        nodes.settings[number].node: [
            each.payload for each in replica_messages(nodes.data(number), STREAM)
        ]
        for number in range(3)
    }
    assert copies["log-1"] == [b"%d" % number for number in range(COUNT + 1)]
    assert not list(replica_differences(copies))
    (block,) = (nodes.data(0) / "store/jetstream/LOG/streams" / STREAM / "msgs").glob("*.blk")
    block.write_bytes(block.read_bytes()[:-3])
    with pytest.raises(ReplicaError, match="torn record"):
        list(replica_messages(nodes.data(0), STREAM))


def test_a_node_with_an_empty_folder_is_well_once_it_has_all_of_the_log(certificates, tmp_path):
    """As where a log node is replaced; until then no other one may be stopped."""
    with LogNodes(tmp_path, certificates=certificates) as nodes:
        nodes.start()

        async def fill():
            line = await connected(nodes, VENUE, certificates)
            await journal_fill(line)
            await line.close()

        asyncio.run(fill())
        leads = leader(nodes)
        replaced = next(number for number in range(3) if nodes.settings[number].node != leads)
        nodes.stop(replaced)
        shutil.rmtree(nodes.data(replaced))
        nodes.start(replaced)
        deadline_s = time.monotonic() + 60 * patience()
        while not (health := nodes.node_health(replaced)).is_well:
            assert time.monotonic() < deadline_s, health.faults
            time.sleep(0.02)
    held = [stream.last_seq for stream in health.streams if stream.name == STREAM]
    assert held == [COUNT]


def leader(nodes):
    """Who leads, once the node that is asked has the stream."""
    deadline_s = time.monotonic() + NODES_S * patience()
    while not (streams := nodes.node_health(0).streams) or not streams[0].leader:
        assert time.monotonic() < deadline_s, streams
        time.sleep(0.05)
    return streams[0].leader


SETTINGS = """
cluster = "{cluster}"
node = "log-1"
clients = "127.0.0.1:{}"
routes = "127.0.0.1:{}"
monitor = "127.0.0.1:{}"
peers = {peers}
"""


def served(folder, settings, secrets=True):
    """Run `cluster log serve`; return its status and what it says."""
    if secrets:
        secrets_new(folder / "secrets")
    file = folder / "log_node.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "cea_exchange.cli.main", "cluster", "log", "serve"]
    ended = subprocess.run(
        [*command, "--config", str(file), "--data", str(folder / "data")],
        capture_output=True,
        text=True,
        timeout=30 * patience(),
        check=False,
    )
    return ended.returncode, ended.stderr


def test_nothing_starts_on_the_folder_of_another_node_or_without_secrets(tmp_path):
    settings = SETTINGS.format(*free_ports(3), cluster="cea", peers="[]")
    status, said = served(tmp_path, settings, secrets=False)
    assert status == 2 and "secrets: expected a file or folder" in said
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "node").write_text("other log-1\n")
    status, said = served(tmp_path, settings)
    assert status == 2 and "expected the folder of cea log-1, got that of other log-1" in said


def test_a_node_with_another_secret_is_not_let_in_and_ends_with_the_reason(tmp_path):
    with LogNodes(tmp_path / "log") as nodes:
        nodes.start()
        peers = str([each.routes for each in nodes.settings]).replace("'", '"')
        settings = SETTINGS.format(*free_ports(3), cluster="cea", peers=peers)
        status, said = served(tmp_path, settings.replace("log-1", "log-4"))
    assert status == 2
    assert "the other nodes don't let it in" in said


def test_a_venue_s_wrong_secret_ends_no_node_that_waits_for_the_others(tmp_path):
    clients, routes, monitor, away = free_ports(4)
    peers = f'["127.0.0.1:{away}"]'
    settings = SETTINGS.format(clients, routes, monitor, cluster="cea", peers=peers)
    secrets_new(tmp_path / "secrets")
    file = tmp_path / "log_node.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "cea_exchange.cli.main", "cluster", "log", "serve"]
    command += ["--config", str(file), "--data", str(tmp_path / "data")]
    said = tmp_path / "said"
    with said.open("w") as lines, subprocess.Popen(command, stderr=lines) as process:
        try:
            strange = 'CONNECT {"user":"venue","pass":"wrong","verbose":false}\r\nPING\r\n'
            end_s = time.monotonic() + 30 * patience()
            while "authentication error" not in said.read_text():
                assert time.monotonic() < end_s and process.poll() is None
                with suppress(OSError), socket.create_connection(("127.0.0.1", clients)) as line:
                    line.sendall(strange.encode())
                    line.recv(4096)
            time.sleep(2 * LOOK_S)
            assert process.poll() is None
        finally:
            process.terminate()
        assert process.wait(30 * patience()) == 0


def test_a_port_that_was_given_is_given_to_nobody_else():
    """Though nobody listens at it yet: who asked may take seconds until it does."""
    (given,) = free_ports(1)
    drawn = f"iter([{given}, {given}, {given - 1}, *range(31_000, 32_000)])"
    asking = (
        f"from cea_exchange.cluster.log_nodes import free_ports as module; drawn = {drawn};"
        "module.random.randrange = lambda *_: next(drawn); print(*module.free_ports(1))"
    )
    other = subprocess.run([sys.executable, "-c", asking], capture_output=True, check=True)
    assert int(other.stdout) != given
