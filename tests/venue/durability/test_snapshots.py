"""Snapshot and tail give the state of a replay of the whole journal, wherever a crash falls."""

import copy
import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.documents.cases import Opened
from cea_exchange.domain.records import EventKind, Phase, Side
from cea_exchange.journal import JournalError, SegmentReader, snapshot_paths
from cea_exchange.protocol import control
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.state_machine import (
    DERIVED_NAMES,
    FIXED_NAMES,
    SHOWN_NAMES,
    STATE_NAMES,
    VenueStateMachine,
)
from support.journal.small_market import PROFILE, day_begin, orders, sequencer_open
from support.journal.volatile_storage import VolatileStorage

pytestmark = pytest.mark.property

DATA = Path("/venue")
SNAPSHOTS = DATA / "snapshots"


def opened(storage, **options):
    options.setdefault("snapshot_commands", 10)
    return sequencer_open(DATA, storage=storage, archive=DATA / "archive", **options)


def next_date(number):
    return date_number(date_of_number(number) + timedelta(days=1))


def trade(sequencer, generator, steps, first_id):
    """Trade on; now and then a control message, a new day, or a new segment."""
    machine = sequencer.machine
    for step in range(first_id, first_id + steps):
        rows = [(account, step, generator.choice((Side.BUY, Side.SELL)),
                 9740 + generator.randrange(9), generator.randrange(1, 9)) for account in (0, 1)]
        batch = orders(*rows)
        batch["trading_date"] = machine.core.trading_date
        batch["operator_index"] = generator.randrange(2)
        events = sequencer.run_records(batch)
        if generator.random() < 0.1:
            sequencer.run_controls([generator.choice((control.Halt(), control.Resume()))])
        if generator.random() < 0.15:
            sequencer.run_controls(acts_of_operators(generator, events))
        if generator.random() < 0.05:
            date = next_date(machine.core.trading_date)
            acts = (control.DayClose(), control.DayOpen(date=date),
                    control.PhaseSet(phase=Phase.LISTED))
            for act in acts:
                sequencer.run_controls([act])
                sequencer.turn()
        sequencer.turn()


def acts_of_operators(generator, events):
    """A lost session, the kill switch, or the bust of a trade if there is one."""
    trades = events[events["kind"] == EventKind.TRADE]
    if len(trades):
        seq = int(trades["settlement_seq"][0])
        two = {"by": "ops1", "second": "ops2"}
        return [control.TradeBust(settlement_seq=seq, trade=trades[0].tobytes(), **two)]
    lost = control.SessionLost(
        "alice", generator.randrange(2), (control.LostOperator("bob", 0),)
    )
    killed = [control.Kill(account="bob"), control.Restore(account="bob")]
    return generator.choice(([lost], killed))


def outline(sequencer):
    """All that a sequencer can be asked."""
    index, core = sequencer.index, sequencer.machine.core
    found = [sequencer.machine.snapshot(), core.state_hash(), core.event_seq, index.state()]
    for account in range(2):
        seqs = index.report_events(account, 1, 10**6)
        found += [seqs.tolist(), sequencer.event_rows(np.unique(seqs)).tobytes()]
    return found


def without_snapshots(storage):
    bare = copy.deepcopy(storage)
    for path in snapshot_paths(SNAPSHOTS, storage=bare):
        bare.remove(path)
    return bare


@pytest.mark.parametrize("seed", range(12))
def test_snapshot_and_tail_are_the_whole_journal(seed):
    generator, storage = random.Random(seed), VolatileStorage()
    sequencer = opened(storage)
    day_begin(sequencer)
    from_snapshot = 0
    for round_ in range(6):
        trade(sequencer, generator, generator.randrange(1, 40), 1 + 1_000 * round_)
        before = outline(sequencer)
        match generator.randrange(3):
            case 0:
                sequencer.close()
            case 1:
                storage.crash(generator)
            case 2:
                storage.crash(generator, reordered=True)
        full = opened(without_snapshots(storage))
        from_snapshot += bool(snapshot_paths(SNAPSHOTS, storage=storage))
        sequencer = opened(storage)
        assert outline(sequencer) == outline(full) == before, f"seed {seed}, round {round_}"
    assert from_snapshot >= 3


def traded(storage, steps=60):
    sequencer = opened(storage)
    day_begin(sequencer)
    trade(sequencer, random.Random(5), steps, 1)
    return sequencer


def warnings_of(capsys):
    return capsys.readouterr().out


def frames_read(monkeypatch):
    """Let every frame that a start reads be counted."""
    frames, read = SegmentReader.frames, []

    def counted(self):
        for frame in frames(self):
            read.append(frame.first_seq)
            yield frame

    monkeypatch.setattr(SegmentReader, "frames", counted)
    return read


