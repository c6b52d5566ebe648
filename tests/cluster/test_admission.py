"""What a node must have in common with the log: whatever differs is refused, and nothing starts."""

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import AsyncMock

import msgspec
import pytest
import trustme

from cea_exchange.cluster import presence
from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.log_nodes.rights import VENUE, WATCHER
from cea_exchange.cluster.node_state import node_state_say
from cea_exchange.cluster.replicated_log import Outcome, ReplicatedLog
from cea_exchange.domain.profile import load_profile
from cea_exchange.journal import FrameKind, Journal, OsStorage
from cea_exchange.protocol.settings import ConfigError
from cea_exchange.venue.config import VenueConfig, config_load
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.replication import admission, membership, version_step
from cea_exchange.venue.replication.folder_mark import MARK, alone_check
from cea_exchange.venue.replication.member import ClusterMember
from cea_exchange.venue.replication.membership import compare, join, leave

pytestmark = pytest.mark.e2e
MINUTE_NS = 60 * 10**9


@dataclass
class Place:
    """A log with a journal in it, and a folder of a node that has followed it."""

    log_nodes: LogNodes
    folder: Path
    config: ClusterConfig

    def settings(self, **changed):
        return msgspec.structs.replace(self.config, **changed)

    def copy(self, name):
        """Return a copy of the node's folder."""
        return Path(shutil.copytree(self.folder, self.folder.with_name(name)))


def opened(config, data, profile="cea"):
    return ClusterMember.open(
        *(config, data, load_profile(profile)),
        storage=OsStorage(),
        archive=data / "archive",
        now_ns=time.time_ns,
    )


def closed(member):
    member.close()
    member.sequencer.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("admission")
    with LogNodes(folder / "log") as log_nodes:
        log_nodes.start()
        config = msgspec.convert(log_nodes.cluster_settings("one"), ClusterConfig)
        (folder / "one").mkdir()
        closed(opened(config, folder / "one"))
        yield Place(log_nodes, folder / "one", config)


def refused(words, config, data, **more):
    with pytest.raises(ClusterRefused, match=words):
        closed(opened(config, data, **more))


def test_who_belongs_to_the_log_may_follow_it(place):
    closed(opened(place.settings(node="copy"), place.copy("copy")))


