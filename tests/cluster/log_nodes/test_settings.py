"""What an operator says of a log node, and the server's settings that follow from it."""

import errno
import json
import os

import pytest
import structlog

from cea_exchange.cli.main import run
from cea_exchange.cluster.log_nodes import health as node_health
from cea_exchange.cluster.log_nodes import service
from cea_exchange.cluster.log_nodes.health import _judged
from cea_exchange.cluster.log_nodes.rights import (
    HOLDERS,
    KEEPER,
    VENUE,
    WATCHER,
    SecretError,
    publish_rights,
    secrets_new,
    secrets_read,
)
from cea_exchange.cluster.log_nodes.server import ServerMissing, version_check
from cea_exchange.cluster.log_nodes.settings import (
    log_node_read,
    server_file_write,
)
from cea_exchange.protocol.settings import ConfigError

SETTINGS = """
cluster = "cea"
node = "log-1"
clients = "127.0.0.1:4222"
routes = "127.0.0.1:6222"
peers = ["127.0.0.1:6223", "127.0.0.1:6224"]
"""


@pytest.fixture
def file(tmp_path):
    secrets_new(tmp_path / "secrets")
    path = tmp_path / "log_node.toml"
    path.write_text(SETTINGS)
    return path


def server_settings_of(file):
    written = server_file_write(log_node_read(file), file.parent, file.parent / "data")
    assert written.stat().st_mode & 0o777 == 0o600
    return json.loads(written.read_text())


def test_every_write_is_synced_and_everybody_has_a_secret(file):
    settings = server_settings_of(file)
    assert settings["jetstream"]["sync_interval"] == "always"
    assert settings["cluster"]["authorization"]["password"]
    assert settings["cluster"]["no_advertise"] is True
    users = [user for each in settings["accounts"].values() for user in each["users"]]
    assert {user["user"] for user in users} == {*HOLDERS} - {"route"}
    assert all(len(user["password"]) >= 32 for user in users)
    assert all(user.get("permissions") for user in users if user["user"] != "system")


def test_a_full_disk_keeps_no_node_from_its_start(file, monkeypatch):
    """What is written is the same as before; other settings need room."""
    before = server_settings_of(file)

    opened = os.open

    def full(path, flags, *mode):
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", full)
    assert server_settings_of(file) == before
    file.write_text(SETTINGS.replace('"log-1"', '"log-9"'))
    with pytest.raises(OSError, match="No space left"):
        server_settings_of(file)


def test_nobody_may_delete_purge_or_change_the_journal():
    for holder in (VENUE, WATCHER, KEEPER):
        rights = publish_rights(holder, "cea")
        for act in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE", "RESTORE"):
            assert f"$JS.API.STREAM.{act}.cea-journal" not in rights
        assert not {">", "$JS.>", "$JS.API.>", "$JS.API.STREAM.>"} & {*rights}


def test_only_a_venue_writes():
    writing = {"cea.journal", "$KV.cea-lease.>", "$JS.API.STREAM.CREATE.cea-journal"}
    assert writing <= {*publish_rights(VENUE, "cea")}
    assert not writing & {*publish_rights(WATCHER, "cea"), *publish_rights(KEEPER, "cea")}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("127.0.0.1:4222", "10.0.0.1:4222"), "10.0.0.1:4222 is no address of the loopback"),
        (("127.0.0.1:6223", "127.0.0.1:6222"), "`peers`: expected the other nodes' routes"),
        (('node = "log-1"', 'nod = "log-1"'), "did you mean node?"),
        (('"log-1"', '"Log 1"'), "expected one such as"),
        (("peers", 'ca = "ca.pem"\npeers'), "expected all or none, got `ca` alone"),
        (("peers", 'secrets = "elsewhere"\npeers'), "there is no elsewhere"),
        (("peers", "store_bytes_max = 5\npeers"), "store_bytes_max"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_reason(file, change, expected):
    file.write_text(SETTINGS.replace(*change))
    with pytest.raises(ConfigError, match=expected.replace("(", r"\(")):
        log_node_read(file)


def test_beyond_the_loopback_it_is_encrypted_or_said_not_to_be(file):
    text = SETTINGS.replace("127.0.0.1:4222", "10.0.0.1:4222")
    file.write_text(text + "unencrypted = true\n")
    assert log_node_read(file).address == "nats://10.0.0.1:4222"
    for name in ("ca", "certificate", "certificate_key"):
        (file.parent / f"{name}.pem").touch()
        text += f'{name} = "{name}.pem"\n'
    file.write_text(text)
    key = file.parent / "certificate_key.pem"
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="certificate_key.pem: expected mode 0640, got 0644"):
        log_node_read(file)
    key.chmod(0o640)
    assert log_node_read(file).address == "tls://10.0.0.1:4222"
    settings = server_settings_of(file)
    for tls in (settings["tls"], settings["cluster"]["tls"]):
        assert tls["verify"] is True


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        ("short\n", 0o600, "expected 32 to 128"),
        ("x" * 40, 0o644, "expected mode 0600"),
        (None, 0o600, "expected a secret"),
    ],
)
def test_a_secret_that_is_none_is_refused(tmp_path, content, mode, expected):
    secrets_new(tmp_path)
    file = tmp_path / WATCHER
    file.unlink()
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(SecretError, match=expected):
        secrets_read(tmp_path)


def test_two_rights_have_two_secrets_and_they_stay(tmp_path):
    secrets_new(tmp_path)
    before = secrets_read(tmp_path)
    secrets_new(tmp_path)
    assert secrets_read(tmp_path) == before
    (tmp_path / WATCHER).write_text(before[VENUE])
    with pytest.raises(SecretError, match="another holder's"):
        secrets_read(tmp_path)


