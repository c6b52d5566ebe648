"""Keys are replaced as SECURITY.md says, step by step; what was replaced opens nothing any more."""

import pytest
import zmq

from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from support.venue.handshakes import curve_socket, gets_in
from support.venue.venue_process import command

pytestmark = pytest.mark.e2e

WAIT_S = 30.0


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def exchange(tmp_path):
    with LocalExchange(tmp_path / "data") as exchange:
        alice = Participant("alice", "short", {}, 10**9, {})
        exchange.prepare([alice], {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00")
        for daemon in ("venue", "registry"):
            with settings_of(exchange, daemon).open("a") as file:
                file.write(entry("admin"))
        yield exchange


def settings_of(exchange, daemon):
    return exchange.data / f"{daemon}.toml"


def entry(name, file=None):
    """An operator's table in both settings."""
    return f'[[operators]]\nname = "{name}"\nkey = "keys/{file or name}.public"\n'


def restart(exchange):
    for daemon in ("venue", "registry"):
        if exchange.is_running(daemon):
            exchange.stop(daemon)
    exchange.start()
    await_transfers(exchange)


def key_new(name, directory):
    done = command("keys", "new", name, "--directory", str(directory))
    assert done.returncode == 0, done.stderr


def key_replace(exchange, name, tmp_path):
    """Move a pair away and a new one in; return the old one."""
    old = exchange.keys(name)
    key_new(name, tmp_path / "new")
    for suffix in ("public", "secret"):
        path = exchange.keys_directory / f"{name}.{suffix}"
        path.rename(tmp_path / f"{name}-old.{suffix}")
        (tmp_path / "new" / path.name).rename(path)
    assert exchange.keys(name) != old
    return old


def is_let_in(context, exchange, place, keys, server_key=None):
    server_key = server_key or exchange.keys(place[0]).public
    return gets_in(curve_socket(context, place, keys, server_key), exchange.endpoint(*place))


@pytest.mark.nightly
def test_an_operators_key_is_replaced_with_both_in_force_meanwhile(context, exchange):
    for daemon in ("venue", "registry"):
        with settings_of(exchange, daemon).open("a") as file:
            file.write(entry("an"))
    key_new("an", exchange.keys_directory)
    restart(exchange)
    key_new("an-2", exchange.keys_directory)
    for daemon in ("venue", "registry"):
        with settings_of(exchange, daemon).open("a") as file:
            file.write(entry("an", "an-2"))
    restart(exchange)
    for daemon in ("venue", "registry"):
        for name in ("an", "an-2"):
            done = command(daemon, "status", "--data", str(exchange.data), "--key", name)
            assert done.returncode == 0, done.stderr
        path = settings_of(exchange, daemon)
        path.write_text(path.read_text().replace(entry("an"), ""))
    restart(exchange)
    for daemon in ("venue", "registry"):
        place = (daemon, "admin")
        assert not is_let_in(context, exchange, place, exchange.keys("an"))
        assert is_let_in(context, exchange, place, exchange.keys("an-2"))


@pytest.mark.parametrize("daemon", ["venue", "registry"])
@pytest.mark.nightly
def test_a_daemons_key_is_replaced(context, exchange, tmp_path, daemon):
    """Its peers learn the new public half from its file; whoever shows the old one is nobody."""
    places = {"registry": ("venue", "replay"), "venue": ("registry", "feed")}
    restart(exchange)
    for name in ("venue", "registry"):
        exchange.stop(name)
    old = key_replace(exchange, daemon, tmp_path)
    exchange.start()
    # The two agree again: the venue trades on what the registry tells it.
    exchange.wait_until(
        lambda: not exchange.operate("status")["cancels_only"], "the registry's answer", WAIT_S
    )
    assert is_let_in(context, exchange, places[daemon], exchange.keys(daemon))
    assert not is_let_in(context, exchange, places[daemon], old)
    # Who expects the old server speaks to nobody.
    mistaken = curve_socket(context, (daemon, "admin"), exchange.keys("admin"), old.public)
    mistaken.connect(exchange.endpoint(daemon, "admin"))
    mistaken.send(b"\x81\xa2op\xa6status")
    assert not mistaken.poll(1_000)


@pytest.mark.nightly
def test_a_relay_makes_itself_a_key_where_the_old_one_was_taken_away(exchange):
    restart(exchange)
    old = exchange.endpoint("venue", "market_data_public_key")
    exchange.stop("venue")
    for suffix in ("public", "secret"):
        (exchange.keys_directory / f"relay.{suffix}").unlink()
    exchange.start_venue()
    new = exchange.endpoint("venue", "market_data_public_key")
    assert new not in {old, exchange.keys("venue").public}
    assert new == exchange.keys("relay").public
