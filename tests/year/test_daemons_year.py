"""A year whose systems are daemons comes to the same tables as one in a single process."""

import collections
import os
import random
import signal
import threading

import msgspec
import pytest

from cea_exchange.venue.cases.case_log import case_files_read
from cea_exchange.year.daemons.processes import Processes
from cea_exchange.year.daemons.systems import DaemonSystems
from cea_exchange.year.daemons.venue_operator import VenueOperator
from cea_exchange.year.outcome.outcome import outcome_of
from cea_exchange.year.outcome.supervision import supervised_of
from cea_exchange.year.run import YearRun
from cea_exchange.year.setting import YearSetting
from support.year.small import SMALL, hashes, options, plan_as_later, played

pytestmark = pytest.mark.e2e

TINY = msgspec.structs.replace(
    SMALL, entities=4, orders=24, days=7, behaviour={"offset_one_in": 1}
)
STARTS_KILLED = 3
START_S = 2.0
"""A daemon takes about one to start."""
KILLED = ("venue", "registry", "ccer_exchange", "ccer")
OF_SUPERVISORS = ("case_open", "case_note", "measure_restrict", "case_penalty", "case_close")
SUPERVISED = YearSetting(
    year=2024, entities=14, seed=7, orders=800, days=10, supervised=True, abusers=True
)
TWELVE = msgspec.structs.replace(SMALL, entities=12, orders=600, days=24)


def by_daemons(setting):
    """Return the same year, of daemons."""
    return msgspec.structs.replace(setting, mode="daemons")


def supervised(folder, setting):
    """Play a supervised year; return the results of supervision."""
    run = YearRun(folder, setting)
    state = run.run()
    assert outcome_of(folder, setting, state).agrees
    return supervised_of(folder, setting.mode, state.firms, run.calendar)


