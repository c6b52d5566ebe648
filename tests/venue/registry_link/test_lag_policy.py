"""The lag policy by a fake clock: CEA-LAG-01."""

import itertools

import pytest
from structlog.testing import capture_logs

from cea_exchange.domain.records import EventKind
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.config import LagSetting
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.registry_link.lag_policy import (
    LEVELS,
    SAMPLE_COUNT_MAX,
    Lag,
    LagMeter,
    LagPolicy,
    level_next,
)
from support.journal.small_market import PROFILE, day_begin, feed, pairs, sequencer_open

SETTING = LagSetting(
    warn=(10, 2), throttle=(20, 4), cancel_only=(40, 8), halt=(80, 16), throttle_per_second=3
)


class Registry:
    """What the policy sees of the registry link."""

    def __init__(self):
        self.is_awaited = False
        self.settled_seq = 0
        self.answered_s = 0.0


class Gateway:
    def __init__(self):
        self.cancels_only_for_lag = ""
        self.throttle_for_lag = 0


class Room:
    """A policy on a real sequencer, with a registry and a clock at will."""

    def __init__(self, directory):
        self.sequencer = sequencer_open(directory)
        self.machine = self.sequencer.machine
        self.registry, self.gateway = Registry(), Gateway()
        self.controls = []
        self.events = []
        self.refusals = None
        self.policy = LagPolicy(
            self.machine,
            self.registry,
            self.gateway,
            SETTING,
            run_controls=self._run,
            now_s=0.0,
        )

    def _run(self, acts):
        if self.refusals is not None:
            return self.refusals
        self.controls.extend(acts)
        events, refusals = self.sequencer.run_controls(acts)
        self.events.extend(EventKind(kind).name for kind in events["kind"])
        return refusals

    def turn(self, now_s, records=0, answered_s=None):
        """One turn with the registry that many records behind; it answers now if not told when."""
        self.registry.settled_seq = self.machine.core.settlement_seq - records
        self.registry.answered_s = now_s if answered_s is None else answered_s
        self.policy.turn(now_s)
        return self.machine.lag_level


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    day_begin(room.sequencer)
    batches = pairs()
    while room.machine.core.settlement_seq < 100:
        room.sequencer.run_records(next(batches))
    yield room
    room.sequencer.close()


def test_the_lag_takes_the_venue_through_all_levels_and_back(room):
    """CEA-LAG-01."""
    ways = [(9, "normal"), (10, "warn"), (20, "throttle"), (40, "cancel_only"), (80, "halt")]
    ways += [(41, "halt"), (39, "cancel_only"), (20, "cancel_only"), (19, "throttle")]
    ways += [(10, "throttle"), (9, "warn"), (5, "warn"), (4, "normal")]
    assert [(records, room.turn(1.0, records)) for records, _ in ways] == ways
    assert room.events == ["HALTED", "RESUMED"]
    assert [act.level for act in room.controls] == [
        *("warn", "throttle", "cancel_only", "halt", "cancel_only", "throttle", "warn", "normal")
    ]


def test_a_lag_that_jumps_needs_no_steps_between(room):
    assert room.turn(1.0, 80) == "halt"
    assert room.turn(1.1, 0) == "normal"
    assert room.events == ["HALTED", "RESUMED"]


def test_records_that_stay_unsettled_grow_old(room):
    levels = {second: room.turn(second, 5) for second in range(10, 27)}
    risen = {level: second for second, level in reversed(levels.items())}
    assert risen == {"normal": 10, "warn": 12, "throttle": 14, "cancel_only": 18, "halt": 26}
    assert room.controls[-1].lag_s == 16
    assert room.turn(26.1, 0) == "normal"


def test_a_registry_that_is_silent_is_behind_though_nothing_is_unsettled(room):
    levels = [room.turn(second, 0, answered_s=5.0) for second in range(5, 14)]
    assert levels == ["normal"] * 2 + ["warn"] * 2 + ["throttle"] * 4 + ["cancel_only"]
    assert "8 s behind" in room.gateway.cancels_only_for_lag
    assert room.turn(13.1, 0) == "normal"


def test_a_venue_that_stood_still_itself_does_not_blame_the_registry(room):
    assert room.turn(1.0, 5) == "normal"
    assert room.turn(601.0, 5, answered_s=1.0) == "normal"
    assert room.turn(602.5, 5, answered_s=1.0) == "normal"
    assert room.turn(603.0, 5, answered_s=1.0) == "warn"


def test_each_level_acts_at_the_gateway(room):
    shown = []
    for records in (0, 10, 20, 40, 80, 0):
        room.turn(1.0, records)
        shown.append((room.gateway.throttle_for_lag, room.gateway.cancels_only_for_lag))
    behind = "the registry is {} records, 0 s behind"
    assert shown == [
        (0, ""),
        (0, ""),
        (3, ""),
        (0, behind.format(40)),
        (0, "market halted: " + behind.format(80)),
        (0, ""),
    ]


def test_an_operators_halt_stays_when_the_lag_is_over(room):
    """CEA-LAG-01, CEA-DAY-05."""
    core = room.machine.core
    room.sequencer.run_controls([control.Halt()])
    room.turn(1.0, 80)
    assert room.turn(1.1, 0) == "normal" and core.market_halted
    room.turn(1.2, 80)
    room.sequencer.run_controls([control.Resume()])
    assert core.market_halted, "the halt for lag is not the operator's to lift"
    assert room.turn(1.3, 0) == "normal" and not core.market_halted


