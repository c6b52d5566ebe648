"""Gates, comparisons, the search for saturation, and the page: what is made of results."""

import io
import itertools
import math
import random
import re
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from rich.console import Console

from cea_exchange.cli.main import run as cli_run
from cea_exchange.loadtest.results.charts import HEIGHT, WIDTH, Line, chart
from cea_exchange.loadtest.results.comparison import STUDENT_95, compare, ratio_of, rounds_read
from cea_exchange.loadtest.results.figures import Columns, Latency, figures_of, p99_of_due
from cea_exchange.loadtest.results.gate import GateError, condition_parse, failures
from cea_exchange.loadtest.results.page import mean_times, page
from cea_exchange.loadtest.results.result import (
    Act,
    Floor,
    Result,
    ResultError,
    result_read,
    result_write,
)
from cea_exchange.loadtest.results.terminal import Board, milliseconds, result_show
from cea_exchange.loadtest.saturation import saturate
from cea_exchange.loadtest.sending.notes import Counts
from cea_exchange.loadtest.timeline import Timeline

pytestmark = pytest.mark.unit

PASSIVE, CANCEL = 0, 6


def latency(*milliseconds):
    return Latency.of((np.array(milliseconds) * 1e6).astype(np.int64))


def result_of(latencies_ms=(1.0,) * 100, *, losses=(), void="", answered=1_000.0, **changes):
    count = len(latencies_ms)
    due = np.arange(count, dtype=np.int64) + 1
    held = Columns.__new__(Columns)
    held._columns = {
        "due_ns": due,
        "left_ns": due,
        "answered_ns": due + (np.array(latencies_ms) * 1e6).astype(np.int64),
        "label": np.where(np.arange(count) % 2, CANCEL, PASSIVE),
        "participant": np.zeros(count, np.int64),
        "outcome": np.where(np.arange(count) % 10, 1, 2),
    }
    figures = figures_of(held, [Counts(codes={"NO": count // 10})], measured_after_ns=0)
    values = {
        "began": "2025-01-02T09:30:00+00:00",
        "settings": {
            "target": "venue",
            "workload": {"name": "quotes", "participants": 8},
            "arrivals": {"kind": "constant", "rate": 1_000, "seconds": 1},
            "recorded": None,
            "processes": 1,
            "seed": 1,
        },
        "machine": {"cpus": 2},
        "versions": {"python": "3"},
        "sent_s": 1.0,
        "done_s": 1.0,
    }
    return Result(
        figures=figures, losses=list(losses), void=void, answered_per_second=answered,
        **values | changes,
    )  # fmt: skip


# -- Figures ---------------------------------------------------------------------------------------


def test_percentiles_and_histogram_agree_to_the_histograms_digits():
    from hdrh.histogram import HdrHistogram

    draw = np.random.default_rng(1)
    values = (draw.lognormal(14, 1, 20_000)).astype(np.int64)
    found = Latency.of(values)
    histogram = HdrHistogram.decode(found.histogram)
    assert histogram.get_total_count() == found.count == 20_000
    for name, percentile in (("p50", 50), ("p99", 99), ("p99.9", 99.9)):
        assert found.at(name) == np.percentile(values, percentile, method="higher")
        # Which of two neighbours a percentile falls on is a matter of definition.
        place = round(len(values) * percentile / 100)
        near = np.sort(values)[place - 2 : place + 2]
        got = histogram.get_value_at_percentile(percentile)
        assert near[0] * 0.999 <= got <= near[-1] * 1.001


def test_an_outage_is_seen_where_commands_were_due_in_it():
    held = Columns.__new__(Columns)
    due = np.array([1, 5, 12, 15, 31], np.int64)
    held._columns = {"due_ns": due, "answered_ns": due + np.array([1, 2, 90, 80, 3])}
    held._columns["answered_ns"][4] = 0
    assert p99_of_due(held, [0, 10, 20, 30, 40]) == [None, 2.0, 90.0, None, None]


def test_a_hole_in_a_line_is_no_line():
    text = chart([Line("x", [0, 1, 2, 3, 4], [1.0, 2.0, None, 3.0, 4.0])], shown=str, x_shown=str)
    assert text.count("<polyline") == 2


def test_no_latency_at_all_is_no_error():
    assert Latency.of(np.zeros(0, np.int64)).count == 0


# -- Gates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("p99>5ms", False),
        ("p99>=1ms", True),
        ("p99>900us", True),
        ("max>0.5s", False),
        ("cancel.p50>0.5ms", True),
        ("passive.p99.9>2ms", False),
        ("answered<1000", False),
        ("answered<1001", True),
        ("refused>9%", True),
        ("refused>11%", False),
        ("reconnects>0", False),
        ("gaps>=0", True),
    ],
)
def test_a_condition_that_holds_fails_the_run(text, fails):
    assert bool(failures(result_of(), [condition_parse(text)])) == fails


def test_whoever_loses_fails_without_any_condition_and_a_void_run_meets_none():
    assert failures(result_of(losses=["2 commands have no answer"]), []) != []
    void = result_of(void="sent late")
    assert failures(void, []) == []
    assert failures(void, [condition_parse("p99>1s")]) == ["the run is void: sent late"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99", "such as p99>5ms"),
        ("p99>5", "expected ns, us, ms or s"),
        ("speed>5", "expected one of p50"),
        ("answered<5ms", "expected no unit"),
        ("refused>5", "expected %"),
        ("cancel.answered<5", "expected one of"),
    ],
)
def test_a_condition_that_is_none_is_one_clear_line(text, expected):
    with pytest.raises(GateError, match="fail-if") as error:
        condition_parse(text)
    assert expected in str(error.value)


def test_a_condition_on_a_kind_that_was_not_sent_is_told():
    with pytest.raises(GateError, match="expected a kind of passive, cancel"):
        failures(result_of(), [condition_parse("amend.p99>1ms")])


# -- Comparisons -----------------------------------------------------------------------------------


def test_the_interval_holds_the_true_ratio_as_often_as_it_says():
    draw = random.Random(5)
    inside = 0
    for _ in range(600):
        machine = [draw.gauss(0, 0.5) for _ in range(7)]
        a = [math.exp(each + draw.gauss(0, 0.05)) for each in machine]
        b = [1.1 * math.exp(each + draw.gauss(0, 0.05)) for each in machine]
        found = ratio_of("p99", a, b)
        inside += found.low <= 1.1 <= found.high
    # 95 % of 600, and four standard deviations.
    assert 570 - 22 < inside < 570 + 22


def test_students_factors_fall_towards_the_normal_distributions():
    assert all(first > second for first, second in itertools.pairwise(STUDENT_95))
    assert len(STUDENT_95) == 30 and STUDENT_95[6] == 2.365


def test_one_round_says_nothing_of_chance_and_several_do():
    alone = compare([result_of()], [result_of((2.0,) * 100)])
    assert alone.ratios[2].ratio == pytest.approx(2.0)
    assert alone.ratios[2].verdict == "one round: nobody can say"
    several = compare([result_of()] * 3, [result_of((2.0,) * 100)] * 3)
    assert several.ratios[2].verdict == "B is more"
    same = compare(
        [result_of((x,) * 100) for x in (1.0, 1.1, 0.9)],
        [result_of((x,) * 100) for x in (1.1, 0.9, 1.0)],
    )
    assert same.ratios[2].verdict == "no difference shown"


def test_rounds_that_lost_something_are_not_compared_and_void_ones_are_named():
    with pytest.raises(ResultError, match="round 1 of B has lost something: it"):
        compare([result_of()], [result_of(losses=["it"])])
    with pytest.raises(ResultError, match="as many rounds"):
        compare([result_of()], [result_of()] * 2)
    assert compare([result_of(void="late")], [result_of()]).void == ["round 1 of A: late"]


def test_results_are_read_as_they_were_written(tmp_path):
    for number in (1, 2):
        folder = tmp_path / f"round-{number}"
        folder.mkdir()
        result_write(result_of((float(number),) * 100), folder / "report.json")
    found = rounds_read(tmp_path)
    assert [each.figures.latency.p50 for each in found] == [1_000_000, 2_000_000]
    assert msgspec.to_builtins(found[0]) == msgspec.to_builtins(result_of())
    (tmp_path / "round-1" / "report.json").write_text('{"form": "other"}')
    with pytest.raises(ResultError, match="expected a result"):
        result_read(tmp_path / "round-1")


# -- Saturation ------------------------------------------------------------------------------------


def test_saturate_says_why_the_rate_above_was_not_held(monkeypatch, capsys):
    def run(settings, *, show):
        late = "" if settings.arrivals.rate < 150 else "it does not keep up: answered 9 a second of"
        return result_of(stopped=late and f"{late} {settings.arrivals.rate:.0f}")

    monkeypatch.setattr("cea_exchange.cli.flows.load._run", run)
    asked = ["load", "saturate", "--rate", "100", "--rate-max", "200"]
    shown = []
    for words in (["--lang", "zh", *asked], ["--lang", "en", *asked]):
        assert cli_run(words) == 0
        shown.append(capsys.readouterr().out.splitlines()[-1])
    chinese, english = shown
    assert "条达不到：" in chinese and "keep up" not in chinese
    reason = "it does not keep up: answered 9 a second of"
    assert re.fullmatch(
        rf"1\d\d commands a second are held, (1\d\d) is not: {reason} \1", english
    )


@pytest.mark.parametrize("capacity", [70, 900, 5_000, 123_456])
def test_the_search_ends_close_to_what_the_system_holds(capacity):
    def run(rate):
        return result_of((1.0,) * 100 if rate <= capacity else (50.0,) * 100)

    found = saturate(
        run, [condition_parse("p99>5ms")], rate=1_000, rate_max=10**6, look=lambda probe: None
    )
    assert found.held <= capacity < found.broken
    assert found.broken / found.held <= 1.1
    assert len(found.probes) < 20


def test_a_rate_is_not_held_by_who_loses_or_does_not_keep_up():
    lossy = saturate(
        lambda rate: result_of(losses=["one"]), [], rate=4, rate_max=100, look=lambda probe: None
    )
    assert lossy.held is None
    slow = saturate(
        lambda rate: result_of(done_s=4.0 if rate > 100 else 1.0), [],
        rate=100, rate_max=200, look=lambda probe: None,
    )  # fmt: skip
    assert slow.held < slow.broken <= 200


def test_the_search_ends_at_the_highest_rate_that_may_be_tried():
    found = saturate(lambda rate: result_of(), [], rate=10, rate_max=35, look=lambda probe: None)
    assert (found.held, found.broken) == (35, None)


# -- The terminal ----------------------------------------------------------------------------------


def printed(*shown):
    console = Console(width=80, record=True, file=io.StringIO())
    for each in shown:
        console.print(each)
    return console.export_text()


def test_the_board_shows_how_far_a_run_is():
    board = Board("quotes against venue", 30.0)
    for rate in (100.0, 800.0):
        shown = board.shown(
            10.0,
            {"answered a second": rate, "p99_ns": 2e6, "sent": 900, "unanswered": 7,
             "cpu venue": 0.5, "cpu venue worker": 0.4, "cpu sender 0": 0.1},
        )  # fmt: skip
    text = printed(shown)
    for expected in ("quotes against venue", "20 s left", "800", "2.000 ms", "unanswered", "50%"):
        assert expected in text, expected
    assert "worker" not in text and "▂█" in text


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [(1_234, "0.001 ms"), (9_876_543, "9.877 ms"), (98_765_432, "98.77 ms"),
     (987_654_321, "987.7 ms"), (3_565_300_000, "3.57 s")],
)  # fmt: skip
def test_a_latency_is_written_with_about_four_digits(nanoseconds, expected):
    assert milliseconds(nanoseconds) == expected