def test_a_start_reads_the_tail_only(monkeypatch):
    storage = VolatileStorage()
    sequencer = traded(storage)
    newest = int(snapshot_paths(SNAPSHOTS, storage=storage)[0].name[:20])
    sequencer.close()
    read = frames_read(monkeypatch)
    opened(storage).close()
    assert newest > 100
    assert all(seq > newest for seq in read) and len(read) < 20


def spoil(storage, path, place, change=0x01):
    file = storage.open(path)
    file.write(place, bytes([file.read(place, 1)[0] ^ change]))


@pytest.mark.parametrize("place", [0, 8, 60, 190, 318, 320, 2_000])
def test_a_damaged_snapshot_is_named_and_the_one_before_is_taken(place, capsys, monkeypatch):
    storage = VolatileStorage()
    sequencer = traded(storage)
    before = outline(sequencer)
    sequencer.close()
    newest, older = snapshot_paths(SNAPSHOTS, storage=storage)[:2]
    spoil(storage, newest, place)
    read = frames_read(monkeypatch)
    again = opened(storage)
    shown = warnings_of(capsys)
    assert "snapshot_refused" in shown and newest.name in shown
    assert read[0] == int(older.name[:20]) + 1
    assert outline(again) == before


def test_without_a_good_snapshot_the_whole_journal_is_replayed(capsys, monkeypatch):
    storage = VolatileStorage()
    sequencer = traded(storage)
    before = outline(sequencer)
    sequencer.close()
    paths = snapshot_paths(SNAPSHOTS, storage=storage)
    for path in paths:
        spoil(storage, path, 400)
    read = frames_read(monkeypatch)
    again = opened(storage)
    assert warnings_of(capsys).count("snapshot_refused") == len(paths) > 2
    assert read[0] == 1
    assert outline(again) == before


@pytest.mark.parametrize("name", ["events.rows", "index.blocks"])
def test_a_lost_event_store_or_index_is_rebuilt_from_the_whole_journal(name, capsys):
    storage = VolatileStorage()
    sequencer = traded(storage, 400)
    before = outline(sequencer)
    sequencer.close()
    storage.remove(DATA / "events" / name)
    again = opened(storage)
    assert "snapshot_refused" in warnings_of(capsys)
    assert outline(again) == before


def test_a_journal_that_ends_before_the_snapshot_stops_the_start():
    storage = VolatileStorage()
    traded(storage)
    newest = int(snapshot_paths(SNAPSHOTS, storage=storage)[0].name[:20])
    (segment,) = storage.names(DATA / "journal")
    path = DATA / "journal" / segment
    data = storage.read(path)
    # A whole frame less than the snapshot has.
    cut = data.rfind(b"\xceFRM", 0, data.rfind(b"\xceFRM"))
    while int.from_bytes(data[cut + 8 : cut + 16], "little") > newest:
        cut = data.rfind(b"\xceFRM", 0, cut)
    storage.open(path).truncate(cut)
    for _ in range(2):
        with pytest.raises(JournalError, match="acknowledged work is missing .* a snapshot has"):
            opened(storage)


def test_a_snapshot_of_a_changed_journal_stops_the_start():
    storage = VolatileStorage()
    traded(storage).close()
    for name in storage.names(DATA / "journal"):
        path = DATA / "journal" / name
        if storage.open(path).size() > 10_000:
            spoil(storage, path, 250)
    with pytest.raises(JournalError, match="not the one that the snapshot was taken of"):
        opened(storage)


def test_snapshots_without_a_journal_stop_the_start():
    storage = VolatileStorage()
    traded(storage).close()
    for name in storage.names(DATA / "journal"):
        storage.remove(DATA / "journal" / name)
    for name in storage.names(DATA / "events"):
        storage.remove(DATA / "events" / name)
    with pytest.raises(JournalError, match="there is snapshots, but no journal"):
        opened(storage)


def test_a_snapshot_without_room_is_tried_again_and_stops_nothing(capsys, monkeypatch):
    monkeypatch.setattr("cea_exchange.venue.durability.snapshots.RETRY_S", 0.0)
    storage = VolatileStorage()
    sequencer = traded(storage, 1)
    taken = snapshot_paths(SNAPSHOTS, storage=storage)
    sequencer.run_controls([control.DayClose()])
    # Room for what the journal writes, in zeros written ahead, and for a part of a snapshot.
    storage.bytes_free = 500
    for _ in range(3):
        sequencer.turn()
    assert warnings_of(capsys).count("No space left") == 3
    assert snapshot_paths(SNAPSHOTS, storage=storage) == taken
    storage.bytes_free = None
    sequencer.turn()
    assert len(snapshot_paths(SNAPSHOTS, storage=storage)) == len(taken) + 1
    before = outline(sequencer)
    storage.crash()
    assert outline(opened(storage)) == before


