"""The pages of `contrib/` are run as a new operator would: from empty folders to a bank statement.

What the machine would have is stood in for: root, the service's user, systemd, the package index.
Everything else is the pages' own text, block by block, and the real program.
"""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from itertools import takewhile
from pathlib import Path

import pytest

from cea_exchange.cli.main import run
from support.command_tree import below, command_tree
from support.places import ROOT
from support.supervision.alert_line import ALERT_LINE

pytestmark = pytest.mark.e2e

CONTRIB = ROOT / "contrib"
PAGES = ("README.md", "first_day.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLATFORM = "systemctl enable --now cea-exchange-platform"
START = re.compile(r"^ExecStart=(.*)$", re.MULTILINE)
WAIT_S = 60
PAGES_S = 900
"""So long all blocks together may take: some wait for what must come true."""

STAND_INS = {
    # A virtual environment with the program of this source tree.
    "python3": 'mkdir -p "$3/bin" && ln -s "$STAND_INS/pip" "$3/bin/pip"\n'
    'cp "$PROGRAM" "$3/bin/cea-exchange" && cp "$PYTHON" "$3/bin/python"\n',
    "pip": "",
    "useradd": "",
    "sudo": 'shift 2; exec "$@"\n',
    "install": 'for last; do :; done; mkdir -p "$last"\n',
    # What the second person has read: HASH on the pages.
    "hash_of_last": '"$PROGRAM" registry proposal list --json | "$PYTHON" -c \'import json, sys;'
    ' print(json.load(sys.stdin)["proposals"][-1]["request_hash"])\'\n',
    "systemctl": 'shift 2; for unit; do echo "$unit" >> "$STARTED"; done\n'
    'while [ -s "$STARTED" ]; do sleep 0.1; done\n',
}
"""What a machine has, as scripts; `systemctl enable --now` waits until the test has started all."""


class Machine:
    """A machine with an empty disk: the pages' folders are below one of the test's.

    Parameters
    ----------
    root : Path
        Where its disk is.
    """

    def __init__(self, root):
        self.root = root
        self.processes = {}
        stand_ins, self.started = root / "stand-ins", root / "started"
        stand_ins.mkdir()
        for name, text in STAND_INS.items():
            script = stand_ins / name
            script.write_text(f"#!/bin/sh\nset -e\n{text}")
            script.chmod(0o755)
        (root / "systemd").mkdir()
        for name, rest in (("program", "-m cea_exchange.cli.main "), ("python", "")):
            script = root / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {rest}"$@"\n')
            script.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if "CEA_EXCHANGE" not in name},
            "PATH": f"{stand_ins}:{os.environ['PATH']}",
            "STAND_INS": str(stand_ins),
            "STARTED": str(self.started),
            "PROGRAM": str(root / "program"),
            "PYTHON": str(root / "python"),
        }

    def here(self, text):
        """Return a page's text, or a unit's, with its folders on this machine."""
        for folder in ("/opt", "/etc", "/var/lib", "/var/backups"):
            folder += "/cea-exchange"
            text = text.replace(folder, f"{self.root}{folder}")
        text = text.replace("--hash HASH", '--hash "$(hash_of_last)"')
        return text.replace("/etc/systemd/system", str(self.root / "systemd"))

    def run(self, blocks):
        """Run blocks in one shell, one after the other; return what each has said."""
        script = "set -e\n"
        for number, block in enumerate(blocks):
            script += f"echo '=== {number}'\n{self.here(block)}"
        shell = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=CONTRIB, env=self.environment, text=True,
        )
        with (self.root / "script").open("w+") as file:
            file.write(script)
        shell.stdin.write(f"source {self.root / 'script'}\n")
        shell.stdin.close()
        until_s = time.monotonic() + PAGES_S
        while shell.poll() is None:
            assert time.monotonic() < until_s, self.logs()
            self._start_asked()
            time.sleep(0.05)
        said = shell.stdout.read()
        parts = re.split(r"^=== \d+\n", said, flags=re.MULTILINE)[1:]
        assert shell.returncode == 0, said[-3_000:] + self.logs()
        return dict(zip(blocks, parts, strict=True))

    def _start_asked(self):
        """Start what `systemctl` was told to, as the unit says, until it is ready."""
        if not self.started.exists() or not self.started.read_text():
            return
        for name in self.started.read_text().split():
            self._start(name)
        self.started.write_text("")

    def _start(self, name):
        endpoints = self.data / name.removeprefix("cea-exchange-") / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        unit = (self.root / "systemd" / f"{name}.service").read_text()
        command = self.here(START.search(unit)[1]).split()
        log = (self.root / f"{name}.log").open("a")
        self.processes[name] = subprocess.Popen(command, stderr=log, env=self.environment)
        until_s = time.monotonic() + WAIT_S
        while not endpoints.exists():
            assert self.processes[name].poll() is None, self.logs()
            assert time.monotonic() < until_s, self.logs()
            time.sleep(0.05)

    def restart(self, name):
        """Do as `systemctl restart`."""
        self.processes[name].send_signal(signal.SIGTERM)
        assert self.processes[name].wait(WAIT_S) == 0
        self._start(name)

    def command(self, *arguments):
        """Run `cea-exchange` to its end; it must succeed."""
        program = str(self.root / "opt/cea-exchange/bin/cea-exchange")
        command = [program, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=self.environment, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def data(self):
        return self.root / "var/lib/cea-exchange"

    def logs(self):
        logs = self.root.glob("*.log")
        return "\n".join(f"{log.name}: {log.read_text()[-2_000:]}" for log in logs)

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(WAIT_S) for name, process in self.processes.items()}