def test_a_result_for_people_names_all_that_counts():
    console = Console(width=80, record=True, file=io.StringIO())
    result_show(full_result(void="sent late", losses=["one order"], reconnects=3), console)
    text = console.export_text()
    for expected in ("quotes against venue", "passive", "cancel", "p99.9", "NO", "reconnects",
                     "the harness's own floor", "void: sent late", "lost: one order",
                     "kill venue"):  # fmt: skip
        assert expected in text, expected
    assert "…" not in text


# -- The page --------------------------------------------------------------------------------------


def full_result(**changes):
    timeline = Timeline()
    for number in range(20):
        timeline.add(number / 2, {
            "sent a second": 1e3, "answered a second": 990.0, "p99_ns": 1e6 + number,
            "unanswered": 3.0, "cpu": 1.5, "cpu venue": 0.7, "target cea_venue_commands": 5.0,
            "target sync_seconds_sum": 0.002 * number, "target sync_seconds_count": number,
        })  # fmt: skip
    return result_of(
        tuple(np.linspace(0.5, 9, 400)),
        timeline=timeline,
        acts=[Act(1.5, "kill venue"), Act(1.6, "kill venue: over")],
        floor=Floor(latency=latency(0.1, 0.2), lateness=latency(0.01, 0.02)),
        **changes,
    )


