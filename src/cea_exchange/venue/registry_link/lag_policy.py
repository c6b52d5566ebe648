"""Measures how far the registry is behind, and decides what the venue does about it.

    normal -> warn -> throttle -> cancel_only -> halt, and back by itself

The level is decided here, by the daemon's monotonic clock, and journaled as a control message; the
state machine only keeps it, so replay and a restart come to the same level. Rules: CEA-LAG-01.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

import msgspec
import structlog

from cea_exchange.protocol import control
from cea_exchange.venue.config import LagSetting
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.order_entry.gateway import Gateway
from cea_exchange.venue.refusals import ActRefusal
from cea_exchange.venue.registry_link.link import RegistryLink

LEVELS = ("normal", "warn", "throttle", "cancel_only", "halt")
SAMPLE_COUNT_MAX = 4_096
AWAY_S_MAX = 2.0
"""From one look to the next, a tenth of a second as a rule; more, and the venue stood still."""

log = structlog.get_logger("venue")


class Lag(msgspec.Struct, frozen=True):
    """How far the registry is behind.

    Attributes
    ----------
    records
        Settlement records it has not yet said to have applied.
    seconds
        Since the oldest of them came into being, or since it last answered; the longer of both.
    """

    records: int = 0
    seconds: float = 0.0


class LagMeter:
    """Knows which settlement sequence was reached when, at a bounded number of moments.

    Parameters
    ----------
    settlement_seq, now_s
        Where the stream stands at the start, and when that is (any clock that doesn't go back).
    """

    def __init__(self, settlement_seq: int, now_s: float) -> None:
        self._samples = deque([(settlement_seq, now_s)])
        self._answered_s = self._taken_s = now_s

    def take(
        self, settlement_seq: int, settled_seq: int, answered_s: float | None, now_s: float
    ) -> Lag:
        """Return the lag as it is now.

        Parameters
        ----------
        settlement_seq, settled_seq
            How far the stream is, and how far the registry has said it is.
        answered_s
            When it said so last; None if it never did since the start.
        now_s
            The time.
        """
        self._forgive(now_s)
        samples = self._samples
        if not samples or samples[-1][0] < settlement_seq:
            if len(samples) >= SAMPLE_COUNT_MAX:
                # Half of them will do; the oldest stays.
                self._samples = samples = deque(islice(samples, 0, None, 2))
            samples.append((settlement_seq, now_s))
        while samples and samples[0][0] <= settled_seq:
            samples.popleft()
        self._answered_s = max(self._answered_s, answered_s or 0.0)
        since_s = min(self._answered_s, samples[0][1]) if samples else self._answered_s
        return Lag(max(0, settlement_seq - settled_seq), max(0.0, now_s - since_s))

    def _forgive(self, now_s: float) -> None:
        """Where the venue itself stood still, the registry could neither be heard nor be late."""
        away_s, self._taken_s = now_s - self._taken_s, now_s
        if away_s > AWAY_S_MAX:
            self._answered_s += away_s
            self._samples = deque((seq, at_s + away_s) for seq, at_s in self._samples)


def level_next(level: str, lag: Lag, setting: LagSetting) -> str:
    """Return the level that a lag calls for.

    It rises as soon as records or seconds reach a threshold. It falls only when both are below
    `recover_percent` of it, so that a lag around a threshold doesn't make it flap.
    """
    rank = LEVELS.index(level)
    for higher in range(len(LEVELS) - 1, 0, -1):
        percent = setting.recover_percent if higher <= rank else 100
        records, seconds = getattr(setting, LEVELS[higher])
        if (records and 100 * lag.records >= percent * records) or (
            seconds and 100 * lag.seconds >= percent * seconds
        ):
            return LEVELS[higher]
    return LEVELS[0]


class LagPolicy:
    """Steps in as the registry falls behind, and out again as it catches up.

    Parameters
    ----------
    machine, registry, gateway
        The market, the one that may be behind, and what throttles and refuses meanwhile.
    setting
        The thresholds.
    run_controls
        Journals acts, releases their events, and returns the refusals.
    now_s
        The monotonic time at the start.

    Attributes
    ----------
    lag : Lag
        As it was at the last turn.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        registry: RegistryLink,
        gateway: Gateway,
        setting: LagSetting,
        *,
        run_controls: Callable[[list[control.Control]], list[ActRefusal]],
        now_s: float,
    ) -> None:
        self._machine = machine
        self._registry = registry
        self._gateway = gateway
        self._setting = setting
        self._run_controls = run_controls
        self._meter = LagMeter(machine.core.settlement_seq, now_s)
        self.lag = Lag()
        self._gateway_set()

    def turn(self, now_s: float) -> None:
        """Measure, and change the level if it is due.

        Notes
        -----
        Until the registry has answered since the start the journaled level stays: only cancels are
        taken then, and nothing may be journaled that could hide a lost tail.
        """
        registry = self._registry
        if registry.is_awaited:
            return
        seq = self._machine.core.settlement_seq
        self.lag = self._meter.take(seq, registry.settled_seq, registry.answered_s, now_s)
        level = level_next(self._machine.lag_level, self.lag, self._setting)
        if level != self._machine.lag_level:
            figures = {"lag_records": self.lag.records, "lag_s": int(self.lag.seconds)}
            # Without room on the disk it is tried again next turn; orders are refused anyway.
            if self._run_controls([control.LagLevelSet(level=level, **figures)]) == [None]:
                write = log.info if level == "normal" else log.warning
                write("lag_level", lag_level=level, **figures)
        self._gateway_set()

    def _gateway_set(self) -> None:
        level = self._machine.lag_level
        behind = f"the registry is {self.lag.records} records, {self.lag.seconds:.0f} s behind"
        reasons = {"cancel_only": behind, "halt": f"market halted: {behind}"}
        self._gateway.cancels_only_for_lag = reasons.get(level, "")
        rate = self._setting.throttle_per_second
        self._gateway.throttle_for_lag = rate if level == "throttle" else 0
