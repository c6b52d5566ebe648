"""A run as a person writes it: options of the command line, or a TOML file with the same names.

target = "fix"
set = { port = "9878", sender = "LOAD-{n}", target = "EXEC" }
workload = "quotes"
arrivals = "poisson"
rate = 2000
duration = 30
warm_up = 5
"""

from datetime import date
from pathlib import Path

import msgspec

from cea_exchange.domain.reference_prices import reference_price
from cea_exchange.loadtest.faults.fault import FaultError, faults_parse
from cea_exchange.loadtest.flow.arrivals import (
    SHAPES,
    Arrivals,
    ArrivalsError,
    arrivals_parse,
    arrivals_read,
)
from cea_exchange.loadtest.flow.recorded import Recorded, RecordedError, recorded_orders
from cea_exchange.loadtest.flow.workload import Workload, WorkloadError, workload_find
from cea_exchange.loadtest.run import DATABASES, PROFILE, RunError, RunSettings
from cea_exchange.loadtest.sending.open_loop import Stop
from cea_exchange.loadtest.targets.target import TargetError
from cea_exchange.user_files.formats import toml_read
from cea_exchange.user_files.opening import UserFileError

PRODUCTS = ("CEA23", "CEA24")
"""Of a workload that names none."""
RATE, DURATION_S = 1_000.0, 10.0
TRADING_DATE = "2025-01-02"
SPEED_UP = 1.0

USAGE_ERRORS = (
    ArrivalsError,
    FaultError,
    RecordedError,
    RunError,
    TargetError,
    WorkloadError,
)
"""What a person got wrong in writing a run."""


class RunFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a run; all may be left out.

    Attributes
    ----------
    participants, depth, refused
        Instead of the workload's.
    arrivals, rate, duration
        A shape such as ``bursts:size=50``; instead of the workload's.
    day, speed_up
        A recorded day instead of arrivals; see `flow.recorded`.
    profile
        Of the venue that is started, or of the embedded target `market`: a name, or a file.
    """

    target: str = "venue"
    set: dict[str, str] = {}
    serve: str = ""
    port: int = 0
    metrics: list[str] = []
    workload: str = "trading_day"
    participants: int | None = None
    depth: int | None = None
    refused: float | None = None
    arrivals: str | None = None
    rate: float | None = None
    duration: float | None = None
    day: str | None = None
    speed_up: float = SPEED_UP
    warm_up: float = 0.0
    stop: dict[str, float] = {}
    seed: int = 1
    processes: int | None = None
    spin: bool = False
    faults: list[str] = []
    audit: bool = False
    database: str = DATABASES[0]
    date: str = TRADING_DATE
    profile: str = PROFILE


def run_file_read(path: Path) -> RunFile:
    """Read a run of a file.

    Raises
    ------
    RunError
        It is none.
    """
    try:
        return msgspec.convert(toml_read(path, "a run"), RunFile)
    except UserFileError as error:
        raise RunError(str(error)) from error
    except msgspec.ValidationError as error:
        raise RunError(f"{path}: expected a run: {error}") from error


def run_settings(run: RunFile) -> RunSettings:
    """Return the settings that a run comes to.

    Raises
    ------
    one of USAGE_ERRORS
        Something in it is not as it has to be.
    """
    workload = _workload(run)
    recorded = Recorded(run.day, run.speed_up) if run.day else None
    arrivals = _arrivals(run, workload)
    seconds = arrivals.seconds if recorded is None else _recorded_seconds(recorded)
    faults = tuple(faults_parse(run.faults, seconds=seconds))
    is_own = run.target == "venue" and not run.set
    try:
        stop = msgspec.convert({**workload.stop, **run.stop}, Stop, strict=False)
    except msgspec.ValidationError as error:
        raise RunError(f"stop: {error}") from error
    return RunSettings(
        target=run.target,
        options=run.set,
        serve=run.serve,
        port=run.port,
        metrics=tuple(run.metrics),
        workload=workload,
        arrivals=arrivals,
        recorded=recorded,
        warm_up_s=run.warm_up,
        stop=stop,
        seed=run.seed,
        processes=run.processes or (2 if run.target == "venue" else 1),
        spin=run.spin,
        faults=faults,
        audited=is_own and (run.audit or bool(faults)),
        database=run.database,
        trading_date=_date(run.date),
        profile=run.profile,
    )


def _workload(run: RunFile) -> Workload:
    workload = workload_find(run.workload)
    changes = {
        name: value
        for name in ("participants", "depth", "refused")
        if (value := getattr(run, name)) is not None
    }
    if not workload.products:
        changes["products"] = dict.fromkeys(PRODUCTS, reference_price())
    try:
        return msgspec.structs.replace(workload, **changes)
    except ValueError as error:
        raise WorkloadError(f"workload {run.workload}: {error}") from error


def _arrivals(run: RunFile, workload: Workload) -> Arrivals:
    given = {"rate": run.rate, "seconds": run.duration}
    said = {name: value for name, value in given.items() if value is not None}
    if run.arrivals is not None:
        defaults = {"rate": RATE, "seconds": DURATION_S}
        return arrivals_parse(run.arrivals, **{**defaults, **said})
    kind = next(iter(SHAPES))
    return arrivals_read({"kind": kind, **workload.arrivals, **said})


def _recorded_seconds(recorded: Recorded) -> float:
    orders = recorded_orders(Path(recorded.path))
    if not orders:
        raise RecordedError(f"{recorded.path}: expected commands, got none")
    return (orders[-1].at_ns - orders[0].at_ns) / 1e9 / recorded.speed_up


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RunError(f"date: expected a day such as {TRADING_DATE}, got {text!r}") from error
