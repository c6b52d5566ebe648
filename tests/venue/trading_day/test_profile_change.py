"""A running journal goes on under other rules: between two days, wherever a crash falls."""

import copy
import random
import shutil
from datetime import date
from itertools import count
from pathlib import Path

import pytest

from cea_exchange.domain.profile import profile_parse
from cea_exchange.domain.records import SCHEMA_VERSION, EventKind, Phase, Reason, Side
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.journal import (
    FrameKind,
    Identity,
    Journal,
    JournalError,
    OsStorage,
    SegmentReader,
    read_frames,
    snapshot_paths,
)
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.durability import profile_change, recovery
from cea_exchange.venue.durability.profile_shelf import profile_path
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.maintenance.backup import backup, restore
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.operations.act_log import acts_read
from cea_exchange.venue.operations.trade_search import trade_event
from support.journal.small_market import PROFILE, day_begin, orders, sequencer_open
from support.journal.volatile_storage import VolatileFile, VolatileStorage
from support.market.noticed_markets import notice

NARROW = profile_parse(
    PROFILE.text.replace("listed_band_bp = {value = 1000", "listed_band_bp = {value = 100"),
    "narrow",
)
DATA = Path("/venue")
NEXT_DATE = 20250102


def opened(directory, profile, **options):
    ticks = count(1_000)
    options.setdefault("core_class", ReferenceMarket)
    return Sequencer.open(directory, profile, now_ns=lambda: next(ticks), **options)


def first_day(directory, **options):
    """A day under the wide band, closed; a bid far from the reference price was taken."""
    sequencer = opened(directory, PROFILE, **options)
    day_begin(sequencer)
    events = sequencer.run_records(
        orders((0, 1, Side.SELL, 9749, 100), (1, 1, Side.BUY, 9749, 70), (1, 2, Side.BUY, 9000, 5))
    )
    assert not (events["kind"] == EventKind.ORDER_REJECTED).any()
    sequencer.run_controls([control.DayClose()])
    return sequencer


def second_day(sequencer):
    """Open another day and bid at the same price; return the reason of the refusal, if any."""
    acts = [control.DayOpen(date=NEXT_DATE), control.PhaseSet(phase=Phase.LISTED)]
    assert sequencer.run_controls(acts)[1] == [None, None]
    near = ((0, 1, Side.SELL, 9740, 50), (1, 1, Side.BUY, 9745, 20))
    batch = orders(*near, (1, 2, Side.BUY, 9000, 5))
    batch["trading_date"] = NEXT_DATE
    events = sequencer.run_records(batch)
    sequencer.run_controls([control.DayClose()])
    refused = events[events["kind"] == EventKind.ORDER_REJECTED]
    return [Reason(int(reason)).name for reason in refused["reason"]]


def identities(directory):
    reader = SegmentReader(directory / "journal", storage=OsStorage())
    frames = list(reader.frames())
    return [header.identity.profile_hash for header in reader.headers], frames


@pytest.mark.parametrize("core", [ReferenceMarket, None])
def test_the_second_day_has_other_rules_and_the_whole_journal_verifies(tmp_path, core):
    """CEA-OPR-03"""
    first_day(tmp_path, core_class=core).close()
    sequencer = opened(tmp_path, NARROW, core_class=core)
    assert second_day(sequencer) == ["PRICE_OUT_OF_BAND"]
    sequencer.close()
    hashes, frames = identities(tmp_path)
    assert hashes == [PROFILE.profile_hash(), NARROW.profile_hash()]
    for profile in (PROFILE, NARROW):
        kept = profile_path(tmp_path, profile.profile_hash())
        assert kept.read_text(encoding="utf-8") == profile.text
    result = verify_data(tmp_path, core_class=core)
    assert result.state_hash == sequencer.machine.core.state_hash()
    assert (result.profile, result.snapshots, result.segments) == ("cea", 1, 2)
    (changed,) = [act for act in acts_read(tmp_path) if act.what == "profile_changed"]
    assert changed.by and changed.why and changed.seq == 17
    assert "text" not in changed.fields
    assert len(frames) == result.frames


def test_the_change_is_journaled_once_and_a_snapshot_is_taken(tmp_path):
    first_day(tmp_path).close()
    for _ in range(3):
        opened(tmp_path, NARROW).close()
    messages = [
        control.control_decode(frame.payload)
        for frame in read_frames(tmp_path / "journal")
        if frame.kind == FrameKind.CONTROL
    ]
    changes = [each for each in messages if isinstance(each, control.ProfileChanged)]
    assert [change.profile_hash for change in changes] == [NARROW.profile_hash()]
    assert len(snapshot_paths(tmp_path / "snapshots")) == 1


