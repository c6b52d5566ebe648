"""Acts of two persons: one proposes, a second one approves, then it is done.

Of which body the second one is, the request says.

A proposal is kept as it was made, byte for byte, and never changes; what becomes of it is one row
of its own. Neither is ever taken back, so the tables say who wanted what and who let it pass.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from cea_exchange.control_plane.maker_checker import is_another
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, words_checked
from cea_exchange.institution.persons import Person

WAITING_MAX = 1_000
"""Proposals of one body that may wait at a time."""
WAITING_OF_ONE_MAX = 200
"""Of one proposer's key."""

_STATES = {None: "waiting", 0: "rejected", 1: "approved"}
_COLUMNS = (
    "proposals.proposal_id, op, request, request_hash, proposer, proposer_key, body, made_at_ns,"
    " expires_at_ns, approved, coalesce(person, ''), coalesce(why, ''), coalesce(at_ns, 0)"
)
_JOINED = "proposals LEFT JOIN decisions ON decisions.proposal_id = proposals.proposal_id"


class Proposal(NamedTuple):
    """What one person asks and another has to agree to, and what came of it.

    Attributes
    ----------
    request, request_hash
        What is asked, as it arrived, and its SHA-256 in hexadecimal digits.
    body
        Whose person decides.
    approved
        1, 0 for rejected, None for not decided.
    decided_by
        '' if nobody did.
    """

    proposal_id: int
    op: str
    request: bytes
    request_hash: str
    proposer: str
    proposer_key: str
    body: str
    made_at_ns: int
    expires_at_ns: int
    approved: int | None
    decided_by: str
    why: str
    decided_at_ns: int

    def state(self, now_ns: int) -> str:
        """Return ``waiting``, ``expired``, ``approved`` or ``rejected``."""
        is_late = self.approved is None and now_ns >= self.expires_at_ns
        return "expired" if is_late else _STATES[self.approved]


