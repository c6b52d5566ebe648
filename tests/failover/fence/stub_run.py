"""The fence on trial: stub engines on real log nodes, killed and frozen, with a fence or without.

    python -m failover.fence.stub_run --faults 20 [--unfenced] [--seed 1]

A leader that is frozen for longer than its lease, and thawed, is what a fence is for: it doesn't
know that it leads no more.
"""

import argparse
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from cea_exchange.cluster.log_nodes.free_ports import free_ports
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.log_nodes.replica_files import replica_messages
from cea_exchange.cluster.log_nodes.rights import VENUE
from cea_exchange.control_plane.signals import end_with_parent
from cea_exchange.loadtest.stands.cluster_audit import replica_differences
from failover.fence.history import Verdict, history_check
from failover.fence.stub_engine import ANSWER, LEASE_S, STREAM, EngineConfig, History
from failover.fence.stub_participants import ParticipantsConfig
from failover.fence.until_lost import attempts_run
from torture.run import python_path

ENGINES = 2
PARTICIPANTS = 8
PER_SECOND = 2_000.0
SERVED_S_MAX = 40.0
FREEZE_S = LEASE_S + 0.8
STOP_S_MAX = 5.0
ENGINE, LOG_NODE = "engine", "log node"


class StubRun:
    """One run in an empty folder; use it once."""

    def __init__(self, folder: Path, *, seed: int, is_fenced: bool = True) -> None:
        self.folder = folder
        self.verdict = Verdict()
        self.epochs = 0
        self.done: list[str] = []
        self.outages_s: list[float] = []
        self._draw = random.Random(f"failover {seed}")
        self._is_fenced = is_fenced
        self._ports = free_ports(ENGINES)
        self._log = LogNodes(folder / "log")
        self._engines: dict[int, subprocess.Popen[bytes]] = {}
        self._participants: subprocess.Popen[bytes] | None = None
        self._thawed: int | None = None

    def run(self, faults: int, kinds: tuple[str, ...] = ("freeze", "kill", "log")) -> None:
        """Let faults happen one after another, each once all is served again; then check."""
        try:
            self._log.start()
            for number in range(ENGINES):
                self._engine_start(number)
            self._participants = self._process(
                "participants",
                ParticipantsConfig(str(self.folder), PARTICIPANTS, self._ports, PER_SECOND),
            )
            self._await_answers()
            for number in range(faults):
                self._fault(kinds[number % len(kinds)])
            self._await_answers()
        finally:
            self._end()
        self._check()

    def _fault(self, kind: str) -> None:
        began = time.monotonic()
        if kind == "log":
            number = self._draw.randrange(self._log.count)
            self._log.kill(number)
            self._log.start(number)
        else:
            # A leader that leads no more, and doesn't know it, is not the one to be met.
            number = self._leader(besides=self._thawed)
            engine = self._engines[number]
            if kind == "kill":
                engine.kill()
                engine.wait()
                self._engine_start(number)
            else:
                engine.send_signal(signal.SIGSTOP)
                time.sleep(FREEZE_S)
                # Not before another has answered: only then is it one that leads no more.
                self._await_answers()
                engine.send_signal(signal.SIGCONT)
                self._thawed = number
        self.done.append(kind)
        self._await_answers()
        self.outages_s.append(time.monotonic() - began)
        time.sleep(self._draw.uniform(0.2, 0.6))
        self._engines_tend()

    def _engine_start(self, number: int) -> None:
        config = EngineConfig(
            node=f"engine-{number + 1}",
            log_nodes=self._log.addresses,
            secret=self._log.secret_file(VENUE).read_text().strip(),
            port=self._ports[number],
            is_fenced=self._is_fenced,
        )
        self._engines[number] = self._process(f"engine-{number + 1}", config)

    def _engines_tend(self) -> None:
        """Start again who has found that it was fenced, as a service manager would."""
        for number, engine in list(self._engines.items()):
            if engine.poll() is not None:
                self._engine_start(number)

    def _process(self, name: str, config: msgspec.Struct) -> subprocess.Popen[bytes]:
        file = self.folder / f"{name}.json"
        file.write_bytes(msgspec.json.encode(config))
        module = "stub_participants" if name == "participants" else "stub_engine"
        with (self.folder / f"{name}.out").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", f"failover.fence.{module}", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={"PYTHONPATH": python_path()},
                preexec_fn=end_with_parent,  # noqa: PLW1509
            )

    def _leader(self, besides: int | None) -> int:
        """Return the node that listens; another than one, if there is."""
        deadline = time.monotonic() + SERVED_S_MAX
        while time.monotonic() < deadline:
            others = sorted(range(ENGINES), key=lambda number: number == besides)
            for number in others:
                port = self._ports[number]
                with socket.socket() as line:
                    if line.connect_ex(("127.0.0.1", port)) == 0:
                        return number
            self._engines_tend()
            time.sleep(0.05)
        raise RuntimeError(f"waited {SERVED_S_MAX:.0f} s for an engine that leads")

    def _answers_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.glob("answers-*"))

    def _await_answers(self) -> None:
        """Wait until somebody is answered again."""
        before, deadline = self._answers_bytes(), time.monotonic() + SERVED_S_MAX
        while self._answers_bytes() == before:
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {SERVED_S_MAX:.0f} s for an answer")
            self._engines_tend()
            time.sleep(0.01)

    def _end(self) -> None:
        for process in (self._participants, *self._engines.values()):
            if process is not None:
                process.kill()
                process.wait(STOP_S_MAX)
        # What the others have is in all copies before they end.
        if self._log.is_running(0):
            self._log.wait_ready()
        self._log.close()

    def _check(self) -> None:
        replicas = {
            self._log.settings[number].node: [
                message.payload for message in replica_messages(self._log.data(number), STREAM)
            ]
            for number in range(self._log.count)
        }
        history = History()
        first = next(iter(replicas.values()))
        commands = [command for message in first for command in history.take(message)]
        self.epochs = history.epoch
        answers = {}
        for number in range(PARTICIPANTS):
            content = (self.folder / f"answers-{number}").read_bytes()
            whole = content[: len(content) // ANSWER.size * ANSWER.size]
            answers[number] = list(ANSWER.iter_unpack(whole))
        self.verdict = history_check(answers, commands)
        self.verdict.differences += replica_differences(replicas)


def main() -> int:
    """Run and tell."""
    program = "python -m failover.fence.stub_run"
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--unfenced", action="store_true", help="the control, which must lose")
    arguments = parser.parse_args()
    is_fenced = not arguments.unfenced

    def attempt(seed: int) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="cea-exchange-fence-") as folder:
            run = StubRun(Path(folder), seed=seed, is_fenced=is_fenced)
            run.run(arguments.faults)
        outages = sorted(run.outages_s)
        print(f"seed {seed}: {len(run.done)} faults, {run.epochs} epochs; {run.verdict}")
        print(f"fault until served again: median {outages[len(outages) // 2]:.1f} s, "
              f"longest {outages[-1]:.1f} s", flush=True)
        return run.verdict

    made = attempts_run(
        attempt, lambda verdict: verdict.passed, seed=arguments.seed, is_fenced=is_fenced
    )
    return 0 if made.is_as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
