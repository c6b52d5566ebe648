"""What waits for a second operator of the venue: in memory only.

A venue that starts again has no proposals, and none of its numbers means what an earlier one meant.
"""

import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from cea_exchange.control_plane.maker_checker import MakerChecker, ProposalRefusal, state_of
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.operators import Operator

PROPOSALS_MAX = 100
NUMBER_FIRST = 100_000
NS_PER_S = 1_000_000_000
BODY = "venue"
"""All operators are of it."""

_CODES = {
    ProposalRefusal.PROPOSAL_UNKNOWN: VenueRefusal.PROPOSAL_UNKNOWN,
    ProposalRefusal.PROPOSAL_DECIDED: VenueRefusal.PROPOSAL_DECIDED,
    ProposalRefusal.PROPOSAL_DIFFERS: VenueRefusal.PROPOSAL_DIFFERS,
    ProposalRefusal.PROPOSALS_TOO_MANY: VenueRefusal.PROPOSALS_TOO_MANY,
    ProposalRefusal.SAME_PERSON: VenueRefusal.SAME_PERSON,
}


class Proposal(msgspec.Struct, frozen=True):
    """What one operator asks and another has to agree to, and what came of it.

    Attributes
    ----------
    act
        Carries it out; called with who agreed.
    approved
        1, 0 for rejected, None for not decided.
    """

    number: int
    what: str
    by: Operator
    why: str
    request_hash: str
    expires_at_ns: int
    act: Callable[[Operator], dict[str, Any]]
    approved: int | None = None
    body: str = BODY

    @property
    def proposer(self) -> str:
        """The operator's name."""
        return self.by.name

    @property
    def proposer_key(self) -> str:
        """The operator's key."""
        return self.by.key

    def state(self, now_ns: int) -> str:
        """Return ``waiting``, ``expired``, ``approved`` or ``rejected``."""
        return state_of(self.approved, self.expires_at_ns, now_ns)


class VenueProposals(MakerChecker[Operator, Proposal]):
    """What waits for a second operator.

    Parameters
    ----------
    life_s
        How long a proposal stands, in seconds.
    now_s
        The clock, which only measures; a venue's accelerated one would be none.
    """

    waiting_max = waiting_of_one_max = PROPOSALS_MAX

    def __init__(self, life_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._life_ns = int(life_s * NS_PER_S)
        self._now_s = now_s
        self._kept: dict[int, Proposal] = {}
        # An approval that comes after a restart must not meet a proposal it was not meant for.
        self._next_number = NUMBER_FIRST + secrets.randbelow(1_000 * NUMBER_FIRST)

    def propose(
        self,
        by: Operator,
        what: str,
        why: str,
        request: bytes,
        act: Callable[[Operator], dict[str, Any]],
    ) -> Proposal:
        """Put an act before the others; FrameError if too many wait already."""
        self.waiting_check(by, BODY)
        self._ended_drop()
        number, self._next_number = self._next_number, self._next_number + 1
        request_hash = sha256(request).hexdigest()
        expires_at_ns = self.now_ns() + self._life_ns
        proposal = Proposal(number, what, by, why, request_hash, expires_at_ns, act)
        self._kept[number] = proposal
        return proposal

    def carry_out(
        self, number: int, second: Operator, request_hash: str | None = None
    ) -> dict[str, Any]:
        """Carry a proposal out in the name of both; it waits still if that is refused.

        Raises
        ------
        FrameError
            There is no such proposal any more, or the second person is the first.
        """
        proposal = self.approve(number, second, request_hash)
        try:
            return proposal.act(second)
        except BaseException:
            self._kept[number] = proposal
            raise

    def listed(self) -> list[dict[str, Any]]:
        """Return what waits, oldest first, as ``venue proposal list`` shows it."""
        return [
            {
                "number": proposal.number,
                "what": proposal.what,
                "by": proposal.by.name,
                "why": proposal.why,
                "request_hash": proposal.request_hash,
                "expires_in_s": (proposal.expires_at_ns - self.now_ns()) // NS_PER_S,
            }
            for proposal in self._waiting()
        ]

    def _waiting(self) -> list[Proposal]:
        now_ns = self.now_ns()
        return [each for each in self._kept.values() if each.state(now_ns) == "waiting"]

    def _ended_drop(self) -> None:
        """Forget the oldest of those that ended: the others still say what became of them."""
        now_ns = self.now_ns()
        ended = [n for n, each in self._kept.items() if each.state(now_ns) != "waiting"]
        for number in ended[:-PROPOSALS_MAX]:
            del self._kept[number]

    # -- of the mechanism -------------------------------------------------------------------------

    def now_ns(self) -> int:
        """Return the time by which proposals expire."""
        return int(self._now_s() * NS_PER_S)

    def refused(self, code: ProposalRefusal, where: str, expected: str, got: str) -> FrameError:
        """Return what is raised where something is not proposed, or not decided."""
        return FrameError(_CODES[code], expected=expected, got=got, where=where)

    def found(self, number: int) -> Proposal | None:
        """Return the proposal of a number; None if there is none."""
        return self._kept.get(number)

    def waiting_count(self, body: str) -> int:
        """Return how many wait."""
        return len(self._waiting())

    def waiting_count_of(self, proposer: Operator) -> int:
        """Return how many wait of one proposer's key."""
        return sum(each.by.key == proposer.key for each in self._waiting())

    def decide(self, number: int, person: Operator, *, approved: int, why: str) -> None:
        """Keep what a person has decided."""
        self._kept[number] = msgspec.structs.replace(self._kept[number], approved=approved)

    def body_of(self, person: Operator) -> str:
        """Return for whom a person acts: all operators for the venue."""
        return BODY
