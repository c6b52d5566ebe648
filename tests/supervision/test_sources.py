"""A tape is what a market said: of a script, and of a venue's journal, at rest or still growing."""

import json

import numpy as np
import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Side
from cea_exchange.journal import EventStore, JournalError
from cea_exchange.matching.script import ScriptError
from cea_exchange.protocol import control
from cea_exchange.supervision.sources import VenueTape, script_tape
from support.journal.small_market import day_begin, orders, sequencer_open

SCRIPT = [
    {"cmd": "product", "product": "CEA24", "reference_price": "90.00"},
    {"cmd": "account", "account": "A", "group": "G"},
    {"cmd": "deposit", "account": "A", "cash": "100000.00"},
    {"cmd": "clock", "at": "2025-07-16T09:31:00+08:00"},
    {
        "cmd": "enter",
        "id": "1",
        "account": "A",
        "product": "CEA24",
        "side": "buy",
        "price": "90.00",
        "tonnes": 5,
    },
    {"cmd": "clock", "at": "2025-07-17T09:30:00+08:00"},
]


def lines(commands):
    return [json.dumps(command).encode() + b"\n" for command in commands]


def test_each_event_of_a_script_has_the_time_it_was_due():
    tape = script_tape(lines(SCRIPT), load_profile("cea"), "script")
    at = {
        int(kind): str(np.datetime64(int(time) + 8 * 3600 * 10**9, "ns"))[:16]
        for kind, time in zip(tape.events["kind"], tape.time_ns, strict=True)
        if kind in (EventKind.ORDER_EXPIRED, EventKind.ORDER_ACCEPTED)
    }
    assert at == {
        EventKind.ORDER_ACCEPTED: "2025-07-16T09:31",
        EventKind.ORDER_EXPIRED: "2025-07-16T15:00",
    }
    assert (tape.accounts, tape.groups, tape.declared_prices) == (("A",), ("G",), (9000,))
    assert np.array_equal(tape.events["seq"], np.arange(1, len(tape.events) + 1))


def test_what_is_no_script_names_its_line():
    with pytest.raises(ScriptError, match="script:2: expected a JSON object"):
        script_tape([b"\n", b"nonsense\n"], load_profile("cea"), "script")


def test_a_journal_is_followed_as_it_grows_over_its_segments(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    follower = VenueTape(tmp_path)
    counts = [follower.take()]
    for step in range(1, 4):
        sequencer.run_records(
            orders((0, step, Side.SELL, 9740 + step, 100), (1, step, Side.BUY, 9745, 70))
        )
        counts.append(follower.take())
        # Sealed: the next segment is begun by who opens it again.
        sequencer.close()
        counts.append(follower.take())
        sequencer = sequencer_open(tmp_path)
    sequencer.run_controls([control.DayClose()])
    sequencer.close()
    counts.append(follower.take())
    assert all(counts[1::2]) and not any(counts[2:-1:2])
    whole = VenueTape(tmp_path)
    whole.take()
    stored = stored_rows(tmp_path)
    for tape in (follower.tape(), whole.tape()):
        assert tape.events.tobytes() == stored.tobytes()
        assert np.all(np.diff(tape.time_ns) >= 0)
    assert follower.take() == 0


def stored_rows(directory):
    log_id = (directory / "events" / "events.rows").read_bytes()[16:32].hex()
    with EventStore.open(directory / "events", log_id=log_id) as store:
        return np.frombuffer(store.read(1, store.count), EVENT_DTYPE)


def test_what_the_event_store_has_not_yet_waits(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    sequencer.run_records(orders((0, 1, Side.SELL, 9750, 100)))
    sequencer.close()
    count = len(stored_rows(tmp_path))
    log_id = (tmp_path / "events" / "events.rows").read_bytes()[16:32].hex()
    with EventStore.open(tmp_path / "events", log_id=log_id) as store:
        store.truncate(count - 1)
    follower = VenueTape(tmp_path)
    assert follower.take() == count
    assert len(follower.tape().events) == count - 1


def test_a_folder_without_a_journal_is_none(tmp_path):
    (tmp_path / "journal").mkdir()
    with pytest.raises(JournalError, match="expected a journal, got none"):
        VenueTape(tmp_path)
