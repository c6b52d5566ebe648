"""Whatever operators ask of the venue, with whatever values: done, or refused by who knows why."""

import random
from collections import Counter

import msgspec
import pytest

from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.venue.operations.admin_client import ActRefused, admin_ask
from cea_exchange.venue.requests import VENUE_REQUESTS
from support.institution.edge_requests import EdgeRequests
from support.venue.venue_world import PRODUCT, enter, world_open

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

ENDING = {"stop", "cluster_handover", "kill", "open_day", "close_day", "clock", "phase"}
"""After these the others would find no market to act upon."""
SOUND = {
    "account": ("alice", "bob"),
    "product": (PRODUCT,),
    "why": ("words",),
    **dict.fromkeys(("trade_id", "first", "number"), (1,)),
    "count": (5,),
    "case": ("C1",),
    "bidding": ("B1", "B2"),
    "tonnes": (100_000,),
    "limit": (9_749,),
    "pricing": ("uniform",),
    "date": ("2025-02-05",),
}


def test_every_request_is_done_or_refused(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        alice.command(enter(1, "buy", 9_700, 10))
        alice.reports(2)
        bob.command(enter(1, "sell", 9_700, 10))
        bob.reports(2)
        types = [each for each in VENUE_REQUESTS.types if each.__struct_config__.tag not in ENDING]
        said, broken = Counter(), []
        for request in EdgeRequests(types, SOUND, random.Random(1)):
            try:
                msgspec.msgpack.encode(request)
            except OverflowError:
                continue
            try:
                admin_ask(world.data, request)
                said["done"] += 1
            except ActRefused as refused:
                said[refused.code] += 1
                if refused.code is VenueRefusal.INTERNAL:
                    broken.append((str(refused), request))
        assert broken == [] and world.failure is None
        assert said["done"] > 500 and len(said) > 12