def test_a_start_takes_up_a_snapshot_of_either_side(tmp_path):
    first_day(tmp_path).close()
    sequencer = opened(tmp_path, NARROW)
    second_day(sequencer)
    expected = sequencer.machine.snapshot()
    sequencer.close()
    assert opened_and_closed(tmp_path).snapshot() == expected
    (path,) = snapshot_paths(tmp_path / "snapshots")
    path.unlink()
    assert opened_and_closed(tmp_path).snapshot() == expected


def opened_and_closed(directory, profile=NARROW):
    sequencer = opened(directory, profile)
    sequencer.close()
    return sequencer.machine


def test_a_notice_that_comes_late_delists_with_the_change(tmp_path):
    """CEA-PRD-03, CEA-OPR-03: what it names of bands and fees holds from then on, too."""
    first_day(tmp_path).close()
    text = notice(date(2024, 12, 1), delist='["CEA23"]', fee_bp=7)
    sequencer = opened(tmp_path, profile_parse(PROFILE.text + text, "late"))
    assert not sequencer.machine.core.product(0)["listed"]
    assert sequencer.machine.core.rules.fee_bp == 7
    assert second_day(sequencer) == ["PRODUCT_UNKNOWN"] * 3
    sequencer.close()
    assert verify_data(tmp_path).state_hash == sequencer.machine.core.state_hash()


def test_a_trade_of_the_old_rules_is_undone_under_the_new(tmp_path):
    """CEA-STL-04, CEA-OPR-03: its record is found by number, and says what it was."""
    first_day(tmp_path).close()
    sequencer = opened(tmp_path, NARROW)
    event = trade_event(sequencer, 1)
    bust = control.TradeBust(
        by="an", second="bo", settlement_seq=int(event["settlement_seq"]), trade=event.tobytes()
    )
    assert sequencer.run_controls([bust])[1] == [None]
    sequencer.close()
    assert verify_data(tmp_path).state_hash == sequencer.machine.core.state_hash()


def test_rules_may_change_back_and_forth(tmp_path):
    first_day(tmp_path).close()
    opened(tmp_path, NARROW).close()
    sequencer = opened(tmp_path, PROFILE)
    assert second_day(sequencer) == []
    sequencer.close()
    hashes, _ = identities(tmp_path)
    wide, narrow = PROFILE.profile_hash(), NARROW.profile_hash()
    assert hashes == [wide, narrow, wide]
    assert verify_data(tmp_path, core_class=ReferenceMarket).next_seq > 1


def test_the_compiled_market_replays_what_the_reference_market_wrote_under_both(tmp_path):
    first_day(tmp_path).close()
    sequencer = opened(tmp_path, NARROW)
    second_day(sequencer)
    sequencer.close()
    assert verify_data(tmp_path).state_hash == sequencer.machine.core.state_hash()