@pytest.mark.parametrize("said", ["nats-server: v2.14.9", "v3.0.0", "what?", ""])
def test_a_release_that_was_not_tried_is_not_taken(said):
    with pytest.raises(ServerMissing, match=r"from 2\.15\.0 to below 3\.0\.0"):
        version_check(said, "it")


def test_the_release_of_the_index_is_taken():
    version_check("nats-server: v2.15.1", "it")


GOOD_CONFIG = {
    "num_replicas": 3,
    "storage": "file",
    "discard": "new",
    "deny_delete": True,
    "deny_purge": True,
    "retention": "limits",
    "duplicate_window": 120_000_000_000,
}


def judged(*, sync=True, config=None, replicas=(), first_seq=1, lacks="", **log):
    stream = {
        "name": "cea-journal",
        "config": {**GOOD_CONFIG, **(config or {})},
        "state": {"first_seq": first_seq, "last_seq": 9, "bytes": 100},
        "cluster": {"leader": "log-1", "replicas": list(replicas)},
    }
    said = {
        "config": {"sync_always": sync, "max_storage": 100},
        "storage": 10,
        "meta_cluster": {"leader": "log-1"},
        "account_details": [{"stream_detail": [stream]}],
        **log,
    }
    about = {"version": "2.15.1", "server_name": "log-1"}
    routes = {"routes": [{"remote_name": "log-2"}, {"remote_name": "log-3"}]}
    return _judged("log-1", about, routes, said, lacks, 2)


def test_a_node_as_it_must_be_has_no_fault():
    health = judged(replicas=[{"name": "log-2", "current": True}])
    assert health.is_well and health.syncs_always
    assert health.streams[0].last_seq == 9


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sync": False}, "expected sync_interval always"),
        ({"disabled": True}, "keeps no log any more"),
        ({"lacks": "JetStream is not current"}, "all of the log, it says: JetStream is not"),
        ({"storage": 81}, "80% of its store"),
        ({"meta_cluster": {}}, "expected a leader of the log's nodes"),
        ({"config": {"num_replicas": 1}}, "expected 3 replicas, got 1"),
        ({"config": {"deny_purge": False}}, "expected deny_purge True"),
        ({"config": {"discard": "old"}}, "expected discard new"),
        ({"config": {"max_age": 5}}, "expected max_age 0"),
        ({"config": {"duplicate_window": 1}}, "expected a duplicate window"),
        ({"first_seq": 5}, "to be its first, got 5"),
        ({"replicas": [{"name": "log-2", "current": False, "lag": 1}]}, "log-2 to have all"),
        ({"replicas": [{"name": "log-2", "current": True, "offline": True}]}, "log-2"),
        ({"replicas": [{"name": "log-2", "current": True, "lag": 20_000}]}, "log-2"),
    ],
)
def test_what_is_not_as_it_must_be_is_said(given, expected):
    (fault,) = judged(**given).faults
    assert expected in fault
    assert judged(**given).needs_start == ("disabled" in given)


@pytest.mark.parametrize(
    ("free_bytes", "warned"),
    [(89, "expected 90 bytes free on its disk, got 89"), (90, ""), (None, "")],
)
def test_a_disk_that_may_be_full_before_the_log_is_warned_of(
    file, monkeypatch, capsys, free_bytes, warned
):
    """The node is well, so others go on; `check` ends with 1 all the same."""
    monkeypatch.setattr(node_health, "_free_bytes", lambda _folder: free_bytes)
    found = judged()
    assert found.is_well and found.disk_free_bytes == free_bytes
    assert found.warnings == ((warned,) if warned else ())
    monkeypatch.setattr(node_health, "log_node_health", lambda *_, **__: found)
    assert run(["cluster", "log", "check", "--config", str(file)]) == bool(warned)
    said = capsys.readouterr()
    assert warned in said.err and said.out.startswith("log-1: well")
    shown = "not known" if free_bytes is None else f"{free_bytes} bytes free"
    assert f"disk: {shown}" in said.out


def test_of_a_large_store_so_much_must_be_free():
    enough = node_health.DISK_FREE_BYTES_MIN
    assert node_health._room_warnings(enough, 10 * enough) == []
    assert len(node_health._room_warnings(enough - 1, 10 * enough)) == 1


def test_a_warning_is_logged_once_while_it_lasts(file, monkeypatch):
    """Its numbers are others at each look."""
    frees = iter([95, 80, 70, 95, 80])
    monkeypatch.setattr(node_health, "_free_bytes", lambda _folder: next(frees))
    monkeypatch.setattr(service, "log_node_health", lambda *_, **__: judged())
    node = service.LogNodeService(log_node_read(file), file.parent, file.parent / "data")
    with structlog.testing.capture_logs() as logged:
        for _ in range(5):
            node._look()
    assert [each["warning"] for each in logged] == [
        f"expected 90 bytes free on its disk, got {free}" for free in (80, 80)
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"routes": 5},
        {"routes": [5]},
        {"meta_cluster": "x"},
        {"config": []},
        {"storage": "much"},
        {"storage": float("inf")},
        {"account_details": [{"stream_detail": [{"cluster": {"leader": 1, "replicas": 7}}]}]},
        {"account_details": {"a": 1}},
    ],
)
def test_an_answer_that_is_no_monitor_s_is_a_fault_and_ends_nothing(monkeypatch, said):
    monkeypatch.setattr(node_health, "_ask", lambda *_, **__: said)
    health = node_health.log_node_health("log-1", "127.0.0.1:8222", peers=2)
    assert health.faults and not health.needs_start


def test_a_folder_that_can_be_none_has_no_known_room():
    assert node_health._free_bytes("a\0b") is None and node_health._free_bytes("") is None
