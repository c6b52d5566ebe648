"""Brings about faults at their times, and ends them."""

import heapq
import itertools
from collections.abc import Callable
from functools import partial

import zmq

from cea_exchange.loadtest.faults.fault import PROXIED, Fault
from cea_exchange.loadtest.stands.stand import Stand, StandError
from cea_exchange.loadtest.stands.venue import OwnExchange

Act = Callable[[], None]


class Acts:
    """The faults of a run, as acts of the thread that has started the processes.

    A child that shall end with its parent is bound to the thread that started it, so nobody
    else may start one again.

    Attributes
    ----------
    done : list of (float, str)
        What happened, and when.
    """

    def __init__(self, faults: list[Fault], stand: Stand) -> None:
        self._stand = stand
        self._order = itertools.count()
        self._due: list[tuple[float, int, str, Act]] = []
        self._subscriber: zmq.Context[zmq.Socket[bytes]] | None = None
        self.done: list[tuple[float, str]] = []
        for fault in faults:
            self._check(fault)
            self._add(fault.at_s, fault.text, partial(self._begin, fault))
            end = self._end_of(fault)
            if end is not None:
                self._add(fault.at_s + fault.lasts_s, f"{fault.text}: over", end)

    def _add(self, at_s: float, text: str, act: Act) -> None:
        heapq.heappush(self._due, (at_s, next(self._order), text, act))

    def turn(self, now_s: float) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= now_s:
            _, _, text, act = heapq.heappop(self._due)
            act()
            self.done.append((round(now_s, 3), text))

    def finish(self, now_s: float) -> None:
        """End what still lasts: a run that stopped early leaves nothing behind."""
        while self._due:
            _, _, text, act = heapq.heappop(self._due)
            if text.endswith(": over"):
                act()
                self.done.append((round(now_s, 3), text))
        self.close()

    def close(self) -> None:
        """Close what a fault has opened."""
        if self._subscriber is not None:
            self._subscriber.destroy(linger=0)
            self._subscriber = None

    # -- Each fault -------------------------------------------------------------------------------

    def _check(self, fault: Fault) -> None:
        stand = self._stand
        if fault.process:
            names = list(stand.process_ids())
            if fault.process not in names:
                shown = ", ".join(names) or "a system that this run starts"
                raise StandError(f"fault {fault.name}: expected {shown}, got {fault.process}")
        elif not (isinstance(stand, OwnExchange) or (fault.name in PROXIED and stand.proxy)):
            raise StandError(f"fault {fault.name}: expected a venue that this run starts")

    def _begin(self, fault: Fault) -> None:
        stand = self._stand
        if fault.name == "kill":
            stand.kill(fault.process)
            return
        if fault.name == "pause":
            stand.pause(fault.process)
            return
        if fault.name in PROXIED:
            assert stand.proxy is not None
            if fault.name == "drop":
                stand.proxy.drop()
            else:
                stand.proxy.delay(fault.number)
            return
        assert isinstance(stand, OwnExchange)
        if fault.name == "full_disk":
            stand.disk_fault("full")
        elif fault.name == "slow_disk":
            stand.disk_fault(f"slow {fault.number:.0f}")
        elif fault.name == "clock_step":
            stand.clock_step(fault.number)
        else:
            self._subscriber = zmq.Context()
            stand.subscriber(self._subscriber)

    def _end_of(self, fault: Fault) -> Act | None:
        stand = self._stand
        if fault.name == "kill":
            return lambda: stand.begin(fault.process)
        if fault.name == "pause":
            return lambda: stand.resume(fault.process)
        if fault.name == "delay":
            return lambda: stand.proxy.delay(0.0) if stand.proxy is not None else None
        if not isinstance(stand, OwnExchange):
            return None
        if fault.name in ("full_disk", "slow_disk"):
            return lambda: stand.disk_fault("")
        if fault.name == "slow_subscriber":
            return self.close
        return None