def test_an_operator_who_halts_during_a_halt_for_lag_keeps_it(room):
    room.turn(1.0, 80)
    room.sequencer.run_controls([control.Halt()])
    room.turn(1.1, 0)
    assert room.machine.core.market_halted
    room.sequencer.run_controls([control.Resume()])
    assert not room.machine.core.market_halted


def test_the_kill_switch_halts_as_an_operator_does(room):
    room.turn(1.0, 80)
    room.sequencer.run_controls([control.Kill()])
    assert room.turn(1.1, 0) == "normal" and room.machine.core.market_halted


def test_a_products_halt_is_another_matter(room):
    room.turn(1.0, 80)
    room.sequencer.run_controls([control.Halt(product="CEA23"), control.Resume(product="CEA23")])
    assert room.machine.halted_for_lag
    assert room.turn(1.1, 0) == "normal" and not room.machine.core.market_halted


@pytest.mark.parametrize("records", [10, 20, 40, 80])
def test_replay_and_a_restart_come_to_the_journaled_level(room, tmp_path, records):
    level = room.turn(1.0, records)
    before = room.machine.summary()
    room.sequencer.close()
    again = Room(tmp_path)
    room.sequencer = again.sequencer
    assert again.machine.summary() == before
    assert again.machine.lag_level == level
    again.registry.is_awaited = True
    again.policy.turn(1_000.0)
    assert again.machine.lag_level == level, "nothing is known of the registry yet"
    expected = (3 if level == "throttle" else 0, level in ("cancel_only", "halt"))
    gateway = again.gateway
    assert expected == (gateway.throttle_for_lag, bool(gateway.cancels_only_for_lag))
    again.registry.is_awaited = False
    assert again.turn(1_000.0, 0) == "normal"
    assert not again.machine.core.market_halted


@pytest.mark.parametrize("operator_halts", [False, True])
def test_a_snapshot_keeps_the_level_and_whose_the_halt_is(room, operator_halts):
    room.turn(1.0, 80)
    room.sequencer.run_controls([control.Halt()] if operator_halts else [])
    machine = room.machine
    again = VenueStateMachine.restore(PROFILE, machine.snapshot(), ReferenceMarket)
    assert again.summary() == machine.summary()
    assert (again.lag_level, again.halted_for_lag) == ("halt", not operator_halts)
    for each in (machine, again):
        each.apply_control(control.LagLevelSet(level="normal", lag_records=0, lag_s=0))
        assert each.core.market_halted == operator_halts
    assert again.summary() == machine.summary()


def test_a_level_that_could_not_be_journaled_is_tried_again(room):
    room.refusals = ["no room"]
    assert room.turn(1.0, 40) == "normal" and not room.gateway.cancels_only_for_lag
    room.refusals = None
    assert room.turn(1.1, 40) == "cancel_only" and room.gateway.cancels_only_for_lag


def test_the_log_says_which_level_it_is(room):
    """`level` is the log's own: how bad the line is."""
    with capture_logs() as lines:
        room.turn(1.0, 40)
        room.turn(1.1, 0)
    shown = [(line["lag_level"], line["log_level"]) for line in lines]
    assert shown == [("cancel_only", "warning"), ("normal", "info")]
    assert not any("level" in line for line in lines)


def test_zero_switches_a_threshold_off():
    off = LagSetting(warn=(0, 0), throttle=(0, 0), cancel_only=(0, 0), halt=(5, 0))
    assert level_next("normal", Lag(4, 10**6), off) == "normal"
    assert level_next("normal", Lag(5, 0), off) == "halt"


def test_thresholds_must_not_fall():
    with pytest.raises(ValueError, match="seconds of warn"):
        LagSetting(warn=(1, 5), throttle=(2, 4))


def test_the_level_never_depends_on_more_than_level_and_lag():
    """From any level, a lag at a threshold gives at least that level; none at all gives normal."""
    for start, (rank, level) in itertools.product(LEVELS, enumerate(LEVELS[1:], 1)):
        reached = level_next(start, Lag(getattr(SETTING, level)[0], 0.0), SETTING)
        assert LEVELS.index(reached) >= rank
        assert level_next(start, Lag(0, 0.0), SETTING) == "normal"


def test_the_meter_knows_the_age_of_the_oldest_in_bounded_memory():
    meter = LagMeter(0, 0.0)
    for second in range(1, 3 * SAMPLE_COUNT_MAX):
        lag = meter.take(second, 0, float(second), float(second))
    assert lag == Lag(second, float(second - 1))
    assert len(meter._samples) <= SAMPLE_COUNT_MAX
    for later in range(8):
        lag = meter.take(second, second - 1, float(second), float(second + later))
    assert lag.records == 1 and 7 <= lag.seconds <= 16


def test_feed_items_alone_are_work_for_the_registry_too(tmp_path):
    room = Room(tmp_path)
    room.sequencer.run_controls(feed())
    assert room.turn(1.0, room.machine.core.settlement_seq) == "normal"
    assert room.policy.lag.records == 4
    room.sequencer.close()
