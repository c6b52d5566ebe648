"""The registry's clock is guarded: what ends by time does not end by a clock that somebody set."""

import json
import threading
import time

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.institution.clock import GuardedClock
from cea_exchange.protocol.clock import Clock, ClockSetting, running_ns
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.daemon import RegistryDaemon
from cea_exchange.registry.noted_time import noted_ns
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from support.refusing import refuses
from support.registry.fake_venue import Caller, FakeVenue, wait_until

S_NS = 10**9
DAY_NS = 86_400 * S_NS
NOON_NS = time_to_ns(time_parse("2026-03-02T12:00:00+08:00"))
SPIKE_NS = time_to_ns(time_parse("2030-01-01T00:00:00+08:00")) - NOON_NS
ORDER = {"order": "E 1", "court": "Wuhan Court"}
PERSONS = ("an", "bo")
P001 = {
    "account": "P001",
    "entity": "Power Plant One",
    "credit_code": "91110000100000001W",
    "province": 11,
}


class Clocks:
    """The system's clock, and one that nobody sets."""

    kind = "system"

    def __init__(self, wall_ns=NOON_NS):
        self.wall_ns, self.steady_ns = wall_ns, 77 * S_NS

    def now_ns(self):
        return self.wall_ns

    def not_before(self, at_ns):
        """The system's clock is left alone."""

    def run(self, seconds, set_by_ns=0):
        self.steady_ns += seconds * S_NS
        self.wall_ns += seconds * S_NS + set_by_ns

    def guarded(self, known_ns=NOON_NS):
        return GuardedClock(self, known_ns, steady_ns=lambda: self.steady_ns)


@pytest.fixture
def clocks():
    return Clocks()


def test_a_spike_leaves_the_time_going_on(clocks):
    """CEA-REG-08: and it is over with the spike."""
    clock = clocks.guarded()
    clocks.run(1, SPIKE_NS)
    assert (clock.now_ns(), clock.today()) == (NOON_NS + S_NS, 20260302)
    assert "has jumped ahead, to 2030-01-01" in clock.warning and clock.is_known
    clocks.run(1, -SPIKE_NS)
    assert (clock.now_ns(), clock.warning) == (NOON_NS + 2 * S_NS, None)


def test_time_never_goes_back(clocks):
    """CEA-REG-08: neither by a little nor by much."""
    clock = clocks.guarded()
    clocks.run(10)
    assert clock.now_ns() == NOON_NS + 10 * S_NS
    clocks.run(1, -5 * S_NS)
    assert (clock.now_ns(), clock.warning) == (NOON_NS + 10 * S_NS, None)
    clocks.run(1, -DAY_NS)
    assert clock.now_ns() == NOON_NS + 10 * S_NS
    clocks.run(60)
    assert clock.now_ns() == NOON_NS + 67 * S_NS and "has jumped back" in clock.warning


