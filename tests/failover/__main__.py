"""Faults of every kind at every node of a cluster that trades, and what they cost.

    python -m failover --faults 1000 [--seed 1] [--json FILE]

In namespaces of its own where this user may have some; else on the loopback, where nobody is cut
off and no disk is full, and it says so. Exit status 1 with the first discrepancy, if anything
acknowledged is lost, doubled or reordered, or two copies differ.
"""

import argparse
import dataclasses
import json
import math
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from cea_exchange.cli.daemons.daemon_log import LogLevel, log_to_standard_error
from cea_exchange.loadtest.local_exchange import prepare_process
from failover.databases import can_be_there
from failover.network import PRIVATE, Network, can_be_private, enter
from failover.run import FailoverRun, FailoverSettings
from failover.table import bounds_held, ledger_rows, outage_rows, outage_table


def arguments_parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m failover", description=__doc__)
    parser.add_argument("--faults", type=int, default=30, help="how many")
    parser.add_argument("--seed", type=int, help="decides them; drawn if left out")
    parser.add_argument("--participants", type=int, default=6, help="client processes")
    parser.add_argument("--per-second", type=float, default=2_000.0, help="commands, of all")
    parser.add_argument("--kinds", default="", help="only these kinds, with commas between")
    parser.add_argument("--whom", default="", help="only these, with commas: leads, database")
    parser.add_argument("--sqlite", action="store_true", help="the ledger in SQLite: no databases")
    parser.add_argument("--tls", action="store_true", help="certificates for the log's nodes")
    parser.add_argument("--loopback", action="store_true", help="no namespaces, though it may")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="no further fault after so many"
    )
    parser.add_argument("--data", type=Path, help="folder to keep; it must not be there yet")
    parser.add_argument("--json", type=Path, help="file for the report as JSON")
    return parser.parse_args()


def main() -> int:
    arguments = arguments_parse()
    is_private = PRIVATE in os.environ
    if not is_private and not arguments.loopback and can_be_private():
        enter(["-m", "failover", *sys.argv[1:]])
    log_to_standard_error(LogLevel.error)
    prepare_process()
    network = Network() if is_private else None
    if network is None:
        print("on the loopback: nobody is cut off, and no disk is full", flush=True)
    has_databases = network is not None and not arguments.sqlite and can_be_there()
    if not has_databases:
        print("the ledger is in SQLite: no database is met", flush=True)
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    settings = FailoverSettings(
        faults=arguments.faults,
        seed=seed,
        participants=arguments.participants,
        per_second=arguments.per_second,
        kinds=tuple(filter(None, arguments.kinds.split(","))),
        whom=tuple(filter(None, arguments.whom.split(","))),
        is_encrypted=arguments.tls,
        has_databases=has_databases,
        trading_s_max=60 * arguments.minutes,
    )
    print(f"seed {seed}: {settings.faults} faults", flush=True)
    folder = arguments.data or Path(tempfile.mkdtemp(prefix="cea-exchange-failover-"))
    folder.mkdir(parents=True, exist_ok=arguments.data is None)
    said = 0

    def show(done: int) -> None:
        nonlocal said
        if done >= said + 10:
            said = done
            print(f"{done} faults", flush=True)

    report = FailoverRun(folder, settings, network, show).run()
    if arguments.json:
        shown = {
            **dataclasses.asdict(report),
            "table": [row._asdict() for row in outage_rows(report)],
            "ledger": [row._asdict() for row in ledger_rows(report)],
            "bounds": [bound._asdict() for bound in bounds_held(report)],
        }
        arguments.json.write_text(json.dumps(shown, indent=2) + "\n")
    print(outage_table(report))
    if report.discrepancies:
        print(f"failed, seed {seed}, data in {folder}: {report.discrepancies[0]}", file=sys.stderr)
        return 1
    if arguments.data is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
