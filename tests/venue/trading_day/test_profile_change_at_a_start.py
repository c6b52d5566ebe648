"""A venue is stopped after a day, started under another profile, and goes on with its journal."""

import json
import shutil
import signal

import pytest

from cea_exchange.domain.profile import load_profile, profile_parse
from cea_exchange.domain.records import EventKind, Reason
from support.venue.venue_process import CLOCK, SERVE, VenueProcess, command
from support.venue.venue_world import DATE, enter, world_open

pytestmark = pytest.mark.e2e

WIDE = load_profile("cea")
NARROW_TEXT = WIDE.text.replace("listed_band_bp = {value = 1000", "listed_band_bp = {value = 100")
NARROW = profile_parse(NARROW_TEXT, "narrow")
FAR = 9000
NEXT_DATE = 20250102


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path / "venue") as world:
        world.processes = []
        yield world
        for process in world.processes:
            process.end(signal.SIGKILL)


def start(world, settings=CLOCK):
    world.venue = VenueProcess(world, settings=settings)
    world.processes.append(world.venue)
    world.ready()


def refusal_of_a_far_bid(world, number, date=DATE):
    """Return why a bid far from the reference price is refused; NONE if it is taken."""
    peer = world.logged_on("alice")
    peer.command(enter(number, "buy", FAR, 5, trading_date=date))
    (row,) = peer.reports(1 if date == NEXT_DATE else 2)[:1]
    assert row["kind"] in (EventKind.ORDER_ACCEPTED, EventKind.ORDER_REJECTED)
    return Reason(int(row["reason"])).name


def verified(data):
    shown = command("verify", str(data), "--json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def test_a_new_band_applies_from_the_next_day_on(world, tmp_path):
    """CEA-OPR-03"""
    narrow = tmp_path / "narrow.toml"
    narrow.write_text(NARROW_TEXT, encoding="utf-8")
    narrow_settings = f'profile = "{narrow}"\n{CLOCK}'
    start(world)
    world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
    assert refusal_of_a_far_bid(world, 1) == "NONE"
    world.venue.end(signal.SIGTERM)

    (world.data / "venue.toml").write_text(narrow_settings)
    where = ("--config", str(world.data / "venue.toml"), "--data", str(world.data))
    refused = command(*SERVE[3:], *where)
    assert refused.returncode == 1 and refused.stderr.strip().count("\n") == 0
    assert f"day {DATE} is open under profile cea {WIDE.profile_hash()}" in refused.stderr

    start(world)
    world.admin(op="clock", at="2024-12-31T15:30:00+08:00")
    world.registry.confirmed_date = DATE
    world.until(lambda: world.admin(op="status")["confirmed_date"] == DATE)
    world.venue.end(signal.SIGTERM)

    start(world, narrow_settings)
    assert NARROW.profile_hash() in world.venue.log()
    world.admin(op="clock", at="2025-01-02T09:30:00+08:00")
    assert refusal_of_a_far_bid(world, 1, NEXT_DATE) == "PRICE_OUT_OF_BAND"
    expected = world.admin(op="status")["state_hash"]
    world.venue.end(signal.SIGKILL)

    assert verified(world.data)["state_hash"] == expected
    copy, again = tmp_path / "copy", tmp_path / "again"
    assert command("venue", "backup", str(copy), "--data", str(world.data)).returncode == 0
    restored = command("venue", "restore", str(copy), "--data", str(again))
    assert restored.returncode == 0, restored.stderr
    for folder in ("keys", "registry"):
        shutil.copytree(world.data / folder, again / folder)
    world.data = again
    start(world, narrow_settings)
    acts = command("venue", "act", "list", "--data", str(again))
    assert f"profile_changed profile_hash={NARROW.profile_hash()}" in acts.stdout
    world.venue.end(signal.SIGTERM)
    assert verified(again)["profile"] == "cea"
