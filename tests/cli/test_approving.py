"""`proposal approve`: at a terminal what is shown is approved; elsewhere a hash is needed."""

import os
import pty
import subprocess
import sys

import pytest

from cea_exchange.cli.acts.approving import hash_of_read
from cea_exchange.cli.acts.venue import VENUE
from cea_exchange.cli.errors import CommandError

ROW = {"number": 7, "what": "undo trade 4711", "by": "an", "why": "typo", "request_hash": 64 * "a"}
OTHER = {**ROW, "number": 8, "request_hash": 64 * "b"}
PROGRAM = f"""
from cea_exchange.cli.acts.approving import hash_of_read
from cea_exchange.cli.acts.venue import VENUE
from cea_exchange.cli.errors import CommandError
rows = {[ROW, OTHER]!r}
put = VENUE.before["approve"]
try:
    print(put(lambda _: {{"proposals": rows}}, {{"op": "approve", "number": NUMBER}}))
except CommandError as error:
    print("error:", error)
"""


def typed_at_a_terminal(number, answer):
    """Run the command's question in a process whose standard input is a terminal."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    try:
        program = PROGRAM.replace("NUMBER", str(number))
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, stdin=terminal, capture_output=True, text=True, timeout=60, check=True
        )
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_what_is_shown_is_what_is_approved():
    said = typed_at_a_terminal(7, "y")
    assert "undo trade 4711" in said.stderr and 64 * "a" in said.stderr
    assert 64 * "b" not in said.stderr
    assert said.stdout.strip() == f"{{'op': 'approve', 'number': 7, 'request_hash': '{64 * 'a'}'}}"


def test_whoever_says_no_approves_nothing():
    assert typed_at_a_terminal(7, "n").stdout.strip() == "error: proposal 7: nothing was approved"


def test_a_number_that_does_not_wait_is_not_asked_about():
    said = typed_at_a_terminal(9, "y")
    assert said.stdout == "error: proposal 9: expected one that waits for you, got none\n"


@pytest.fixture
def no_terminal(monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


def test_a_bare_number_is_refused_where_nobody_can_be_asked(no_terminal):
    def ask(_request):
        raise AssertionError("nothing is asked before the hash is there")

    with pytest.raises(CommandError, match="expected the hash of the proposal that was read"):
        VENUE.before["approve"](ask, {"op": "approve", "number": 7})


def test_a_hash_that_was_given_is_sent_as_it_is(no_terminal):
    request = {"op": "approve", "proposal": 7, "request_hash": 64 * "c"}
    put = hash_of_read("proposal", "proposal_id", lambda _: {}, str)
    assert request == put(lambda _: {}, request)
