"""Participants come by the way in, and the venue that leads is killed: they see a pause."""

import time

import pytest

from cea_exchange.domain.records import EventKind
from support.cluster.way_in_world import way_in_world
from support.patience import patience

pytestmark = pytest.mark.e2e


@pytest.fixture
def opened(tmp_path):
    with way_in_world(tmp_path) as opened:
        yield opened


def test_a_session_outlives_the_venue_that_leads(opened):
    alice = opened.client("alice", report_seq=0)
    first = alice.enter("CEA24", "buy", price_fen=9700, tonnes=5)
    assert alice.answer(first).kind == EventKind.ORDER_ACCEPTED
    opened.venue_kill()
    during = alice.enter("CEA24", "buy", price_fen=9701, tonnes=5)
    time.sleep(1.5)
    opened.venue_begin()
    report = alice.answer(during, timeout_s=20 * patience())
    assert report.kind == EventKind.ORDER_ACCEPTED
    after = alice.enter("CEA24", "buy", price_fen=9702, tonnes=5)
    assert alice.answer(after).kind == EventKind.ORDER_ACCEPTED
    assert alice.reconnections == 0
    assert opened.way_in.way_in.resumed_count == 1
