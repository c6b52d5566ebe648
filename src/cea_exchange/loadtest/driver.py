"""Starts the runner processes, asks all at once, gathers their answers, and ends them."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Self

import msgspec

from cea_exchange.control_plane.signals import module_command
from cea_exchange.loadtest.population import Participant
from cea_exchange.loadtest.runner import RunnerConfig, RunnerMember


class RunnerError(RuntimeError):
    """A runner process ended or failed."""


class Runners:
    """Some processes that together host all participants.

    Parameters
    ----------
    directory : Path
        For their configs and logs.
    """

    def __init__(self, directory: Path):
        self._directory = Path(directory)
        self._processes: list[subprocess.Popen] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def start(
        self,
        participants: list[Participant],
        *,
        endpoint: str,
        server_key: str,
        keys: Path,
        reference_prices: dict[str, int],
        workload: str,
        seed: int,
        process_count: int,
    ) -> None:
        """Start the processes and log all participants on."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for index in range(process_count):
            members = [
                RunnerMember(
                    member.name, {name: side.name.lower() for name, side in member.sides.items()}
                )
                for member in participants[index::process_count]
            ]
            config = RunnerConfig(
                endpoint=endpoint,
                server_key=server_key,
                keys=str(keys),
                members=members,
                reference_prices=reference_prices,
                workload=workload,
                seed=seed,
                process_index=index,
                process_count=process_count,
            )
            self._launch(index, config)
        self.ask({"do": "logon"})

    def ask(self, *requests: dict) -> list[dict]:
        """Send one request to all, or one to each, and return their answers in order."""
        if len(requests) == 1:
            requests = requests * len(self._processes)
        for process, request in zip(self._processes, requests, strict=True):
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
        return [self._answer(index) for index in range(len(self._processes))]

    def run(self, *, rate: float, orders: int | None = None, seconds: float = 0.0) -> list[dict]:
        """Have all of them together send at a rate, for so many orders or seconds."""
        count = len(self._processes)
        shares = [None] * count
        if orders is not None:
            shares = [orders // count + (index < orders % count) for index in range(count)]
        return self.ask(
            *(
                {"do": "run", "rate": rate / count, "orders": share, "seconds": seconds}
                for share in shares
            )
        )

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        self._processes.clear()

    def _launch(self, index: int, config: RunnerConfig) -> None:
        path = self._directory / f"runner-{index}.json"
        path.write_bytes(msgspec.json.encode(config))
        command = module_command("cea_exchange.loadtest.runner", str(path))
        with self._log(index).open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=dict(os.environ),
                )
            )

    def _answer(self, index: int) -> dict:
        line = self._processes[index].stdout.readline()
        if not line:
            lines = self._log(index).read_text(errors="replace").strip().splitlines()
            raise RunnerError(f"runner {index} ended: {lines[-1] if lines else 'no message'}")
        answer = json.loads(line)
        if "error" in answer:
            raise RunnerError(f"runner {index}: {answer['error']}")
        return answer

    def _log(self, index: int) -> Path:
        return self._directory / f"runner-{index}.log"