def blocks_of_pages():
    """All of the first day; before it what the first page has until a start; after it PLATFORM."""
    install, first_day = (BLOCK.findall((CONTRIB / page).read_text()) for page in PAGES)
    begun = takewhile(lambda block: "systemctl" not in block, install)
    return [*begun, *first_day, *(block for block in install if PLATFORM in block)]


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A machine on which the pages were followed to their end, and what each block said."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        said = machine.run(blocks_of_pages())
        yield machine, said
    finally:
        ends = machine.stop()
    assert set(ends.values()) == {0}, machine.logs()


def said_by(day, part):
    """Return what the block with a part of a command has said."""
    (found,) = [said for block, said in day[1].items() if part in block]
    return [" ".join(line.split()) for line in found.splitlines()]


def test_a_new_operator_comes_to_a_first_trade(day):
    said = said_by(day, "first_trade.py")
    assert "CEA24 listed 97.49 87.74 107.24 97.50 97.50 97.50 97.50" in said
    assert "CEA24 listed 40 t 3900.00 yuan" in said
    assert "cash 96100.00 yuan" in said and "CEA24 40 t 0 t 40 t" in said


def test_a_new_operator_comes_to_a_first_bank_statement(day):
    said = said_by(day, "bank reconcile")
    fetched = [line for line in said if "STMT-20250716-2" in line]
    assert fetched == ["2025-07-16 2 STMT-20250716-2 2 2"]
    rows = {line.split()[0]: line for line in said if line.endswith("yuan")}
    paid = "0.00 yuan 0.00 yuan 0.00 yuan"
    assert rows["P001"] == f"P001 3900.00 yuan 3900.00 yuan {paid}"
    assert rows["P002"] == f"P002 96100.00 yuan 96100.00 yuan {paid}"


def test_configs_and_keys_are_as_a_start_needs_them(day):
    said = said_by(day, "registry check")
    assert "persons ok an (operator), bo (operator), rex (regulator)" in said
    assert not [line for line in said if "WRONG" in line]


@pytest.mark.parametrize("system", ["platform", "ccer"])
def test_platform_and_ccer_registry_know_the_same_operators(day, system):
    machine, _said = day
    asked = ("--data", str(machine.data), "--key")
    for key, role in (("an", "operator"), ("rex", "regulator")):
        status = json.loads(machine.command(system, "status", "--json", *asked, key))
        assert (status["you"]["name"], status["you"]["role"]) == (key, role)


