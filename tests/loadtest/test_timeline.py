"""What the machine and the target did while a run was on."""

import http.server
import os
import sys
import threading
import time

import pytest

from cea_exchange.loadtest.machine import MachineCounters, machine, versions
from cea_exchange.loadtest.stands.stand import metrics_read
from cea_exchange.loadtest.timeline import SAMPLE_S, Sampler, Timeline

pytestmark = pytest.mark.unit

TEXT = b"""# HELP orders Orders.
# TYPE orders counter
orders_total{kind="new"} 7.0
# HELP sync_seconds Syncs.
# TYPE sync_seconds histogram
sync_seconds_bucket{le="0.1"} 3.0
sync_seconds_bucket{le="+Inf"} 4.0
sync_seconds_sum 1.5
sync_seconds_count 4.0
"""


@pytest.fixture
def address():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(TEXT)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def test_the_targets_metrics_are_read_without_their_buckets(address):
    assert metrics_read((address,)) == {
        "orders_total{kind=new}": 7.0,
        "sync_seconds_sum": 1.5,
        "sync_seconds_count": 4.0,
    }


def test_a_target_that_does_not_answer_has_no_metrics(address):
    assert metrics_read(("http://127.0.0.1:1/metrics",)) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of threads")
def test_a_thread_that_works_is_seen_and_one_that_is_gone_does_no_harm():
    counters = MachineCounters()
    assert counters.look(0.0, {"me": os.getpid()}) == {}
    before = time.process_time()
    while time.process_time() - before < 0.1:
        pass
    rates = counters.look(0.5, {"me": os.getpid(), "gone": 2**22 + 1})
    assert rates["cpu me"] >= 0.15
    assert rates["cpu"] > 0
    threads = [name for name in rates if name.startswith("cpu me ")]
    assert threads and not any("gone" in name for name in rates)


def test_samples_are_columns_with_holes_and_rates_between_them():
    seen = {"sent": 0.0, "answered": 0.0}
    sampler = Sampler(lambda: dict(seen), dict, dict)
    assert sampler.turn(0.0)
    seen.update(sent=100.0, answered=80.0)
    assert not sampler.turn(SAMPLE_S / 2)
    assert sampler.turn(SAMPLE_S)
    columns = sampler.timeline.columns
    assert columns["sent a second"] == [None, 100 / SAMPLE_S]
    assert columns["unanswered"] == [0.0, 20.0]


def test_a_column_that_comes_later_or_goes_has_holes():
    timeline = Timeline()
    for at_s, sample in ((0, {"a": 1.0}), (1, {"b": 2.0}), (2, {"a": 3.0, "b": 4.0})):
        timeline.add(at_s, sample)
    assert timeline.columns == {"a": [1.0, None, 3.0], "b": [None, 2.0, 4.0]}


def test_a_result_says_what_it_was_made_on_and_with():
    assert machine()["cpus"] >= 1 and machine()["cpu"]
    assert versions()["python"] == sys.version.split()[0]
    assert "numpy" in versions()
