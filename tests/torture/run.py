"""A torture run: days of trading by real processes, kills and pauses, and checks at each close.

The main thread starts, kills and pauses (a child that is to end with its parent is bound to the
thread that started it); a second one moves the venue's clock through the day and waits, asking
again whatever a killed venue did not answer.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.timetable import time_parse
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant, population
from cea_exchange.loadtest.stands.audit import audit_all
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from torture.chaos import Act, Chaos, acts_draw
from torture.client import TRADE, Board, ClientConfig

DAEMONS = ("venue", "registry")
REFERENCE_PRICES = {"CEA23": 9749, "CEA24": 9749}
FIRST_DAY = date(2025, 1, 2)
ACTS_PER_DAY = 50
ACTS_AT_CLOSE = 3
"""The day's last acts come while it closes and is settled."""

SESSION_COMMANDS_MIN = 400
"""Of a morning or afternoon, by all participants together, however few acts it has."""

SESSION_SILENCE_S = 3
SNAPSHOT_COMMANDS = 500
"""Often enough that kills meet a snapshot being written, and starts find one."""

ORDERS_EACH = 400_000
TURN_S = 0.005
IN_FLIGHT_S_MAX = 0.3
IN_FLIGHT_S = 0.006
"""About what a batch takes from the client's disk to its answer."""

ADMIN_S = 2.0
SETTLE_S_MAX = 120.0
TESTS = Path(__file__).resolve().parents[1]


class TortureFailed(Exception):
    """Something is not as it must be; the run ends."""


@dataclass(frozen=True)
class TortureSettings:
    """What to run.

    Attributes
    ----------
    kills, seed, participants
        How many kills, what decides them, and how many client processes.
    pace_s
        Mean time between two acts.
    limit_s
        The run is given up after so long.
    batches_per_second
        Of each participant, up to 8 commands each.
    programs
        Command lines to run instead of a daemon's, see `LocalExchange`.
    fault
        Of the clients, see `ClientConfig`.
    victims
        Only acts at these (`venue`, `registry`, participants' names); all if empty.
    """

    kills: int
    seed: int
    limit_s: float
    participants: int = 6
    pace_s: float = 2.0
    batches_per_second: float = 40.0
    programs: dict = field(default_factory=dict)
    fault: str = ""
    victims: tuple[str, ...] = ()


@dataclass
class TortureReport:
    """What was done, what was checked, and what was found wrong."""

    seed: int
    counts: Counter = field(default_factory=Counter)
    days: int = 0
    seconds: float = 0.0
    venue_kills_with_commands_unanswered: int = 0
    commands_resent: int = 0
    reports_replayed: int = 0
    checked: dict[str, int] = field(default_factory=dict)
    discrepancies: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """All kills."""
        return sum(count for (kind, _), count in self.counts.items() if kind == "kill")

    def as_dict(self) -> dict:
        """Return plain values for JSON."""
        return {
            "seed": self.seed,
            "kills": self.kills,
            "acts": {f"{kind}_{whose}": n for (kind, whose), n in sorted(self.counts.items())},
            "venue_kills_with_commands_unanswered": self.venue_kills_with_commands_unanswered,
            "commands_resent": self.commands_resent,
            "reports_replayed": self.reports_replayed,
            "days": self.days,
            "seconds": round(self.seconds, 1),
            "checked": self.checked,
            "discrepancies": self.discrepancies,
        }


class Daemon:
    """Venue or registry as something to be killed."""

    def __init__(self, exchange: LocalExchange, name: str):
        self.name = name
        self._exchange = exchange

    def kill(self) -> None:
        self._exchange.kill(self.name)

    def start(self) -> None:
        getattr(self._exchange, f"start_{self.name}")(wait=False)

    def pause(self) -> None:
        self._exchange.pause(self.name)

    def resume(self) -> None:
        self._exchange.resume(self.name)


