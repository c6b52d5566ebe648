"""What Prometheus gets from real daemons is what was done; the document lists all of it."""

import json
import re
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cea_exchange.ccer.metrics import CcerMetrics
from cea_exchange.cluster.way_in import metrics as way_in_metrics
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.platform.metrics import PlatformMetrics
from cea_exchange.protocol.metrics_buckets import Buckets
from cea_exchange.protocol.settings import ConfigError, settings_read
from cea_exchange.registry.control import metrics as registry_metrics
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.operations import metrics as venue_metrics
from cea_exchange.venue.replication import metrics as cluster_metrics
from support.places import ROOT
from support.registry.fake_venue import wait_until
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.e2e

DOCUMENT = ROOT / "protocol" / "metrics.md"


def scrape(address):
    """Return samples by (name, labels) and the types by metric."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }
    return samples, {family.name: family.type for family in families}


def trade(world):
    """Three trades, two rejects, one order left."""
    world.listed()
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    alice.command(*[enter(number, "sell", 9750, 10) for number in (1, 2, 3)])
    alice.reports(6)
    bob.command(*[enter(number, "buy", 9750, 10) for number in (1, 2, 3)])
    bob.reports(6)
    bob.command(enter(4, "buy", 99_99, 0), enter(5, "buy", 1, 1), enter(6, "buy", 9700, 1))
    bob.reports(4)


def test_the_venues_numbers_are_what_was_done(tmp_path):
    with world_open(tmp_path, metrics="127.0.0.1:0") as world:
        trade(world)
        world.admin(op="halt")
        status = world.admin(op="status")
        endpoints = json.loads((tmp_path / "venue" / "endpoints.json").read_text())
        assert endpoints["metrics"] == status["metrics"]
        behind = ("cea_venue_settlement_lag_records",)
        world.until(lambda: scrape(status["metrics"])[0][behind] == status["settlement_seq"])
        found, types = scrape(status["metrics"])
        assert found["cea_venue_commands_total",] == 9
        assert 3 <= found["cea_venue_batches_total",] <= 9
        assert found["cea_venue_batch_commands_sum",] == 9
        assert found["cea_venue_batch_commands_count",] == found["cea_venue_batches_total",]
        assert found["cea_venue_trades_total",] == 3
        assert found["cea_venue_rejects_total", "TONNES_NOT_POSITIVE"] == 1
        assert found["cea_venue_rejects_total", "PRICE_OUT_OF_BAND"] == 1
        assert found["cea_venue_orders_live",] == 1
        assert found["cea_venue_sessions",] == 2
        assert found["cea_venue_settlement_seq",] == status["settlement_seq"]
        assert found["cea_venue_phase", "listed"] == 1 and found["cea_venue_phase", "closed"] == 0
        assert found["cea_venue_halted",] == 1
        assert found["cea_venue_messages_total",] >= 5
        for name in ("fdatasync", "apply", "release"):
            assert found[f"cea_venue_{name}_seconds_count",] == found["cea_venue_batches_total",]
            assert 0 < found[f"cea_venue_{name}_seconds_sum",] < 60
        assert found["cea_venue_loop_delay_seconds_count",] > 0
        journal = sum(path.stat().st_size for path in (tmp_path / "journal").iterdir())
        assert 0 < found["cea_venue_journal_bytes",] <= journal
        assert types["cea_venue_fdatasync_seconds"] == "histogram"


def test_refused_keys_are_counted_and_our_own_tests_are_not(tmp_path):
    with world_open(tmp_path, metrics="127.0.0.1:0") as world:
        world.start()
        world.ready()
        assert world.admin(op="status")["keys_refused"] == 0
        stranger = world.peer("stranger")
        stranger.knock(b"M", b"")
        world.until(lambda: world.admin(op="status")["keys_refused"] > 0)
        found, _ = scrape(world.admin(op="status")["metrics"])
        assert found["cea_venue_keys_refused_total",] >= 1


def test_metrics_are_off_unless_asked_for(tmp_path):
    with world_open(tmp_path) as world:
        world.start()
        assert world.admin(op="status")["metrics"] is None


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "10.0.0.1:1", "127.0.0.1", "[::1]:9464"])
def test_only_the_loopback_is_served(tmp_path, address):
    (tmp_path / "venue.toml").write_text(f'metrics = "{address}"\n')
    with pytest.raises(ConfigError, match="metrics"):
        settings_read(tmp_path / "venue.toml", VenueConfig)


def test_both_daemons_of_an_exchange_are_watched(tmp_path):
    members = population(2, {"CEA24": 9749}, seed=1, orders_each=10)
    with LocalExchange(tmp_path) as exchange:
        exchange.prepare(members, {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00")
        path = tmp_path / "registry.toml"
        path.write_text(path.read_text() + 'metrics = "127.0.0.1:0"\n')
        exchange.start()
        address = exchange.endpoint("registry", "metrics")

        def applied():
            shown = scrape(address)[0]
            applied = shown["cea_registry_applied_seq",]
            return applied == exchange.operate("status")["settlement_seq"]

        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        wait_until(lambda: exchange.operate("status")["phase"] == "listed", 30)
        wait_until(applied, 30)
        found, _types = scrape(address)
        seq = exchange.operate("status")["settlement_seq"]
        assert found["cea_registry_records_total",] == seq
        assert found["cea_registry_batch_records_sum",] == seq
        assert found["cea_registry_batch_seconds_count",] >= 1
        assert found["cea_registry_lag_records",] == 0
        assert found["cea_registry_ok",] == 1
        assert found["cea_registry_trades", "settled"] == 0
        assert found["cea_registry_entries",] > 0
        assert found["cea_registry_transfers_pending",] == 0
        assert found["cea_registry_feed_seq",] == exchange.operate("status")["feed_seq"]


# -- The document, the server, the buckets ---------------------------------------------------------


def documented():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (kind, text) for name, kind, text in rows}


def test_the_document_lists_exactly_the_metrics_there_are():
    listed = {}
    for module in (venue_metrics, registry_metrics):
        kinds = {"COUNTERS": "counter", "GAUGES": "gauge", "HISTOGRAMS": "histogram"}
        for table, kind in kinds.items():
            listed |= {name: (kind, text) for name, text in getattr(module, table).items()}
        for name, text in module.OTHERS.items():
            kind = {"build": "info", "rejects": "counter"}.get(name.rpartition("_")[2], "gauge")
            listed[name] = (kind, text)
    listed |= {name: ("gauge", text) for name, text in cluster_metrics.GAUGES.items()}
    listed |= {name: ("gauge", text) for name, text in way_in_metrics.GAUGES.items()}
    listed |= {name: ("counter", text) for name, text in way_in_metrics.COUNTERS.items()}
    for institution, metrics in (("platform", PlatformMetrics), ("ccer", CcerMetrics)):
        for kind in ("counter", "gauge"):
            answered = getattr(metrics, f"{kind}s")
            listed |= {f"cea_{institution}_{name}": (kind, text) for name, text in answered.items()}
        listed[f"cea_{institution}_build"] = ("info", metrics.build_words)
    assert documented() == listed


def test_what_a_daemon_tells_is_in_the_document(tmp_path):
    with world_open(tmp_path, metrics="127.0.0.1:0") as world:
        world.start()
        _, types = scrape(world.admin(op="status")["metrics"])
    venue = {name: kind for name, (kind, _) in documented().items() if "cea_venue" in name}
    # In the text format an info is a gauge with another name.
    assert types.pop("cea_venue_build_info") == "gauge"
    assert venue == {**types, "cea_venue_build": "info"}


def test_buckets_count_what_lies_between_their_bounds():
    buckets = Buckets("x_seconds", "x", (1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        buckets.observe(value)
    assert buckets.count == 5
    samples = {sample.labels.get("le"): sample.value for sample in buckets.family().samples}
    assert (samples["1.0"], samples["2.0"], samples["+Inf"], samples[None]) == (2, 4, 5, 8.0)
