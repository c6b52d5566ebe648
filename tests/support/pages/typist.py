"""Somebody who types a page's commands: `cea-exchange` in this process, the rest in a shell.

In a shell each command would import the package anew: half a second, where a page has twenty.
"""

import io
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from cea_exchange.cli.main import run
from support.page_walk import stand_ins_make

SHELL_S_MAX = 900
PROPOSAL = re.compile(r"^proposal (\d+)\b.* waits for", re.MULTILINE)
HASH = re.compile(r" --hash ([0-9a-f]{64})$", re.MULTILINE)
HEAD = re.compile(r", head ([0-9a-f]{64})$", re.MULTILINE)
# What only a shell understands; a file for the output is understood here, too.
FOR_A_SHELL = re.compile(r"[|;&`]|\$\(|\$\w|<|^\w+=|^for ")


Meaning = str | Callable[[], str]


class Said(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    text: str


class Typist:
    """Types commands in a folder, each word of a page's own replaced by what it stands for.

    Parameters
    ----------
    folder : Path
        Where they are typed.
    words : mapping
        What stands for something, as DIR does, or what says so when it is typed. NUMBER and HASH
        are the last proposal's, HEAD is that of the last receipt.
    environment : mapping, optional
        Further variables.
    """

    def __init__(
        self,
        folder: Path,
        words: Mapping[str, Meaning],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.words = dict(words)
        self.environment = dict(environment or {})
        self._programs = folder / "programs"
        self.environment |= stand_ins_make(self._programs)

    def typed(self, line: str, *, by_shell: bool = False) -> Said:
        """Type a command, into a shell if asked to; return what it said, on both outputs."""
        line = re.sub(r" +# .*", "", line)
        line = re.sub(r"\S*/bin/cea-exchange ", "cea-exchange ", line)
        is_ours = line.startswith("cea-exchange ") and not by_shell
        if is_ours and not FOR_A_SHELL.search(line):
            said = self._here(line)
        else:
            said = self._in_a_shell(self._meant(line))
        for name, pattern in (("NUMBER", PROPOSAL), ("HASH", HASH), ("HEAD", HEAD)):
            for found in pattern.findall(said.text):
                self.words[name] = found
        return said

    def _meant(self, text: str) -> str:
        """Return a line, or a word of it, with what the page's words stand for."""
        for word in sorted(self.words, key=len, reverse=True):
            pattern = rf"(?<![\w-]){re.escape(word)}(?!\w)"
            if re.search(pattern, text):
                meaning = self.words[word]
                meant = meaning if isinstance(meaning, str) else meaning()
                text = re.sub(pattern, lambda _, meant=meant: meant, text)
        return text

    def _here(self, line: str) -> Said:
        words = [self._meant(word) for word in shlex.split(line.replace("\\\n", " "))[1:]]
        file = None
        if ">" in words:
            place = words.index(">")
            file, words = words[place + 1], words[:place]
        output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in "12")
        with (
            chdir(self.folder), patch.dict(os.environ, self.environment),
            redirect_stdout(output), redirect_stderr(errors),
        ):  # fmt: skip
            status = run(words)
        text = output.buffer.getvalue().decode()
        if file is not None:
            (self.folder / file).write_text(text, encoding="utf-8")
            text = ""
        return Said(status, text + errors.buffer.getvalue().decode())

    def _in_a_shell(self, line: str) -> Said:
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=os.environ | self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SHELL_S_MAX,
        )  # fmt: skip
        return Said(done.returncode, done.stdout)
