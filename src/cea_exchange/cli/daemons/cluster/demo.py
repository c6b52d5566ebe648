"""`cea-exchange cluster demo`: a venue of three nodes on one machine, to be killed by hand."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cea_exchange.cli.daemons.daemon_log import LogLevel, log_to_standard_error
from cea_exchange.cli.errors import bad_input, check_failed

if TYPE_CHECKING:
    from cea_exchange.loadtest.driver import Runners
    from cea_exchange.loadtest.stands.local_cluster import LocalCluster

FIRST_DAY = "2024-01-02"
REFERENCE_PRICES = {"CEA22": 9749, "CEA23": 9749}
LINE_S = 2.0
TURN_S = 0.2
SETTLE_S_MAX = 60.0


def register(group: typer.Typer) -> None:
    """Add the command to `cluster`."""
    group.command("demo")(demo)


def demo(
    seconds: Annotated[float, typer.Option(min=5, max=3_600, help="How long it trades.")] = 180.0,
    participants: Annotated[int, typer.Option(min=3, max=200, help="Accounts.")] = 12,
    rate: Annotated[float, typer.Option(min=1, max=5_000, help="Commands a second.")] = 300.0,
    seed: Annotated[int, typer.Option(help="Decides who wants what.")] = 20240102,
    data: Annotated[Path | None, typer.Option(help="New folder that is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="What came of it as JSON.")] = False,
) -> None:
    """Run a venue of three nodes on this machine, for you to kill one of them.

    Three venues, their log on three servers, a registry and a way in, with participants who trade.
    It prints which process is which: kill whom you like, and watch who leads. It starts again
    whoever is gone and ends by itself. It then reports each outage (the time in which no order was
    answered), checks that nothing was lost, and leaves nothing behind. Exit status 1 if a check
    fails.

    Example: cea-exchange cluster demo --seconds 120
    """
    # What the other commands of the group don't need.
    from cea_exchange.cli.flows.flow_files import folder_new
    from cea_exchange.loadtest.driver import RunnerError, Runners
    from cea_exchange.loadtest.load_run import await_transfers
    from cea_exchange.loadtest.local_exchange import ExchangeError, prepare_process
    from cea_exchange.loadtest.population import population
    from cea_exchange.loadtest.stands.local_cluster import WAY_IN, WAY_IN_KEYS, LocalCluster

    log_to_standard_error(LogLevel.error)
    prepare_process()
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    with (
        bad_input(ValueError, OSError),
        check_failed(ExchangeError, RunnerError, RuntimeError, TimeoutError),
        folder_new(data, "cluster") as folder,
        LocalCluster(folder) as cluster,
        Runners(folder / "runners") as runners,
    ):
        members = population(participants, REFERENCE_PRICES, seed=seed, orders_each=100_000)
        cluster.prepare(members, REFERENCE_PRICES, start=f"{FIRST_DAY}T08:30:00+08:00")
        console.print("- starting three log servers, three venues, a registry and a way in")
        cluster.start()
        # Until the venue has the participants' keys, it turns them away, ever longer.
        await_transfers(cluster)
        cluster.operate("clock", at=f"{FIRST_DAY}T09:30:00+08:00")
        runners.start(
            members,
            endpoint=cluster.endpoint(WAY_IN, "gateway"),
            server_key=cluster.keys(WAY_IN_KEYS).public,
            keys=cluster.keys_directory,
            reference_prices=REFERENCE_PRICES,
            workload="trading_day",
            seed=seed,
            process_count=1,
        )
        _processes_print(console, cluster)
        answers = _trade(console, cluster, runners, rate, seconds)
        _outages_print(console, answers)
        found = _close(console, cluster)
    found["load"] = answers
    if as_json:
        print(json.dumps(found, indent=2, default=str))
    unanswered = sum(answer["unanswered"] for answer in answers)
    raise typer.Exit(1 if found["differences"] or unanswered else 0)


def _processes_print(console: Console, cluster: "LocalCluster") -> None:
    record = cluster.await_leader()
    console.print("- it trades; kill any of these, from another terminal:")
    for name in (*cluster.venue_names, "log-1", "log-2", "log-3"):
        leads = "   leads" if name == record.node else ""
        console.print(f"    kill -9 {cluster.process_ids(name)[0]:<8} # {name}{leads}")


def _trade(
    console: Console, cluster: "LocalCluster", runners: "Runners", rate: float, seconds: float
) -> list[dict[str, Any]]:
    """Let all trade, show how it goes, and start again whoever is gone."""
    from cea_exchange.loadtest.driver import RunnerError

    answers: list[dict[str, Any]] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            answers.extend(runners.run(rate=rate, seconds=seconds))
        except RunnerError as error:
            failed.append(error)

    trading = threading.Thread(target=run, name="runners", daemon=True)
    trading.start()
    shown_s, said = 0.0, ("", 0)
    while trading.is_alive():
        for name in cluster.tend():
            process_id = cluster.process_ids(name)[0]
            console.print(f"- {name} was gone; it runs again as {process_id}")
        record = cluster.leader()
        leads = ("", 0) if record is None else (record.node, record.epoch)
        if leads != said or time.monotonic() - shown_s > LINE_S:
            shown_s, said = time.monotonic(), leads
            console.print(_line(cluster, *leads))
        time.sleep(TURN_S)
    if failed:
        raise failed[0]
    return answers


def _outages_print(console: Console, answers: list[dict[str, Any]]) -> None:
    outages = [outage for answer in answers for outage in answer["outages"]]
    unanswered = sum(answer["unanswered"] for answer in answers)
    for outage in outages:
        console.print(
            f"- outage: no order was answered for {outage['length_s']:.1f} s,"
            f" from second {outage['start_s']:.1f} of trading"
        )
    if not outages:
        console.print("- no outage: orders were answered all the time")
    if unanswered:
        console.print(f"- WRONG  {unanswered:,} orders were never answered")


def _line(cluster: "LocalCluster", leader: str, epoch: int) -> str:
    states = cluster.states()
    has = ", ".join(f"{name} {state.next_seq - 1:,}" for name, state in sorted(states.items()))
    who = f"{leader} leads epoch {epoch}" if leader else "nobody leads"
    return f"  {who}; commands in the journal of {has}"


def _tended(cluster: "LocalCluster", condition: Callable[[], bool], what: str) -> None:
    """Wait for it under a leader; whoever is killed meanwhile, or was just before, begins again."""
    from cea_exchange.loadtest.local_exchange import ExchangeError

    since_ns, deadline_s = time.time_ns(), time.monotonic() + SETTLE_S_MAX
    while True:
        if cluster.tend():
            since_ns = time.time_ns()
        elif cluster.is_led_since(since_ns) and condition():
            return
        if time.monotonic() > deadline_s:
            raise ExchangeError(f"waited {SETTLE_S_MAX:.0f} s for {what}")
        time.sleep(TURN_S)


def _close(console: Console, cluster: "LocalCluster") -> dict[str, Any]:
    """Close the day, let all be settled and stop, and hold each copy against the others."""
    from cea_exchange.loadtest.stands.cluster_audit import cluster_copies
    from cea_exchange.loadtest.stands.local_cluster import REGISTRY, WAY_IN
    from cea_exchange.registry.store import RegistryStore

    console.print("- the time is over: the day is closed, and all copies are compared")
    _tended(cluster, cluster.is_level, "all nodes to follow")
    cluster.operate("clock", at=f"{FIRST_DAY}T15:00:00+08:00")
    last_seq = cluster.operate("status")["settlement_seq"]

    def settled() -> bool:
        with RegistryStore.open_reader(cluster.data) as store:
            return bool(store.last_seq >= last_seq)

    _tended(cluster, settled, "the registry to settle")
    _tended(cluster, cluster.is_level, "all nodes to have the whole log")
    leads, _ = cluster.leader_names()
    for name in (WAY_IN, *(each for each in cluster.venue_names if each != leads), leads, REGISTRY):
        cluster.stop(name)
    cluster.log_nodes.close()
    found = cluster_copies(cluster, leads)
    for difference in found.differences:
        console.print(f"- WRONG  {difference}")
    if not found.differences:
        counts = ", ".join(f"{count:,} {what}" for what, count in found.checked.items())
        console.print(f"- nothing lost, all copies are the same: {counts}")
    return {"differences": found.differences, "checked": found.checked, "ended": cluster.ended}
