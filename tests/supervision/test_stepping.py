"""A past day is stepped event by event, forward and back, and stands as it did then."""

import json
import random

import numpy as np
import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.journal import EventStore, JournalError
from cea_exchange.protocol import control
from cea_exchange.supervision.looks import look_note, looks_last
from cea_exchange.supervision.stepping.day import DayReplay, VenueRecord
from cea_exchange.supervision.stepping.script import ScriptSteps
from support.journal.record_days import DAYS, two_days
from support.journal.small_market import sequencer_open


def test_every_place_of_a_day_is_the_same_from_ahead_and_from_behind(tmp_path):
    """Rules: CEA-SVL-43."""
    two_days(tmp_path)
    replay = DayReplay(VenueRecord(tmp_path), DAYS[0], events_between=20)
    forward = [replay.at(place) for place in range(replay.count + 1)]
    back = [replay.at(place) for place in range(replay.count, -1, -1)][::-1]
    assert forward == back
    anywhere = random.Random(3).choices(range(replay.count + 1), k=60)
    assert [replay.at(place) for place in anywhere] == [forward[place] for place in anywhere]
    assert len({moment.state_hash for moment in forward}) > replay.count / 4


def test_each_event_is_the_one_the_venue_has_kept(tmp_path):
    """Rules: CEA-SVL-43."""
    two_days(tmp_path)
    replay = DayReplay(VenueRecord(tmp_path), DAYS[0])
    stored = stored_rows(tmp_path)
    seen = [replay.at(place).event for place in range(1, replay.count + 1)]
    first = seen[0].seq
    assert [event.seq for event in seen] == list(range(first, first + replay.count))
    assert seen[-1].kind == "composite_closed" and seen[-1].trade_id == 0
    for event in seen:
        row = stored[event.seq - 1]
        assert EventKind[event.kind.upper()] == row["kind"]
        if row["kind"] == EventKind.TRADE:
            assert (event.price, event.tonnes, event.trade_id) == (
                row["price"],
                row["tonnes"],
                row["trade_id"],
            )
            assert {event.account, event.counterparty} == {"alice", "bob"}


def test_the_book_holds_whose_orders_it_held_and_what_was_locked_for_them(tmp_path):
    two_days(tmp_path)
    replay = DayReplay(VenueRecord(tmp_path), DAYS[0])
    looked = 0
    for place in range(1, replay.count + 1):
        moment = replay.at(place, ("alice", "bob"))
        (book,) = [book for book in moment.books if book.product == "CEA23"]
        locked = {
            held.account: held.locked for held in moment.holdings if held.product == "CEA23"
        }
        offered = {"alice": 0, "bob": 0}
        for level in book.asks:
            assert level.tonnes == sum(order.tonnes for order in level.orders)
            for order in level.orders:
                offered[order.account] += order.tonnes
        if len(book.asks) < 10:
            looked += 1
            assert all(locked.get(name, 0) == tonnes for name, tonnes in offered.items())
    assert looked > 10


def test_a_step_back_plays_no_more_than_lies_behind_the_last_checkpoint(tmp_path):
    two_days(tmp_path)
    replay = DayReplay(VenueRecord(tmp_path), DAYS[0], events_between=20)
    assert replay.checkpoint_count > 5
    for place in range(replay.count, 0, -7):
        before = replay.played
        replay.at(place)
        assert replay.played - before <= 20 + 2 * 9


def test_it_begins_at_a_snapshot_where_there_is_one_before_the_day(tmp_path):
    whole, short = tmp_path / "whole", tmp_path / "short"
    for folder, commands in ((whole, 0), (short, 1)):
        folder.mkdir()
        two_days(folder, snapshot_commands=commands)
    close_second_day(short), close_second_day(whole)
    assert list((short / "snapshots").glob("*.snapshot"))
    days = [DayReplay(VenueRecord(folder), DAYS[1]) for folder in (whole, short)]
    places = range(days[0].count + 1)
    assert [days[0].at(at) for at in places] == [days[1].at(at) for at in places]
    _, reader = VenueRecord(short).machine_before(days[1].at(1).event.seq)
    assert next(iter(reader.frames())).first_seq > 1


