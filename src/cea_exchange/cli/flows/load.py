"""`cea-exchange load`: commands at a fixed rate, latency percentiles, and nothing lost."""

import json
import os
import platform
import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cea_exchange import __version__
from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input, check_failed
from cea_exchange.domain.reference_prices import reference_price
from cea_exchange.loadtest.load_run import LoadOutcome, LoadSettings, Target, run_load
from cea_exchange.loadtest.local_exchange import prepare_process
from cea_exchange.loadtest.population import WORKLOADS
from cea_exchange.loadtest.report import milliseconds

PRODUCTS = ("CEA23", "CEA24")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("load")(load)


def load(
    rate: Annotated[float, typer.Option(min=1, help="Commands a second.")] = 1_000.0,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds.")] = 10.0,
    participants: Annotated[int, typer.Option(min=3, help="Sessions, each with a key.")] = 64,
    workload: Annotated[str, typer.Option(help=f"One of {', '.join(WORKLOADS)}.")] = "trading_day",
    report: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    seed: Annotated[int, typer.Option(help="Decides who wants what.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Client processes.")] = 2,
    day: Annotated[str, typer.Option("--date", help="Trading date.")] = "2025-01-02",
    gateway: Annotated[str | None, typer.Option(help="A running venue's order gateway.")] = None,
    server_key: Annotated[str | None, typer.Option(help="Its public key.")] = None,
    keys: Annotated[Path | None, typer.Option(help="Folder with the participants' keys.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Send commands in an open loop: when each is due does not depend on the answers.

    Without --gateway a venue and a registry are started for it. Exit status 1 if a command is not
    answered exactly once, or a report is missing.
    """
    if workload not in WORKLOADS:
        raise CommandError(f"workload: expected one of {', '.join(WORKLOADS)}, got {workload!r}")
    target = _target(gateway, server_key, keys)
    prepare_process()
    console = Console(stderr=True)
    with bad_input(ValueError, OSError), check_failed(RuntimeError, TimeoutError):
        settings = LoadSettings(
            rate=rate,
            duration_s=duration,
            participants=participants,
            workload=workload,
            seed=seed,
            processes=processes,
            trading_date=date.fromisoformat(day),
            reference_prices=dict.fromkeys(PRODUCTS, reference_price()),
        )
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="cea-exchange-load-"))
            )
            outcome = run_load(folder, settings, target, lambda line: console.print(f"- {line}"))
    content = _content(outcome, settings)
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        (report / "report.json").write_text(json.dumps(content, indent=2) + "\n")
    if as_json:
        print(json.dumps(content, indent=2))
    else:
        Console().print(_table(outcome, settings))
    if faults := outcome.faults():
        raise CheckFailed("; ".join(faults))


def _target(gateway: str | None, server_key: str | None, keys: Path | None) -> Target | None:
    if gateway is not None and server_key is not None and keys is not None:
        return Target(gateway, server_key, keys)
    if gateway is not None or server_key is not None or keys is not None:
        raise CommandError("expected --gateway, --server-key and --keys together")
    return None


def _content(outcome: LoadOutcome, settings: LoadSettings) -> dict:
    return {
        "version": __version__,
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
        "workload": settings.workload,
        "seed": settings.seed,
        "rate": settings.rate,
        "duration_s": settings.duration_s,
        "participants": settings.participants,
        "processes": settings.processes,
        "sent_s": round(outcome.sent_s, 3),
        "done_s": round(outcome.done_s, 3),
        "commands_per_second": round(outcome.load.answered / outcome.done_s, 1),
        "load": outcome.load.as_dict(),
        "faults": outcome.faults(),
    }


def _table(outcome: LoadOutcome, settings: LoadSettings) -> Table:
    report = outcome.load
    table = Table(title=f"{settings.workload} at {settings.rate:,.0f} commands a second")
    table.add_column("measure")
    table.add_column("value", justify="right")
    rows = {
        "commands sent": f"{report.commands:,}",
        "answered": f"{report.answered:,}",
        "answered twice": f"{report.answered_twice:,}",
        "refused": f"{report.refused.total():,} ({report.refused_share:.2%})",
        "orders traded": f"{report.orders_traded:,} ({report.traded_share:.1%})",
        "trades": f"{report.trades:,}",
        "answered a second": f"{report.answered / outcome.done_s:,.0f}",
    }
    for name, value in report.latency.items():
        if name != "count":
            rows[f"latency {name}"] = milliseconds(value)
    for name, value in rows.items():
        table.add_row(name, value)
    return table
