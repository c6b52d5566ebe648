"""Faults as they are written, the proxy that brings two of them about, and the disk."""

import contextlib
import re
import socket
import threading
import time

import pytest

from cea_exchange.loadtest.faults.acts import Acts
from cea_exchange.loadtest.faults.fault import FORMS, Fault, FaultError, fault_parse, faults_parse
from cea_exchange.loadtest.faults.faulty_disk import FaultyStorage
from cea_exchange.loadtest.faults.proxy import Proxy
from cea_exchange.loadtest.stands.stand import Stand, StandError
from support.patience import patience
from support.registry.fake_venue import wait_until

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kill:venue@5", Fault("kill", "venue", 0, 5, 0)),
        ("kill:database+1@5", Fault("kill", "database", 0, 5, 1)),
        ("kill:registry+0.5@7.25", Fault("kill", "registry", 0, 7.25, 0.5)),
        ("pause:venue+2@1", Fault("pause", "venue", 0, 1, 2)),
        ("drop@3", Fault("drop", "", 0, 3, 0)),
        ("delay:0.05+2@4", Fault("delay", "", 0.05, 4, 2)),
        ("full_disk+1@2", Fault("full_disk", "", 0, 2, 1)),
        ("slow_disk:20+1@2", Fault("slow_disk", "", 20, 2, 1)),
        ("clock_step:30@2", Fault("clock_step", "", 30, 2, 0)),
        ("slow_subscriber+4@2", Fault("slow_subscriber", "", 0, 2, 4)),
    ],
)
def test_each_fault_is_read_as_it_is_written(text, expected):
    assert fault_parse(text) == expected


def test_every_fault_is_written_in_some_test():
    assert set(FORMS) == {"kill", "pause", "drop", "delay", "full_disk", "slow_disk",
                          "clock_step", "slow_subscriber"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kill", "expected name[:value][+seconds]@seconds"),
        ("burn@2", "expected one of kill"),
        ("kill@2", "expected a process behind the colon, got ''"),
        ("kill:5@2", "expected a process"),
        ("drop:venue@2", "expected nothing behind the colon"),
        ("pause:venue@2", "expected +seconds"),
        ("drop+2@2", "expected no +seconds"),
        ("drop@1.2.3", "expected numbers"),
    ],
)
def test_a_fault_that_is_none_is_one_clear_line(text, expected):
    with pytest.raises(FaultError) as error:
        fault_parse(text)
    assert expected in str(error.value)


def test_faults_are_over_before_the_run_is():
    assert [each.at_s for each in faults_parse(["drop@3", "drop@1"], seconds=5)] == [1, 3]
    with pytest.raises(FaultError, match="within the run's 5 s, got 6 s"):
        faults_parse(["pause:venue+3@3"], seconds=5)


class Noted(Stand):
    """A stand that notes what is done to it."""

    def __init__(self):
        super().__init__({})
        self.acts = []

    def process_ids(self):
        return {"server": 1}

    def kill(self, name):
        self.acts.append(("kill", name))

    def begin(self, name):
        self.acts.append(("begin", name))

    def pause(self, name):
        self.acts.append(("pause", name))

    def resume(self, name):
        self.acts.append(("resume", name))


def test_acts_happen_at_their_times_and_what_lasts_is_ended_with_the_run():
    stand = Noted()
    acts = Acts(faults_parse(["kill:server+1@1", "pause:server+5@3"], seconds=9), stand)
    acts.turn(0.9)
    assert stand.acts == []
    acts.turn(1.1)
    assert stand.acts == [("kill", "server")]
    acts.turn(3.0)
    assert stand.acts == [("kill", "server"), ("begin", "server"), ("pause", "server")]
    acts.finish(4.0)
    assert stand.acts[-1] == ("resume", "server")
    assert [text for _, text in acts.done][-1] == "pause server for 5 s: over"


def test_what_can_not_be_done_to_a_system_is_told_before_it_is_loaded():
    with pytest.raises(StandError, match="expected server, got venue"):
        Acts([fault_parse("kill:venue@1")], Noted())
    with pytest.raises(StandError, match="expected a venue that this run starts"):
        Acts([fault_parse("clock_step:30@1")], Noted())