def test_other_rules_in_the_middle_of_a_day_are_refused_in_one_line(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    before = sequencer.machine.snapshot()
    sequencer.close()
    with pytest.raises(JournalError) as found:
        opened(tmp_path, NARROW)
    shown = str(found.value)
    kept = profile_path(tmp_path, PROFILE.profile_hash())
    assert "day 20241231 is open under profile cea" in shown and "\n" not in shown
    assert f"start with {kept}, close the day, then start with this one" in shown
    assert NARROW.profile_hash() in shown
    # Nothing has happened: the old rules go on.
    again = sequencer_open(tmp_path)
    assert again.machine.snapshot() == before
    again.close()


def test_a_profile_without_balances_is_no_change_but_another_market(tmp_path):
    first_day(tmp_path).close()
    checked, unchecked = (f"holdings_checked = {{value = {word}" for word in ("true", "false"))
    text = PROFILE.text.replace(checked, unchecked)
    with pytest.raises(JournalError, match="holdings_checked: expected True"):
        opened(tmp_path, profile_parse(text, "loose"))
    opened(tmp_path, PROFILE).close()


def test_another_schema_begins_between_two_days_too(tmp_path, monkeypatch):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    sequencer.close()
    monkeypatch.setattr(profile_change, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    shown = f"day 20241231 is open under schema {SCHEMA_VERSION}, this program"
    with pytest.raises(JournalError, match=shown):
        sequencer_open(tmp_path)
    monkeypatch.undo()
    sequencer = sequencer_open(tmp_path)
    sequencer.run_controls([control.DayClose()])
    sequencer.close()
    for module in (profile_change, recovery):
        monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    sequencer_open(tmp_path).close()


def test_a_profile_that_is_too_long_to_be_read_again_is_refused(tmp_path):
    first_day(tmp_path).close()
    long = profile_parse(f"{NARROW.text}\n# {'x' * control.PROFILE_TEXT_MAX}\n", "long")
    with pytest.raises(JournalError, match="profile: expected at most 262144 characters, got"):
        opened(tmp_path, long)
    opened(tmp_path, NARROW).close()
    verify_data(tmp_path)


def test_a_change_that_does_not_fit_is_refused():
    machine = VenueStateMachine(PROFILE, ReferenceMarket)
    fields = {
        "profile_hash": NARROW.profile_hash(),
        "previous_hash": PROFILE.profile_hash(),
        "text": NARROW.text,
    }
    for changed, complaint in (
        ({"text": "name ="}, "got a fault: expected TOML"),
        ({"text": PROFILE.text}, "profile_hash: expected"),
        ({"previous_hash": 32 * "0"}, "previous_hash: expected"),
    ):
        refusal = machine.refusal(control.ProfileChanged(**(fields | changed)))
        assert refusal.code is VenueRefusal.PROFILE_UNFIT and complaint in str(refusal)
    assert machine.refusal(control.ProfileChanged(**fields)) is None


def test_a_segment_that_changes_the_rules_in_silence_is_refused(tmp_path):
    first_day(tmp_path).close()
    opened(tmp_path, NARROW).close()
    frames = list(read_frames(tmp_path / "journal"))
    last = max((tmp_path / "journal").iterdir())
    assert control.control_decode(frames[-1].payload).profile_hash == NARROW.profile_hash()
    last.unlink()
    identity = Identity("0.1.0", SCHEMA_VERSION, NARROW.profile_hash())
    with Journal.open(tmp_path / "journal", identity=identity) as journal:
        act = control.control_encode(control.Resume())
        journal.append(FrameKind.CONTROL, 1, journal.last_time_ns, act)
    (path,) = snapshot_paths(tmp_path / "snapshots")
    path.unlink()
    for attempt in (lambda: verify_data(tmp_path), lambda: opened(tmp_path, NARROW)):
        with pytest.raises(JournalError, match=f"hash .*, got {NARROW.profile_hash()}"):
            attempt()


def test_a_backup_has_the_profiles_and_comes_back_whole(tmp_path):
    data, again = tmp_path / "venue", tmp_path / "again"
    first_day(data).close()
    sequencer = opened(data, NARROW)
    second_day(sequencer)
    sequencer.close()
    backup(data, tmp_path / "copy")
    _, result = restore(tmp_path / "copy", again)
    assert result.state_hash == sequencer.machine.core.state_hash()
    assert {path.name for path in (again / "profiles").iterdir()} == {
        f"{profile.profile_hash()}.toml" for profile in (PROFILE, NARROW)
    }
    # A full replay comes to what the snapshot and its tail come to.
    shutil.rmtree(again / "snapshots")
    assert opened_and_closed(again).core.state_hash() == result.state_hash


# -- Whatever step a crash comes at ----------------------------------------------------------------


class Killed(BaseException):
    """The process ended there."""


class MortalFile(VolatileFile):
    """A file of a storage whose process ends after some changes."""

    def _change(self, *change):
        self._storage.step()
        super()._change(*change)

    def sync(self):
        self._storage.step()
        super().sync()


class MortalStorage(VolatileStorage):
    """Ends the process at a change of its choice; None is never."""

    def __init__(self):
        super().__init__()
        self.left = None

    def step(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def create(self, path):
        self.step()
        return MortalFile(self, super().create(path)._inode)

    def open(self, path):
        return MortalFile(self, self._inode(path))

    def rename(self, old, new):
        self.step()
        super().rename(old, new)

    def sync_directory(self, directory):
        self.step()
        super().sync_directory(directory)


def killed_after(storage, steps):
    """Change the rules, but end after so many changes of the disk; whether it came that far."""
    storage.left = steps
    try:
        opened(DATA, NARROW, storage=storage)
    except Killed:
        return True
    finally:
        storage.left = None
    return False


@pytest.mark.parametrize("loses_power", [False, True])
@pytest.mark.parametrize("goes_on", [NARROW, PROFILE])
def test_a_crash_at_any_step_leaves_the_old_rules_or_the_new(goes_on, loses_power):
    whole = MortalStorage()
    first_day(DATA, storage=whole).close()
    hashes = set()
    for steps in range(200):
        storage = copy.deepcopy(whole)
        was_killed = killed_after(storage, steps)
        if loses_power:
            storage.crash(random.Random(steps))
        again = opened(DATA, goes_on, storage=storage)
        assert again.machine.profile.profile_hash() == goes_on.profile_hash()
        expected = ["PRICE_OUT_OF_BAND"] if goes_on is NARROW else []
        assert second_day(again) == expected
        again.close()
        result = verify_data(DATA, storage=storage, core_class=ReferenceMarket)
        assert result.state_hash == again.machine.core.state_hash()
        hashes.add(result.state_hash)
        if not was_killed:
            break
    assert steps > 15 and not was_killed and len(hashes) == 1
