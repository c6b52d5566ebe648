"""`cea-exchange load`: open-loop load on any system, and its results."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cea_exchange.cli.command_line import CommandLine, PanelledGroup
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.language import said, said_filled, say

if TYPE_CHECKING:
    from cea_exchange.loadtest.results.comparison import Comparison
    from cea_exchange.loadtest.results.gate import Condition
    from cea_exchange.loadtest.results.result import Result
    from cea_exchange.loadtest.run import RunSettings
    from cea_exchange.loadtest.run_file import RunFile

DEFAULT_COMMAND = "run"
HELP = "--help"


class _RunByDefault(PanelledGroup):
    """A group whose options are those of `run` where no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name before its options."""
        if not args or (args[0].startswith("-") and args[0] != HELP):
            args = [DEFAULT_COMMAND, *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = CommandLine(help=HEAD, group=_RunByDefault)
    group.command(DEFAULT_COMMAND)(run)
    group.command("compare")(compare_runs)
    group.command("saturate")(saturate_target)
    app.add_typer(group, name="load")


HEAD = """Send commands in an open loop: when each is due does not depend on the answers.

Without a command it is `run`: `cea-exchange load --rate 2000`. See protocol/load.md."""

Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if", help="Exit status 1 if so: p99>5ms, cancel.p99.9>20ms, answered<900."
    ),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(help="kill:venue@5, pause:registry+2@8, drop@9, ...; see protocol/load.md."),
]
StopIf = Annotated[
    list[str] | None, typer.Option(help="Stop early: commands=N, unanswered=N, refused=SHARE.")
]
Day = Annotated[
    Path | None, typer.Option(help="A recorded day: LOBSTER, an order file, a venue's data folder.")
]
Database = Annotated[
    str | None,
    typer.Option(help="Of the registry that is started: sqlite, or postgresql (started too)."),
]
Profile = Annotated[
    str | None, typer.Option(help="Rules of the market that is started: a name, or a file.")
]
Report = Annotated[Path | None, typer.Option(help="Folder for report.json and report.html.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def run(
    settings: Annotated[
        Path | None, typer.Option(help="A run as TOML; options say what differs from it.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="venue (ours), fix, market or book (embedded), module:Class.")
    ] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, for the target; again for more.")
    ] = None,
    serve: Annotated[
        str | None, typer.Option(help="A program to start as the target; see --port.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="It is ready when it listens there.")] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(help="Address of the target's Prometheus metrics.")
    ] = None,
    workload: Annotated[
        str | None, typer.Option(help="A name (see protocol/load.md), or a .toml file.")
    ] = None,
    participants: Annotated[int | None, typer.Option(min=3, help="Instead of its own.")] = None,
    depth: Annotated[
        int | None, typer.Option(min=0, help="Orders on the book before the clock starts.")
    ] = None,
    refused: Annotated[
        float | None, typer.Option(help="The share of commands that shall be refused.")
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(help="constant, poisson, bursts:size=50, ramp:begin=0, year.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=1, help="Commands a second; 1000.")] = None,
    duration: Annotated[float | None, typer.Option(min=0.1, help="Seconds; 10.")] = None,
    day: Day = None,
    speed_up: Annotated[float | None, typer.Option(help="How many times as fast.")] = None,
    warm_up: Annotated[
        float | None, typer.Option(help="Seconds at the beginning that are not measured.")
    ] = None,
    stop: StopIf = None,
    seed: Annotated[int | None, typer.Option(help="Decides who does what, and when.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Sending processes.")] = None,
    spin: Annotated[bool, typer.Option(help="Never sleep; it costs a processor.")] = False,
    fault: Faults = None,
    audit: Annotated[
        bool, typer.Option(help="Hold everything against everything; with faults it is done.")
    ] = False,
    database: Database = None,
    trading_date: Annotated[str | None, typer.Option("--date", help="Trading date.")] = None,
    profile: Profile = None,
    gateway: Annotated[str | None, typer.Option(help="A running venue's order gateway.")] = None,
    server_key: Annotated[str | None, typer.Option(help="Its public key.")] = None,
    keys: Annotated[Path | None, typer.Option(help="Folder with the participants' keys.")] = None,
    fail_if: Conditions = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Load a system once, and report the results.

    Without a target a venue and a registry are started for it. Exit status 1 if anything is lost,
    a command without an answer or with two, a report, a trade; or if a --fail-if holds.

    Example: cea-exchange load --rate 2000 --fail-if "p99>20ms"

    Example: cea-exchange load --target fix --set port=9878 --workload quotes --report out
    """
    given = {
        "target": target, "set": _pairs("--set", options), "serve": serve, "port": port,
        "metrics": metrics, "workload": workload, "participants": participants, "depth": depth,
        "refused": refused, "arrivals": arrivals, "rate": rate, "duration": duration,
        "day": None if day is None else str(day), "speed_up": speed_up, "warm_up": warm_up,
        "stop": _numbers("--stop", stop), "seed": seed, "processes": processes,
        "spin": spin or None, "faults": fault, "audit": audit or None, "database": database,
        "date": trading_date, "profile": _profile(profile),
    }  # fmt: skip
    with _worded():
        written = _written(settings, {**given, **_running_venue(gateway, server_key, keys)})
        of_run = _settings(written)
        conditions = _conditions(fail_if)
        result = _run(of_run, show=not as_json)
        _finish(result, conditions, report, as_json)


