"""`cea-exchange doctor`: whether this machine has what is needed, and what to do where not."""

import ctypes
import importlib
import os
import platform
import re
import resource
import shutil
import socket
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from enum import StrEnum
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct, to_builtins

from cea_exchange.cli.errors import CheckFailed
from cea_exchange.cli.language import said_filled, word
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print, table

DISTRIBUTION = "cea-exchange"
PYTHON_MIN = (3, 11)
COMPILED = ("cea_exchange._book", "cea_exchange.core.market", "cea_exchange.control_plane._router")
SYNC_COUNT, SYNC_BYTES = 50, 4_096
SYNC_US_MIN, SYNC_US_MAX = 20, 50_000
"""A median below is of a disk that does not write, one above of a disk too slow to trade on."""
FREE_BYTES_MIN = 1 << 30
OPEN_FILES_MIN = 1_024
CALENDAR = "cn_carbon"
EXTRA = "extra "
FOR_DEVELOPERS = frozenset({"test", "bench", "conformance", "docs"})
"""Extras that no user misses."""
_TIME_ERROR = 5
"""What adjtimex answers where nothing keeps the clock right."""
_TIMEX_BYTES = 512


class State(StrEnum):
    """How it stands with what was looked at."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


class Finding(Struct, frozen=True, omit_defaults=True):
    """What was looked at, how it stands, what was found, and what to do about it."""

    name: str
    state: State
    found: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor")(doctor)


def doctor(
    data: Annotated[
        Path, typer.Option(help="Where the data is to be; the disk's sync is measured there.")
    ] = Path(),
    port: Annotated[
        list[int] | None, typer.Option(help="A port that is to be free; again for more.")
    ] = None,
    json: PlainJson = False,
) -> None:
    """Look whether this machine has what is needed, and say what to do where not.

    Python, the compiled modules, the compiler, the disk, ports, the clock, the calendar, limits,
    extras. Exit status 1 where something is wrong; a note is only to be known.

    Example: cea-exchange doctor --data /var/lib/cea-exchange --port 5555
    """
    found = [each for look in _looks(data, port or []) for each in look()]
    if json:
        json_print([to_builtins(each) for each in found])
    else:
        rows = [
            [word(each.name), each.state.value, _found_said(each), said_filled(each.remedy)]
            for each in found
        ]
        typer.echo(table(("what", "state", "found", "what to do"), rows))
    wrong = [each.name for each in found if each.state is State.WRONG]
    if wrong:
        raise CheckFailed(f"wrong: {', '.join(wrong)}")


def _found_said(each: Finding) -> str:
    if each.name.startswith(EXTRA):
        return ", ".join(map(said_filled, each.found.split(", ")))
    return said_filled(each.found)


def _looks(data: Path, ports: list[int]) -> Iterator[Callable[[], Iterator[Finding]]]:
    yield _python
    yield _compiled
    yield _compiler
    yield lambda: _disk(data)
    yield lambda: _ports(ports)
    yield _clock
    yield _calendar
    yield _limits
    yield _extras


def _finding(name: str, is_right: bool, found: str, remedy: str, *, else_: State) -> Finding:
    """Return what was found; what to do about it only where it is not right."""
    return Finding(name, State.OK, found) if is_right else Finding(name, else_, found, remedy)


def _python() -> Iterator[Finding]:
    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    least = ".".join(map(str, PYTHON_MIN))
    # What is compiled relies on the interpreter's lock between two calls.
    is_right = sys.version_info >= PYTHON_MIN and not sysconfig.get_config_var("Py_GIL_DISABLED")
    remedy = f"use CPython {least} or later, and none that is free-threaded"
    yield _finding("python", is_right, found, remedy, else_=State.WRONG)


def _compiled() -> Iterator[Finding]:
    try:
        for name in COMPILED:
            importlib.import_module(name)
    except ImportError as error:
        yield Finding("package", State.WRONG, str(error), f"pip install --force {DISTRIBUTION}")
        return
    from cea_exchange import __version__

    yield Finding("package", State.OK, f"{DISTRIBUTION} {__version__}, compiled modules load")


def _compiler() -> Iterator[Finding]:
    name = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    path = shutil.which(name) or shutil.which("cc")
    header = Path(sysconfig.get_path("include"), "Python.h").exists()
    found = f"{path or 'no C compiler'}{'' if header else ', no Python.h'}"
    remedy = "needed only to build from sources or to cimport the book; no wheel needs it"
    is_right = path is not None and header
    yield _finding("compiler", is_right, found, remedy, else_=State.NOTE)


def _disk(data: Path) -> Iterator[Finding]:
    folder = next(each for each in (data.absolute(), *data.absolute().parents) if each.is_dir())
    try:
        micros = _sync_us(folder)
    except OSError as error:
        found = f"{folder}: {error.strerror or error}"
        yield Finding("disk", State.WRONG, found, "name a folder that can be written to: --data")
        return
    median, slowest = statistics.median(micros), max(micros)
    found = f"{folder}: fdatasync of 4 KiB takes {median:,.0f} us, at most {slowest:,.0f} us"
    if median < SYNC_US_MIN:
        remedy = "nothing is written so fast: memory, or a disk that only says so; trade on another"
    else:
        remedy = "each batch waits so long for the journal: a disk of its own, or another"
    is_right = SYNC_US_MIN <= median <= SYNC_US_MAX
    yield _finding("disk", is_right, found, remedy, else_=State.NOTE)
    free = shutil.disk_usage(folder).free
    least = f"have {FREE_BYTES_MIN >> 20:,} MiB at least: without space orders are refused"
    is_enough = free >= FREE_BYTES_MIN
    yield _finding("space", is_enough, f"{free >> 20:,} MiB free", least, else_=State.WRONG)


def _sync_us(folder: Path) -> list[float]:
    """Return how long writing a little and having it on the disk took, in microseconds."""
    micros = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNC_COUNT):
            began_ns = time.perf_counter_ns()
            file.write(bytes(SYNC_BYTES))
            # As the journal does it; a Mac has only fsync.
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            micros.append((time.perf_counter_ns() - began_ns) / 1_000)
    return micros


def _ports(ports: list[int]) -> Iterator[Finding]:
    for port in [0, *ports]:
        name = f"port {port}" if port else "ports"
        try:
            with socket.socket() as listening:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(("127.0.0.1", port))
                listening.listen()
                found = f"127.0.0.1:{listening.getsockname()[1]} can be listened on"
        except (OSError, OverflowError) as error:
            found = f"127.0.0.1:{port}: {getattr(error, 'strerror', None) or error}"
            yield Finding(name, State.WRONG, found, "end who has it, or name another")
        else:
            yield Finding(name, State.OK, found)


def _clock() -> Iterator[Finding]:
    before = time.time_ns()
    resolution = time.get_clock_info("time").resolution
    steps = [time.time_ns() for _ in range(1_000)]
    goes_back = any(after < earlier for earlier, after in pairwise([before, *steps]))
    found = f"{date.today()}, steps of {resolution * 1e9:g} ns"
    if goes_back:
        yield Finding("clock", State.WRONG, f"{found}; it went back", "set the machine right")
        return
    keeps = _clock_is_kept()
    if keeps is None:
        remedy = "whether something keeps it right is not said here: see that NTP does"
    else:
        remedy = "nothing keeps it right: run NTP, for phases and notices go by it"
    yield _finding("clock", keeps is True, found, remedy, else_=State.NOTE)


def _clock_is_kept() -> bool | None:
    """Return whether the kernel says that its clock is kept right; None where it says nothing."""
    try:
        asked = ctypes.create_string_buffer(_TIMEX_BYTES)
        state = ctypes.CDLL(None, use_errno=True).adjtimex(asked)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def _calendar() -> Iterator[Finding]:
    from cea_exchange.domain.calendar import TradingCalendar

    warning = TradingCalendar.load(CALENDAR).warning(date.today())
    remedy = "take a newer version, or a calendar of your own"
    found = warning or f"{CALENDAR} reaches far enough"
    yield _finding("calendar", warning is None, found, remedy, else_=State.NOTE)


def _limits() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    found = f"{os.cpu_count()} processors, {memory:,} MiB, {soft:,} open files (at most {hard:,})"
    remedy = f"ulimit -n {OPEN_FILES_MIN}: each session is a file"
    is_right = soft == resource.RLIM_INFINITY or soft >= OPEN_FILES_MIN
    yield _finding("limits", is_right, found, remedy, else_=State.NOTE)


def _extras() -> Iterator[Finding]:
    """Yield each extra that users may want, and what of it is not installed."""
    try:
        requires = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding("extras", State.NOTE, "not installed, only its sources", "pip install .")
        return
    needs: dict[str, list[str]] = {}
    for line in requires:
        if named := re.search(r"""extra == ["']([\w-]+)["']""", line):
            needs.setdefault(named[1], []).append(re.split(r"[\s\[<>=!~;]", line)[0])
    for extra in sorted(needs.keys() - FOR_DEVELOPERS):
        there = {name: _installed(name) for name in needs[extra]}
        found = ", ".join(f"{name} {version or 'missing'}" for name, version in there.items())
        remedy = f"pip install '{DISTRIBUTION}[{extra}]', if it is wanted"
        yield _finding(f"{EXTRA}{extra}", all(there.values()), found, remedy, else_=State.NOTE)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
