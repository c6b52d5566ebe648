"""A run as a file, and what options make of it."""

import msgspec
import pytest

from cea_exchange.loadtest.run import RunError
from cea_exchange.loadtest.run_file import (
    USAGE_ERRORS,
    RunFile,
    run_file_read,
    run_settings,
)

pytestmark = pytest.mark.unit

RUN = """
target = "fix"
set = { port = "9878" }
workload = "quotes"
arrivals = "bursts:size=20"
rate = 2000
duration = 30
warm_up = 5
stop = { unanswered = 500 }
depth = 100
"""


def test_a_file_says_all_that_options_say(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN)
    settings = run_settings(run_file_read(path))
    assert (settings.target, settings.options) == ("fix", {"port": "9878"})
    assert msgspec.to_builtins(settings.arrivals) == {
        "kind": "bursts", "rate": 2000.0, "seconds": 30.0, "size": 20,
    }  # fmt: skip
    assert settings.workload.depth == 100 and settings.workload.name == "quotes"
    assert settings.stop.unanswered == 500 and settings.warm_up_s == 5
    assert settings.processes == 1 and not settings.is_own
    shown = settings.shown()
    assert shown["arrivals"]["kind"] == "bursts" and shown["options"] == {"port": "9878"}


def test_a_venue_of_its_own_is_audited_once_something_is_done_to_it():
    plain = run_settings(RunFile())
    assert plain.is_own and plain.processes == 2 and not plain.audited
    assert set(plain.workload.products) == {"CEA23", "CEA24"}
    assert run_settings(RunFile(faults=["kill:venue@3"])).audited
    assert run_settings(RunFile(audit=True)).audited
    elsewhere = run_settings(RunFile(set={"endpoint": "tcp://127.0.0.1:1"}))
    assert not elsewhere.is_own and elsewhere.processes == 2


def test_a_workloads_own_arrivals_are_kept_unless_others_are_asked_for():
    year = run_settings(RunFile(workload="year", rate=50.0))
    assert msgspec.to_builtins(year.arrivals)["kind"] == "year" and year.arrivals.rate == 50
    other = run_settings(RunFile(workload="year", arrivals="poisson"))
    assert msgspec.to_builtins(other.arrivals)["kind"] == "poisson"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"workload": "rush"}, "workload: expected one of trading_day"),
        ({"arrivals": "rush"}, "arrivals: expected one of"),
        ({"target": "rush"}, "target: expected one of venue"),
        ({"faults": ["rush@1"]}, "fault: expected one of kill"),
        ({"faults": ["drop@11"]}, "within the run's 10 s"),
        ({"day": "none.csv"}, "expected a recorded day"),
        ({"date": "soon"}, "date: expected a day"),
        ({"stop": {"rush": 1.0}}, "stop: "),
        ({"warm_up": 10.0}, "warm-up: expected less than the run's 10 s"),
        ({"target": "book", "processes": 3}, "processes: expected 1"),
        ({"participants": 3, "processes": 4}, "participants: expected at least 4"),
        ({"participants": 1}, "workload trading_day: participants: expected at least 2"),
        ({"refused": 1.5}, "refused: expected a share"),
        ({"depth": -1}, "depth"),
    ],
)
def test_what_does_not_go_together_is_one_clear_line(changes, expected):
    with pytest.raises(USAGE_ERRORS) as error:
        run_settings(RunFile(**changes))
    assert expected in str(error.value)


def test_a_file_that_is_none_is_told(tmp_path):
    path = tmp_path / "run.toml"
    with pytest.raises(RunError, match="expected a run, No such file"):
        run_file_read(path)
    path.write_text("rush = 1\n")
    with pytest.raises(RunError, match="unknown field `rush`"):
        run_file_read(path)
