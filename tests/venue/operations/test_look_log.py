"""The file of looks as a crash, a disk or time has left it: a venue begins all the same."""

import tracemalloc

import pytest

from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.operations import look_log
from cea_exchange.venue.operations.look_log import LOOKS_NAME, TAIL_BYTES, LookLog, looks_read
from cea_exchange.venue.requests.looks import Statistics

LINE = b'{"at":"now","by":"an","role":"regulator","what":"position","fields":{}}\n'
PERSON = Operator("an", "x" * 40, "regulator")


@pytest.fixture
def warned(monkeypatch):
    shown = []
    monkeypatch.setattr(look_log.log, "warning", lambda event, **fields: shown.append(event))
    return shown


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b"", b""),
        (LINE, LINE),
        (LINE + LINE[:-1], LINE),
        (LINE[:-1], b""),
        (LINE + b"x" * (TAIL_BYTES - 1), LINE),
        (LINE + b"x" * TAIL_BYTES, LINE),
        (LINE + b"x" * (3 * TAIL_BYTES + 7), LINE),
        (b"x" * (3 * TAIL_BYTES), b""),
    ],
)
def test_what_a_crash_left_of_a_line_is_cut(tmp_path, left, kept):
    (tmp_path / LOOKS_NAME).write_bytes(left)
    looks = LookLog(tmp_path, lambda: 0)
    assert (tmp_path / LOOKS_NAME).read_bytes() == kept
    looks.take(PERSON, Statistics())
    *_, last = looks_read(tmp_path)
    assert (last.by, last.what) == ("an", "statistics")


def test_of_a_long_file_only_the_end_is_read(tmp_path):
    with (tmp_path / LOOKS_NAME).open("wb") as file:
        file.truncate(64 << 20)
        file.seek(0, 2)
        file.write(b"\n" + LINE + LINE[:9])
    tracemalloc.start()
    try:
        LookLog(tmp_path, lambda: 0)
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * TAIL_BYTES
    assert (tmp_path / LOOKS_NAME).stat().st_size == (64 << 20) + 1 + len(LINE)


def test_a_file_that_can_not_be_read_keeps_no_venue_from_its_start(tmp_path, warned):
    (tmp_path / LOOKS_NAME).mkdir()
    looks = LookLog(tmp_path, lambda: 0)
    looks.take(PERSON, Statistics())
    assert warned == ["looks_not_mended", "look_not_kept"]
