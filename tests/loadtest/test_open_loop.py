"""The open loop keeps to its times, counts from them, and loses no count of what comes back."""

import dataclasses
import time

import numpy as np
import pytest

from cea_exchange.domain.records import CommandKind, Side
from cea_exchange.loadtest.flow.arrivals import arrivals_parse
from cea_exchange.loadtest.flow.plan import depth_draw, plan_draw
from cea_exchange.loadtest.flow.workload import (
    LABELS,
    Workload,
    WorkloadError,
    workload_find,
    workload_read,
)
from cea_exchange.loadtest.results.figures import Columns, figures_of, void_reason
from cea_exchange.loadtest.sending.notes import Counts
from cea_exchange.loadtest.sending.open_loop import BATCH_MAX, OpenLoop, Stop
from cea_exchange.loadtest.targets import Outcome, Participants, Report, Target, TargetError
from cea_exchange.loadtest.targets.book import EmbeddedBook
from cea_exchange.loadtest.targets.echo import EchoCall, EchoProcess
from cea_exchange.loadtest.targets.market import EmbeddedMarket

pytestmark = pytest.mark.unit

PRODUCTS = {"CEA23": 9749, "CEA24": 9749}
SIDES = [[Side.BUY, Side.BUY], [Side.SELL, Side.SELL]]
PARTICIPANTS = Participants(
    [f"p{number}" for number in range(8)],
    list(PRODUCTS),
    list(PRODUCTS.values()),
    [SIDES[number % 2] for number in range(8)],
    list(range(8)),
)


def workload(**changes):
    return Workload(**{"mix": {"passive": 6, "aggressive": 2, "cancel": 2}, "products": PRODUCTS,
                       "participants": 8, **changes})  # fmt: skip


def loop_of(target, *, rate=20_000, seconds=0.1, stop=None, **changes):
    of = workload(**changes)
    times = arrivals_parse("constant", rate=rate, seconds=seconds).times(1)
    plan = plan_draw(of, times, PARTICIPANTS, seed=1, process_index=0)
    target.connect(PARTICIPANTS)
    return OpenLoop(target, of, plan, stop=stop or Stop())


def figures(loop, tmp_path, counts=None):
    loop.notes.write(tmp_path / "columns.npz")
    counts = counts or loop.notes.counts()
    return figures_of(Columns([tmp_path / "columns.npz"]), [counts], measured_after_ns=0)


class Answering(Target):
    """Answers as the test says; nothing of it waits."""

    def __init__(self, answers):
        self.answers, self.commands, self.ready = answers, [], []

    def connect(self, participants):
        pass

    def send(self, commands):
        self.commands += commands
        for command in commands:
            self.ready += self.answers(command)

    def poll(self, timeout_s):
        ready, self.ready = self.ready, []
        return ready

    def close(self):
        pass


def accepted(command):
    return [Report(Outcome.ACCEPTED, command.number, command.tonnes)]


def test_a_stall_of_the_system_is_charged_to_all_that_was_due_in_it(tmp_path):
    class Stalling(EchoCall):
        """Keeps its caller for a tenth of a second, once."""

        stalled = False

        def send(self, commands):
            if not self.stalled and commands[0].number > 100:
                self.stalled = True
                time.sleep(0.1)
            super().send(commands)

    found = figures(run(loop_of(Stalling(), rate=2_000, seconds=0.3)), tmp_path)
    # 200 of 600 were due while nothing moved: half of them waited for 50 ms or more.
    assert found.answered == 600
    assert found.latency.p90 > 50e6
    assert found.latency.max > 95e6


def run(loop):
    loop.run(time.monotonic_ns() + 5_000_000)
    return loop


class Ticking:
    """A clock that goes on by 10 us with every look at it."""

    tick_ns = 10_000

    def __init__(self):
        self.now_ns = 1

    def monotonic_ns(self):
        self.now_ns += self.tick_ns
        return self.now_ns

    def monotonic(self):
        return self.monotonic_ns() / 1e9


class Writing(Answering):
    """Says when its write began, which takes a millisecond."""

    def __init__(self, clock, write_ns=1_000_000):
        super().__init__(accepted)
        self.clock, self.write_ns = clock, write_ns
        self.prepared_ns, self.written_ns = {}, {}

    def prepare(self, command):
        self.prepared_ns[command.number] = self.clock.monotonic_ns()

    def send(self, commands):
        super().send(commands)
        written_ns = self.clock.monotonic_ns()
        self.written_ns |= {command.number: written_ns for command in commands}
        self.clock.now_ns += self.write_ns
        return written_ns


