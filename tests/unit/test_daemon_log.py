"""The daemons' log: a disk that is full takes a line from it, and nothing else from the daemon."""

import errno
import sys

import structlog

from cea_exchange.cli.daemon_log import log_to_standard_error


class FullDisk:
    def write(self, text=""):
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = write


def test_a_line_that_can_not_be_written_is_lost_and_nothing_else(monkeypatch, capsys):
    try:
        log_to_standard_error()
        log = structlog.get_logger("venue")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", FullDisk())
            log.error("journal_full", error="no room")
        log.info("ready", phase="closed")
    finally:
        structlog.reset_defaults()
    (line,) = capsys.readouterr().err.splitlines()
    assert "event=ready" in line