def bytes_of(folder):
    """Return file -> its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_tiny_year_by_daemons_comes_to_the_same_tables(tmp_path):
    """Byte by byte, all of them: filings, trades, balances, surrender, carryover, fines."""
    whole = played(tmp_path / "embedded", TINY)
    outcome = played(tmp_path / "daemons", by_daemons(TINY))
    assert outcome.agrees and outcome.figures.trades > 0
    assert outcome.figures.offset_tonnes == outcome.figures.ccer_tonnes > 0
    assert hashes(tmp_path / "daemons") == hashes(tmp_path / "embedded")
    assert outcome.figures == whole.figures


@pytest.mark.nightly
@pytest.mark.parametrize("has_bank", [False, True])
def test_a_year_by_daemons_comes_to_the_same_tables(tmp_path, has_bank):
    setting = msgspec.structs.replace(TWELVE, has_bank=has_bank)
    whole = played(tmp_path / "embedded", setting)
    outcome = played(tmp_path / "daemons", by_daemons(setting))
    assert outcome.agrees and outcome.figures.trades > 100
    assert hashes(tmp_path / "daemons") == hashes(tmp_path / "embedded")
    assert outcome.figures == whole.figures


@pytest.mark.nightly
@pytest.mark.crash
def test_a_year_whose_daemons_are_killed_comes_to_the_same_tables(tmp_path, monkeypatch):
    """Both venues and both registries by SIGKILL, in the middle of days: nothing is lost."""
    played(tmp_path / "embedded", TWELVE)
    drawn, killed = random.Random(1), []
    ask = DaemonSystems.ask
    operate = VenueOperator.operate

    def killing(method, one_in):
        def asked(systems, *what, **terms):
            if len(killed) < 12 and drawn.randrange(one_in) == 0:
                name = KILLED[len(killed) % len(KILLED)]
                os.kill(systems.processes.process_id(name), signal.SIGKILL)
                killed.append(name)
            return method(systems, *what, **terms)

        return asked

    monkeypatch.setattr(DaemonSystems, "ask", killing(ask, 60))
    monkeypatch.setattr(VenueOperator, "operate", killing(operate, 30))
    run = YearRun(tmp_path / "daemons", by_daemons(TWELVE))
    outcome = outcome_of(run.folder, run.setting, run.run())
    assert {*killed} == {*KILLED} and len(killed) == 12
    assert outcome.agrees
    assert hashes(tmp_path / "daemons") == hashes(tmp_path / "embedded")


@pytest.mark.crash
def test_a_year_whose_daemons_are_killed_as_they_start_comes_to_the_same_tables(
    tmp_path, monkeypatch
):
    """Each of them, several times: as it makes its files, as it begins to serve, or behind that."""
    played(tmp_path / "embedded", TINY)
    drawn, killed = random.Random(2), collections.Counter()
    start = Processes._start

    def started(processes, name):
        start(processes, name)
        if killed[name] < STARTS_KILLED:
            killed[name] += 1
            process = processes._running[name]
            threading.Timer(drawn.uniform(0.0, START_S), process.kill).start()

    monkeypatch.setattr(Processes, "_start", started)
    run = YearRun(tmp_path / "daemons", by_daemons(TINY))
    outcome = outcome_of(run.folder, run.setting, run.run())
    assert {*KILLED} <= {*killed} and {*killed.values()} == {STARTS_KILLED}
    assert outcome.agrees
    assert hashes(tmp_path / "daemons") == hashes(tmp_path / "embedded")


@pytest.mark.nightly
def test_a_year_by_daemons_that_was_stopped_begins_anew_and_comes_to_the_same(tmp_path):
    played(tmp_path / "embedded", TINY)
    YearRun(tmp_path / "daemons", by_daemons(TINY)).run(stop_after=4)
    played(tmp_path / "daemons", by_daemons(TINY))
    assert hashes(tmp_path / "daemons") == hashes(tmp_path / "embedded")


@pytest.mark.nightly
@pytest.mark.parametrize("of", ["a plan of one's own", "assumed days"])
def test_what_the_year_lends_its_systems_daemons_are_lent_too(tmp_path, of):
    """A plan that no package has; and days off that nobody has announced, loaded as a file."""
    is_plan = of == "a plan of one's own"
    # Ten enterprises are the first with industries, which that plan is about.
    changed = {"plan": plan_as_later(), "entities": 10} if is_plan else {"year": 2026}
    setting = msgspec.structs.replace(TINY, **changed)
    whole = played(tmp_path / "embedded", setting)
    outcome = played(tmp_path / "daemons", by_daemons(setting))
    assert outcome.agrees and outcome.figures.trades > 0
    assert hashes(tmp_path / "daemons") == hashes(tmp_path / "embedded")
    assert outcome.figures == whole.figures
    if is_plan:
        packaged = played(tmp_path / "packaged", msgspec.structs.replace(setting, plan=""))
        assert whole.figures.allocated_tonnes != packaged.figures.allocated_tonnes


@pytest.mark.nightly
@pytest.mark.crash
def test_a_supervised_year_by_daemons_comes_to_the_same_cases_and_disclosures(
    tmp_path, monkeypatch
):
    """Though its venue is killed before each kind of what its supervisors ask for.

    CEA-CAS-01, CEA-CAS-04, CEA-MSR-02, CEA-MSR-03.
    """
    whole = supervised(tmp_path / "embedded", SUPERVISED)
    operate, killed = VenueOperator.operate, []

    def killing(venue, op, *keys, **terms):
        if op in (*OF_SUPERVISORS, "approve") and op not in killed:
            os.kill(venue.processes.process_id("venue"), signal.SIGKILL)
            killed.append(op)
        return operate(venue, op, *keys, **terms)

    monkeypatch.setattr(VenueOperator, "operate", killing)
    found = supervised(tmp_path / "daemons", by_daemons(SUPERVISED))
    assert {*killed} == {*OF_SUPERVISORS, "approve"}
    assert found.cases == whole.cases and found.found == found.planted == 3
    assert all(row.measures and row.refused for row in found.cases if row.planted == "yes")
    for folder in ("tables", "published"):
        assert bytes_of(tmp_path / "daemons" / folder) == bytes_of(tmp_path / "embedded" / folder)
    # The venue's own commands take the year's folder as any other's.
    assert {*case_files_read(tmp_path / "daemons")} == {row.case for row in found.cases}


def test_the_command_takes_the_mode(tmp_path, capsys):
    from cea_exchange.cli.main import run as cea_exchange

    command = ["year", *options(TINY), "--out", str(tmp_path / "out"), "--mode", "elsewhere"]
    assert cea_exchange(command) == 2
    assert "embedded" in capsys.readouterr().err