@pytest.mark.parametrize(
    ("stopped_ns", "is_known"),
    [
        *((-301 * S_NS, False), (-300 * S_NS, True)),
        *((3 * DAY_NS // 2 - 1, True), (3 * DAY_NS // 2, False), (39 * DAY_NS // 10, False)),
    ],
)
def test_a_start_holds_the_clock_against_what_was_noted_last(stopped_ns, is_known):
    """CEA-REG-08: days that nobody has seen are not taken on the clock's word."""
    clock = Clocks(NOON_NS + stopped_ns).guarded()
    assert clock.is_known == is_known
    if not is_known:
        assert clock.now_ns() == NOON_NS
        with refuses("CLOCK_DOUBTED: day: expected a known one"):
            clock.today()
    else:
        assert clock.now_ns() == max(NOON_NS, NOON_NS + stopped_ns)


@pytest.mark.parametrize(
    ("noted", "until"),
    [
        ("2026-03-05", "2026-03-06"),
        ("2026-03-06", "2026-03-09"),  # over a weekend
        ("2026-09-30", "2026-10-04"),  # within National Day: four days are the most
        ("2026-10-09", "2026-10-10"),  # a Saturday that is worked
        ("2099-01-02", "2099-01-03"),  # beyond the calendar
    ],
)
def test_a_start_is_believed_until_the_next_working_day_ends(noted, until):
    """CEA-REG-08: so long an ordinary stop lasts; a day later may be a clock set wrong."""
    noted_at = time_to_ns(time_parse(f"{noted}T23:59:59+08:00"))
    end_ns = time_to_ns(time_parse(f"{until}T23:59:59+08:00"))
    clock = Clocks(end_ns).guarded(noted_at)
    assert (clock.today(), clock.warning) == (int(until.replace("-", "")), None)
    clock = Clocks(end_ns + S_NS).guarded(noted_at)
    assert not clock.is_known and clock.now_ns() == noted_at


@pytest.mark.parametrize("read_ns", [10**30, -(10**30)])
def test_a_clock_of_no_year_that_there_is_is_doubted(read_ns):
    """CEA-REG-08: at a start, and when asked to be confirmed."""
    clock = Clocks(read_ns).guarded()
    assert not clock.is_known and f"says {read_ns} ns since 1970, far" in clock.warning
    with refuses("CLOCK_DATE_OTHER: date: expected the clock's 0, got 20260302"):
        clock.confirm_check(20260302)


def test_a_doubted_start_is_not_believed_for_having_lasted(clocks):
    """CEA-REG-08: a weekend that comes meanwhile is no stop."""
    clocks.run(0, 2 * DAY_NS)
    clock = clocks.guarded()
    for _ in range(9):
        clocks.run(86_400)
        assert clock.warning is not None and not clock.is_known
        clock.now_ns()
    clocks.run(0, -2 * DAY_NS)
    assert (clock.today(), clock.warning) == (20260311, None)


def test_a_wrong_start_is_over_when_the_clock_is_set_right(clocks):
    clocks.run(0, SPIKE_NS)
    clock = clocks.guarded()
    clocks.run(60)
    assert not clock.is_known and clock.now_ns() == NOON_NS + 60 * S_NS
    clocks.run(1, -SPIKE_NS)
    assert clock.today() == 20260302 and clock.warning is None


@pytest.mark.parametrize("is_start", [True, False])
def test_the_venue_speaks_for_a_later_day(clocks, is_start):
    """CEA-REG-08: a day that it trades on has come, and a day it does not trade on has not."""
    clock = None if is_start else clocks.guarded()
    clocks.run(3_600, 9 * DAY_NS)
    clock = clock or clocks.guarded()
    for other in (20260302, 20260312, 20300101, 0, 20261332, 2**32 - 1):
        clock.follow(other)
        assert clock.warning is not None
    clock.follow(20260311)
    assert (clock.today(), clock.warning) == (20260311, None)


def test_a_clock_behind_the_venue_is_said(clocks):
    clock = clocks.guarded()
    clock.follow(20260303)
    assert "the venue trades on 20260303 already" in clock.warning
    assert clock.today() == 20260302
    clocks.run(86_400)
    assert clock.today() == 20260303 and clock.warning is None


def test_persons_confirm_what_day_it_is(clocks):
    """CEA-REG-08: a clock that was wrong and is right now."""
    clock = clocks.guarded()
    with refuses("CLOCK_NOT_DOUBTED: clock: expected a doubted one, got one with nothing wrong"):
        clock.confirm_check(20260302)
    clocks.run(1, 30 * DAY_NS)
    with refuses("CLOCK_DATE_OTHER: date: expected the clock's 20260401, got 20260302"):
        clock.confirm_check(20260302)
    clock.take("confirm", clock.confirm_check(20260401))
    assert (clock.today(), clock.warning) == (20260401, None)
    clocks.run(1, -DAY_NS)
    with refuses("CLOCK_BEHIND: .*not before what was noted last, 2026-04-01T12:00[+]08:00"):
        clock.confirm_check(20260331)


def test_a_confirmation_is_of_what_the_clock_said_then(clocks):
    clock = clocks.guarded()
    clocks.run(1, 30 * DAY_NS)
    said_ns = clock.confirm_check(20260401)
    clocks.run(1, SPIKE_NS)
    clock.take("confirm", said_ns)
    assert clock.today() == 20260302


def test_a_manual_clock_is_moved_and_follows_the_venue():
    clock = GuardedClock(Clock(ClockSetting(kind="manual", start="2026-03-02T12:00:00+08:00")))
    assert clock.today() == 20260302
    with refuses("DATE_OUT_OF_RANGE: at: expected not before 2026-03-02T12:00[+]08:00"):
        clock.move_check(NOON_NS - 1)
    clock.move_check(NOON_NS + DAY_NS)
    clock.take("move", NOON_NS + DAY_NS)
    assert clock.today() == 20260303
    clock.follow(20260309)
    assert (clock.today(), clock.warning) == (20260309, None)
    for before in (20260304, 0, 99991231):
        clock.follow(before)
        assert clock.today() == 20260309


def test_an_accelerated_clock_goes_on_from_what_was_noted():
    setting = ClockSetting(kind="accelerated", start="2026-03-02T12:00:00+08:00", speed=1_000)
    clock = GuardedClock(Clock(setting), NOON_NS + DAY_NS)
    assert NOON_NS + DAY_NS <= clock.now_ns() < clock.now_ns() < NOON_NS + 2 * DAY_NS
    with refuses("CLOCK_NOT_MANUAL: clock: expected a manual one, got accelerated"):
        clock.move_check(NOON_NS + 9 * DAY_NS)


def test_the_last_time_that_was_noted(registry):
    assert noted_ns(registry.store) == 0
    now_ns = registry.now_ns()
    registry.account_open("P001")
    assert noted_ns(registry.store) >= now_ns
    registry.store.insert("business_days", [(20990101, 2**61)])
    assert noted_ns(registry.store) == 2**61


# -- The daemon ------------------------------------------------------------------------------------


class SystemClock:
    """The machine's clock as somebody sets it, and how long the machine runs."""

    def __init__(self):
        self.passed_ns, self.set_ns = 0, 0
        self._began_ns = running_ns()

    def running_ns(self):
        return running_ns() + self.passed_ns

    def now_ns(self):
        return NOON_NS + self.running_ns() - self._began_ns + self.set_ns


@pytest.fixture
def system(monkeypatch):
    clock = SystemClock()
    monkeypatch.setattr(Clock, "now_ns", lambda self: clock.now_ns())
    monkeypatch.setitem(GuardedClock.__init__.__kwdefaults__, "steady_ns", clock.running_ns)
    return clock


class World:
    """A registry daemon in a thread, with its operators an and bo."""

    def __init__(self, data, **settings):
        self.data = data
        self.keys = {name: CurveKeys.new() for name in ("venue", "registry", "an", "bo")}
        for name, pair in self.keys.items():
            pair.save(data / "keys", name)
        operators = [OperatorSetting(name=each, key=self.keys[each].public) for each in PERSONS]
        self.config = RegistryConfig(operators=tuple(operators), fronts=0, **settings)
        self.daemon = None

    def start(self):
        self.daemon = RegistryDaemon(self.config, self.data)
        self.thread = threading.Thread(target=self.daemon.run)
        self.thread.start()
        endpoints = json.loads((self.data / "registry" / "endpoints.json").read_text())
        self.callers = {
            name: Caller(self.keys[name], self.keys["registry"].public, endpoints["admin"])
            for name in PERSONS
        }

    def stop(self):
        if self.daemon is None:
            return
        self.daemon.stop()
        self.thread.join(20)
        for caller in self.callers.values():
            caller.close()
        self.daemon.close()
        self.daemon = None

    def ask(self, op, by="an", **fields):
        answer = self.callers[by].ask({"op": op, **fields})
        assert answer["ok"], answer
        return answer

    def refused(self, op, by="an", **fields):
        answer = self.callers[by].ask({"op": op, **fields})
        assert not answer["ok"], answer
        return f"{answer['code']}: {answer['error']}"

    def of_two(self, op, **fields):
        return self.ask("approve", by="bo", proposal=self.ask(op, **fields)["proposal"])

    def warned(self, text):
        wait_until(lambda: text in (self.ask("status")["clock_warning"] or ""))

    def right(self):
        wait_until(lambda: self.ask("status")["clock_warning"] is None)

    def freeze_states(self):
        with RegistryStore.open_reader(self.data) as store:
            return [state for (state,) in store.execute("SELECT state FROM freezes").fetchall()]

    def dates(self):
        """Return every day that the database speaks of, but for freezes' last."""
        with RegistryStore.open_reader(self.data) as store:
            days = "SELECT business_date FROM"
            found = store.execute(
                f"{days} entries UNION {days} business_days UNION {days} freeze_acts"
                f" UNION {days} account_changes UNION SELECT from_date FROM freezes"
            ).fetchall()
            last_ns = store.one("SELECT max(at_ns) FROM acts")
        assert last_ns < NOON_NS + 30 * DAY_NS
        return {date for (date,) in found}


def prepare(data):
    """Let P001 have 500 t before the daemon begins."""
    with Registry(RegistryStore.open(data), lambda: NOON_NS) as registry:
        registry.product_declare("CEA24", 9_000)
        registry.accounts.open(**P001)
        registry.issue("P001", "CEA24", 500)


@pytest.fixture
def world(tmp_path, system):
    """P001 has 500 t, of which a court has frozen 100 until tomorrow; a proposal waits."""
    world = World(tmp_path)
    try:
        prepare(tmp_path)
        world.start()
        freeze = {"account": "P001", "product": "CEA24", "amount": 100, "until": 20260303}
        world.ask("freeze", **freeze, **ORDER)
        world.waiting = world.ask("pay_in", account="P001", cash=7)["proposal"]
        yield world
    finally:
        world.stop()
    assert check_ledger(tmp_path).differences == []


@pytest.mark.e2e
def test_half_a_second_in_2030_ends_nothing(world, system):
    """CEA-REG-08: no freeze, no proposal, and nothing is of that day."""
    system.set_ns = SPIKE_NS
    world.warned("has jumped ahead, to 2030-01-01")
    # What is done meanwhile is of today.
    world.of_two("pay_in", account="P001", cash=1)
    assert "until: expected 20260302" in world.refused(
        "freeze", account="P001", product="CEA24", amount=1, until=20260301, **ORDER
    )
    time.sleep(0.5)
    system.set_ns = 0
    world.right()
    assert world.freeze_states() == ["in_force"]
    world.ask("approve", by="bo", proposal=world.waiting)
    assert world.dates() == {20260302}
    # And what ends, ends on its day.
    system.passed_ns += DAY_NS
    time.sleep(0.1)
    assert world.freeze_states() == ["in_force"]
    system.passed_ns += DAY_NS
    wait_until(lambda: world.freeze_states() == ["expired"])
    assert world.dates() == {20260302, 20260303, 20260304}


@pytest.mark.e2e
def test_a_start_by_a_wrong_clock_ends_nothing_and_does_nothing(world, system):
    """CEA-REG-08: what needs no day goes on; all does when the clock is set right."""
    world.stop()
    system.set_ns = SPIKE_NS
    world.start()
    world.warned("far after what was noted last")
    assert "CLOCK_DOUBTED: " in world.refused("approve", by="bo", proposal=world.waiting)
    assert world.ask("balance", account="P001")["balances"]
    (proposal,) = world.ask("proposals")["proposals"]
    assert proposal["state"] == "waiting"
    assert world.freeze_states() == ["in_force"]
    system.set_ns = 0
    world.right()
    world.ask("approve", by="bo", proposal=world.waiting)
    assert world.dates() == {20260302}


@pytest.mark.e2e
def test_a_start_after_a_long_stop_waits_for_the_venue(world, system):
    """CEA-REG-08: the trading dates of its records say that the days have passed."""
    world.stop()
    system.passed_ns += 9 * DAY_NS
    world.start()
    world.warned("far after what was noted last")
    assert world.freeze_states() == ["in_force"]
    record = np.zeros(1, EVENT_DTYPE)
    record["kind"], record["trading_date"] = EventKind.DAY_OPENED, 20260311
    record["seq"] = record["settlement_seq"] = 1
    venue = FakeVenue(world.data, "log-1", record)
    try:
        venue.publish(1, 1, lost=True)
        world.right()
    finally:
        venue.close()
    wait_until(lambda: world.freeze_states() == ["expired"])
    assert world.dates() == {20260302, 20260311}


@pytest.mark.e2e
def test_a_start_after_a_long_stop_waits_for_two_persons(world, system):
    """CEA-REG-08: where the venue was stopped as well."""
    world.stop()
    system.passed_ns += 9 * DAY_NS
    world.start()
    assert "date: expected the clock's 20260311" in world.refused("clock_confirm", date=20260310)
    proposal = world.ask("clock_confirm", date=20260311)["proposal"]
    world.warned("far after what was noted last")
    assert world.freeze_states() == ["in_force"]
    world.ask("approve", by="bo", proposal=proposal)
    world.right()
    wait_until(lambda: world.freeze_states() == ["expired"])
    world.stop()
    world.start()
    assert world.ask("status")["clock_warning"] is None


@pytest.mark.e2e
def test_a_manual_clock_is_moved_by_two(tmp_path):
    setting = ClockSetting(kind="manual", start="2026-03-02T12:00:00+08:00")
    world = World(tmp_path, clock=setting)
    try:
        prepare(tmp_path)
        world.start()
        frozen = {"account": "P001", "product": "CEA24", "amount": 1, "until": 20260302}
        world.ask("freeze", **frozen, **ORDER)
        tomorrow = "2026-03-03T00:00:00+08:00"
        assert "at: expected not before" in world.refused("clock_move", at="2026-03-01T00:00:00Z")
        assert "ISO 8601" in world.refused("clock_move", at="soon")
        proposal = world.ask("clock_move", at=tomorrow)["proposal"]
        assert world.ask("status")["time"] == "2026-03-02T12:00:00+08:00"
        world.ask("approve", by="bo", proposal=proposal)
        wait_until(lambda: world.ask("status")["time"] == tomorrow)
        wait_until(lambda: world.freeze_states() == ["expired"])
        # It goes on from there.
        world.stop()
        world.start()
        assert world.ask("status")["time"] == tomorrow
    finally:
        world.stop()
