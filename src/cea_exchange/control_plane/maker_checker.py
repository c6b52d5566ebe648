"""Keeps acts that take two persons: one proposes, another approves, then it is done.

A daemon with a database keeps proposals there; `Proposals` has them in memory only: a daemon that
starts again has none, and none of its numbers means what an earlier one meant.
"""

import secrets
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cea_exchange.control_plane.service import Person
from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol.framing import FrameError

if TYPE_CHECKING:
    from cea_exchange.protocol.operators import Operator

PROPOSALS_MAX = 100
NUMBER_FIRST = 100_000


class Second(Enum):
    """Whose person approves, where all who may act are of one body."""

    OPERATOR = "another operator"


class Prepared(NamedTuple):
    """What a second person is to agree to.

    Attributes
    ----------
    what
        In words, for who is to agree.
    carry_out
        Does it; called with who agreed.
    """

    what: str
    carry_out: "Callable[[Operator], dict[str, Any]]"


def is_another(first: str, first_key: str, second: Person) -> bool:
    """Tell whether somebody is another person than the one who proposed.

    Neither another key of the same person, nor another name of the same key, nor a name that
    readers take for the first one's.

    Notes
    -----
    Rules: CEA-OPR-02, CEA-REG-02, CEA-PER-04.
    """
    return second.key != first_key and not look_alike(second.name, first)


class Proposal(msgspec.Struct, frozen=True):
    """What one operator asks and another has to agree to."""

    number: int
    what: str
    by: "Operator"
    why: str
    expires_s: float
    act: "Callable[[Operator], dict[str, Any]]"
    """Carries it out; called with who agreed."""


class Proposals:
    """What waits for a second person.

    Parameters
    ----------
    life_s
        How long a proposal stands, in seconds.
    now_s
        The clock, which only measures; a venue's accelerated one would be none.

    Notes
    -----
    Rules: CEA-OPR-02.
    """

    def __init__(self, life_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._life_s = life_s
        self._now_s = now_s
        self._open: dict[int, Proposal] = {}
        # An approval that comes after a restart must not meet a proposal it was not meant for.
        self._next_number = NUMBER_FIRST + secrets.randbelow(1_000 * NUMBER_FIRST)

    def add(
        self, what: str, by: "Operator", why: str, act: "Callable[[Operator], dict[str, Any]]"
    ) -> Proposal:
        """Put an act before the others; FrameError if too many wait already."""
        self._expire()
        if len(self._open) >= PROPOSALS_MAX:
            expected = f"at most {PROPOSALS_MAX} proposals at a time"
            raise FrameError(
                VenueRefusal.PROPOSALS_TOO_MANY,
                expected=expected,
                got="another",
                where="proposals",
            )
        number, self._next_number = self._next_number, self._next_number + 1
        proposal = Proposal(number, what, by, why, self._now_s() + self._life_s, act)
        self._open[number] = proposal
        return proposal

    def approve(self, number: int, second: "Operator") -> dict[str, Any]:
        """Carry a proposal out in the name of both; it is gone then, unless that was refused.

        Raises
        ------
        FrameError
            There is no such proposal any more, or the second person is the first.
        """
        proposal = self._find(number)
        if not is_another(proposal.by.name, proposal.by.key, second):
            expected = f"another person than {proposal.by.name}, with a key of their own"
            raise FrameError(
                VenueRefusal.SAME_PERSON, expected=expected, got=second.name, where="approve"
            )
        done = proposal.act(second)
        del self._open[number]
        return done

    def reject(self, number: int) -> Proposal:
        """Take a proposal away, whoever made it, and return it."""
        proposal = self._find(number)
        del self._open[number]
        return proposal

    def listed(self) -> list[dict[str, Any]]:
        """Return what waits, oldest first, as ``venue proposal list`` shows it."""
        self._expire()
        return [
            {
                "number": proposal.number,
                "what": proposal.what,
                "by": proposal.by.name,
                "why": proposal.why,
                "expires_in_s": int(proposal.expires_s - self._now_s()),
            }
            for proposal in self._open.values()
        ]

    def _find(self, number: int) -> Proposal:
        self._expire()
        if number not in self._open:
            waiting = ", ".join(map(str, self._open)) or "none"
            raise FrameError(
                VenueRefusal.PROPOSAL_UNKNOWN,
                expected=f"a proposal that waits ({waiting})",
                got=str(number),
                where="number",
            )
        return self._open[number]

    def _expire(self) -> None:
        now_s = self._now_s()
        for number in [n for n, proposal in self._open.items() if proposal.expires_s <= now_s]:
            del self._open[number]
