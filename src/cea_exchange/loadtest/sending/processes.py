"""Starts the sending processes, asks all of them at once, and gathers what they answer."""

import contextlib
import json
import os
import selectors
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from cea_exchange.control_plane.signals import module_command
from cea_exchange.loadtest.sending.process import ProcessConfig

END_S_MAX = 5.0
ANSWER_S_MAX = 120.0


class SendingError(RuntimeError):
    """A sending process ended, or could not do what it was to do."""


class Processes:
    """Some processes that together send all commands.

    Parameters
    ----------
    folder : Path
        For their configs, columns and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[dict[str, int]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._buffers: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, configs: list[ProcessConfig]) -> None:
        """Start them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for index, config in enumerate(configs):
            path = self.folder / f"sender-{index}.json"
            path.write_bytes(msgspec.json.encode(config))
            command = module_command("cea_exchange.loadtest.sending.process", str(path))
            with self._log(index).open("ab") as log:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            self._processes.append(process)
            self._buffers.append(b"")
            self.seen.append({})

    def process_ids(self) -> list[int]:
        """Return their ids."""
        return [process.pid for process in self._processes]

    def ask(
        self, request: dict[str, Any], look: Callable[[], None] | None = None
    ) -> list[dict[str, Any]]:
        """Ask all of them the same; return their answers in order.

        Parameters
        ----------
        look : callable, optional
            Called about ten times a second, while they are at it.

        Raises
        ------
        SendingError
            One of them ended, or says that it could not.
        """
        line = json.dumps(request).encode() + b"\n"
        for process in self._processes:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(line)
                process.stdin.flush()
        answers: dict[int, dict[str, Any]] = {}
        with selectors.DefaultSelector() as selector:
            for index, process in enumerate(self._processes):
                assert process.stdout is not None
                selector.register(process.stdout, selectors.EVENT_READ, index)
            while len(answers) < len(self._processes):
                for key, _ in selector.select(0.1):
                    self._read(key.data, answers, selector)
                if look is not None:
                    look()
        return [answers[index] for index in range(len(self._processes))]

    def _read(
        self, index: int, answers: dict[int, dict[str, Any]], selector: selectors.BaseSelector
    ) -> None:
        stream = self._processes[index].stdout
        assert stream is not None
        chunk = stream.read()
        if chunk == b"":
            raise SendingError(f"sending process {index} ended: {self._last_line(index)}")
        *lines, self._buffers[index] = (self._buffers[index] + (chunk or b"")).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "error" in answer:
                raise SendingError(str(answer["error"]))
            if "seen" in answer:
                self.seen[index] = answer["seen"]
            else:
                answers[index] = answer
                selector.unregister(stream)

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        self._processes.clear()

    def _log(self, index: int) -> Path:
        return self.folder / f"sender-{index}.log"

    def _last_line(self, index: int) -> str:
        lines = self._log(index).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a word"
