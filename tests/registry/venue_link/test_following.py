"""A registry with several venues, one of which leads: it goes there, and takes nothing else."""

import pytest

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.registry.fake_venue import FakeVenue, wait_until
from support.registry.registry_process import Daemon
from support.registry.settlement_records import (
    LOG_ID,
    registry_prepare,
    venue_with_deposits,
)

pytestmark = pytest.mark.e2e

TRADES = 60
KNOWN = 40
"""So many records are settled before the leader changes."""


@pytest.fixture
def records():
    venue = venue_with_deposits()
    for _ in range(TRADES):
        venue.trade(1)
    return venue.records


@pytest.fixture
def data(tmp_path):
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    registry_prepare(tmp_path)
    return tmp_path


@pytest.fixture
def run(data):
    """Begin a registry that knows some venues by their addresses."""
    daemons = []

    def begin(*venues):
        nodes = "".join(
            f'[[venue_nodes]]\nsettlement = "{at["settlement"]}"\nreplay = "{at["replay"]}"\n'
            for at in (venue.endpoints for venue in venues)
        )
        (data / "registry.toml").write_text(f"second_person = []\nfronts = 0\n{nodes}")
        daemons.append(Daemon(data))
        daemons[-1].start()
        return daemons[-1]

    yield begin
    for daemon in daemons:
        if daemon.process.poll() is None:
            daemon.kill()


@pytest.fixture
def venues(data, records):
    """Two venues of the same log."""
    both = [FakeVenue(data, LOG_ID, records) for _ in range(2)]
    yield both
    for venue in both:
        venue.close()


def settled(daemon, count):
    wait_until(lambda: daemon.last_seq() == count)


def test_it_goes_on_at_the_next_number_of_the_venue_that_leads_then(data, run, venues, records):
    one, other = venues
    daemon = run(one, other)
    one.publish(1, KNOWN)
    settled(daemon, KNOWN)
    venues.remove(one)
    one.close()
    other.publish(1, len(records))
    settled(daemon, len(records))
    daemon.stop()
    assert check_ledger(data).differences == []


def test_a_venue_that_is_behind_what_is_settled_is_left_for_another(data, run, venues, records):
    one, other = venues
    daemon = run(one, other)
    one.publish(1, KNOWN)
    settled(daemon, KNOWN)
    other.publish(1, len(records))
    # It begins anew with less than it has said: what was settled is missing there.
    one.available = KNOWN - 10
    settled(daemon, len(records))
    assert f"settlement_seq: expected {KNOWN} or more" in (data / "registry.log").read_text()


def test_a_venue_of_another_log_is_left_for_another(data, run, venues, records):
    one, other = venues
    daemon = run(one, other)
    one.publish(1, KNOWN)
    settled(daemon, KNOWN)
    other.publish(1, len(records))
    one.log_id = "log-2"
    settled(daemon, len(records))
    assert "log_id: expected log-1, got log-2" in (data / "registry.log").read_text()
