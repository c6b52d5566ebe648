"""One sending process: its share of the participants, and of the commands.

Started as ``python -m cea_exchange.loadtest.sending.process CONFIG``. The parent writes one JSON
object a line and reads one back: ``floor``, ``connect``, ``fill``, ``run``, ``reconcile``. While it
runs there are lines with the key ``seen`` in between: how far it is.
"""

import json
import os
import select
import sys
import time
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cea_exchange.loadtest.flow.arrivals import Arrivals
from cea_exchange.loadtest.flow.plan import Plan, depth_draw, plan_draw
from cea_exchange.loadtest.flow.recorded import Recorded, recorded_plan
from cea_exchange.loadtest.flow.workload import Workload
from cea_exchange.loadtest.punctual import priority_lower, real_time, timers_sharpen
from cea_exchange.loadtest.sending.notes import Notes
from cea_exchange.loadtest.sending.open_loop import OpenLoop, Stop
from cea_exchange.loadtest.targets.echo import EchoCall, EchoProcess
from cea_exchange.loadtest.targets.finding import EMBEDDED, target_make
from cea_exchange.loadtest.targets.target import Participants, Target

SEEN_EVERY_NS = 250_000_000
IDLE_S = 0.05
FLOOR_S_MAX = 2.0
"""So much of the schedule is enough to see what the harness takes."""
FLOOR_DELAY_NS = 20_000_000
FAR_BEHIND_NS = 500_000_000


class ProcessConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a sending process is to do.

    Attributes
    ----------
    target, options
        See `targets.finding`.
    recorded
        The day to send; the arrivals have no say then.
    process_index, process_count
        Which of how many this is: it takes each so manieth time of all.
    folder
        Where its columns go.
    """

    target: str
    options: dict[str, str]
    participants: Participants
    workload: Workload
    arrivals: Arrivals
    recorded: Recorded | None
    stop: Stop
    seed: int
    spin: bool
    process_index: int
    process_count: int
    folder: str


class SendingProcess:
    """What the parent asks for, each a method."""

    def __init__(self, config: ProcessConfig) -> None:
        self._config = config
        self._target: Target | None = None
        self._input = b""
        self._seen_at_ns = 0
        self._plan = self._planned()
        self._loop: OpenLoop | None = None

    def serve(self) -> None:
        """Do what is asked, until the parent is gone."""
        while (request := self._request()) is not None:
            answer = getattr(self, f"do_{request.pop('do')}")(**request)
            _say(answer)

    def do_floor(self) -> dict[str, Any]:
        """Send the beginning of the plan to somebody who only answers."""
        config = self._config
        due_ns = self._plan.column("due_ns")
        part = self._plan.first(int(np.searchsorted(due_ns, FLOOR_S_MAX * 1e9)))
        echo = EchoCall() if config.target in EMBEDDED else EchoProcess()
        echo.connect(config.participants)
        loop = OpenLoop(echo, config.workload, part, spin=config.spin, seed=config.seed)
        try:
            with self._real_time() as is_real_time:
                loop.run(time.monotonic_ns() + FLOOR_DELAY_NS)
        finally:
            echo.close()
        loop.notes.write(self._path("floor"))
        return {"is_real_time": is_real_time}

    def do_connect(self) -> dict[str, Any]:
        """Connect the target."""
        config = self._config
        self._target = target_make(config.target, config.options)
        self._target.connect(config.participants)
        self._loop = OpenLoop(
            self._target,
            config.workload,
            self._plan,
            stop=config.stop,
            spin=config.spin,
            look=self._look,
            seed=config.seed,
        )
        return {}

    def do_fill(self) -> dict[str, Any]:
        """Put this process's part of the depth on the book."""
        config = self._config
        total, count, index = config.workload.depth, config.process_count, config.process_index
        share = total // count + (index < total % count)
        if share:
            depth = depth_draw(
                config.workload, share, config.participants,
                seed=config.seed, process_index=index,
            )  # fmt: skip
            self._sending.fill(depth)
        return {}

    def do_run(self, *, start_ns: int) -> dict[str, Any]:
        """Send the plan from that moment of the monotonic clock on."""
        with self._real_time():
            result = self._sending.run(start_ns)
        return {"sent_s": result.sent_s, "done_s": result.done_s, "stopped": result.stopped}

    def do_reconcile(self) -> dict[str, Any]:
        """Write what was noted, and ask the target what it has."""
        loop, target = self._sending, self._target
        assert target is not None
        # A trade's other side may have been reported while nobody asked.
        loop.settle()
        found = target.reconcile()
        loop.notes.write(self._path("columns"))
        return {
            "counts": msgspec.to_builtins(loop.notes.counts()),
            "checked": found.checked,
            "differences": found.differences,
            "reconnects": target.reconnects,
            "gaps": target.gaps,
        }

    def close(self) -> None:
        """End the target's connections."""
        if self._target is not None:
            self._target.close()

    def _real_time(self) -> AbstractContextManager[bool]:
        # A loop that never sleeps would starve everything else.
        return real_time(wanted=not self._config.spin)

    @property
    def _sending(self) -> OpenLoop:
        assert self._loop is not None, "the parent must ask to connect first"
        return self._loop

    def _planned(self) -> Plan:
        config = self._config
        mine = slice(config.process_index, None, config.process_count)
        if config.recorded is not None:
            return recorded_plan(config.recorded, config.workload, config.participants, mine)
        times = config.arrivals.times(config.seed)[mine]
        return plan_draw(
            config.workload, times, config.participants,
            seed=config.seed, process_index=config.process_index,
        )  # fmt: skip

    def _path(self, name: str) -> Path:
        return Path(self._config.folder) / f"{name}-{self._config.process_index}.npz"

    def _look(self, notes: Notes) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._seen_at_ns < SEEN_EVERY_NS:
            return
        self._seen_at_ns = now_ns
        if notes.sent and notes.left_ns[-1] - notes.due_ns[-1] > FAR_BEHIND_NS:
            # It never sleeps now: in real time it would starve what it loads.
            priority_lower()
        latencies = sorted(notes.latest_latencies_ns)
        notes.latest_latencies_ns.clear()
        p99 = latencies[len(latencies) * 99 // 100] if latencies else 0
        seen = {"sent": notes.sent, "answered": notes.answered, "refused": notes.refused,
                "p99_ns": p99}  # fmt: skip
        if self._target is not None:
            seen |= {"reconnects": self._target.reconnects, "gaps": self._target.gaps}
        _say({"seen": seen})

    def _request(self) -> dict[str, Any] | None:
        while b"\n" not in self._input:
            if self._loop is not None:
                self._loop.idle(IDLE_S)
            wait_s = 0.0 if self._loop is not None else None
            if select.select([sys.stdin], [], [], wait_s)[0]:
                # Past the buffer of `sys.stdin`, which `select` does not know of.
                chunk = os.read(sys.stdin.fileno(), 65536)
                if not chunk:
                    return None
                self._input += chunk
        line, _, self._input = self._input.partition(b"\n")
        request: dict[str, Any] = json.loads(line)
        return request


def main(path: str) -> None:
    """Run one sending process; an error is its last line, for the parent to say."""
    timers_sharpen()
    try:
        config = msgspec.json.decode(Path(path).read_bytes(), type=ProcessConfig)
        sending = SendingProcess(config)
        try:
            sending.serve()
        finally:
            sending.close()
    except Exception as error:
        traceback.print_exc()
        _say({"error": str(error) or type(error).__name__})
        sys.exit(1)


def _say(answer: dict[str, Any]) -> None:
    """Write a line for the parent; end where it is gone."""
    try:
        print(json.dumps(answer), flush=True)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
