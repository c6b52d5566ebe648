"""A CCER registry daemon as a process of its own, on a data folder, with everybody's keys."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from cea_exchange.ccer.control.admin_client import ccer_ask
from cea_exchange.ccer.control.service import CcerService
from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number
from cea_exchange.institution.control.admin_client import InstitutionRefused
from cea_exchange.institution.persons import Person
from cea_exchange.protocol.security import CurveKeys
from support.ccer.programme import DayClock, registry_open
from support.ccer.programme_service import PERSONS, ProgrammeStaff, in_process
from support.patience import asked_again, patience
from support.registry.fake_venue import Caller, wait_until

FIRST_DAY = 20240701
CALENDAR = TradingCalendar.load("cn_carbon")
OF_SETTINGS = {"gu": "operator", "ma": "operator", "he": "regulator"}
"""The others are persons that these add."""


class CcerProcess:
    """A CCER registry process on a data folder; its manual clock is moved by two operators.

    Parameters
    ----------
    data
        The data folder; an allowance registry may be in it, too.
    database
        ``postgresql://...``; None: SQLite.
    day
        On which its clock begins.
    has_venue
        Whether it has an exchange, in the same folder.
    """

    def __init__(self, data, database=None, day=FIRST_DAY, *, has_venue=False):
        self.data, self.day, self._has_venue = data, day, has_venue
        self.process = None
        folder = data / "keys"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("ccer", "registry", *PERSONS):
            if not (folder / f"{name}.secret").exists():
                CurveKeys.new().save(folder, name)
        self.keys = {who: CurveKeys.load(folder, who).public for who in PERSONS}
        self._database = database
        self.staff = ProgrammeStaff(self._asked, self)

    def _config_write(self):
        persons = "".join(
            f'[[operators]]\nname = "{PERSONS[who][0]}"\nkey = "{self.keys[who]}"\n'
            f'role = "{role}"\n'
            for who, role in OF_SETTINGS.items()
        )
        where = "" if self._database is None else f'database = "{self._database}"\n'
        clock = f'[clock]\nkind = "manual"\nstart = "{self._noon(self.day)}"\n'
        text = f"{where}fronts = 0\n{clock}{persons}"
        if self._has_venue:
            text += "[venue]\n"
        (self.data / "ccer.toml").write_text(text, encoding="utf-8")

    def prepare(self, tonnes=None):
        """Let accounts be open and persons be known, and a batch be issued, before it is served."""
        clock = DayClock(self.day)
        with registry_open(self.data, clock, self._database) as ccer:
            ccer.persons.operators = {
                self.keys[who]: Person(PERSONS[who][0], self.keys[who], role, PERSONS[who][2])
                for who, role in OF_SETTINGS.items()
            }
            staff = in_process(CcerService(ccer, proposal_s=10_000_000), clock, self.keys)
            staff.accounts()
            if tonnes is not None:
                staff.project_registered()
                staff.batch_issued(tonnes)
        self.day = clock.day
        return self

    @staticmethod
    def _noon(day):
        date = date_of_number(day)
        return datetime(date.year, date.month, date.day, 4, tzinfo=UTC).isoformat()

    # -- the process ------------------------------------------------------------------------------

    def start(self):
        self._config_write()
        path = self.data / "ccer" / "endpoints.json"
        path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cea_exchange.cli.main", "ccer", "serve"),
                *("--config", str(self.data / "ccer.toml"), "--data", str(self.data)),
            ],
            stderr=(self.data / "ccer.log").open("a"),
        )
        wait_until(lambda: path.exists() or self.process.poll() is not None, 40)
        assert path.exists(), self.log()
        self.endpoints = json.loads(path.read_text())
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def killed(self):
        """End it with SIGKILL, and start it again."""
        self.kill()
        return self.start()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20 * patience()) == 0, self.log()

    def log(self):
        return (self.data / "ccer.log").read_text()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        if self.process.poll() is None:
            self.kill()

    # -- persons ----------------------------------------------------------------------------------

    def ask(self, who, op, **terms):
        return asked_again(lambda: ccer_ask(self.data, {"op": op, **terms}, key=who))

    def _asked(self, who, request):
        try:
            return asked_again(lambda: ccer_ask(self.data, request, key=who))
        except InstitutionRefused as error:
            return error.answer

    def caller(self, name, door="admin", keys=None):
        directory = self.data / "keys"
        server_key = CurveKeys.load(directory, "ccer").public
        return Caller(keys or CurveKeys.load(directory, name), server_key, self.endpoints[door])

    def persons_added(self):
        """Let the operators bring everybody else; accounts have to be open."""
        staff = self.staff
        for who, (name, role, body) in PERSONS.items():
            if who in OF_SETTINGS:
                continue
            kind, _, of = body.partition(" ")
            terms = {"name": name, "key": self.keys[who], "role": role}
            terms |= {"account": of} if kind == "account" else {}
            terms |= {"province": int(of)} if kind == "province" else {}
            proposal = staff.done("gu", "person_add", **terms)
            seconds = {"ccer": "ma", "authority": "zhou"}
            second = seconds.get(proposal["approving_body"]) or self._approver(body)
            staff.done(second, "approve", proposal=proposal["proposal"])

    @staticmethod
    def _approver(body):
        return next(
            who for who, (_, role, of) in PERSONS.items() if (role, of) == ("approver", body)
        )

    # -- its clock, as `DayClock` is moved --------------------------------------------------------

    def _move(self, day):
        self.day = day
        self.staff.of_two("gu", "ma", "clock_move", at=self._noon(day))

    def working_days_on(self, count):
        self._move(date_number(CALENDAR.working_day_after(date_of_number(self.day), count)))

    def days_on(self, count):
        self._move(date_number(date_of_number(self.day) + timedelta(days=count)))
