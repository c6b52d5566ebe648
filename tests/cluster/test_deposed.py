"""A leader that was deposed while it stood still hears of it from the registry first."""

from types import SimpleNamespace

import pytest

from cea_exchange.venue.daemon import VenueDaemon
from cea_exchange.venue.registry_link.link import VenueError

pytestmark = pytest.mark.unit


def registry_ahead(turn):
    raise VenueError("the registry has settled sequence 9, the journal ends at sequence 7")


def daemon(member):
    """Return one whose first turn finds the registry ahead of its journal."""
    made = VenueDaemon.__new__(VenueDaemon)
    made.member, made.why_again = member, ""
    made._host = SimpleNamespace(run=registry_ahead)
    made._led = lambda member: True
    return made


def test_a_registry_that_is_ahead_sends_a_node_of_a_cluster_back_to_the_log():
    node = daemon(SimpleNamespace())
    node.run()
    assert "the registry is ahead of its journal: " in node.why_again


def test_a_venue_that_is_alone_must_not_run_on():
    with pytest.raises(VenueError, match="settled sequence 9"):
        daemon(None).run()