def close_second_day(directory):
    sequencer = sequencer_open(directory)
    sequencer.run_controls([control.DayClose()])
    sequencer.close()


def test_a_day_that_is_open_is_not_stepped_through(tmp_path):
    """Rules: CEA-SVL-43, CEA-BID-05."""
    two_days(tmp_path)
    record = VenueRecord(tmp_path)
    assert [day.trading_date for day in record.days()] == [DAYS[0]]
    with pytest.raises(LookupError, match="expected a day that is over, got 20250102"):
        DayReplay(record, DAYS[1])


def test_events_that_the_journal_does_not_give_are_not_shown(tmp_path):
    two_days(tmp_path)
    log_id = VenueRecord(tmp_path).header.log_id
    count = len(stored_rows(tmp_path))
    with EventStore.open(tmp_path / "events", log_id=log_id) as store:
        rows = np.frombuffer(store.read(1, count), EVENT_DTYPE).copy()
        rows["price"][rows["kind"] == EventKind.TRADE] += 1
        store.truncate(0)
        store.append(rows.tobytes())
    with pytest.raises(JournalError, match="other events than the store has"):
        DayReplay(VenueRecord(tmp_path), DAYS[0])


def test_the_next_trade_and_the_next_of_an_account_are_found_both_ways(tmp_path):
    two_days(tmp_path)
    replay = DayReplay(VenueRecord(tmp_path), DAYS[0])
    place, trades = 0, []
    while (found := replay.next_of(place, 1, kinds=(EventKind.TRADE,))) != place:
        trades.append(found)
        place = found
    assert trades == [
        at for at in range(1, replay.count + 1) if replay.at(at).event.kind == "trade"
    ]
    assert replay.next_of(trades[1], -1, kinds=(EventKind.TRADE,)) == trades[0]
    mine = replay.next_of(0, 1, account="bob")
    assert "bob" in (replay.at(mine).event.account, replay.at(mine).event.counterparty)
    assert replay.next_of(5, 1, account="nobody") == 5


SCRIPT = [
    {"cmd": "product", "product": "CEA24", "reference_price": "90.00"},
    {"cmd": "account", "account": "A"},
    {"cmd": "account", "account": "B"},
    {"cmd": "deposit", "account": "A", "cash": "100000.00"},
    {"cmd": "deposit", "account": "B", "product": "CEA24", "tonnes": 50},
    {"cmd": "clock", "at": "2025-07-16T09:31:00+08:00"},
    *(
        json.loads(
            f'{{"cmd": "enter", "id": "{who}1", "account": "{who}", "product": "CEA24",'
            f' "side": "{side}", "price": "90.00", "tonnes": {tonnes}}}'
        )
        for who, side, tonnes in (("B", "sell", 30), ("A", "buy", 10))
    ),
]


def test_a_script_is_stepped_forward_and_back():
    steps = ScriptSteps(SCRIPT, load_profile("cea"))
    forward = [steps.at(place, ("A", "B")) for place in range(steps.count + 1)]
    assert [steps.at(at, ("A", "B")) for at in range(steps.count, -1, -1)] == forward[::-1]
    assert forward[-2].books[0].asks[0].orders[0].account == "B"
    assert [event.kind for event in forward[-1].events] == ["order_accepted", "trade"]
    held = {(each.account, each.product): each.amount for each in forward[-1].holdings}
    assert held["A", "CEA24"] == 10 and held["B", "CEA24"] == 40


def test_a_look_past_the_venue_is_in_the_venues_own_log_of_looks(tmp_path):
    """Rules: CEA-OPR-04."""
    look_note(tmp_path, 1_752_629_400_000_000_000, "rex", "regulator", "replay", date="2025-07-16")
    (look,) = looks_last(tmp_path, 5)
    assert look.sentence() == "2025-07-16T09:30:00+08:00  rex (regulator)  replay date=2025-07-16"


def stored_rows(directory):
    log_id = (directory / "events" / "events.rows").read_bytes()[16:32].hex()
    with EventStore.open(directory / "events", log_id=log_id) as store:
        return np.frombuffer(store.read(1, store.count), EVENT_DTYPE)
