"""Kill and stop everything at random, under load, for days, and lose nothing.

    python -m torture --kills 200 [--seed 1]

Exit status 1 with the first discrepancy, if anything is lost, doubled, missing or different.
"""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from cea_exchange.cli.flows.flow_files import progress
from cea_exchange.loadtest.local_exchange import prepare_process
from torture.run import Torture, TortureReport, TortureSettings

LIMIT_S = 120.0
LIMIT_S_PER_KILL = 8.0


def arguments_parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed")
    parser.add_argument("--seed", type=int, help="decides who is killed when; drawn if left out")
    parser.add_argument("--participants", type=int, default=6, help="client processes")
    parser.add_argument("--pace", type=float, default=2.0, help="mean seconds between two acts")
    parser.add_argument("--limit", type=float, help="seconds after which it is given up")
    parser.add_argument("--data", type=Path, help="folder to keep; it must not be there yet")
    parser.add_argument("--json", type=Path, help="file for the report as JSON")
    return parser.parse_args()


def main() -> int:
    arguments = arguments_parse()
    prepare_process()
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    limit_s = arguments.limit or LIMIT_S + LIMIT_S_PER_KILL * arguments.kills
    settings = TortureSettings(
        kills=arguments.kills,
        seed=seed,
        limit_s=limit_s,
        participants=arguments.participants,
        pace_s=arguments.pace,
    )
    print(f"seed {seed}: {settings.kills} kills, given up after {limit_s:.0f} s", flush=True)
    data = arguments.data or Path(tempfile.mkdtemp(prefix="cea-exchange-torture-"))
    data.mkdir(parents=True, exist_ok=arguments.data is None)
    report = run_shown(data, settings)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    print(json.dumps(report.as_dict(), indent=2))
    if report.discrepancies:
        print(f"failed, seed {seed}, data in {data}: {report.discrepancies[0]}", file=sys.stderr)
        return 1
    if arguments.data is None:
        shutil.rmtree(data)
    print(f"passed: {report.kills} kills, nothing lost, doubled, missing or different")
    return 0


def run_shown(data: Path, settings: TortureSettings) -> TortureReport:
    """Run with a bar on a terminal, with lines elsewhere."""
    shown = 0
    with progress("torture", round(settings.kills * 1.3)) as bar:

        def show(done: int) -> None:
            nonlocal shown
            bar(done)
            if done >= shown + 10 and not sys.stderr.isatty():
                shown = done
                print(f"{done} kills and pauses", flush=True)

        return Torture(data, settings, show).run()


if __name__ == "__main__":
    sys.exit(main())
