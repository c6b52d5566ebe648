"""Acts of two persons: one proposes, a second one approves, then it is done.

Of which body the second one is, the request says.

A proposal is kept as it was made, byte for byte, and never changes; what becomes of it is one row
of its own. Neither is ever taken back, so the tables say who wanted what and who let it pass.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import structlog

from cea_exchange.control_plane.maker_checker import MakerChecker, ProposalRefusal, state_of
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, words_checked
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.chain import LinkBroken

log = structlog.get_logger("institution")

WAITING_MAX = 1_000
"""Proposals of one body that may wait at a time."""
WAITING_OF_ONE_MAX = 200
"""Of one proposer's key."""

_COLUMNS = (
    "proposals.proposal_id, op, request, request_hash, proposer, proposer_key, body, made_at_ns,"
    " expires_at_ns, approved, coalesce(person, ''), coalesce(why, ''), coalesce(at_ns, 0)"
)
_JOINED = "proposals LEFT JOIN decisions ON decisions.proposal_id = proposals.proposal_id"


class Proposal(NamedTuple):
    """What one person asks for and another has to approve, and the decision.

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
        return state_of(self.approved, self.expires_at_ns, now_ns)


_CODES = {
    ProposalRefusal.PROPOSAL_UNKNOWN: InstitutionRefusal.PROPOSAL_UNKNOWN,
    ProposalRefusal.PROPOSAL_OF_OTHERS: InstitutionRefusal.PROPOSAL_OF_OTHERS,
    ProposalRefusal.PROPOSAL_DECIDED: InstitutionRefusal.PROPOSAL_DECIDED,
    ProposalRefusal.PROPOSAL_DIFFERS: InstitutionRefusal.PROPOSAL_DIFFERS,
    ProposalRefusal.PROPOSALS_TOO_MANY: InstitutionRefusal.PROPOSALS_TOO_MANY,
    ProposalRefusal.SAME_PERSON: InstitutionRefusal.SAME_PERSON,
}


class Approvals(MakerChecker[Person, Proposal]):
    """What waits for a second person, and what has been decided, in the institution's database.

    `approve` belongs in the transaction of the act.

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
            self.waiting_check(proposer, body)
            number = self._store.next_id("proposals", "proposal_id")
            asked = (number, op, request, sha256(request).hexdigest())
            row = (*asked, proposer.name, proposer.key, body, now_ns, now_ns + life_ns)
            self._store.insert(
                "proposals (proposal_id, op, request, request_hash, proposer, proposer_key, body,"
                " made_at_ns, expires_at_ns)",
                [row],
            )
        return self.of_number(number)

    def reject(self, number: int, person: Person, why: str) -> Proposal:
        """Note that a person of the body, or the proposer himself, does not want it."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._context.transaction():
            return super().reject(number, person, why)

    def of_number(self, number: int) -> Proposal:
        """Return a proposal there is."""
        found = self.found(number)
        assert found is not None, number
        return found

    def found(self, number: int) -> Proposal | None:
        """Return the proposal of a number; None if there is none."""
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

    # -- of the mechanism -------------------------------------------------------------------------

    waiting_max = WAITING_MAX
    waiting_of_one_max = WAITING_OF_ONE_MAX

    def now_ns(self) -> int:
        """Return the time by which proposals expire."""
        return self._context.now_ns()

    def refused(self, code: ProposalRefusal, where: str, expected: str, got: str) -> ActError:
        """Return what is raised where something is not proposed, or not decided."""
        return ActError(_CODES[code], f"{where}: expected {expected}, got {got}")

    def waiting_count(self, body: str) -> int:
        """Return how many wait for a body's person."""
        return self._waiting("body", body)

    def waiting_count_of(self, proposer: Person) -> int:
        """Return how many wait of one proposer's key."""
        return self._waiting("proposer_key", proposer.key)

    def _waiting(self, column: str, value: str) -> int:
        count: int = self._store.one(
            f"SELECT count(*) FROM {_JOINED}"
            f" WHERE {column} = ? AND approved IS NULL AND expires_at_ns > ?",
            (value, self._context.now_ns()),
        )
        return count

    def decide(self, number: int, person: Person, *, approved: int, why: str) -> None:
        """Keep what a person has decided; a proposal that somebody has changed is not approved."""
        if approved:
            self._unchanged_check(number)
        row = (number, approved, person.name, person.key, why)
        self._store.insert(
            "decisions (proposal_id, approved, person, person_key, why, at_ns)",
            [(*row, self._context.now_ns())],
        )

    def _unchanged_check(self, number: int) -> None:
        """Refuse a proposal whose row is not the one that its proposer's act wrote.

        Notes
        -----
        Rules: CEA-REG-02, CEA-REG-05.
        """
        proposal = self.of_number(number)
        try:
            self._store.row_check("proposals", "proposal_id", number)
            if sha256(proposal.request).hexdigest() != proposal.request_hash:
                raise LinkBroken("its request is not the one of its hash")
        except LinkBroken as error:
            log.error("proposal_changed", proposal=number, error=str(error))
            raise ActError(
                InstitutionRefusal.PROPOSAL_CHANGED,
                f"proposal {number}: expected the proposal as {proposal.proposer} made it, got one"
                f" that was changed in the database: {error}",
            ) from error

    def body_of(self, person: Person) -> str:
        """Return for whom a person acts."""
        return person.body

    def is_scoped(self, person: Person) -> bool:
        """Tell whether a person may not even learn that others' proposals are there."""
        return person.role in self._scoped