class Approvals:
    """What waits for a second person, and what has been decided.

    Parameters
    ----------
    scoped
        Roles that learn nothing of what is not their own body's.
    overseers
        Bodies that see all proposals.
    """

    def __init__(
        self, context: ActContext, *, scoped: frozenset[str], overseers: frozenset[str]
    ) -> None:
        self._context = context
        self._store = context.store
        self._scoped = scoped
        self._overseers = overseers

    def propose(
        self, proposer: Person, op: str, request: bytes, body: str, life_ns: int
    ) -> Proposal:
        """Keep what a person asks until another one decides.

        Parameters
        ----------
        body
            Whose person has to approve it.
        life_ns
            How long it waits.
        """
        now_ns = self._context.now_ns()
        with self._context.transaction():
            waiting = self._store.one(
                f"SELECT count(*) FROM {_JOINED}"
                " WHERE body = ? AND approved IS NULL AND expires_at_ns > ?",
                (body, now_ns),
            )
            if waiting >= WAITING_MAX:
                raise ActError(
                    InstitutionRefusal.PROPOSALS_TOO_MANY,
                    f"proposals of {body}: expected at most {WAITING_MAX} that wait, got one"
                    " more",
                )
            # Who decides for many must not be kept from it by one of them.
            own = self._store.one(
                f"SELECT count(*) FROM {_JOINED}"
                " WHERE proposer_key = ? AND approved IS NULL AND expires_at_ns > ?",
                (proposer.key, now_ns),
            )
            if own >= WAITING_OF_ONE_MAX:
                raise ActError(
                    InstitutionRefusal.PROPOSALS_TOO_MANY,
                    f"proposals of {proposer.name}: expected at most {WAITING_OF_ONE_MAX} that"
                    " wait, got one more",
                )
            number = self._store.next_id("proposals", "proposal_id")
            asked = (number, op, request, sha256(request).hexdigest())
            row = (*asked, proposer.name, proposer.key, body, now_ns, now_ns + life_ns)
            self._store.insert(
                "proposals (proposal_id, op, request, request_hash, proposer, proposer_key, body,"
                " made_at_ns, expires_at_ns)",
                [row],
            )
        return self.of_number(number)

    def approve(self, number: int, person: Person, request_hash: str | None = None) -> Proposal:
        """Note that a second person agrees; belongs in the transaction of the act.

        Parameters
        ----------
        request_hash
            Of what that person has seen; None: whatever is kept under the number.

        Raises
        ------
        ActError
            It is decided or expired, of another body's, or that person is the proposer, or has a
            name that looks like the proposer's.

        Notes
        -----
        Rules: CEA-REG-02, CEA-PER-04.
        """
        proposal = self._open_one(number, person)
        if not is_another(proposal.proposer, proposal.proposer_key, person):
            raise ActError(
                InstitutionRefusal.SAME_PERSON,
                f"proposal {number}: expected another person than {proposal.proposer}, with a"
                f" key of their own, got {person.name}",
            )
        if request_hash not in (None, proposal.request_hash):
            raise ActError(
                InstitutionRefusal.PROPOSAL_DIFFERS,
                f"proposal {number}: expected request_hash {proposal.request_hash}, got"
                f" {request_hash}",
            )
        self._decide(proposal, person, approved=1, why="")
        return proposal

    def reject(self, number: int, person: Person, why: str) -> Proposal:
        """Note that a person of the body, or the proposer himself, does not want it."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._context.transaction():
            proposal = self._open_one(number, person)
            self._decide(proposal, person, approved=0, why=why)
        return proposal

    def of_number(self, number: int) -> Proposal:
        """Return a proposal there is."""
        found = self._of_number(number)
        assert found is not None, number
        return found

    def _of_number(self, number: int) -> Proposal | None:
        row = self._store.one(
            f"SELECT {_COLUMNS} FROM {_JOINED} WHERE proposals.proposal_id = ?", (number,)
        )
        return None if row is None else Proposal(*row)

    def listed(
        self, viewer: Person, *, waiting_only: bool, first: int, count: int
    ) -> Iterator[Proposal]:
        """Yield proposals that a person may see, from a number on, each read when it is wanted.

        Overseers see all, others their body's and their own.
        """
        sql = f"SELECT proposals.proposal_id FROM {_JOINED} WHERE proposals.proposal_id >= :first"
        if viewer.body not in self._overseers:
            sql += " AND (body = :body OR proposer_key = :key)"
        if waiting_only:
            # Those that wait are few, and lie together by when they expire.
            sql += " AND proposals.proposal_id IN"
            sql += " (SELECT proposal_id FROM proposals WHERE expires_at_ns > :now)"
            sql += " AND approved IS NULL"
        rows = self._store.execute(
            f"{sql} ORDER BY proposals.proposal_id LIMIT :count",
            {
                "first": first,
                "count": count,
                "body": viewer.body,
                "key": viewer.key,
                "now": self._context.now_ns(),
            },
        )
        for (number,) in rows.fetchall():
            yield self.of_number(number)

    def _open_one(self, number: int, person: Person) -> Proposal:
        proposal = self._of_number(number)
        is_own = proposal is not None and (
            person.body == proposal.body or person.key == proposal.proposer_key
        )
        if person.role in self._scoped and not is_own:
            # Of others' proposals they learn nothing, not even that there are any.
            raise ActError(
                InstitutionRefusal.PROPOSAL_UNKNOWN,
                f"proposal: expected one that {person.body} decides, got {number}",
            )
        if proposal is None:
            raise ActError(
                InstitutionRefusal.PROPOSAL_UNKNOWN,
                f"proposal: expected one that was made, got {number}",
            )
        if not is_own:
            raise ActError(
                InstitutionRefusal.PROPOSAL_OF_OTHERS,
                f"proposal {number}: expected a person of {proposal.body} to decide, got"
                f" {person.name} of {person.body}",
            )
        state = proposal.state(self._context.now_ns())
        if state != "waiting":
            raise ActError(
                InstitutionRefusal.PROPOSAL_DECIDED,
                f"proposal {number}: expected a waiting one, got {state}",
            )
        return proposal

    def _decide(self, proposal: Proposal, person: Person, *, approved: int, why: str) -> None:
        row = (proposal.proposal_id, approved, person.name, person.key, why)
        self._store.insert(
            "decisions (proposal_id, approved, person, person_key, why, at_ns)",
            [(*row, self._context.now_ns())],
        )
