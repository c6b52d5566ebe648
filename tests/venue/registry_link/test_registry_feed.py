"""The venue's connection to its registry: what keeps it from being made ends nothing."""

import json
import time

import pytest
import zmq

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.registry_link import feed
from cea_exchange.venue.registry_link.feed import RegistryFeed
from support.registry.fake_venue import wait_until


@pytest.fixture
def context():
    with zmq.Context() as one:
        yield one


@pytest.fixture
def make(tmp_path, context):
    CurveKeys.new().save(tmp_path / "keys", "registry")
    made = []

    def feed_of(**settings):
        made.append(RegistryFeed(context, VenueConfig(**settings), tmp_path, CurveKeys.new()))
        return made[-1]

    yield feed_of
    for one in made:
        one.close()


def ask(one):
    one.ask(last=0, log_id="0" * 32)
    return one.socket is not None


def test_without_a_descriptor_it_is_tried_again(make, context, monkeypatch):
    """Connections of others may have taken them all; the venue trades on, and only cancels."""
    told = []
    monkeypatch.setattr(feed.log, "warning", lambda event, **fields: told.append((event, fields)))
    context.set(zmq.MAX_SOCKETS, 1)
    with context.socket(zmq.DEALER):
        one = make(registry_feed="tcp://127.0.0.1:9")
        assert not ask(one)
        time.sleep(0.11)  # that long it does not try again
        assert not ask(one)
    wait_until(lambda: ask(one))
    ((event, fields),) = told
    assert event == "registry_not_reached" and "Too many open files" in fields["error"]


@pytest.mark.parametrize("address", ["nowhere", 5, "tcp://127.0.0.1:none", None])
def test_a_file_without_an_address_is_read_again(make, tmp_path, address):
    (tmp_path / "registry").mkdir()
    file = tmp_path / "registry" / "endpoints.json"
    file.write_text(json.dumps({"feed": address}))
    one = make()
    assert not ask(one)
    file.write_text(json.dumps({"feed": "tcp://127.0.0.1:9"}))
    wait_until(lambda: ask(one))


def test_the_key_of_the_start_is_enough(make, tmp_path):
    one = make(registry_feed="tcp://127.0.0.1:9")
    (tmp_path / "keys" / "registry.public").unlink()
    assert ask(one)
