"""Whatever happens to whom, nothing acknowledged is lost, doubled or reordered."""

import json
import os
import subprocess
import sys
import time

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.log_nodes.rights import WATCHER
from cea_exchange.cluster.replicated_log import ReplicatedLog
from cea_exchange.registry.reconciliation.reconcile import Reconciliation
from failover.acts import BOTH_LED, DATABASE_STANDBY, LED, PRIMARY, Acts
from failover.clock_program import step_file
from failover.databases import can_be_there
from failover.faults import CUTS, OF_DATABASES, OF_OTHERS, WEIGHTS, WHO, faults_draw
from failover.fence.until_lost import ATTEMPTS_MAX, attempts_run
from failover.log_monitor import ELECTION_S_MIN, LogMonitor
from failover.network import can_be_private
from failover.run import FailoverReport, Outage, standby_faults
from failover.table import LED_ELECTING, bounds_held, ledger_rows, outage_rows, outage_table
from support.patience import patience
from torture.run import python_path

LIMIT_S = 1_200


@pytest.mark.unit
def test_a_seed_draws_the_same_faults_and_every_kind_comes():
    kinds = list(WEIGHTS)
    faults = faults_draw(7, 200, kinds)
    assert faults == faults_draw(7, 200, kinds) != faults_draw(8, 200, kinds)
    assert {fault.kind for fault in faults} == set(kinds)
    assert any(fault.is_paired for fault in faults)
    alone = [place for place, fault in enumerate(faults) if fault.kind in ("rolling", "both")]
    assert not any(faults[place].is_paired or faults[place - 1].is_paired for place in alone[1:])


@pytest.mark.unit
def test_a_clock_can_be_set_where_the_venue_s_disk_is_full(tmp_path):
    """One venue had both faults at once, and the run stopped: it could not write the file."""
    assert not step_file(tmp_path / "venue-1").is_relative_to(tmp_path / "venue-1")
    assert step_file(tmp_path / "venue-1") != step_file(tmp_path / "venue-2")


@pytest.mark.unit
def test_without_a_network_of_its_own_nobody_is_cut_off():
    assert not {*CUTS, "full_disk"} & {*Acts.kinds(None, {})}


@pytest.mark.unit
def test_a_run_can_meet_some_of_them_only():
    faults = faults_draw(7, 100, list(WEIGHTS), ("other",))
    assert {fault.who for fault in faults} == {"other"}
    assert {fault.kind for fault in faults} == {*OF_OTHERS}
    with pytest.raises(ValueError, match="whom: expected somebody whom a fault can meet, got me"):
        faults_draw(7, 100, list(WEIGHTS), ("me",))


@pytest.mark.unit
def test_a_tenth_of_the_faults_meet_a_database_and_none_where_there_is_none():
    faults = faults_draw(7, 2_000, list(WEIGHTS))
    met = [fault for fault in faults if fault.who in OF_DATABASES]
    assert 0.08 < len(met) / len(faults) < 0.12
    assert {fault.kind for fault in met} == {*WEIGHTS} - {"both", "clock_step"}
    assert {fault.who for fault in met if fault.kind == "rolling"} == {"database"}
    faults = faults_draw(7, 2_000, list(WEIGHTS), [who for who in WHO if who not in OF_DATABASES])
    assert not {fault.who for fault in faults} & {*OF_DATABASES}


@pytest.mark.unit
def test_for_how_long_the_ledger_was_behind_is_told_of_faults_at_a_database():
    report = FailoverReport(1, promoted=1)
    report.outages.append(Outage([("kill", "venue-1", LED, 1.0)], 0.5))
    report.outages.append(Outage([("kill", "database-1", PRIMARY, 1.0)], 0.1, 9.0))
    assert ledger_rows(report) == [("kill", PRIMARY, 1, 9.0, 9.0, 9.0)]
    assert "until the ledger had all again, with 1 promotions" in outage_table(report)
    assert "ledger" not in outage_table(FailoverReport(1))


@pytest.mark.unit
def test_a_standby_whose_ledger_is_another_is_a_discrepancy():
    primary = Reconciliation(last_seq=9, registry_hash="aa")
    assert not [*standby_faults(primary, Reconciliation(last_seq=9, registry_hash="aa"))]
    assert ["the standby's ledger is at (8, 'aa'), the primary's at (9, 'aa')"] == [
        *standby_faults(primary, Reconciliation(last_seq=8, registry_hash="aa"))
    ]


