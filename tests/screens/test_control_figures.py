"""What the control room makes of metrics and statuses, and what supervision calls things."""

import ast

import pytest

from cea_exchange.domain.records import EventKind
from cea_exchange.screens.control_room.alarms import alarms_of
from cea_exchange.screens.control_room.figures import metrics_read, quantile_between, rate
from cea_exchange.screens.control_room.monitor import sample_between
from cea_exchange.screens.control_room.settlement import reconciled_read
from cea_exchange.screens.regulator.holders import concentration_of
from cea_exchange.screens.texts.catalogue import LANGUAGES, texts
from cea_exchange.supervision.large_holders import Holder
from cea_exchange.supervision.surveillance import PATTERNS
from support.places import ROOT


def metrics(commands, buckets):
    lines = ["# TYPE cea_venue_commands_total counter", f"cea_venue_commands_total {commands}"]
    lines += ["# TYPE cea_venue_rejects_total counter"]
    lines += [f'cea_venue_rejects_total{{reason="{name}"}} {commands}' for name in ("A", "B")]
    lines += ["# TYPE cea_venue_release_seconds histogram"]
    for bound, count in zip(("0.001", "0.002", "0.01", "+Inf"), buckets, strict=True):
        lines.append(f'cea_venue_release_seconds_bucket{{le="{bound}"}} {count}')
    lines += [f"cea_venue_release_seconds_count {buckets[-1]}", "cea_venue_release_seconds_sum 1"]
    return metrics_read("\n".join(lines) + "\n")


def test_rates_and_quantiles_are_of_what_happened_between_two_looks():
    before, now = metrics(100, (50, 60, 70, 70)), metrics(300, (50, 160, 170, 170))
    assert rate(before, now, "cea_venue_commands", 2.0) == 100.0
    # All hundred lie within the second bucket, evenly.
    assert quantile_between(before, now, "cea_venue_release_seconds", 0.5) == pytest.approx(0.0015)
    sample = sample_between(before, now, 2.0, 7)
    assert (sample.at_s, sample.commands, sample.rejects) == (7, 100.0, 200.0)
    assert (sample.release_p50, sample.release_p99, sample.disk_p99) == (1.5, 1.99, None)


def test_a_daemon_that_was_started_anew_has_no_negative_rate():
    before, now = metrics(300, (50, 60, 70, 70)), metrics(5, (1, 1, 1, 1))
    assert rate(before, now, "cea_venue_commands", 1.0) == 0.0
    assert quantile_between(before, now, "cea_venue_release_seconds", 0.5) is None


def test_what_lies_beyond_the_last_bound_is_taken_to_lie_at_it():
    before, now = metrics(0, (0, 0, 0, 0)), metrics(10, (0, 0, 0, 10))
    assert quantile_between(before, now, "cea_venue_release_seconds", 0.99) == 0.01


VENUE = {
    "halted": False,
    "halted_for_lag": False,
    "halted_products": [],
    "cancels_only": "",
    "lag_level": "normal",
    "lag_records": 0,
    "lag_s": 0.1,
    "reviews_overdue": [],
    "calendar_days_left": 300,
    "calendar_last": "2026-12-31",
    "changes_pending": 0,
    "clock_warning": None,
    "keys_cut_off": [],
    "fronts_ended": 0,
    "disk_free_bytes": 10**12,
}
REGISTRY = {
    "state": "ok",
    "troubles": {},
    "trades_failed": 0,
    "claims": 0,
    "bank_unapplied": 0,
    "duties_overdue": 0,
    "unsafe": None,
    "clock_warning": None,
}


def keys(**more):
    return [alarm.key for alarm in alarms_of({"venue": VENUE | more}, {}, None)]


def test_all_is_well_where_nothing_is_said():
    assert alarms_of({"venue": VENUE, "registry": REGISTRY}, {}, 1.0) == []


def test_each_trouble_is_an_alarm_and_the_grave_ones_come_first():
    assert keys(halted=True) == ["halted"]
    assert keys(halted=True, halted_for_lag=True) == ["halted_for_lag"]
    assert keys(disk_free_bytes=1, halted_products=["CEA24"], cancels_only="disk") == [
        "cancels_only",
        "disk_full",
        "products_halted",
    ]
    assert keys(lag_level="throttle", calendar_days_left=30) == ["lag", "calendar"]
    stopped = REGISTRY | {"state": "diverged: alice", "troubles": {"bank": "no answer"}}
    found = alarms_of({"registry": stopped}, {"venue": "no answer"}, 80.0)
    assert [(each.system, each.key) for each in found] == [
        ("venue", "silent"),
        ("registry", "settlement_stopped"),
        ("registry", "trouble"),
        ("venue", "disk_slow"),
    ]


def test_what_reconciling_came_to_is_read_off_the_program():
    assert reconciled_read(b'{"agrees": true, "differences": []}', b"", 1).state == "agrees"
    differs = reconciled_read(b'{"agrees": false, "differences": ["alice: 3"]}', b"", 1)
    assert (differs.state, differs.words) == ("differs", ("alice: 3",))
    broken = reconciled_read(b"", b"cea-exchange: no ledger\n", 1)
    assert (broken.state, broken.words) == ("broken", ("cea-exchange: no ledger",))


def test_concentration_is_of_all_that_is_held():
    held = [Holder((name,), tonnes, 0, 0, False, False) for name, tonnes in
            (("a", 50), ("b", 30), ("c", 10), ("d", 10), ("e", -5))]
    found = concentration_of(held)
    assert (found.tonnes, found.largest, found.three, found.ten) == (100, 50, 90, 100)
    assert found.herfindahl == 2_500 + 900 + 100 + 100
    assert concentration_of([]).herfindahl == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_pattern_figure_event_and_alarm_has_a_name(language):
    known = texts(language)
    wanted = {f"pattern.{name}" for name in PATTERNS}
    wanted |= {f"event.{kind.name.lower()}" for kind in EventKind}
    wanted |= {f"figure.{name.replace(',', '').replace(' ', '_')}" for name in figure_names()}
    assert wanted - known.keys() == set()


def figure_names():
    folder = ROOT / "src" / "cea_exchange" / "supervision" / "patterns"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Figure":
                first = node.args[0]
                yield from (
                    part.value
                    for part in ast.walk(first)
                    if isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and part.value not in (">=", "<=", ">")
                )