def test_the_page_says_it_all_and_loads_nothing():
    text = page(full_result())
    assert re.findall(r"(?:href|src|url\()\s*=?\s*[\"']?[a-z]+:", text) == []
    assert "<script" not in text and "<link" not in text and "@import" not in text
    for expected in ("Nothing was lost", "the harness&#x27;s floor", "kill venue", "cpu venue",
                     "cea_venue_commands", "p99.99"):  # fmt: skip
        assert expected in text, expected
    charts = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(charts) == 6
    for each in charts:
        points = [
            tuple(map(float, pair.split(",")))
            for line in ElementTree.fromstring(each).iter("polyline")
            for pair in line.get("points").split()
        ]
        assert points and all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert "nothing was seen" not in text


def test_a_targets_histogram_is_shown_as_means_and_a_restart_of_it_as_a_hole():
    timeline = Timeline()
    for at_s, total, count in ((0.0, 1.0, 10), (0.5, 1.6, 12), (1.0, 0.1, 1), (1.5, 0.3, 2)):
        timeline.add(at_s, {"target sync_seconds_sum": total, "target sync_seconds_count": count})
    (line,) = mean_times(timeline)
    assert line.name == "sync"
    assert line.y == [None, pytest.approx(0.3e9), None, pytest.approx(0.2e9)]


def test_the_page_of_a_failed_run_says_so_first_and_escapes_what_others_wrote():
    result = full_result(losses=["<b>one</b> is lost"])
    text = page(result, result.losses)
    assert "Failed." in text and "Nothing was lost" not in text
    assert "&lt;b&gt;one&lt;/b&gt; is lost" in text and "<b>one</b>" not in text
    assert "void" in page(full_result(void="sent late"))
