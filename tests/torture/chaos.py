"""What happens to whom, and when: kills and pauses drawn from a seed.

A kill is SIGKILL, and the process is started again on the same data; a pause is SIGSTOP, and the
process goes on where it stood. Only processes of the run are touched, by the handles of their
parent.
"""

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

KILL, PAUSE = "kill", "pause"
PAUSES_PER_KILL = 0.3
POSTPONED_S = 0.05
RUSH_SHARE = 0.15
"""Of the acts that follow the one before at once: two processes are then down together."""


class Victim(Protocol):
    """A process that can be killed, started again, paused and resumed."""

    name: str

    def kill(self) -> None: ...
    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(frozen=True)
class Act:
    """One kill or pause.

    Attributes
    ----------
    after_s
        Time since the act before.
    target
        `venue`, `registry`, or a participant's name.
    down_s
        How long the process stays dead or stopped.
    """

    after_s: float
    kind: str
    target: str
    down_s: float


def acts_draw(
    seed: int,
    kills: int,
    clients: list[str],
    *,
    pace_s: float,
    silence_s: float,
    victims: tuple[str, ...] = (),
) -> list[Act]:
    """Draw the acts of a run.

    Parameters
    ----------
    seed : int
        Decides everything.
    kills : int
        How many kills; about a third as many pauses come on top.
    clients : list of str
        The participants' names; venue and registry get three quarters of the acts.
    pace_s : float
        Mean time between two acts.
    silence_s : float
        The venue's limit of silence; some of the pauses are longer.
    victims : tuple of str
        Draw from these names instead, one like the other.
    """
    draw = random.Random(f"chaos {seed}")
    kinds = [KILL] * kills + [PAUSE] * round(kills * PAUSES_PER_KILL)
    draw.shuffle(kinds)
    acts = []
    for kind in kinds:
        after_s = 0.05 if draw.random() < RUSH_SHARE else draw.uniform(0.3, 2.0) * pace_s
        target = draw.choices(("venue", "registry", draw.choice(clients)), (40, 35, 25))[0]
        if victims:
            target = draw.choice(victims)
        down_s = draw.uniform(0.0, 0.5)
        if draw.random() < 0.2:
            down_s = draw.uniform(1.0, 1.5) * silence_s
        acts.append(Act(after_s, kind, target, down_s))
    return acts


class Chaos:
    """Does the acts in their turn; `turn` is called all the time.

    Attributes
    ----------
    acts : list of Act
        What there is to do.
    done : int
        Acts begun.
    counts : Counter
        By (kind, `venue`, `registry` or `client`).
    """

    def __init__(
        self, victims: list[Victim], acts: list[Act], before: Callable[[Act], None]
    ) -> None:
        self.done = 0
        self.counts: Counter = Counter()
        self._victims = {victim.name: victim for victim in victims}
        self.acts = acts
        self._before = before
        self._due_at = time.monotonic()
        self._ups: list[tuple[float, str, str]] = []

    def is_down(self, name: str) -> bool:
        """Whether a process is dead or stopped because of an act."""
        return any(name == down for _, down, _ in self._ups)

    def turn(self, limit: int) -> None:
        """Do what is due, but begin no more than `limit` acts in all."""
        now = time.monotonic()
        while self._ups and self._ups[0][0] <= now:
            self._up(*heapq.heappop(self._ups)[1:])
        if self.done >= min(limit, len(self.acts)):
            self._due_at = max(self._due_at, now)
            return
        act = self.acts[self.done]
        if now < self._due_at + act.after_s:
            return
        if self.is_down(act.target):
            self._due_at = now + POSTPONED_S - act.after_s
            return
        self._due_at = now
        self.done += 1
        self._before(act)
        victim = self._victims[act.target]
        getattr(victim, act.kind)()
        whose = act.target if act.target in ("venue", "registry") else "client"
        self.counts[act.kind, whose] += 1
        heapq.heappush(self._ups, (now + act.down_s, act.target, act.kind))

    def calm(self) -> None:
        """Bring everything up again, at once."""
        while self._ups:
            self._up(*heapq.heappop(self._ups)[1:])

    def _up(self, name: str, kind: str) -> None:
        victim = self._victims[name]
        if kind == KILL:
            victim.start()
        else:
            victim.resume()