def test_what_a_write_takes_is_not_lateness(monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", clock := Ticking())
    loop = loop_of(target := Writing(clock), rate=100, seconds=0.3)
    loop.run(0)
    assert list(loop.notes.column("left_ns")) == list(target.written_ns.values())
    assert len(target.written_ns) == 30


def test_a_command_is_prepared_before_it_is_due_and_leaves_no_sooner(monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", clock := Ticking())
    loop = loop_of(target := Writing(clock), rate=100, seconds=0.3)
    loop.run(0)
    due_ns = dict(enumerate(loop.notes.column("due_ns"), 1))
    # All but the first, which is due at once.
    assert len(target.prepared_ns) == 29
    for number, prepared_ns in target.prepared_ns.items():
        assert prepared_ns < due_ns[number] <= target.written_ns[number]


def test_a_command_is_prepared_however_little_time_is_between_two(monkeypatch):
    clock = Ticking()
    clock.tick_ns = 100
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", clock)
    loop = loop_of(target := Writing(clock, write_ns=0), rate=20_000, seconds=0.01)
    loop.run(0)
    assert len(target.prepared_ns) > 150


def test_who_looks_on_is_shown_the_answers_between_two_bursts(monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", clock := Ticking())
    of = workload(mix={"passive": 1})
    times = arrivals_parse("bursts:size=50", rate=50, seconds=3).times(1)
    plan = plan_draw(of, times, PARTICIPANTS, seed=1, process_index=0)
    shown = []
    target = Answering(accepted)
    loop = OpenLoop(
        target, of, plan, look=lambda notes: shown.append((clock.now_ns, notes.unanswered))
    )
    loop.run(0)
    assert 0 in {unanswered for at_ns, unanswered in shown if 1e8 < at_ns < 9e8}


def test_a_run_that_is_stopped_sends_no_more(monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", clock := Ticking())
    loop = loop_of(Writing(clock), rate=100, seconds=0.3, stop=Stop(commands=7))
    loop.run(0)
    assert loop.notes.sent == 7


def test_a_moment_that_is_none_of_the_call_is_refused():
    class Counting(Answering):
        """Returns how many bytes it wrote, as a socket does."""

        def send(self, commands):
            super().send(commands)
            return 42

    with pytest.raises(TargetError, match=r"send: expected None or a moment .*, got 42"):
        run(loop_of(Counting(accepted), rate=100, seconds=0.1))


def taken_slowly(clock, trade):
    def slow(report):
        clock.now_ns += 10_000
        trade(report)

    return slow


def test_what_is_due_leaves_before_reports_that_wait(monkeypatch):
    reports = 1_000

    def much_at_once(command):
        trades = reports if command.number == 1 else 0
        return accepted(command) + [Report(Outcome.TRADED, command.number, trade=7)] * trades

    clock = Ticking()
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", clock)
    loop = loop_of(Answering(much_at_once), rate=2_000, seconds=0.1, mix={"passive": 1})
    monkeypatch.setattr(loop.notes, "trade", taken_slowly(clock, loop.notes.trade))
    result = loop.run(0)
    late_ns = loop.notes.column("left_ns") - loop.notes.column("due_ns")
    # One after the other, and all before the next command, they would have taken 10 ms.
    assert late_ns.max() < 100_000
    assert loop.notes.answered == len(loop.plan) == 200
    assert loop.notes.trades[7] == reports
    assert result.done_s < 0.2


def test_a_loop_behind_its_times_takes_reports_all_the_same(monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.time", Ticking())
    unanswered = []

    def seen(command):
        unanswered.append(loop.notes.unanswered)
        return accepted(command)

    loop = loop_of(Answering(seen), rate=1_000_000, seconds=0.01, mix={"passive": 1})
    loop.run(0)
    assert loop.notes.answered == 10_000
    assert max(unanswered) <= BATCH_MAX


@pytest.mark.parametrize("target", [EchoCall, EchoProcess, EmbeddedBook, EmbeddedMarket])
def test_every_command_of_a_plan_is_answered_once_by_who_answers_all(target, tmp_path):
    loop = loop_of(target())
    run(loop)
    found = figures(loop, tmp_path)
    assert found.commands == found.answered == len(loop.plan) == 2_000
    assert found.losses() == []
    assert loop.target.reconcile().differences == []
    loop.target.close()


@pytest.mark.parametrize("target", [EmbeddedBook, EmbeddedMarket])
def test_what_is_embedded_trades_and_its_tonnes_are_accounted_for(target, tmp_path):
    loop = loop_of(target(), refused=0.05)
    loop.fill(depth_draw(loop.workload, 300, PARTICIPANTS, seed=1, process_index=0))
    run(loop)
    loop.settle()
    found = figures(loop, tmp_path)
    assert found.trades > 50 and found.trades_one_sided == 0
    assert found.sent_by_kind["depth"] == 300 and "depth" not in found.by_kind
    # Those meant to be refused are, each of them.
    assert found.refused_by_kind["refused"] == found.sent_by_kind["refused"] > 50
    assert loop.target.reconcile().differences == []


def test_blocks_are_offered_and_answered_in_an_embedded_market(tmp_path):
    loop = run(loop_of(EmbeddedMarket(), mix={"passive": 5, "block_offer": 1}, rate=2_000))
    loop.settle()
    found = figures(loop, tmp_path)
    assert found.sent_by_kind["block_accept"] > 10
    assert found.trades >= found.sent_by_kind["block_accept"]
    assert found.losses() == loop.target.reconcile().differences == []


def test_who_buys_bids_in_an_embedded_markets_biddings(tmp_path):
    mix = {"passive": 5, "bid": 10, "bid_cancel": 3}
    loop = loop_of(EmbeddedMarket(), mix=mix, rate=2_000, seconds=0.5, orders_live_max=6)
    found = figures(run(loop), tmp_path)
    assert found.refused == {} and found.sent_by_kind["bid"] > 50
    # Asked for, and where there was no room for more.
    assert found.sent_by_kind["bid_cancel"] > 20
    reconciled = loop.target.reconcile()
    assert reconciled.differences == []
    bids = found.sent_by_kind["bid"] - found.sent_by_kind["bid_cancel"]
    assert reconciled.checked["bids"] == bids > 0


def test_nobody_bids_who_does_not_buy():
    times = arrivals_parse("constant", rate=1_000, seconds=0.1).times(1)
    of = workload(mix={"bid": 1})
    plan = plan_draw(of, times, PARTICIPANTS, seed=1, process_index=0)
    assert set(plan.column("participant").tolist()) == {0, 2, 4, 6}
    sellers = dataclasses.replace(PARTICIPANTS, hosted=[1, 3])
    with pytest.raises(WorkloadError, match="bid: expected a participant"):
        plan_draw(of, times, sellers, seed=1, process_index=0)


def test_a_market_whose_order_is_not_ours_is_found_out():
    loop = run(loop_of(EmbeddedMarket()))
    loop.target._ids.ended(next(iter(loop.target._ids.numbers)))
    assert "orders were open" in loop.target.reconcile().differences[0]


def test_a_book_that_has_lost_an_order_is_found_out():
    loop = loop_of(EmbeddedBook())
    run(loop)
    open_orders = loop.target._open
    open_orders.pop(next(iter(open_orders)))
    assert "orders were open" in loop.target.reconcile().differences[0]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (lambda command: accepted(command) * 2, "200 commands were answered twice"),
        (lambda command: [*accepted(command), Report(Outcome.ACCEPTED, 10**6)],
         "200 answers were to no command that was sent"),
        (lambda command: [*accepted(command), Report(Outcome.TRADED, command.number, 5,
                                                     trade=command.number)],
         "200 trades were reported to one side only"),
    ],
)  # fmt: skip
def test_what_is_doubled_or_one_sided_is_found(answers, expected, tmp_path):
    loop = run(loop_of(Answering(answers), rate=2_000))
    assert figures(loop, tmp_path).losses() == [expected]


def test_what_has_no_answer_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.ANSWERS_S_MAX", 0.01)
    silent = Answering(lambda command: accepted(command) if command.number % 10 else [])
    found = figures(run(loop_of(silent, rate=1_000)), tmp_path)
    assert found.losses() == ["10 of 100 commands have no answer"]


def test_a_cancel_is_aimed_at_an_open_order_of_the_same_participant_once():
    target = Answering(accepted)
    run(loop_of(target, mix={"passive": 5, "cancel": 5}))
    entered = {each.number: each for each in target.commands if each.kind == CommandKind.ENTER}
    cancels = [each for each in target.commands if each.kind == CommandKind.CANCEL]
    assert len(cancels) > 500
    assert len({each.order for each in cancels}) == len(cancels)
    for each in cancels:
        order = entered[each.order]
        assert order.participant == each.participant
        assert (order.product, order.side) == (each.product, each.side)


def test_who_has_too_many_orders_takes_one_back():
    target = Answering(accepted)
    run(loop_of(target, mix={"passive": 1}, orders_live_max=3))
    kinds = [each.kind for each in target.commands]
    # They fill up, and then every other command takes back; but for what is not answered yet.
    assert kinds.count(CommandKind.CANCEL) > len(kinds) * 0.4


@pytest.mark.parametrize(
    ("stop", "answers", "expected"),
    [
        (Stop(commands=500), accepted, "commands were sent"),
        (Stop(unanswered=300), lambda command: [], "commands were unanswered"),
        (Stop(refused=0.5), lambda command: [Report(Outcome.REJECTED, command.number, code="NO")],
         "were refusals"),
    ],
)  # fmt: skip
def test_a_condition_stops_the_run_early(stop, answers, expected, monkeypatch):
    monkeypatch.setattr("cea_exchange.loadtest.sending.open_loop.ANSWERS_S_MAX", 0.01)
    loop = loop_of(Answering(answers), stop=stop)
    result = loop.run(time.monotonic_ns())
    assert expected in result.stopped
    assert loop.notes.sent < len(loop.plan)


def test_another_ones_block_is_answered_at_once():
    def asks(command):
        block = command.number if command.kind == CommandKind.BLOCK_OFFER else 0
        asked = [Report(Outcome.ASKED, participant=command.counterparty, block=block)]
        return accepted(command) + (asked if block else [])

    target = Answering(asks)
    loop = run(loop_of(target, mix={"block_offer": 1}, rate=2_000, block_reject=0.3))
    offers = {each.number: each for each in target.commands if not each.block}
    answers = [each for each in target.commands if each.block]
    assert len(offers) == len(answers) == 200
    for each in answers:
        offer = offers[each.block]
        assert each.participant == offer.counterparty
        assert SIDES[each.participant % 2] != SIDES[offer.participant % 2]
    declined = sum(each.kind == CommandKind.BLOCK_REJECT for each in answers)
    assert 30 < declined < 90
    assert loop.notes.label.count(LABELS.index("block_accept")) == 200 - declined


def test_plans_of_several_processes_are_parts_of_one_schedule():
    times = arrivals_parse("poisson", rate=1_000, seconds=1).times(5)
    parts = [times[index::3] for index in range(3)]
    assert np.array_equal(np.sort(np.concatenate(parts)), times)
    hosted = dataclasses.replace(PARTICIPANTS, hosted=[1, 4, 7])
    plan = plan_draw(workload(), parts[1], hosted, seed=5, process_index=1)
    assert set(plan.column("participant").tolist()) == {1, 4, 7}
    again = plan_draw(workload(), parts[1], hosted, seed=5, process_index=1)
    assert plan.rows(0, len(plan)) == again.rows(0, len(again))


def test_a_run_is_void_whose_commands_left_late():
    due = np.arange(1_000, dtype=np.int64) * 1_000_000
    counts = [Counts()]

    def found(late_ns, latency_ns, tmp):
        columns = {
            "due_ns": due, "left_ns": due + late_ns, "answered_ns": due + latency_ns,
            "label": np.zeros(1_000, np.int64), "participant": np.zeros(1_000, np.int64),
            "outcome": np.ones(1_000, np.int64),
        }  # fmt: skip
        held = Columns.__new__(Columns)
        held._columns = columns
        return figures_of(held, counts, measured_after_ns=-1)

    assert void_reason(found(90_000, 1_000_000, due)) == ""
    assert "got 0.110 ms" in void_reason(found(110_000, 1_000_000, due))


def test_the_named_workloads_can_all_be_drawn():
    times = arrivals_parse("constant", rate=1_000, seconds=1).times(1)
    for name in ("trading_day", "quotes", "takers", "cancel_heavy", "year", "blocks", "biddings"):
        of = workload_find(name)
        of = Workload(**{field: getattr(of, field) for field in of.__struct_fields__}
                      | {"products": PRODUCTS})  # fmt: skip
        plan = plan_draw(of, times, PARTICIPANTS, seed=1, process_index=0)
        prices = plan.column("price")
        assert ((prices > 9749 * 0.9) & (prices < 9749 * 1.1)).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mix = {}", "mix: expected weights"),
        ("mix = { rush = 1 }", "got 'rush'"),
        ("mix = { passive = 1 }\nrefused = 2.0", "refused: expected a share"),
        ("mix = { passive = 1 }\nparticipants = 1", "at least 2"),
        ("mix = { passive = 1 }\ntonnes = []", "tonnes: expected"),
        ("mix = { passive = 1 }\nspeed = 1", "unknown field `speed`"),
        ("mix = ", "workload here"),
    ],
)
def test_a_workload_that_is_none_is_one_clear_line(text, expected):
    with pytest.raises(ValueError, match="workload here") as error:
        workload_read(text, "here")
    assert expected in str(error.value)
