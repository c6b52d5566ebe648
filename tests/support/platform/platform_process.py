"""A platform daemon as a process of its own, on a rehearsal's folder; for tests."""

import json
import signal
import subprocess
import sys

from cea_exchange.institution.control.admin_client import InstitutionRefused
from cea_exchange.platform.control.admin_client import platform_ask
from cea_exchange.platform.rehearsal import rehearsal_prepare
from cea_exchange.protocol.security import CurveKeys
from support.patience import asked_again, patience
from support.registry.fake_venue import Caller, wait_until


class PlatformProcess:
    """A platform process on a data folder."""

    def __init__(self, data, database=None):
        self.data = data
        self.process = None
        rehearsal_prepare(data, database)

    def start(self):
        path = self.data / "platform" / "endpoints.json"
        path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cea_exchange.cli.main", "platform", "serve"),
                *("--config", str(self.data / "platform.toml"), "--data", str(self.data)),
            ],
            stderr=(self.data / "platform.log").open("a"),
        )
        wait_until(lambda: path.exists() or self.process.poll() is not None, 20)
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
        assert self.process.wait(30 * patience()) == 0, self.log()

    def log(self):
        return (self.data / "platform.log").read_text()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        if self.process.poll() is None:
            self.kill()

    def ask(self, who, op, **terms):
        return asked_again(lambda: platform_ask(self.data, {"op": op, **terms}, key=who))

    def code(self, who, op, **terms):
        """Return why something is refused; '' if it is not."""
        try:
            self.ask(who, op, **terms)
        except InstitutionRefused as error:
            return error.answer["code"]
        return ""

    def caller(self, name, door="admin", keys=None):
        directory = self.data / "keys"
        server_key = CurveKeys.load(directory, "platform").public
        return Caller(keys or CurveKeys.load(directory, name), server_key, self.endpoints[door])

    def bring(self, name):
        """Let the firm bring one of the rehearsal's files, or enter it."""
        content = (self.data / name).read_bytes()
        op = "month_enter" if name == "e1-2024.csv" else "evidence_bring"
        return self.ask("li", op, enterprise="E1", file=name, content=content)

    def year_verified(self):
        """Let the firm's year be filed, passed, reported and verified."""
        self.bring("scale-2024.csv")
        self.bring("e1-2024.csv")
        self.ask("wang", "month_file", enterprise="E1", period=2024)
        for who in ("chen", "sun"):
            self.ask(who, "filing_pass", enterprise="E1", kind="month", period=2024)
        self.ask("li", "report_enter", enterprise="E1", year=2024)
        self.ask("zhao", "report_sign", enterprise="E1", year=2024)
        terms = {"enterprise": "E1", "year": 2024, "firm": "V1", "due_on": 20260630}
        task = self.ask("sun", "verification_give", **terms)["verification"]
        self.ask("wu", "verification_conclude", verification=task, units="E1-1=2957724.00")
        self.ask("sun", "verification_confirm", verification=task)
