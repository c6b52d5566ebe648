"""`venue status` and `registry status`: a page for a person, JSON for a program."""

import json
import os
import subprocess
import sys

import pytest

from cea_exchange.cli.daemons.registry import RegistryCommands
from cea_exchange.cli.daemons.status_page import venue_page
from cea_exchange.domain.profile import load_profile
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.protocol.security import CurveKeys
from support.venue.venue_world import world_open

pytestmark = pytest.mark.e2e


def run(daemon, data, *options):
    command = [sys.executable, "-m", "cea_exchange.cli.main", daemon, "status"]
    return subprocess.run(
        [*command, "--data", str(data), *options], capture_output=True, text=True, timeout=60
    )


def lines_of(page):
    return {(title, name): value for title, lines in page for name, value in lines}


@pytest.fixture
def status(tmp_path):
    with world_open(tmp_path) as world:
        world.start()
        world.ready()
        yield world.admin(op="status")


def test_both_daemons_tell_a_person_where_they_stand(tmp_path):
    members = population(2, {"CEA24": 9749}, seed=1, orders_each=10)
    with LocalExchange(tmp_path) as exchange:
        exchange.prepare(members, {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00", fronts=0)
        exchange.start()
        exchange.wait_until(
            lambda: not exchange.operate("status")["cancels_only"], "the registry", 30
        )
        exchange.operate("halt", product="CEA24")
        page = run("venue", tmp_path)
        assert page.returncode == 0, page.stderr
        lines = page.stdout.splitlines()
        assert max(map(len, lines)) <= 80
        halted = next(line for line in lines if "halted" in line)
        assert halted.split() == ["halted", "products", "CEA24"]
        shown = json.loads(run("venue", tmp_path, "--json").stdout)
        assert shown["halted_products"] == ["CEA24"]
        assert shown["journal_bytes"] > 0 and shown["disk_free_bytes"] > 0
        page = run("registry", tmp_path)
        assert page.returncode == 0, page.stderr
        assert ["registry", "state", "ok"] in [line.split() for line in page.stdout.splitlines()]
        shown = json.loads(run("registry", tmp_path, "--json").stdout)
        assert shown["database_bytes"] > 0 and shown["accounts"] == 2 and shown["lag_records"] == 0
        person = CurveKeys.load(tmp_path / "keys", "admin")
        person.save(tmp_path / "home", "an")
        asked = run("registry", tmp_path, "--json", "--key", str(tmp_path / "home" / "an"))
        assert json.loads(asked.stdout)["accounts"] == 2, asked.stderr
        exchange.stop("registry")
        gone = run("registry", tmp_path)
        assert gone.returncode == 2 and gone.stderr.count("\n") == 1


def test_watching_shows_the_page_again_and_again(tmp_path):
    with world_open(tmp_path) as world:
        world.start()
        command = [sys.executable, "-m", "cea_exchange.cli.main", "venue", "status"]
        watcher = subprocess.Popen(
            [*command, "--data", str(tmp_path), "--watch", "0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TTY_COMPATIBLE": "1"},
        )
        try:
            seen = 0
            while seen < 3:
                line = watcher.stdout.readline()
                assert line, watcher.stderr.read()
                seen += "live orders" in line
        finally:
            watcher.terminate()
            watcher.communicate()


def test_the_page_names_what_is_halted_and_why(status):
    def halted(**fields):
        return lines_of(venue_page({**status, **fields}))["venue", "halted"]

    assert halted() == "nothing"
    assert halted(halted=True) == "the market (by an operator)"
    assert halted(halted=True, halted_for_lag=True) == "the market (the registry is behind)"
    assert halted(halted=True, halted_products=["A", "B"]) == (
        "the market (by an operator); products A, B"
    )


def test_the_page_names_reviews_that_are_overdue(status):
    """CEA-BID-10."""
    assert ("venue", "REVIEW OVERDUE") not in lines_of(venue_page(status))
    lines = lines_of(venue_page({**status, "reviews_overdue": ["B1", "B2"]}))
    assert lines["venue", "REVIEW OVERDUE"] == "B1, B2"


def test_the_page_says_what_is_wrong_with_the_clock(status):
    assert ("venue", "CLOCK") not in lines_of(venue_page(status))
    lines = lines_of(venue_page({**status, "clock_warning": "it is behind"}))
    assert lines["venue", "CLOCK"] == "it is behind"


def test_the_page_names_the_rules_and_what_is_delisted(status):
    lines = lines_of(venue_page(status))
    assert lines["trading", "delisted"] == "none"
    assert lines["trading", "profile"] == f"cea, {load_profile('cea').profile_hash()}"
    lines = lines_of(venue_page({**status, "delisted_products": ["A", "B"]}))
    assert lines["trading", "delisted"] == "A, B"


def test_the_page_warns_of_a_calendar_that_ends(status):
    def calendar(left):
        return lines_of(venue_page({**status, "calendar_days_left": left}))["venue", "calendar"]

    assert calendar(30).endswith("30 days: ENDS SOON") and calendar(31).endswith("31 days")
    assert calendar(0).endswith("0 days: ENDS SOON") and calendar(-1).startswith("ENDED on 2026-")


def test_figures_have_their_units(status):
    fields = {"uptime_s": 93_784, "journal_bytes": 5 * 2**30, "snapshot_age_s": 61.0}
    fields |= {"lag_records": 12_345, "lag_s": 1.25, "confirmed_date": 20241231}
    lines = lines_of(venue_page({**status, **fields}))
    assert lines["venue", "up"] == "1 d 02:03:04"
    assert lines["data", "journal"] == "5.0 GiB"
    assert lines["data", "snapshot"] == "00:01:01 ago"
    assert lines["registry", "lag"] == "12,345 records, 1.2 s"
    assert lines["registry", "confirmed"] == "2024-12-31"


def test_what_is_not_known_is_said_so(status):
    unknown = {name: value for name, value in status.items() if not name.endswith("_bytes")}
    lines = lines_of(venue_page(unknown))
    assert lines["data", "disk free"] == "unknown" and lines["data", "snapshot"] == "none yet"


def test_a_registry_without_anything_has_a_page_too():
    shown = dict.fromkeys(
        ("uptime_s", "last_seq", "lag_records", "confirmed_date", "accounts", "products"), 0
    )
    shown |= dict.fromkeys(("trades", "entries", "transfers_pending", "bank_unapplied"), 0)
    shown["duties_overdue"] = 0
    shown |= {"state": "ok", "log_id": None, "metrics": None, "clock_warning": None}
    shown |= {"unsafe": None, "troubles": {}, "clock": "system"}
    shown |= {"time": "2026-03-02T12:00:00+08:00"}
    assert ("registry", "CLOCK") not in lines_of(RegistryCommands().page(shown))
    lines = lines_of(RegistryCommands().page({**shown, "clock_warning": "wrong"}))
    assert lines["registry", "CLOCK"] == "wrong"
    lines = lines_of(RegistryCommands().page(shown))
    assert lines["registry", "log id"] == "none yet" and lines["ledger", "metrics"] == "off"
    assert lines["registry", "second person"] == "asked for"
    # CEA-PER-05: a test bench says what it is.
    lines = lines_of(RegistryCommands().page(shown | {"unsafe": "one person alone"}))
    assert lines["registry", "second person"] == "NONE: one person alone"
    shown |= {"bank_unapplied": 3, "duties_overdue": 2, "troubles": {"bank": "disk full"}}
    lines = lines_of(RegistryCommands().page(shown))
    assert lines["registry", "trouble: bank"] == "disk full"
    assert lines["ledger", "bank"] == "3 of its answers not applied"
    assert lines["ledger", "duties"] == "2 overdue"