@pytest.mark.unit
def test_what_faults_cost_is_told_by_kind_and_role_and_held_against_the_bounds():
    report = FailoverReport(1, commands=900, trading_s=10.0, unserved_s=1.0, per_second=2_000.0)
    for outage_s in (0.5, 0.7, 3.5):
        report.outages.append(Outage([("kill", "venue-1", LED, 1.0)], outage_s))
    report.outages.append(Outage([("both", "venue-2 and log-1", BOTH_LED, 1.0)], 6.5))
    pair = [("kill", "venue-1", LED, 1.0), ("freeze", "log-2", "log follower", 1.0)]
    report.outages.append(Outage(pair, 0.1))
    report.outages.append(Outage([("kill", "venue-1", LED, 1.0)], 6.1, log_elects_s=4.0))
    assert outage_rows(report) == [
        ("both", BOTH_LED, 1, 6.5, 6.5, 6.5),
        ("kill", LED, 3, 0.7, 3.5, 3.5),
        ("kill", LED_ELECTING, 1, 6.1, 6.1, 6.1),
        ("two at once", "any", 1, 0.1, 0.1, 0.1),
    ]
    assert bounds_held(report) == [
        ("kill", LED, 0.5, 1.0, 0.7, True),
        ("kill", LED, 0.99, 3.0, 3.5, False),
        ("kill", LED_ELECTING, 0.99, 10.0, 6.1, True),
        ("both", BOTH_LED, 0.99, 10.0, 6.5, True),
    ]
    shown = outage_table(report)
    assert "bound: kill, venue leader: p99 below 3 s: 3.50 s, NOT KEPT" in shown
    assert "90 a second of 2,000 asked for, outages counted in; 100 while anybody was" in shown


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_without_a_network_it_runs_on_the_loopback_and_says_so(tmp_path):
    more = ("--faults", "6", "--loopback", "--tls", "--kinds", "kill,freeze")
    ran, found = failover_run(tmp_path, *more, "--seed", "3")
    assert "on the loopback: nobody is cut off, and no disk is full" in ran.stdout
    assert "the ledger is in SQLite: no database is met" in ran.stdout
    assert {act[0] for each in found["outages"] for act in each["acts"]} == {"kill", "freeze"}
    assert found["checked"]["trades"] > 100


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_the_registry_and_the_ways_in_are_met_and_reported(tmp_path):
    ran, found = failover_run(tmp_path, "--faults", "10", "--whom", "other", "--seed", "5")
    for role in ("registry", "a way in"):
        assert role in ran.stdout
    assert {act[2] for each in found["outages"] for act in each["acts"]} == {"registry", "a way in"}


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
@pytest.mark.skipif(
    not (can_be_private() and can_be_there()), reason="no namespaces for this user, or no servers"
)
def test_the_databases_are_met_and_one_takes_over_from_the_other(tmp_path):
    more = ("--faults", "9", "--seed", "12", "--whom", "database leads,database")
    _, found = failover_run(tmp_path, *more)
    roles = {act[2] for each in found["outages"] for act in each["acts"]}
    assert roles == {PRIMARY, DATABASE_STANDBY}
    assert found["promoted"] > 0
    assert all(each["ledger_s"] for each in found["outages"])
    assert found["checked"]["trades"] > 100


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_leaders_that_are_killed_are_a_pause_and_no_order_is_refused_for_it(tmp_path):
    """The venue's leader, the log's, and both at once; the table has each, in JSON as in text."""
    more = ("--whom", "leads,log leads", "--kinds", "kill,both")
    ran, found = failover_run(tmp_path, "--faults", "10", *more, "--seed", "6")
    assert found["resent"] > 0
    assert "rejected_order_id_duplicate" not in found["checked"]
    rows = {(row["fault"], row["role"]): row for row in found["table"]}
    assert rows["both", BOTH_LED]["p99_s"] <= rows["both", BOTH_LED]["max_s"] < 30
    assert "bound: both, both leaders: p99 below 10 s" in ran.stdout


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.parametrize("count", [12, pytest.param(30, marks=pytest.mark.nightly)])
def test_faults_of_every_kind_lose_nothing(tmp_path, count):
    """Twelve faults have every kind; commands are few, for other tests want the processors too."""
    more = ("--sqlite", "--per-second", "200", "--seed", "11")
    _, found = failover_run(tmp_path, "--faults", str(count), *more)
    acts = [act for each in found["outages"] for act in each["acts"]]
    assert len(acts) == count
    assert len({kind for kind, *_ in acts}) > (8 if can_be_private() else 3)
    assert found["checked"]["trades"] > 100 and found["checked"]["venues"] == 3
    assert found["epochs"] > 2


def failover_run(tmp_path, *arguments):
    """Run it, see that nothing is wrong, and return the process and its report."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "failover", *arguments]
    ran = subprocess.run(
        [*command, "--json", str(report), "--data", str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(report.read_text())
    assert found["discrepancies"] == []
    return ran, found


@pytest.mark.e2e
def test_an_election_of_the_log_is_seen(tmp_path):
    with LogNodes(tmp_path) as nodes:
        nodes.start()
        config = msgspec.convert(nodes.cluster_settings("monitor", WATCHER), ClusterConfig)
        maker = msgspec.convert(nodes.cluster_settings("one"), ClusterConfig)
        with LogConnection(maker, tmp_path) as connection:
            log = ReplicatedLog(connection)
            log.make()
            monitor = LogMonitor(lambda: LogConnection(config, tmp_path))
            try:
                leader = log.info().leader
                began_s = time.monotonic()
                nodes.kill(int(leader.removeprefix("log-")) - 1)
                end_s = time.monotonic() + 30 * patience()
                while not monitor.without_leader_s(began_s):
                    assert time.monotonic() < end_s
                    time.sleep(0.1)
                # Another leads, and that is over.
                while monitor.without_leader_s(time.monotonic()):
                    assert time.monotonic() < end_s
                    time.sleep(0.1)
                assert ELECTION_S_MIN < monitor.without_leader_s(began_s) < end_s - began_s
            finally:
                monitor.close()


@pytest.mark.unit
@pytest.mark.parametrize(
    ("is_fenced", "lost_at", "count", "is_as_expected"),
    [
        # Without a fence the first attempts may lose nothing, by chance (seed 921240).
        (False, 0, 1, True),
        (False, 2, 3, True),
        (False, ATTEMPTS_MAX - 1, ATTEMPTS_MAX, True),
        (False, None, ATTEMPTS_MAX, False),
        (True, None, 1, True),
        (True, 0, 1, False),
    ],
)
def test_a_control_is_repeated_until_it_loses(is_fenced, lost_at, count, is_as_expected):
    seeds = []

    def attempt(seed):
        seeds.append(seed)
        return len(seeds) - 1 == lost_at

    made = attempts_run(attempt, lambda lost: not lost, seed=7, is_fenced=is_fenced)
    assert made == (count, is_as_expected)
    assert seeds == [7 + number for number in range(count)]
