"""The script that shows an alert, command by command, forward and back.

A reproducer has as few commands as will do, so that a step back begins it anew.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.supervision.sources import ScriptTape
from cea_exchange.supervision.stepping.moments import (
    Moment,
    Names,
    books_seen,
    events_seen,
    holdings_seen,
)

_NO_EVENTS = np.zeros(0, EVENT_DTYPE)


class ScriptSteps:
    """A market script, at one of its commands.

    Parameters
    ----------
    script
        Its commands, as fields.
    profile
        The rules.
    """

    def __init__(self, script: Sequence[dict[str, Any]], profile: Profile) -> None:
        self.script = list(script)
        self._profile = profile
        self._begin()

    def _begin(self) -> None:
        self._tape, self._place, self._said = ScriptTape(self._profile), 0, 0

    @property
    def count(self) -> int:
        """How many commands it has."""
        return len(self.script)

    def at(self, place: int, accounts: Sequence[str] = ()) -> Moment:
        """Return how the market stands behind a command, from 1 on; 0 is before the first.

        Parameters
        ----------
        place
            One that is beyond an end is that end.
        accounts
            Whose holdings are shown.
        """
        place = min(max(place, 0), self.count)
        if place <= self._place:
            self._begin()
        while self._place < place:
            self._said = len(self._tape.tape().events)
            self._tape.play(self.script[self._place])
            self._place += 1
        tape = self._tape.tape()
        names = Names(tape.products, tape.accounts)
        core = self._tape.market.core
        rows = tape.events[self._said :] if place else _NO_EVENTS
        times = [int(each) for each in tape.time_ns[len(tape.events) - len(rows) :]]
        seen = events_seen(rows, times, names)
        known = [name for name in accounts if name in names.accounts]
        return Moment(
            at=place,
            steps=self.count,
            time_ns=int(tape.time_ns[-1]) if len(tape.time_ns) else 0,
            trading_date=core.trading_date,
            phase=core.phase.name.lower(),
            is_halted=core.market_halted,
            settlement_seq=core.settlement_seq,
            state_hash=core.state_hash(),
            events=tuple(seen),
            current=len(seen) - 1,
            books=books_seen(core, names),
            holdings=holdings_seen(core, names, known),
        )