def test_any_system_over_tcp_is_met_by_drops_and_delays():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stand = Stand({"port": str(port), "sender": "LOAD"}, proxied=True)
        with stand:
            options = stand.options()
            assert options["sender"] == "LOAD" and options["port"] != str(port)
            acts = Acts(faults_parse(["delay:0.2+1@1", "drop@3"], seconds=9), stand)
            client = socket.create_connection(("127.0.0.1", int(options["port"])))
            client.settimeout(20 * patience())
            theirs, _ = server.accept()
            with client, theirs:
                acts.turn(1.0)
                began = time.monotonic()
                theirs.sendall(b"late")
                assert client.recv(9) == b"late" and time.monotonic() - began >= 0.2
                acts.turn(2.0)
                acts.turn(3.0)
                assert client.recv(9) == b""
    assert [text for _, text in acts.done] == [
        "delay 0.2 for 1 s", "delay 0.2 for 1 s: over", "drop",
    ]  # fmt: skip


def test_a_proxy_takes_the_place_of_the_option_that_says_where():
    for given, is_replaced in (
        ({"endpoint": "tcp://127.0.0.1:7"}, "endpoint"),
        ({"host": "localhost", "port": "7"}, "port"),
    ):
        with Stand(given, proxied=True) as stand:
            assert stand.options().keys() == given.keys()
            assert stand.options()[is_replaced] != given[is_replaced]
    with Stand({"endpoint": "http://127.0.0.1:8080/orders?v=1"}, proxied=True) as stand:
        assert re.fullmatch(r"http://127.0.0.1:\d+/orders\?v=1", stand.options()["endpoint"])


@pytest.mark.parametrize(
    ("options", "got"),
    [
        ({"place": "here"}, "neither"),
        ({"endpoint": "ipc:///tmp/venue"}, "ipc:///tmp/venue"),
        ({"endpoint": "127.0.0.1:9878"}, "127.0.0.1:9878"),
        ({"port": "abc"}, "abc"),
    ],
)
def test_what_no_proxy_can_take_the_place_of_is_refused(options, got):
    with pytest.raises(StandError, match=rf"endpoint .* or port, .*, got {re.escape(got)}$"):
        Stand(options, proxied=True)


# -- The proxy -------------------------------------------------------------------------------------


@pytest.fixture
def echo():
    """A server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


@pytest.fixture
def proxy(echo):
    proxy = Proxy(echo)
    proxy.start()
    yield proxy
    proxy.close()


def connected(proxy):
    host, _, port = proxy.endpoint.removeprefix("tcp://").partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(30 * patience())
    return connection


def exchanged(connection, data):
    """Send all of it, however little the other side takes at a time, and return what comes back."""
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    back = bytearray()
    while len(back) < len(data):
        back += connection.recv(65536)
    sender.join()
    return bytes(back)


def test_the_proxy_passes_everything_in_order(proxy):
    with connected(proxy) as connection:
        data = bytes(range(256)) * 20_000
        assert exchanged(connection, data) == data


def test_a_delay_holds_back_and_ends_without_changing_the_order(proxy):
    with connected(proxy) as connection:
        exchanged(connection, b"here")
        proxy.delay(0.1)
        started = time.monotonic()
        connection.sendall(b"slow")
        # Once the proxy has read it, it knows when that is to leave.
        wait_until(lambda: any(pipe.last_at > started for pipe in proxy._pipes.values()))
        proxy.delay(0.0)
        connection.sendall(b"fast")
        back = b""
        while len(back) < 8:
            back += connection.recv(64)
        assert back == b"slowfast"
        assert time.monotonic() - started >= 0.1


def test_a_drop_ends_the_connections_and_takes_new_ones(proxy):
    with connected(proxy) as old:
        exchanged(old, b"here")
        proxy.drop()
        with contextlib.suppress(ConnectionError):
            assert old.recv(64) == b""
        assert proxy.dropped == 1
    with connected(proxy) as new:
        assert exchanged(new, b"again") == b"again"


# -- The disk --------------------------------------------------------------------------------------


def test_a_full_disk_takes_no_further_byte_and_what_is_there_can_be_changed(tmp_path):
    fault = tmp_path / "fault"
    file = FaultyStorage(fault).create(tmp_path / "file")
    file.write(0, b"1234")
    fault.write_text("full")
    with pytest.raises(OSError, match="No space left"):
        file.write(4, b"5")
    file.write(0, b"9")
    fault.unlink()
    file.write(4, b"5")
    assert file.read(0, 10) == b"92345"
    file.close()


def test_a_slow_disk_takes_its_time_to_sync(tmp_path):
    fault = tmp_path / "fault"
    file = FaultyStorage(fault).create(tmp_path / "file")
    fault.write_text("slow 30")
    started = time.monotonic()
    file.sync()
    assert time.monotonic() - started >= 0.03
    file.close()
