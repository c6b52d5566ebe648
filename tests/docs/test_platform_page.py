"""The platform's page is followed as it is written: from an empty folder to allowances given."""

import os
import re
import subprocess
import sys
import time

import pytest

from cea_exchange.platform.control.admin_client import platform_ask
from support.places import ROOT
from support.registry.fake_venue import wait_until

PAGE = (ROOT / "protocol" / "platform.md").read_text(encoding="utf-8")
# What follows needs a deadline that was missed, and the next year's days off.
PAGE = PAGE.partition("\n## Who has to report")[0]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS_MAX = 15
WAIT_S = 60

pytestmark = pytest.mark.e2e


def blocks():
    return BLOCK.findall(PAGE)


def test_the_way_to_allowances_takes_few_commands():
    """All blocks but the last, which only looks at what came of it."""
    commands = [line for block in blocks()[:-1] for line in block.splitlines() if line]
    assert commands[-1].startswith("cea-exchange platform allocation distribute")
    assert len(commands) <= COMMANDS_MAX, commands


class Shell:
    """A shell in the folder, in which lines are typed one after the other."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def lines(self, lines):
        """Type lines; return what each has said."""
        exported = self.environment.get("EXPORTED", "")
        script = f"set -e\n{exported}\n"
        for line in lines:
            script += f"echo '=== {line}'\n{line}\n"
            if line.startswith("export"):
                self.environment["EXPORTED"] = line
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        parts = re.split(r"^=== (.*)\n", done.stdout, flags=re.MULTILINE)[1:]
        return dict(zip(parts[::2], parts[1::2], strict=True))


def judged(data):
    status = platform_ask(data, {"op": "status"}, key="an")
    return status["judged_seq"] == status["link_seq"]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command of the page has said, typed in a new folder."""
    folder = tmp_path_factory.mktemp("page")
    program = folder / "bin" / "cea-exchange"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cea_exchange.cli.main "$@"\n')
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if "CEA_EXCHANGE" not in name}
    environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    first, *rest = blocks()
    log = (folder / "log").open("w+")
    served = subprocess.Popen(
        first.strip().removesuffix(" &").split(), cwd=folder, env=environment, stderr=log
    )
    try:
        until_s = time.monotonic() + WAIT_S
        while not (folder / "rehearsal/platform/endpoints.json").exists():
            assert served.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until_s
            time.sleep(0.05)
        typed = Shell(folder, environment)
        found = typed.lines(line for block in rest[:-1] for line in block.splitlines() if line)
        # The registry asks by itself, a moment later.
        wait_until(lambda: judged(folder / "rehearsal"), WAIT_S)
        yield found | typed.lines(line for line in rest[-1].splitlines() if line)
    finally:
        served.terminate()
        assert served.wait(WAIT_S) == 0, (folder / "log").read_text()


def said_by(said, part):
    (found,) = [text for line, text in said.items() if part in line]
    return found


def test_who_follows_the_page_has_a_verified_entity_with_allowances(said):
    shown = said_by(said, "allocation show")
    assert re.search(r"state +distributed", shown)
    assert re.search(r"E1 +2957724 +2847600 t", shown)
    assert "tonnes           2957724 t" in said_by(said, "result show")
    assert re.search(r"CEA24 +\S+ +2847600 t", said_by(said, "account balance"))
    assert re.search(r"judged seq +2\b", said_by(said, "link show"))


def test_the_page_says_of_its_figures_what_came_out(said):
    assert "2,957,724 t and has 2,847,600 t" in PAGE
    assert "accepted" in said_by(said, "E1 month 2024 --key sun")
    assert "2023-12-31" in said_by(said, "platform due")
