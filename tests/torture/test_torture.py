"""A short torture run passes, and what is broken on purpose does not."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Side
from cea_exchange.journal._crc32c import row_sums
from cea_exchange.loadtest.stands.audit import ParticipantLog, audit_all, trade_faults
from support.patience import patience
from support.registry.ledger_by_hand import changed_at_rest
from torture.run import Torture, TortureSettings, python_path

pytestmark = pytest.mark.crash

EVENTS_HEADER_BYTES = 64


def torture(data, **settings):
    settings = {"limit_s": 240.0, "pace_s": 1.0, "participants": 4, **settings}
    return Torture(data, TortureSettings(**settings), lambda done: None).run()


@pytest.fixture(scope="module")
def tortured(tmp_path_factory):
    """What a run leaves that was soon over: two days of two participants."""
    data = tmp_path_factory.mktemp("tortured") / "data"
    data.mkdir()
    report = torture(data, kills=2, seed=20250102, participants=2)
    assert report.discrepancies == []
    assert (report.kills, report.days) == (2, 2) and report.checked["trades"] > 10
    return data


@pytest.mark.nightly
def test_killed_and_paused_at_random_nothing_is_lost_doubled_or_different(tmp_path):
    report = torture(tmp_path, kills=6, seed=20250102)
    assert report.discrepancies == []
    assert report.kills == 6 and report.days == 2
    assert report.counts["kill", "venue"] and report.counts["kill", "registry"]
    assert report.checked["trades"] > 100 and report.checked["reports"] > 1_000
    assert report.commands_resent > 0


# -- What is broken must be found ------------------------------------------------------------------


@pytest.mark.nightly
def test_a_client_that_loses_a_report_is_noticed(tmp_path):
    report = torture(tmp_path, kills=2, seed=1, victims=("venue",), fault="drop_report")
    assert any("is missing" in each for each in report.discrepancies), report.discrepancies


def rows_edit(path, dtype, edit, header_bytes=0):
    content = path.read_bytes()
    rows = np.frombuffer(content[header_bytes:], dtype).copy()
    path.write_bytes(content[:header_bytes] + edit(rows).tobytes())


def trade_lost_at_the_registry(data, client):
    changed_at_rest(data, "DELETE FROM trades WHERE trade_id = 7")


def table_made_anew(data, client):
    changed_at_rest(data, "DROP INDEX IF EXISTS trades_by_id")


def report_lost(data, client):
    rows_edit(client / "reports.rows", EVENT_DTYPE, lambda rows: np.delete(rows, 20))


def report_doubled(data, client):
    rows_edit(client / "reports.rows", EVENT_DTYPE, lambda rows: np.insert(rows, 20, rows[20]))


def report_changed(data, client):
    def change(rows):
        rows["price"][np.flatnonzero(rows["kind"] == EventKind.ORDER_RESTED)[3]] += 1
        return rows

    rows_edit(client / "reports.rows", EVENT_DTYPE, change)


def last_reports_lost(data, client):
    rows_edit(client / "reports.rows", EVENT_DTYPE, lambda rows: rows[:-1])


def acknowledged_order_lost(data, client):
    def lose(rows):
        accepted = np.flatnonzero(rows["kind"] == EventKind.ORDER_ACCEPTED)
        rows["kind"][accepted[5]] = EventKind.ORDER_REJECTED
        return rows

    rows, sums = data / "events" / "events.rows", data / "events" / "events.sums"
    rows_edit(rows, EVENT_DTYPE, lose, EVENTS_HEADER_BYTES)
    # Their checksums too: what is looked for is not a bit that flipped.
    changed = row_sums(rows.read_bytes()[EVENTS_HEADER_BYTES:], EVENT_DTYPE.itemsize, 1)
    sums.write_bytes(sums.read_bytes()[:EVENTS_HEADER_BYTES] + changed)


def commands_never_sent(data, client):
    # All of them: one alone may have been refused, or never have come to the venue.
    (client / "sent.rows").write_bytes(b"")


def posting_changed(data, client):
    changed_at_rest(
        data,
        "UPDATE postings SET amount = amount + 1 WHERE posting_id ="
        " (SELECT max(posting_id) FROM postings WHERE account_index = 1)",
    )


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (trade_lost_at_the_registry, "trade 7 was made and is not settled"),
        (table_made_anew, "trades_by_id: expected as the registry made it, got none"),
        (report_lost, "report 21 is missing, 22 comes next"),
        (report_doubled, "report 21 comes again"),
        (report_changed, "is not the venue's"),
        (last_reports_lost, "the venue numbered"),
        (acknowledged_order_lost, "is lost at the venue"),
        (commands_never_sent, "which was never sent"),
        (posting_changed, "sums to 1, not to zero"),
    ],
)
def test_the_checks_name_what_was_spoiled(tortured, tmp_path, spoil, expected):
    data = shutil.copytree(tortured, tmp_path / "data")
    clients = sorted((data / "clients").iterdir())
    spoil(data, clients[0])
    found = audit_all(data, clients)
    assert any(expected in each for each in found.differences), found.differences


def test_a_trade_that_is_settled_twice_is_named():
    """An index keeps a registry from it, as long as nobody takes that away."""
    events = np.zeros(1, EVENT_DTYPE)
    events["kind"], events["trade_id"], events["side"] = EventKind.TRADE, 1, Side.BUY
    made = (0, 1, 0, 0, 0, 0, 0)
    log = ParticipantLog("P1", 0, events[:0], events)
    assert "trade 1 is settled twice" in [*trade_faults([log], events, [made, made])]
    assert not any("settled" in each for each in trade_faults([log], events, [made]))


def test_the_program_gives_up_in_time_and_says_so(tmp_path):
    command = [sys.executable, "-m", "torture", "--kills", "50", "--seed", "1", "--limit", "4"]
    result = subprocess.run(
        [*command, "--data", str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True, text=True, check=False, timeout=60 * patience(),
    )  # fmt: skip
    assert result.returncode == 1
    assert "not done within 4 s" in result.stderr
