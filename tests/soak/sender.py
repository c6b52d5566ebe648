"""The process that sends (`flow.py`), from its parent's side."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from soak.flow import FlowBidding, FlowConfig, FlowTask

TESTS = Path(__file__).resolve().parents[1]


class SoakFailed(Exception):
    """Something broke, or is not as it must be."""


class FlowProcess:
    """A process that sends; it answers once each account is logged on.

    Parameters
    ----------
    directory : Path
        A new folder, for its settings and its log.
    config : FlowConfig
    """

    def __init__(self, directory: Path, config: FlowConfig):
        directory.mkdir(parents=True)
        path = directory / "config.json"
        path.write_bytes(msgspec.json.encode(config))
        self._log = directory / "log"
        search = filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "soak.flow", str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            )
        self.answer()

    @property
    def process_id(self) -> int:
        """The sender's process id."""
        return self._process.pid

    def run(self, count: int, trading_date: int, bidding: FlowBidding | None = None) -> dict:
        """Have so many commands sent and answered."""
        self.begin(count, trading_date, bidding)
        return self.answer()

    def begin(self, count: int, trading_date: int, bidding: FlowBidding | None = None) -> None:
        """Have so many commands sent; `answer` waits until they are answered."""
        task = FlowTask(count, trading_date, bidding)
        self._process.stdin.write(msgspec.json.encode(task) + b"\n")
        self._process.stdin.flush()

    def answer(self) -> dict:
        """Return the next line that the process says; it ends by itself if none is to come."""
        line = self._process.stdout.readline()
        if not line:
            lines = self._log.read_text(errors="replace").strip().splitlines()
            raise SoakFailed(f"the sender ended: {lines[-1] if lines else 'no message'}")
        return json.loads(line)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
