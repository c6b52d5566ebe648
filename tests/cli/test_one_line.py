"""What is said on standard error is one short line, whatever a message is made of."""

import contextlib
import io
import os

import pytest

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.language import language_set
from cea_exchange.cli.main import _complain
from cea_exchange.cli.one_line import LINE_CHARACTERS_MAX, one_line

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def english_after():
    yield
    language_set([], {})


def test_a_short_message_stays_as_it_is():
    said = "bids.csv:2: price: expected yuan, got '张 三'"
    assert one_line(said) == said


def test_what_a_terminal_would_obey_is_escaped():
    assert one_line("a\x1b[2Jb\x00c\u202ed\ud880\te") == "a\\x1b[2Jb\\x00c\\u202ed\\ud880\\te"


@pytest.mark.parametrize(
    "message",
    [
        "x" * 1_000_000,
        "/long" * 200 + ": expected a file, got a pipe",
        "a.csv:1: expected columns a,b, got '" + "c," * 500_000 + "'",
        "\n" * 500_000 + "x",
        "word " * 100_000,
        "\x01" * 10_000,
        "a: expected b, got c; " * 5_000,
    ],
)
def test_a_long_message_loses_its_middle(message):
    line = one_line(message.strip("\n"))
    assert len(line) <= LINE_CHARACTERS_MAX and "\n" not in line
    for arguments in ([], ["--lang", "zh"]):
        language_set(arguments, {})
        assert len(_printed(message)) <= LINE_CHARACTERS_MAX


def test_the_beginning_and_the_end_are_kept():
    line = one_line(f"{'/deep' * 100}/bids.csv:2: expected a number, got '{'9' * 5_000}' (CEA-1)")
    assert line.startswith("/deep/deep") and "bids.csv:2: expected a number, got '9" in line
    assert line.endswith("9' (CEA-1)") and len(line) <= LINE_CHARACTERS_MAX


def _printed(message):
    """Return what is printed of a message: one line."""
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        assert _complain(message, CommandError.status) == 2
    line, end, rest = printed.getvalue().partition("\n")
    assert end and not rest and line.startswith("cea-exchange: ")
    return line


def test_a_name_that_is_no_text_is_printed(tmp_path):
    assert "\\udcff" in _printed(os.fsdecode(b"/tmp/\xff: expected a file"))
