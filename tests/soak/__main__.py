"""Ten hours' worth of orders through the live sockets, and what it leaves behind in the processes.

    python -m soak [--hours 10 | --commands 20000000] [--seed 1]

An hour's worth is two million commands. Exit status 1 if memory, files or threads of a daemon grow
with the work that is done.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cea_exchange.cli.flows.flow_files import progress
from cea_exchange.loadtest.local_exchange import prepare_process
from soak.run import COMMANDS_PER_HOUR, ROUND_COMMANDS, SOAK_ERRORS, Soak, SoakReport, SoakSettings

LIMIT_S = 120.0
COMMANDS_PER_SECOND_MIN = 5_000
LINE_COMMANDS = 1_000_000
ROUNDS_MIN = 40


def arguments_parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0, help="hours' worth of commands")
    parser.add_argument("--commands", type=int, help="how many commands, instead of hours")
    parser.add_argument("--seed", type=int, default=1, help="decides who wants what")
    parser.add_argument("--accounts", type=int, default=16, help="sessions, each with a key")
    parser.add_argument("--limit", type=float, help="seconds after which it is given up")
    parser.add_argument("--json", type=Path, help="file for the report as JSON")
    return parser.parse_args()


def main() -> int:
    arguments = arguments_parse()
    prepare_process()
    commands = arguments.commands or round(arguments.hours * COMMANDS_PER_HOUR)
    settings = SoakSettings(
        commands=commands,
        seed=arguments.seed,
        limit_s=arguments.limit or LIMIT_S + commands / COMMANDS_PER_SECOND_MIN,
        accounts=arguments.accounts,
        round_commands=max(1, min(ROUND_COMMANDS, commands // ROUNDS_MIN)),
    )
    print(f"seed {settings.seed}: {commands:,} commands", flush=True)
    report = SoakReport()
    with tempfile.TemporaryDirectory(prefix="cea-exchange-soak-") as folder:
        try:
            run_shown(Path(folder), settings, report)
        except (*SOAK_ERRORS, ValueError) as error:
            report.faults.insert(0, str(error))
    if arguments.json:
        samples = {
            name: [{"done": each.done, **each.values} for each in taken]
            for name, taken in report.samples.items()
        }
        reported = {**report.as_dict(), "samples": samples}
        arguments.json.write_text(json.dumps(reported, indent=1) + "\n")
    show(report)
    for fault in report.faults:
        print(f"failed: {fault}", file=sys.stderr)
    return 1 if report.faults else 0


def run_shown(data: Path, settings: SoakSettings, report: SoakReport) -> None:
    """Run with a bar on a terminal, with lines elsewhere."""
    shown = 0
    with progress("soak", settings.commands) as bar:

        def show_done(done: int) -> None:
            nonlocal shown
            bar(done)
            if done >= shown + LINE_COMMANDS and not sys.stderr.isatty():
                shown = done
                print(f"{done:,} commands", flush=True)

        Soak(data, settings, report, show_done).run()


def show(report: SoakReport) -> None:
    """Print the figures, the slopes and the verdict."""
    reported = report.as_dict()
    del reported["trends_per_unit_of_work"], reported["faults"]
    print(json.dumps(reported))
    units = "a million commands, or a hundred enterprises' years"
    table = Table(title=f"After the warm-up (the first fifth), growth for {units}")
    for column in ("process", "measure", "then", "at the end", "slope", "+-", "bound", ""):
        table.add_column(
            column, justify="left" if column in ("process", "measure", "") else "right"
        )
    for name, found in report.trends.items():
        for measure, trend in found.items():
            numbers = (trend.first, trend.last, trend.slope, trend.error)
            bound = "" if trend.bound is None else f"{trend.bound:g}"
            verdict = "" if trend.bound is None else "flat" if trend.is_flat else "GROWS"
            table.add_row(name, measure, *(f"{each:,.3f}" for each in numbers), bound, verdict)
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