def test_a_wrong_secret_is_refused(place, tmp_path):
    (tmp_path / "secret").write_text("not this\n")
    (tmp_path / "secret").chmod(0o600)
    wrong = place.settings(secret_file=str(tmp_path / "secret"))
    refused("refuses venue: .*[Aa]uthorization", wrong, tmp_path)
    (tmp_path / "secret").write_text("\n")
    refused("expected a password in its first line, got none", wrong, tmp_path)
    refused("absent: expected a file, No such file", place.settings(secret_file="absent"), tmp_path)
    (tmp_path / "secret").write_bytes(b"\xff\n")
    refused("secret: expected a password in UTF-8", wrong, tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_that_others_may_read_is_refused(place, tmp_path, mode):
    secret = tmp_path / "secret"
    secret.write_text(place.log_nodes.secret_file(VENUE).read_text())
    secret.chmod(mode)
    open_to_others = place.settings(secret_file=str(secret))
    refused(f"secret: expected mode 0600, got 0{mode:o}", open_to_others, tmp_path)


def test_a_user_who_may_only_read_the_log_is_refused(place, tmp_path):
    """It followed as a standby that nobody saw, and that could never lead."""
    watcher = msgspec.convert(
        place.log_nodes.cluster_settings("watching", WATCHER), ClusterConfig
    )
    words = 'user watcher may not write the log: .*for publish to "cea.journal"'
    refused(words, watcher, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with LogConnection(place.config, place.folder) as connection:
        shared = ReplicatedLog(connection)
        before = shared.info()
        shared.rights_check()
        assert shared.info()[:3] == before[:3]


def test_the_log_of_another_cluster_is_refused_with_the_reason(place, tmp_path):
    with pytest.raises(ClusterRefused, match="refuses user venue at cluster other: .*other-jou"):
        opened(place.settings(name="other"), tmp_path)


def test_files_of_a_certificate_that_are_none_are_named_before_anything_starts(tmp_path):
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    own.private_key_pem.write_to_path(tmp_path / "own.key")
    (tmp_path / "own.key").chmod(0o640)
    config = ClusterConfig(
        name="cea",
        node="one",
        log_nodes=("tls://127.0.0.1:1",),
        ca="ca.pem",
        certificate="own.pem",
        certificate_key="own.key",
    )
    assert config.files_read(tmp_path) == "node one of cea, log at tls://127.0.0.1:1"

    def refused_is(words, **changed):
        with pytest.raises(ConfigError, match=words):
            msgspec.structs.replace(config, **changed).files_read(tmp_path)

    refused_is("absent.pem: expected an authority's certificate", ca="absent.pem")
    refused_is("own.key: expected an authority's certificate", ca="own.key")
    refused_is("absent: expected a file", certificate_key="absent")
    refused_is("ca.pem, .*own.key: expected a certificate and its key", certificate="ca.pem")
    (tmp_path / "own.key").chmod(0o644)
    refused_is("own.key: expected mode 0640, got 0644")


def test_a_log_that_nobody_has_is_waited_for_no_longer_than_it_takes(place, tmp_path, monkeypatch):
    monkeypatch.setattr("cea_exchange.cluster.connection.CONNECT_S_MAX", 1.0)
    with pytest.raises(LogUnreachable, match="no node of the log answers at nats://127.0.0.1:9"):
        opened(place.settings(log_nodes=("nats://127.0.0.1:9",)), tmp_path)


def test_a_node_of_another_log_is_refused(place, tmp_path):
    Sequencer.open(tmp_path, load_profile("cea"), now_ns=time.time_ns).close()
    refused("this node is of another log", place.settings(node="two"), tmp_path)


def test_a_folder_of_another_cluster_is_refused(place):
    data = place.copy("elsewhere")
    mark = json.loads((data / MARK).read_text())
    (data / MARK).write_text(json.dumps({**mark, "name": "other"}))
    refused("the data folder is of cluster other", place.config, data)
    (data / MARK).write_text("{}")
    refused("expected a cluster's mark", place.config, data)
    (data / MARK).write_text(json.dumps({**mark, "base_log_seq": 99}))
    refused("it is another log", place.config, data)


def test_a_shared_journal_is_not_served_alone(place):
    with pytest.raises(ClusterRefused, match=r"shared by cluster cea.*cluster leave"):
        alone_check(place.folder, OsStorage())


def test_another_profile_is_refused(place, tmp_path):
    refused("this node's ccer is", place.settings(node="two"), tmp_path, profile="ccer")


def test_an_older_version_than_the_logs_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.setattr(version_step, "__version__", "0.0.9")
    refused("bring it to that version first", place.settings(node="two"), tmp_path)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_clock_apart_by_minutes_is_refused(place, tmp_path, monkeypatch, minutes):
    real_ns = time.time_ns
    monkeypatch.setattr(admission.time, "time_ns", lambda: real_ns() + minutes * MINUTE_NS)
    apart = f"clock is [+-]{abs(minutes) * 60 - 1}|clock is [+-]{abs(minutes) * 60}"
    refused(apart, place.settings(node="two"), tmp_path)


@contextmanager
def going_on(member):
    """Let a node say all the time where it stands."""
    is_over = threading.Event()

    def says():
        while not is_over.wait(0.3):
            member.say()

    with ThreadPoolExecutor(1) as pool:
        saying = pool.submit(says)
        try:
            yield
        finally:
            is_over.set()
            saying.result()


@pytest.mark.parametrize("answers", [True, False])
def test_two_nodes_of_one_name_are_refused(place, tmp_path, monkeypatch, answers):
    """One whose process listens and gives no answer for now is there as well."""
    if not answers:
        monkeypatch.setattr(presence, "_answer", AsyncMock())
    member = opened(place.settings(node="twin"), place.copy(f"twin-{answers}"))
    try:
        member.say()
        with going_on(member):
            refused("node twin is running already", place.settings(node="twin"), tmp_path)
    finally:
        closed(member)


def test_the_name_of_a_process_that_has_ended_is_free_at_once(place, monkeypatch):
    """As that of a node that was killed, and is started again while others still hear of it."""
    member = opened(place.settings(node="killed"), place.copy("killed"))
    said = member.state("standby")
    closed(member)
    with LogConnection(place.config, place.folder) as connection:
        connection.call(node_state_say(connection, said), 5.0)
        connection.call(connection.client.flush(), 5.0)
    # It would wait for half of it for whatever that process says next.
    monkeypatch.setattr(admission, "SAME_NAME_S", 7200.0)
    closed(opened(place.settings(node="killed"), place.copy("killed-2")))


def test_what_nodes_say_is_not_taken_for_nothing_while_it_can_t_be_read(place, monkeypatch):
    async def electing(subject, request=None):
        return {"error": {"code": 503, "description": "temporarily unavailable"}}

    with LogConnection(place.config, place.folder) as connection:
        monkeypatch.setattr(connection, "look_up", electing)
        with pytest.raises(LogUnreachable, match="bucket cea-nodes: temporarily unavailable"):
            admission.name_check(ReplicatedLog(connection))


def test_a_journal_that_has_what_the_log_has_lost_is_refused(place):
    data = place.copy("ahead")
    journal = Journal.open(data / "journal", identity=identity_of(data))
    for payload in (b"one", b"two"):
        journal.append(FrameKind.CONTROL, 1, 1, payload)
        journal.sync()
    journal.close()
    refused("acknowledged work is missing from the log", place.settings(node="ahead"), data)
    # The first of the two is acknowledged, as the second one knows.
    with pytest.raises(ClusterRefused, match="ends before sequence 1, the journal here .* had 1"):
        compare(VenueConfig(cluster=place.config), data)


def test_a_log_whose_beginning_was_cut_takes_no_node_and_no_journal(
    place, tmp_path, monkeypatch
):
    info = ReplicatedLog.info
    monkeypatch.setattr(
        ReplicatedLog, "info", lambda log: info(log)._replace(first_log_seq=2)
    )
    refused("begins with message 2: what was before it was cut", place.config, place.copy("cut"))
    alone = tmp_path / "alone"
    Sequencer.open(alone, load_profile("cea"), now_ns=time.time_ns).close()
    with pytest.raises(ClusterRefused, match="begins with message 2"):
        join(VenueConfig(cluster=place.config), alone)
    alone_check(alone, OsStorage())


def test_a_damaged_message_of_the_journal_is_named(place):
    data = place.copy("damaged")
    segment = max((data / "journal").iterdir())
    content = bytearray(segment.read_bytes())
    content[40] ^= 1
    segment.write_bytes(content)
    with pytest.raises(Exception, match="CRC-32C is wrong"):
        opened(place.settings(node="damaged"), data)


def test_a_journal_is_given_to_the_log_between_two_days_and_taken_back(tmp_path, monkeypatch):
    with LogNodes(tmp_path / "log") as log_nodes:
        log_nodes.start()
        data = tmp_path / "venue"
        cluster = msgspec.convert(log_nodes.cluster_settings("one"), ClusterConfig)
        config, alone = VenueConfig(cluster=cluster), VenueConfig()
        sequencer = Sequencer.open(data, load_profile("cea"), now_ns=time.time_ns)
        log_id = sequencer.journal.log_id
        sequencer.close()
        with pytest.raises(ClusterRefused, match="give it to the cluster with `cea-exchange"):
            opened(cluster, data)
        with pytest.raises(ClusterRefused, match="expected a table"):
            join(alone, data)
        joined = joined_at_the_third_try(config, data, monkeypatch)
        assert (joined.log_id, joined.log_seq) == (log_id, 1)
        with pytest.raises(ClusterRefused, match="shared by cluster cea already"):
            join(config, data)
        member = opened(cluster, data)
        while not member.lead_if_due():
            member.follow(0.05)
        with pytest.raises(ClusterRefused, match="node one leads"):
            leave_elsewhere(config, data, tmp_path)
        closed(member)
        twin = Path(shutil.copytree(data, tmp_path / "twin"))
        left = left_at_the_second_try(config, data, monkeypatch)
        with pytest.raises(ClusterRefused, match="taken out of the log after sequence"):
            leave(config, twin)
        with pytest.raises(ClusterRefused, match="shared by cluster cea"):
            alone_check(twin, OsStorage())
        assert left.next_seq == joined.next_seq
        alone_check(data, OsStorage())
        with pytest.raises(ClusterRefused, match="taken out of the log"):
            opened(cluster, tmp_path / "other")
        compared = compare(config, data)
        assert (compared.epochs, compared.messages) == (2, left.log_seq)
        again = join(config, data)
        assert again.log_seq == left.log_seq + 1
        closed(opened(cluster, data))


class Killed(BaseException):
    """As a process that ends there."""


def killed(*_):
    raise Killed


def left_at_the_second_try(config, data, monkeypatch):
    """Take a journal back, killed once the log knew it."""
    with monkeypatch.context() as patch:
        patch.setattr(membership, "mark_remove", killed)
        with pytest.raises(Killed):
            leave(config, data)
    with pytest.raises(ClusterRefused, match="shared by cluster cea"):
        alone_check(data, OsStorage())
    return leave(config, data)


def test_of_two_folders_of_one_name_that_leave_at_once_one_has_the_journal(tmp_path):
    with LogNodes(tmp_path / "log") as log_nodes:
        log_nodes.start()
        config = msgspec.convert(log_nodes.cluster_settings("one"), ClusterConfig)
        members = [opened(config, tmp_path / name) for name in ("one", "twin")]
        assert members[0].take_out("a") == members[0].log_seq + 1
        with pytest.raises(ClusterRefused, match="another node has just written to the log"):
            members[1].take_out("b")
        for member in members:
            closed(member)


@pytest.mark.parametrize("is_followed_between", [False, True])
def test_an_end_that_the_log_takes_late_is_still_the_folders_own(
    tmp_path, monkeypatch, is_followed_between
):
    with LogNodes(tmp_path / "log") as log_nodes:
        log_nodes.start()
        data = tmp_path / "venue"
        cluster = msgspec.convert(log_nodes.cluster_settings("one"), ClusterConfig)
        config = VenueConfig(cluster=cluster)
        Sequencer.open(data, load_profile("cea"), now_ns=time.time_ns).close()
        join(config, data)
        append, on_their_way = ReplicatedLog.append, []

        def kept_on_its_way(_log, *message):
            on_their_way.append(message)
            return Outcome.UNKNOWN

        def behind_it(log, *message):
            assert append(log, *on_their_way[0]) is Outcome.ACKED
            return append(log, *message)

        monkeypatch.setattr(ReplicatedLog, "append", kept_on_its_way)
        with pytest.raises(LogUnreachable, match="could not be found out"):
            leave(config, data)
        if is_followed_between:
            closed(opened(cluster, data))
        monkeypatch.setattr(ReplicatedLog, "append", behind_it)
        with pytest.raises(ClusterRefused, match="just written to the log"):
            leave(config, data)
        left = leave(config, data)
        assert left.log_seq == on_their_way[0][0] + 1
        alone_check(data, OsStorage())


def joined_at_the_third_try(config, data, monkeypatch):
    """Give a journal to the log, killed before the log had it, and again behind that."""
    for name in ("begin", "_joined"):
        with monkeypatch.context() as patch:
            patch.setattr(membership, name, killed)
            with pytest.raises(Killed):
                join(config, data)
        ended = "being given to cluster cea: end that with `cea-exchange cluster join`"
        with pytest.raises(ClusterRefused, match=ended):
            alone_check(data, OsStorage())
        refused(ended, config.cluster, data)
    return join(config, data)


def leave_elsewhere(config, data, tmp_path):
    """Take the journal out with a copy of the folder, while a node leads."""
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    other = msgspec.structs.replace(config.cluster, node="copy")
    leave(msgspec.structs.replace(config, cluster=other), copy)


def identity_of(data):
    from cea_exchange.journal.segment import segment_header_read

    return segment_header_read(max((data / "journal").iterdir()), OsStorage()).identity


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('node = "one"', "missing required field `log_nodes`|missing required field `name`"),
        ('node = "One"\nname = "cea"\nlog_nodes = ["nats://127.0.0.1:1"]', "such as \"cea\""),
        ('node = "one"\nname = "cea"\nlog_nodes = []', "length >= 1"),
        ('node = "one"\nname = "cea"\nlog_nodes = ["127.0.0.1:4222"]', "tls://log-1.example:4222"),
        (
            'node = "one"\nname = "cea"\nlog_nodes = ["nats://127.0.0.1:1"]\nuser = "venue"',
            "`user` and `secret_file`: expected both or neither, got `user` alone",
        ),
        (
            'node = "one"\nname = "cea"\nlog_nodes = ["nats://127.0.0.1:1"]\nreplicas = 2',
            "expected an odd number, got 2",
        ),
        (
            'node = "one"\nname = "cea"\nlog_nodes = ["nats://127.0.0.1:1"]\nleases_s = 2',
            "did you mean lease_s",
        ),
    ],
)
def test_settings_that_can_t_be_are_refused(tmp_path, table, words):
    (tmp_path / "venue.toml").write_text(f"[cluster]\n{table}\n")
    with pytest.raises(ConfigError, match=words):
        config_load(tmp_path / "venue.toml")