class ClientProcess:
    """A participant's process; it keeps its directory, whatever happens to it."""

    def __init__(
        self,
        directory: Path,
        config: ClientConfig,
        *,
        launch: Callable[[list[str]], list[str]] | None = None,
    ):
        self.name = config.name
        self._launch = launch or (lambda command: command)
        self.directory = directory
        directory.mkdir(parents=True)
        (directory / "config.json").write_bytes(msgspec.json.encode(config))
        self.board = Board(directory / "board")
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._launch([sys.executable, "-m", "torture.client", str(self.directory)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": python_path()},
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ended(self) -> str | None:
        """Say how the process ended by itself; None while it runs, or was killed."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"status {self._process.returncode}: {_last_line(self.directory / 'log')}"


class Torture:
    """One run in an empty data folder.

    Parameters
    ----------
    data : Path
        The folder.
    settings : TortureSettings
    progress : callable
        Told the number of acts done.
    """

    def __init__(self, data: Path, settings: TortureSettings, progress: Callable[[int], None]):
        self.data = data
        self.settings = settings
        self.report = TortureReport(settings.seed)
        self.clients: list[ClientProcess] = []
        self._progress = progress
        self._deadline = time.monotonic() + settings.limit_s
        self._exchange = LocalExchange(data, programs=settings.programs)
        self._chaos: Chaos | None = None
        self._settle_token = TRADE
        self._over = False
        self._draw = random.Random(f"moments {settings.seed}")

    def run(self) -> TortureReport:
        """Run it all; every process is ended, whatever happens."""
        started = time.monotonic()
        with self._exchange, contextlib.ExitStack() as stack:
            stack.callback(self._end)
            try:
                self._start()
                for number, day in enumerate(self._days()):
                    self._day(number, day)
            except (TortureFailed, RuntimeError, subprocess.TimeoutExpired) as error:
                self.report.discrepancies.insert(0, str(error))
            self._count()
        self.report.seconds = time.monotonic() - started
        return self.report

    # -- Before and after --------------------------------------------------------------------------

    def _start(self) -> None:
        settings = self.settings
        members = population(
            settings.participants,
            REFERENCE_PRICES,
            seed=settings.seed,
            orders_each=ORDERS_EACH,
        )
        self._exchange.prepare(
            members,
            REFERENCE_PRICES,
            start=f"{FIRST_DAY}T08:30:00+08:00",
            session_silence_s_max=SESSION_SILENCE_S,
            snapshot_commands=SNAPSHOT_COMMANDS,
        )
        self._exchange.start()
        await_transfers(self._exchange)
        self.clients = [self._client(member, members) for member in members]
        names = [client.name for client in self.clients]
        acts = acts_draw(
            settings.seed,
            settings.kills,
            names,
            pace_s=settings.pace_s,
            silence_s=SESSION_SILENCE_S,
            victims=settings.victims,
        )
        daemons = [Daemon(self._exchange, name) for name in DAEMONS]
        self._chaos = Chaos([*daemons, *self.clients], acts, self._before)
        for client in self.clients:
            client.start()
        self._mode(TRADE)

    def _client(self, member: Participant, members: list[Participant]) -> ClientProcess:
        with RegistryStore.open_reader(self.data) as store:
            accounts = dict(store.execute("SELECT account, account_index FROM accounts").fetchall())
        config = ClientConfig(
            name=member.name,
            account_index=accounts[member.name],
            sides={name: side.name.lower() for name, side in member.sides.items()},
            counterparties={
                name: [accounts[other.name] for other in members if other.sides[name] != side]
                for name, side in member.sides.items()
            },
            endpoint=self._exchange.endpoint("venue", "gateway"),
            server_key=self._exchange.keys("venue").public,
            keys=str(self._exchange.keys_directory),
            reference_prices=REFERENCE_PRICES,
            seed=self.settings.seed,
            batches_per_second=self.settings.batches_per_second,
            fault=self.settings.fault,
        )
        return ClientProcess(self.data / "clients" / member.name, config)

    def _end(self) -> None:
        self._over = True
        if self._chaos is not None:
            for name in DAEMONS:
                if self._chaos.is_down(name) and self._exchange.is_running(name):
                    self._exchange.resume(name)
        for client in self.clients:
            client.kill()

    def _count(self) -> None:
        self.report.counts = self._chaos.counts if self._chaos else Counter()
        self.report.commands_resent = sum(each.board["resent"] for each in self.clients)
        self.report.reports_replayed = sum(each.board["replayed"] for each in self.clients)

    def _days(self) -> list[date]:
        calendar = TradingCalendar.load("cn_carbon")
        days = [FIRST_DAY]
        # Two at least, so that a night lies between them.
        while len(days) < max(2, -(-len(self._chaos.acts) // ACTS_PER_DAY)):
            days.append(calendar.next_trading_day(days[-1]))
        return days

    # -- A day -------------------------------------------------------------------------------------

    def _day(self, number: int, day: date) -> None:
        acts, days = len(self._chaos.acts), len(self._days())
        first, last = acts * number // days, acts * (number + 1) // days
        with ThreadPoolExecutor(1) as pool:
            trading = pool.submit(self._trade, day, (first + last) // 2, last)
            try:
                self._until(trading, last)
            finally:
                self._over = not trading.done()
        trading.result()
        self._chaos.calm()
        for name in DAEMONS:
            self._exchange.wait_ready(name)
        self._settle()
        self._check()
        self.report.days += 1

    def _trade(self, day: date, middle: int, last: int) -> None:
        """Take the venue through a day while the acts happen; in its own thread."""
        for start, end, acts_done in (
            ("09:30", "11:30", middle), ("13:00", "15:00", last - ACTS_AT_CLOSE)
        ):  # fmt: skip
            self._clock(f"{day}T{start}:00+08:00")
            sent = self._sent_count() + SESSION_COMMANDS_MIN
            self._wait(lambda goal=acts_done: self._chaos.done >= goal, f"act {acts_done}")
            self._wait(lambda goal=sent: self._sent_count() >= goal, f"command {sent}")
            self._clock(f"{day}T{end}:00+08:00")
        self._wait(lambda: self._chaos.done >= last, f"act {last}")
        number = date_number(day)
        self._wait(
            lambda: self._status().get("confirmed_date", 0) >= number,
            f"the registry to confirm {day}",
        )

    def _sent_count(self) -> int:
        return sum(client.board["sent"] for client in self.clients)

    def _clock(self, at: str) -> None:
        """Move the venue's clock, however often the venue dies meanwhile."""

        def is_there() -> bool:
            status = self._status()
            if not status:
                return False
            if time_parse(status["time"]) >= time_parse(at):
                return status["changes_pending"] == 0
            with contextlib.suppress(AdminError):
                admin_ask(self.data, {"op": "clock", "at": at}, timeout_s=ADMIN_S)
            return False

        self._wait(is_there, f"the venue's clock to be {at}")

    def _status(self) -> dict:
        try:
            status = admin_ask(self.data, {"op": "status"}, timeout_s=ADMIN_S)
        except AdminError:
            return {}
        if status["cancels_only"].startswith("the registry says"):
            raise TortureFailed(f"the venue takes cancels only: {status['cancels_only']}")
        return status

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        while not condition():
            if self._over:
                raise TortureFailed(f"given up while waiting for {what}")
            if time.monotonic() > self._deadline:
                raise TortureFailed(
                    f"not done within {self.settings.limit_s:.0f} s: waited for {what}"
                )
            time.sleep(0.02)

    def _until(self, trading: Future, last: int) -> None:
        while not trading.done():
            # Before anybody has traded there is nothing to be lost.
            self._chaos.turn(last if self._sent_count() else 0)
            self._monitor()
            self._progress(self._chaos.done)
            time.sleep(TURN_S)

    def _before(self, act: Act) -> None:
        """Wait a moment for a bad moment: most of the venue's kills shall leave work unanswered."""
        if act.kind != "kill" or act.target != "venue":
            return
        until = time.monotonic() + IN_FLIGHT_S_MAX
        while not (waiting := self._unanswered()) and time.monotonic() < until:
            time.sleep(0.0005)
        time.sleep(self._draw.uniform(0.0, IN_FLIGHT_S))
        self.report.venue_kills_with_commands_unanswered += waiting

    def _unanswered(self) -> bool:
        return any(each.board["sent"] > each.board["answered"] for each in self.clients)

    def _monitor(self) -> None:
        """Nobody may end by himself."""
        for name in DAEMONS:
            if not self._chaos.is_down(name) and not self._exchange.is_running(name):
                line = _last_line(self._exchange.log(name))
                raise TortureFailed(f"the {name} ended by itself: {line}")
        for client in self.clients:
            if (how := client.ended()) is not None:
                raise TortureFailed(f"{client.name} ended by itself, {how}")

    # -- The close ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Wait until every command is answered and every report known, and stop the daemons."""
        deadline = min(self._deadline, time.monotonic() + SETTLE_S_MAX)
        for _ in range(2):
            # Once more: what one has sent again may have given another one a report.
            self._settle_token += 1
            self._mode(self._settle_token)
            while behind := [
                client for client in self.clients if client.board["settled"] != self._settle_token
            ]:
                self._monitor()
                if time.monotonic() > deadline:
                    board = behind[0].board
                    raise TortureFailed(
                        f"{behind[0].name} lacks answers or reports: "
                        f"{board['sent'] - board['answered']} commands are unanswered"
                    )
                time.sleep(TURN_S)
        last_seq = self._exchange.operate("status")["settlement_seq"]
        self._exchange.wait_until(
            lambda: self._settled_seq() >= last_seq,
            f"the registry to settle to {last_seq}",
            SETTLE_S_MAX,
        )

    def _settled_seq(self) -> int:
        with RegistryStore.open_reader(self.data) as store:
            return store.last_seq

    def _check(self) -> None:
        """Hold everything against everything with the daemons at rest, then let them go on."""
        for name in DAEMONS:
            status = self._exchange.stop(name)
            if status != 0:
                raise TortureFailed(f"asked to end, the {name} ended with {status}")
        found = audit_all(self.data, [client.directory for client in self.clients])
        self.report.checked = found.checked
        if found.differences:
            self.report.discrepancies = found.differences
            raise TortureFailed(found.differences.pop(0))
        self._exchange.start()
        self._mode(TRADE)

    def _mode(self, mode: int) -> None:
        for client in self.clients:
            client.board["mode"] = mode


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"


def python_path() -> str:
    """Return the PYTHONPATH with which a process of its own finds this package."""
    return os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