def test_nothing_that_the_pages_leave_is_anybodys_to_read(day):
    machine, _said = day
    for path in (machine.data / "keys").glob("*.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# -- The nightly copy -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archived(day):
    """The machine after a second day: the first one's journal is in the archive."""
    machine, _said = day
    asked = ("--data", str(machine.data), "--key", "an")
    machine.restart("cea-exchange-venue")
    until_s = time.monotonic() + WAIT_S
    while json.loads(machine.command("venue", "status", "--json", *asked))["cancels_only"]:
        assert time.monotonic() < until_s, machine.logs()
    machine.command("venue", "clock", "move", "2025-07-17T15:30:00+08:00", *asked)
    while not (found := sorted((machine.data / "archive").glob("*.seg"))):
        assert time.monotonic() < until_s, machine.logs()
        time.sleep(0.1)
    return machine, found[0]


def nightly(machine):
    script = machine.root / "nightly.sh"
    script.write_text(machine.here((CONTRIB / "nightly.sh").read_text()))
    backups = machine.root / "backups"
    backups.mkdir(exist_ok=True)
    command = ["sh", str(script), str(machine.data), str(backups)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=machine.environment, check=False
    )
    return done.returncode, done.stdout + done.stderr, backups


@pytest.mark.nightly
def test_a_nightly_copy_is_good(archived):
    machine, _segment = archived
    status, said, backups = nightly(machine)
    assert status == 0 and said.endswith("is good\n"), said
    (copy,) = backups.iterdir()
    systems = ("registry", "platform", "ccer")
    sums = {f"{system}.sha256" for system in systems}
    assert {each.name for each in copy.iterdir()} == {"venue", *systems, *sums}


def test_a_flipped_byte_in_an_archived_segment_is_found_by_the_next_copy(archived):
    machine, segment = archived
    content = segment.read_bytes()
    place = len(content) // 2
    segment.write_bytes(
        content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    )
    try:
        status, said, backups = nightly(machine)
    finally:
        segment.write_bytes(content)
    assert status == 1 and segment.name in said.splitlines()[-1], said
    assert len(list(backups.glob("*.bad"))) == 1 and not (backups / "drill").exists()


# -- What `--help` shows, typed on that machine ---------------------------------------------------

GROUPS = ("keys", "bulletin", "profile", "calendar", "bank", "registry", "venue")
RUN_FOR_LONG = re.compile(r"cea-exchange \S+ (serve|relay)\b")
"""The units run these; or they run until they are told to stop."""
NEEDS_A_STOP = re.compile(r"cea-exchange \S+ (adopt|restore)\b")
"""Both want a folder that no daemon is at work on."""
NOT_THE_SUBJECT = re.compile(
    r"role must be|must be asked by|must be proposed|who approves|Usage|No such (command|option)"
    r"|Missing|Invalid value|to ask|refused the key|'s key\?|expected an operator's key"
    r"|No such file|expected a (public key|key file)|without spaces|Traceback"
)
"""What an example may not be answered by: it is typed wrongly, or by somebody who may not."""
FILES = {
    "allocation-2024-final.xlsx": b"PK",
    "units-2024.xlsx": b"PK",
    "obligations-2025.csv": b"",
    "report.pdf": b"x",
    "alerts.jsonl": ALERT_LINE,
    "2025-17.json": b"{}",
    "new.csv": b"",
    "calendar-2027.toml": b"",
    "proofs.csv": b"",
    "registry/bank/in/20260715-1.xml": b"<Document/>",
    "statement.xml": (CONTRIB.parent / "protocol/vectors/bank/statement.xml").read_bytes(),
}
"""What somebody hands in; of these the registry says what is wrong with them."""


def examples():
    """Return all examples, those that end the daemons last."""
    found = []
    for group in GROUPS:
        for _path, command in below(command_tree(group), group):
            for paragraph in (command.help or "").split("\n\n"):
                joined = " ".join(paragraph.split())
                if joined.startswith("Example:"):
                    found += [each.strip() for each in joined.split("Example:")[1:]]
    return sorted(found, key=lambda example: example.endswith(" stop"))


def test_every_example_of_the_help_works_on_it(day, monkeypatch, capsys):
    """Each is understood, by a person who may ask it; what it speaks of need not be there."""
    machine, _said = day
    for name in ("venue", "registry", "bank"):
        text = (machine.root / f"etc/cea-exchange/{name}.toml").read_text()
        (machine.data / f"{name}.toml").write_text(text)
    for name, content in FILES.items():
        (machine.data / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.data / name).write_bytes(content)
    monkeypatch.chdir(machine.data)
    monkeypatch.setenv("CEA_EXCHANGE_DATA", str(machine.data))
    monkeypatch.setenv("CEA_EXCHANGE_KEY", "an")
    wrong, done = [], 0
    for example in examples():
        if RUN_FOR_LONG.match(example) or NEEDS_A_STOP.match(example):
            continue
        typed = re.sub(r"\$\(cat ([^)]*)\)", lambda file: Path(file[1]).read_text(), example)
        status = run(shlex.split(typed)[1:])
        printed = capsys.readouterr()
        said = printed.err or printed.out
        done += status == 0
        if status not in (0, 1, 2) or (status and NOT_THE_SUBJECT.search(said)):
            wrong.append(f"{example}\n    {status}: {said.strip()}")
    assert not wrong, "\n".join(wrong)
    assert done > len(examples()) / 3, done