def compare_runs(
    a: Annotated[Path, typer.Argument(help="A result, a folder of rounds, or a run as TOML.")],
    b: Annotated[Path, typer.Argument(help="The other one, of the same kind.")],
    rounds: Annotated[int, typer.Option(min=1, help="Of two runs as TOML: so many of each.")] = 7,
    report: Annotated[Path | None, typer.Option(help="Folder for the rounds' reports.")] = None,
    with_void: Annotated[bool, typer.Option(help="Take void rounds too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold two results against each other; runs are first made, in turns: A, B, A, B.

    Of each measure: the ratio of B to A pair by pair, and its 95 % interval. Exit status 1 if a
    round lost anything, or its figures are void.

    Example: cea-exchange load compare before.toml after.toml --rounds 7 --report out
    """
    from cea_exchange.loadtest.results.comparison import compare, rounds_read

    with _worded():
        if a.suffix == ".toml" and b.suffix == ".toml":
            sides = _in_turns(a, b, rounds, report)
        else:
            sides = rounds_read(a), rounds_read(b)
        found = compare(*sides)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(found).decode())
    else:
        typer.echo(_comparison_table(found))
    if found.void and not with_void:
        raise CheckFailed(f"{len(found.void)} rounds are void, first {found.void[0]}")


def saturate_target(
    settings: Annotated[
        Path | None, typer.Argument(help="A run as TOML; else the default.")
    ] = None,
    fail_if: Conditions = None,
    rate: Annotated[float, typer.Option(min=1, help="The first to try.")] = 1_000.0,
    rate_max: Annotated[float, typer.Option(min=1, help="None above is tried.")] = 1_000_000.0,
    duration: Annotated[float | None, typer.Option(min=0.1, help="Seconds each.")] = None,
    workload: Annotated[str | None, typer.Option(help="Instead of the run's.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for the reports of all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search for the highest rate that holds all conditions, keeps up, and loses nothing.

    Each rate is a run of its own. Exit status 1 if none was held.

    Example: cea-exchange load saturate --fail-if "p99>5ms" --rate 500 --duration 10
    """
    from cea_exchange.loadtest.saturation import Probe, saturate

    given = {"duration": duration, "workload": workload}
    with _worded():
        conditions = _conditions(fail_if or ["p99>5ms"])

        def at_rate(each: float) -> "Result":
            result = _run(_settings(_written(settings, {**given, "rate": each})), show=not as_json)
            if report is not None:
                _report_write(result, report / f"rate-{each:.0f}", [])
            return result

        def look(probe: Probe) -> None:
            p99 = probe.result.figures.latency.p99 / 1e6
            verdict = said_filled(probe.why_not or "is kept up")
            line = say("a second: p99 {p99:,.3f} ms, {verdict}", p99=p99, verdict=verdict)
            typer.echo(f"{probe.rate:12,.0f} {line}", err=as_json)

        found = saturate(at_rate, conditions, rate=rate, rate_max=rate_max, look=look)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(found).decode())
    if found.held is None:
        raise CheckFailed("no rate was held")
    if not as_json:
        held = say("{held:,.0f} commands a second are held", held=found.held)
        broken = said("more was not tried")
        if found.broken is not None:
            why_not = {probe["rate"]: str(probe["why_not"]) for probe in found.probes}
            why = said_filled(why_not[found.broken])
            broken = say("{rate:,.0f} is not: {why}", rate=found.broken, why=why)
        typer.echo(f"{held}, {broken}")


# -- What was written ------------------------------------------------------------------------------


def _written(path: Path | None, given: dict[str, Any]) -> "RunFile":
    import msgspec

    from cea_exchange.loadtest.run_file import RunFile, run_file_read

    run = RunFile() if path is None else run_file_read(path)
    wanted = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(run, **wanted)


def _settings(run: "RunFile") -> "RunSettings":
    from cea_exchange.loadtest.run_file import run_settings

    return run_settings(run)


def _profile(name: str | None) -> str | None:
    from cea_exchange.cli.flows.flow_files import profile_given

    return None if name is None else profile_given(name)


def _pairs(option: str, texts: list[str] | None) -> dict[str, str] | None:
    if texts is None:
        return None
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(f"{option}: expected name=value, got {text!r}")
        pairs[name] = value
    return pairs


def _numbers(option: str, texts: list[str] | None) -> dict[str, float] | None:
    pairs = _pairs(option, texts)
    if pairs is None:
        return None
    try:
        return {name: float(value) for name, value in pairs.items()}
    except ValueError as error:
        raise CommandError(f"{option}: expected numbers: {error}") from error


def _running_venue(
    gateway: str | None, server_key: str | None, keys: Path | None
) -> dict[str, dict[str, str]]:
    given = (gateway, server_key, keys)
    if all(each is None for each in given):
        return {}
    if gateway is None or server_key is None or keys is None:
        raise CommandError("expected --gateway, --server-key and --keys together")
    return {"set": {"endpoint": gateway, "server_key": server_key, "keys": str(keys)}}


def _conditions(texts: list[str] | None) -> "list[Condition]":
    from cea_exchange.loadtest.results.gate import condition_parse

    return [condition_parse(text) for text in texts or ()]


@contextmanager
def _worded() -> Iterator[None]:
    """Let what a person got wrong, and what did not come about, be the command's own errors."""
    from cea_exchange.loadtest.results.gate import GateError
    from cea_exchange.loadtest.results.result import ResultError
    from cea_exchange.loadtest.run_file import USAGE_ERRORS

    try:
        yield
    except (*USAGE_ERRORS, GateError, ResultError) as error:
        raise CommandError(str(error)) from error
    except (RuntimeError, TimeoutError) as error:
        raise CheckFailed(str(error)) from error


# -- The run ---------------------------------------------------------------------------------------


def _run(settings: "RunSettings", *, show: bool) -> "Result":
    from rich.console import Console
    from rich.live import Live

    from cea_exchange.loadtest.local_exchange import prepare_process
    from cea_exchange.loadtest.results.terminal import Board
    from cea_exchange.loadtest.run import run_load

    prepare_process()
    console = Console(stderr=True)

    def progress(line: str) -> None:
        console.print(f"- {said_filled(line)}")

    with tempfile.TemporaryDirectory(prefix="cea-exchange-load-") as folder:
        if not (show and console.is_terminal):
            return run_load(Path(folder), settings, progress)
        board = Board(f"{settings.workload.name} against {settings.target}", settings.seconds)
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            return run_load(
                Path(folder),
                settings,
                progress,
                lambda now_s, sample: live.update(board.shown(now_s, sample)),
            )


def _finish(
    result: "Result", conditions: "list[Condition]", report: Path | None, as_json: bool
) -> None:
    import msgspec
    from rich.console import Console

    from cea_exchange.loadtest.results.gate import failures
    from cea_exchange.loadtest.results.terminal import result_show

    found = failures(result, conditions)
    if report is not None:
        _report_write(result, report, found)
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        result_show(result, Console(), said)
    if found:
        raise CheckFailed("; ".join(found))


def _report_write(result: "Result", folder: Path, found: list[str]) -> None:
    from cea_exchange.loadtest.results.page import page
    from cea_exchange.loadtest.results.result import result_write

    folder.mkdir(parents=True, exist_ok=True)
    result_write(result, folder / "report.json")
    (folder / "report.html").write_text(page(result, found), encoding="utf-8")


# -- Several runs ----------------------------------------------------------------------------------


def _in_turns(
    a: Path, b: Path, rounds: int, report: Path | None
) -> "tuple[list[Result], list[Result]]":
    """Run both in turns, so that what the machine does meanwhile meets both."""
    sides: tuple[list[Result], list[Result]] = ([], [])
    settings = [_settings(_written(path, {})) for path in (a, b)]
    for number in range(1, rounds + 1):
        for name, of_side, results in zip("ab", settings, sides, strict=True):
            line = say("round {number} of {side}", number=number, side=name.upper())
            typer.echo(f"- {line}", err=True)
            result = _run(of_side, show=False)
            results.append(result)
            if report is not None:
                _report_write(result, report / name / f"round-{number:02d}", result.losses)
    return sides


def _comparison_table(found: "Comparison") -> str:
    from cea_exchange.cli.output import table

    def shown(name: str, value: float) -> str:
        return f"{value:,.0f}" if name == "answered" else f"{value / 1e6:,.3f} ms"

    rows = []
    for each in found.ratios:
        interval = "" if each.low is None else f"{each.low:.3f} to {each.high:.3f}"
        rows.append(
            [each.name, shown(each.name, each.a), shown(each.name, each.b),
             f"{each.ratio:.3f}", interval, each.verdict]
        )  # fmt: skip
    heads = ["measure", "A", "B", "B to A", "95 % interval", ""]
    return f"{found.rounds} rounds\n{table(heads, rows)}"
