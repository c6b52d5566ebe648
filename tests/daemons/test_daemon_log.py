"""The daemons' log: a disk that is full takes a line from it, and nothing else from the daemon."""

import errno
import json
import sys
import threading
from datetime import datetime, timedelta

import pytest
import structlog
import typer

from cea_exchange.cli.daemons import daemon_log
from cea_exchange.cli.daemons.daemon_log import LogLevel, crash_logged, log_to_standard_error


class FullDisk:
    def write(self, text=""):
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = write


@pytest.fixture
def shown(capsys, monkeypatch):
    """Return a function that gives the lines written so far as objects."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.reset_defaults()


def test_a_line_that_can_not_be_written_is_lost_and_nothing_else(monkeypatch, shown):
    log_to_standard_error()
    log = structlog.get_logger("venue")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", FullDisk())
        log.error("journal_full", error="no room")
    log.info("ready", phase="closed")
    (line,) = shown()
    assert line["event"] == "ready"


def test_a_line_is_one_object_that_begins_with_time_level_and_event(shown):
    log_to_standard_error()
    structlog.get_logger().warning("refused", what="two\nlines", who=("a", "b"), path=sys)
    (line,) = shown()
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["level"], line["event"], line["what"]) == ("warning", "refused", "two\nlines")
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


def test_the_level_is_a_choice(shown):
    log_to_standard_error(LogLevel.error)
    log = structlog.get_logger()
    log.warning("lag_level")
    log.error("journal_full")
    assert [line["event"] for line in shown()] == ["journal_full"]


def test_a_crash_is_one_line_with_its_traceback_and_status_1(shown):
    log_to_standard_error()
    with pytest.raises(typer.Exit) as ending, crash_logged():
        raise RuntimeError("the market\nis broken")
    assert ending.value.exit_code == 1
    (line,) = shown()
    assert (line["event"], line["level"]) == ("crash", "critical")
    assert (line["kind"], line["error"]) == ("RuntimeError", "the market\nis broken")
    assert "Traceback" in line["exception"] and "test_daemon_log.py" in line["exception"]


def test_a_thread_that_dies_is_told_too(shown):
    log_to_standard_error()
    thread = threading.Thread(target=lambda: 1 // 0, name="fdatasync_0")
    thread.start()
    thread.join()
    (line,) = shown()
    assert (line["event"], line["thread"]) == ("thread_died", "fdatasync_0")
    assert "ZeroDivisionError" in line["exception"]


def test_what_comes_too_often_is_left_out_and_counted(shown, monkeypatch):
    log_to_standard_error()
    now_s = 100.0
    monkeypatch.setattr(daemon_log.time, "monotonic", lambda: now_s)
    log = structlog.get_logger()
    for _ in range(daemon_log.ALIKE_COUNT_MAX + 7):
        log.error("journal_full")
    log.info("halted")
    events = [line["event"] for line in shown()]
    assert events.count("journal_full") == daemon_log.ALIKE_COUNT_MAX and events[-1] == "halted"
    now_s += daemon_log.ALIKE_S
    log.error("journal_full")
    (line,) = shown()
    assert line["left_out"] == 7
