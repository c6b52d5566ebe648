"""Keeps acts of two persons, maker and checker: one proposes, another decides, then it is done.

    propose --> waiting --> approved: done at once, in the name of both
                   |------> rejected
                   +------> expired

Where proposals are kept is the daemon's own: an institution has them in its database, the venue in
memory. Who may decide what, for how long, and why not, is the same for all.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from cea_exchange.control_plane.service import Person
from cea_exchange.domain.look_alikes import look_alike

if TYPE_CHECKING:
    from cea_exchange.protocol.operators import Operator


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


class ProposalRefusal(Enum):
    """Why something is not proposed or decided; each daemon has a code of that name."""

    PROPOSAL_UNKNOWN = auto()
    PROPOSAL_OF_OTHERS = auto()
    PROPOSAL_DECIDED = auto()
    PROPOSAL_DIFFERS = auto()
    PROPOSALS_TOO_MANY = auto()
    SAME_PERSON = auto()


class Proposed(Protocol):
    """What one person asks and another has to agree to.

    Attributes
    ----------
    body
        Whose person decides.
    request_hash
        SHA-256 of what is asked.
    """

    @property
    def proposer(self) -> str: ...

    @property
    def proposer_key(self) -> str: ...

    @property
    def body(self) -> str: ...

    @property
    def request_hash(self) -> str: ...

    def state(self, now_ns: int) -> str:
        """Return ``waiting``, ``expired``, ``approved`` or ``rejected``; see `state_of`."""


def state_of(approved: int | None, expires_at_ns: int, now_ns: int) -> str:
    """Return how far a proposal is: `approved` is 1, 0 for rejected, None for not decided."""
    if approved is None:
        return "expired" if now_ns >= expires_at_ns else "waiting"
    return "approved" if approved else "rejected"


P = TypeVar("P", bound=Person)
T = TypeVar("T", bound=Proposed)


class MakerChecker(ABC, Generic[P, T]):
    """What waits for a second person; a daemon says where it is kept.

    Attributes
    ----------
    waiting_max, waiting_of_one_max
        Proposals of one body, and of one proposer's key, that may wait at a time.

    Notes
    -----
    Rules: CEA-OPR-02, CEA-REG-02, CEA-PER-04.
    """

    waiting_max: ClassVar[int]
    waiting_of_one_max: ClassVar[int]

    # -- what is the daemon's own -----------------------------------------------------------------

    @abstractmethod
    def now_ns(self) -> int:
        """Return the time by which proposals expire."""

    @abstractmethod
    def refused(self, code: ProposalRefusal, where: str, expected: str, got: str) -> Exception:
        """Return what is raised where something is not proposed, or not decided."""

    @abstractmethod
    def found(self, number: int) -> T | None:
        """Return the proposal of a number; None if there is none."""

    @abstractmethod
    def waiting_count(self, body: str) -> int:
        """Return how many wait for a body's person."""

    @abstractmethod
    def waiting_count_of(self, proposer: P) -> int:
        """Return how many wait of one proposer's key."""

    @abstractmethod
    def decide(self, number: int, person: P, *, approved: int, why: str) -> None:
        """Keep what a person has decided."""

    @abstractmethod
    def body_of(self, person: P) -> str:
        """Return for whom a person acts."""

    def is_scoped(self, person: P) -> bool:
        """Tell whether a person may not even learn that others' proposals are there."""
        return False

    # -- what is everybody's ----------------------------------------------------------------------

    def waiting_check(self, proposer: P, body: str) -> None:
        """Refuse one more proposal than may wait."""
        # Who decides for many must not be kept from it by one of them.
        for whose, count, most in (
            (body, self.waiting_count(body), self.waiting_max),
            (proposer.name, self.waiting_count_of(proposer), self.waiting_of_one_max),
        ):
            if count >= most:
                raise self.refused(
                    ProposalRefusal.PROPOSALS_TOO_MANY,
                    f"proposals of {whose}",
                    f"at most {most} that wait",
                    "one more",
                )

    def approve(self, number: int, person: P, request_hash: str | None = None) -> T:
        """Keep that a second person agrees, and return what is to be done now.

        Parameters
        ----------
        request_hash
            Of what that person has seen; None: whatever is kept under the number.
        """
        proposal = self._waiting_one(number, person)
        where = f"proposal {number}"
        if not is_another(proposal.proposer, proposal.proposer_key, person):
            expected = f"another person than {proposal.proposer}, with a key of their own"
            raise self.refused(ProposalRefusal.SAME_PERSON, where, expected, person.name)
        if request_hash not in (None, proposal.request_hash):
            expected = f"request_hash {proposal.request_hash}"
            raise self.refused(ProposalRefusal.PROPOSAL_DIFFERS, where, expected, str(request_hash))
        self.decide(number, person, approved=1, why="")
        return proposal

    def reject(self, number: int, person: P, why: str) -> T:
        """Keep that a person who decides, or the proposer himself, does not want it."""
        proposal = self._waiting_one(number, person)
        self.decide(number, person, approved=0, why=why)
        return proposal

    def _waiting_one(self, number: int, person: P) -> T:
        proposal, body = self.found(number), self.body_of(person)
        is_own = proposal is not None and (
            body == proposal.body or person.key == proposal.proposer_key
        )
        is_hidden = not is_own and self.is_scoped(person)
        if proposal is None or is_hidden:
            expected = f"one that {body} decides" if is_hidden else "one that was made"
            raise self.refused(ProposalRefusal.PROPOSAL_UNKNOWN, "proposal", expected, str(number))
        where = f"proposal {number}"
        if not is_own:
            raise self.refused(
                ProposalRefusal.PROPOSAL_OF_OTHERS,
                where,
                f"a person of {proposal.body} to decide",
                f"{person.name} of {body}",
            )
        state = proposal.state(self.now_ns())
        if state != "waiting":
            raise self.refused(ProposalRefusal.PROPOSAL_DECIDED, where, "a waiting one", state)
        return proposal
