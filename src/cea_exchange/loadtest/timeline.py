"""A run as it passed: what was sent and answered, the target's metrics and the machine's."""

from collections.abc import Callable

import msgspec

from cea_exchange.loadtest.machine import MachineCounters

SAMPLE_S = 0.5


class Timeline(msgspec.Struct, kw_only=True):
    """Columns of one length.

    Attributes
    ----------
    s : list of float
        When, since the first command was due.
    columns : dict
        What was seen, by name; None where a sample had no such thing.
    """

    s: list[float] = []
    columns: dict[str, list[float | None]] = {}

    def add(self, at_s: float, sample: dict[str, float]) -> None:
        """Add a sample."""
        for name in sample.keys() - self.columns.keys():
            self.columns[name] = [None] * len(self.s)
        self.s.append(round(at_s, 3))
        for name, values in self.columns.items():
            values.append(sample.get(name))


class Sampler:
    """Fills a timeline while a run is on.

    Parameters
    ----------
    seen : callable
        Returns what the sending processes last said.
    processes : callable
        Returns process ids by name.
    metrics : callable
        Returns the target's own figures.
    """

    def __init__(
        self,
        seen: Callable[[], dict[str, float]],
        processes: Callable[[], dict[str, int]],
        metrics: Callable[[], dict[str, float]],
    ) -> None:
        self.timeline = Timeline()
        self.latest: dict[str, float] = {}
        self._seen, self._processes, self._metrics = seen, processes, metrics
        self._machine = MachineCounters()
        self._next_s = 0.0
        self._last: tuple[float, dict[str, float]] = (0.0, {})

    def turn(self, now_s: float) -> bool:
        """Take a sample, if it is time; say whether one was taken."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + SAMPLE_S
        seen = self._seen()
        last_s, last = self._last
        self._last = now_s, seen
        sample = dict(seen)
        for name in ("sent", "answered", "refused"):
            if name in last and now_s > last_s:
                rate = (seen.get(name, 0) - last[name]) / (now_s - last_s)
                sample[f"{name} a second"] = round(rate, 1)
        sample["unanswered"] = seen.get("sent", 0) - seen.get("answered", 0)
        sample |= self._machine.look(now_s, self._processes())
        sample |= {f"target {name}": value for name, value in self._metrics().items()}
        self.latest = sample
        self.timeline.add(now_s, sample)
        return True