def test_no_snapshot_goes_on_from_events_that_wait_for_room():
    storage = VolatileStorage()
    sequencer = traded(storage, 1)
    taken = snapshot_paths(SNAPSHOTS, storage=storage)
    storage.bytes_free = 0
    sequencer.run_controls([control.DayClose()])
    sequencer.turn()
    assert snapshot_paths(SNAPSHOTS, storage=storage) == taken
    storage.bytes_free = None
    sequencer.run_controls([control.Halt()])
    sequencer.turn()
    assert len(snapshot_paths(SNAPSHOTS, storage=storage)) == len(taken) + 1


def test_the_compiled_market_goes_on_from_the_reference_markets_snapshot():
    storage = VolatileStorage()
    sequencer = traded(storage)
    sequencer.close()
    again = Sequencer.open(DATA, PROFILE, now_ns=lambda: 0, storage=storage)
    assert again.machine.core.state_hash() == sequencer.machine.core.state_hash()
    assert again.machine.core.event_seq == sequencer.machine.core.event_seq


# -- Nothing of the state is forgotten -------------------------------------------------------------


def test_every_attribute_of_the_machine_is_kept_derived_or_fixed():
    """Whoever gives the machine a new attribute says here what a snapshot does with it."""
    names = {*STATE_NAMES, *DERIVED_NAMES, *FIXED_NAMES, *SHOWN_NAMES}
    assert set(vars(VenueStateMachine(PROFILE))) == names


ADOPTED_NAMES = {"settlement_base", "report_bases"}
"""Only an adoption sets these: tests/venue/maintenance/test_adoption.py."""
CCER_NAMES = {"payments", "cash_flows", "corrections", "listings", "holders", "barred"}
"""Only profile `ccer` has these: tests/venue/registry_link/."""


def test_a_restored_machine_has_every_attribute():
    sequencer = traded(VolatileStorage())
    key = control.KeyGranted(account="bob", key=40 * "k", operator_index=3)
    feed_seq = sequencer.machine.feed_seq + 1
    sequencer.run_controls([
        control.FeedItem(transfer_seq=feed_seq, command=key),
        control.SettlementConfirmed(settlement_seq=3, trading_date=20240101),
    ])
    account = control.AccountDeclared(account="carol", group="north")
    allowances = control.TransferIn(account="carol", product="CEA23", amount=100_000)
    items = [
        control.FeedItem(transfer_seq=seq, command=command)
        for seq, command in enumerate((account, allowances), feed_seq + 1)
    ]
    sequencer.run_controls(items)
    barred = control.FeedItem(
        transfer_seq=feed_seq + 3, command=control.AccountSuspended(account="bob")
    )
    sequencer.run_controls([barred])
    named = {"case": "C1", "account": "bob", "why": "seen", "by": "an", "second": "bo"}
    suspended = control.MeasureTaken(measure=1, step=7, **named)
    opened = control.CaseEntered(case="C1", entry=1, by="an", body=Opened(title="seen"))
    assert sequencer.run_controls([suspended, opened])[1] == [None, None]
    terms = {"account": "carol", "product": "CEA23", "tonnes": 100_000, "pricing": "uniform"}
    close = int(sequencer.machine.core.product(0)["reference_price"])
    sequencer.run_controls([
        control.Resume(),
        control.BiddingOpen(bidding="B1", limit=close, **terms),
        control.BiddingApplied(
            bidding="B2", limit="close", date=20991231, applied_on=20991201, **terms
        ),
    ])
    two = {"by": "an", "second": "bo", "why": "by order"}
    sale = {"kind": "sale", "method": "listed", "tonnes": 10, "price": close, "trigger": "low"}
    adjusting = [
        control.AdjustmentAccountNamed(account="dora", **two),
        control.MarketAdjusted(adjustment=1, account="dora", product="CEA23", **sale, **two),
    ]
    dora = control.FeedItem(
        transfer_seq=feed_seq + 4, command=control.AccountDeclared(account="dora")
    )
    assert sequencer.run_controls([dora, *adjusting])[1] == [None, None, None]
    settled = sequencer.event_rows(sequencer.index.settlement_events(1, 10**6))
    trades = settled[settled["kind"] == EventKind.TRADE][-1:]
    _, refusals = sequencer.run_controls(acts_of_operators(random.Random(1), trades))
    assert refusals == [None]
    halt = control.LagLevelSet(level="halt", lag_records=9, lag_s=9)
    sequencer.run_controls([control.Resume(), halt])
    machine = sequencer.machine
    empty = vars(VenueStateMachine(PROFILE))
    restored = type(machine).restore(PROFILE, machine.snapshot(), type(machine.core))
    for name in {*STATE_NAMES, *DERIVED_NAMES} - ADOPTED_NAMES - CCER_NAMES:
        # What has its first value would show nothing.
        assert vars(machine)[name] != empty[name], name
        assert vars(restored)[name] == vars(machine)[name], name
    assert restored.core.snapshot() == machine.core.snapshot()


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x93\x01\x02\x03"])
def test_what_is_no_snapshot_is_refused(data):
    with pytest.raises(ValueError, match="snapshot of a machine"):
        VenueStateMachine.restore(PROFILE, data)
