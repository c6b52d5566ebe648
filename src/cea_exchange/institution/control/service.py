"""Answers what an institution is asked: whether it may be, what is done, and what is kept of it.

    key -> person -> may this role ask this, about this account? -> look: answer
                                                                 -> act: do and keep it
                                                                 -> act of two: keep the proposal

Everything that changes something is one transaction: the act, its answer under the `request_id`,
and its row in the record of acts.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import structlog

from cea_exchange.control_plane.answers import Answer, Refusal
from cea_exchange.control_plane.requests import Requests
from cea_exchange.control_plane.service import Service
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.institution.approvals import Proposal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.control.request import Request, request_decode
from cea_exchange.institution.control.requests import (
    Approve,
    Proposals,
    Reject,
    Seat,
    Status,
    Stop,
)
from cea_exchange.institution.paging import message_shown, page_read
from cea_exchange.institution.persons import Person
from cea_exchange.institution.services import InstitutionServices
from cea_exchange.ledger.chain import LinkBroken
from cea_exchange.ledger.database.interface import DatabaseFull, DatabaseLost
from cea_exchange.ledger.partners import ActsStopped, PartnerAwaited
from cea_exchange.user_files.read_ahead import Reading

NS_PER_S = 1_000_000_000
ERROR_CHARACTERS_MAX = 16_000

UNSAFE = "second_person = []: one person alone does everything, for a test bench only"
"""What `Status` and the log say of a daemon that asks for no second person."""

log = structlog.get_logger("institution")


class _TakenBack(Exception):
    """Ends an act that was only tried."""


R = TypeVar("R", bound=Request)


class InstitutionService(Service[Person, R]):
    """Answers what comes over the control socket.

    Parameters
    ----------
    services
        Acted upon.
    second_person
        More ops that need a second person than those that always do; ``()``: a test
        bench, where one person does everything.
    proposal_s
        How long a proposal waits.
    place
        Tells what the daemon knows and the database doesn't, for `Status`.

    Attributes
    ----------
    requests : Requests
        What may be asked; each institution's class has its own.

    Notes
    -----
    Rules: CEA-REG-01 (who may), CEA-REG-02 (second person), CEA-REG-03 (the record), CEA-PER-05.
    """

    requests: Requests[R]

    def __init__(
        self,
        services: InstitutionServices,
        *,
        second_person: tuple[str, ...] | None = None,
        proposal_s: int = 1,
        place: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().__init__(self.requests)
        self.services = services
        is_bench = second_person == ()
        self._of_two = frozenset() if is_bench else self.requests.of_two | {*(second_person or ())}
        self.unsafe = UNSAFE if is_bench else None
        self._life_ns = proposal_s * NS_PER_S
        self._place = place

    def settings_keep(self) -> None:
        """Keep by which settings acts are taken from now on; say aloud if one person is enough."""
        if self.unsafe is not None:
            log.warning("no_second_person", why=self.unsafe)
        self.services.act_log.settings_keep(self._of_two, self.requests.roles())

    # -- the service ------------------------------------------------------------------------------

    def person_of(self, key: str) -> Person:
        """Return the person of a key; ActError for a stranger's."""
        person = self.services.persons.of_key(key)
        if person is None:
            raise ActError(
                InstitutionRefusal.NOT_AUTHENTICATED,
                "key: expected a person's, got one that stands for nobody, or no more",
            )
        return person

    def named(self, person: Person) -> str:
        """Return how the log names somebody."""
        return f"{person.name} of {person.body}"

    def read(self, payload: bytes) -> R:
        """Return the request in a message; ActError where it is none."""
        return request_decode(self.requests, payload)

    def role_refusal(self, person: Person, request: R) -> ActError:
        """Return the refusal for a role that may not ask something."""
        may = request.roles
        allowed = f"one of {', '.join(may)}" if may else "somebody it is allowed to"
        return ActError(
            InstitutionRefusal.NOT_PERMITTED,
            f"{request.op}: expected {allowed}, got {person.role} {person.name}",
        )

    def check(self, person: Person, request: R) -> None:
        """Refuse what a person may not ask, and what is not their own business."""
        super().check(person, request)
        if person.role in self.services.scoped and request.is_scoped:
            bodies = request.bodies(self.services)
            if person.body not in bodies:
                # Whose else it is, or whether it is there at all, is not theirs to know.
                raise ActError(
                    InstitutionRefusal.NOT_YOURS,
                    f"{request.op}: expected the business of {person.body}, got another's",
                )

    def look(self, person: Person, request: R) -> dict[str, Any]:
        """Answer what changes nothing."""
        you = {"name": person.name, "role": person.role, "body": person.body}
        match request:
            case Seat():
                now = time_from_ns(self.services.now_ns())
                return {"you": you, "time": now.isoformat(timespec="seconds")}
            case Status():
                own = {"unsafe": self.unsafe, "you": you}
                return {**self.services.status(), **own, **self._place()}
            case Proposals():
                return self._proposals(person, request)
        return request.act(self.services) or {}

    def act(self, person: Person, request: R) -> dict[str, Any]:
        """Do what is asked, or keep it for a second person, in one transaction."""
        if isinstance(request, Stop):
            return {}
        # What a partner has more than the database, an act would contradict.
        for lacks in self.services.store.partners.lacking.values():
            raise ActsStopped(f"stopped: {lacks}")
        with self.services.transaction():
            return self._once(person, request, lambda: self._act(person, request))

    def readings(self, request: R) -> tuple[Reading, ...]:
        """Return what should be read out of files before an act, also before an approved one.

        Where that can't be said, the act says why.
        """
        try:
            if isinstance(request, Approve):
                proposal = self.services.approvals.found(request.proposal)
                if proposal is None or proposal.approved is not None:
                    return ()
                return tuple(self.read(proposal.request).readings(self.services))
            return tuple(request.readings(self.services))
        except ActError:
            return ()

    def refusal(self, error: Exception, by: str, request: R | None) -> Answer:
        """Return the answer to what was refused, or failed: its transaction was taken back.

        A database that is lost, and memory that is out, are the daemon's business and raised again.
        """
        if isinstance(error, DatabaseLost | MemoryError):
            raise error
        if isinstance(error, ActError):
            code, why = error.code, str(error)
        elif isinstance(error, LinkBroken):
            code, why = InstitutionRefusal.LEDGER_BROKEN, f"nothing was done: {error}"
        elif isinstance(error, PartnerAwaited):
            code, why = InstitutionRefusal.PARTNER_AWAITED, f"nothing was done: {error}"
        elif isinstance(error, ActsStopped):
            code, why = InstitutionRefusal.LEDGER_STOPPED, f"nothing was done: {error}"
        elif isinstance(error, DatabaseFull):
            code, why = InstitutionRefusal.NO_SPACE, f"no space, nothing was done: {error}"
        else:
            code = InstitutionRefusal.INTERNAL
            # Whatever one person asks must not end the daemon for all.
            log.error("act_broke", op=request and request.op, by=by, exc_info=error)
            whose = self.services.store.schema.institution
            why = f"nothing was done, the {whose}'s log says why: {type(error).__name__}"
        if len(why) > ERROR_CHARACTERS_MAX:
            # It may repeat what was sent, of any length.
            why = f"{why[:ERROR_CHARACTERS_MAX]}... ({len(why)} characters)"
        return Answer({}, Refusal(why=why, code=code.name))

    # -- acts -------------------------------------------------------------------------------------

    def _once(
        self, person: Person, request: R, act: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Act, or give the answer that the same request of the same person got before."""
        if request.request_id is None:
            return act()
        bare = msgspec.msgpack.encode(request)
        store = self.services.store
        # Ids are the asker's own: another's is another one.
        request_id = msgspec.json.encode((person.body, person.name, request.request_id)).decode()
        known = store.one(
            "SELECT request, answer FROM requests WHERE request_id = ?", (request_id,)
        )
        if known is not None:
            if known[0] != bare:
                raise ActError(
                    InstitutionRefusal.REUSED_ID,
                    f"request_id: expected a new one, got {request.request_id!r}, which was"
                    " another act",
                )
            return msgspec.msgpack.decode(known[1])
        answer = act()
        store.insert(
            "requests (request_id, request, answer)",
            [(request_id, bare, msgspec.msgpack.encode(answer))],
        )
        return answer

    def _act(self, person: Person, request: R) -> dict[str, Any]:
        match request:
            case Approve():
                return self._approve(person, request)
            case Reject():
                rejected = self.services.approvals.reject(request.proposal, person, request.why)
                return {"proposal": rejected.proposal_id, "rejected": rejected.op}
        if request.op in self._of_two:
            return self._propose(person, request)
        return self._done(person, request)

    def _propose(self, person: Person, request: R) -> dict[str, Any]:
        # Nobody should be asked to agree to what can't be done.
        store, act_id = self.services.store, self.services.act_log.next_id()
        with suppress(_TakenBack), store.transaction(act_id=act_id):
            request.act(self.services)
            raise _TakenBack
        body = request.approving_body(self.services, person)
        proposal = self.services.approvals.propose(
            person,
            request.op,
            msgspec.msgpack.encode(request),
            body,
            self._life_ns,
        )
        return {
            "proposal": proposal.proposal_id,
            "request_hash": proposal.request_hash,
            "approving_body": proposal.body,
            "expires_at_ns": proposal.expires_at_ns,
        }

    def _approve(self, person: Person, decision: Approve) -> dict[str, Any]:
        # Whoever drops a trigger and makes it again has changed rows unlogged in between.
        self.services.store.definitions_check()
        proposal = self.services.approvals.approve(decision.proposal, person, decision.request_hash)
        proposer = self.services.persons.of_key(proposal.proposer_key)
        if proposer is None:
            raise ActError(
                InstitutionRefusal.PROPOSER_GONE,
                f"proposal {decision.proposal}: expected a proposer who may act, got"
                f" {proposal.proposer}, who acts no more",
            )
        request = self.read(proposal.request)
        # What the proposer might ask then, he may not be allowed to any more.
        self.check(proposer, request)
        body = request.approving_body(self.services, proposer)
        if body != proposal.body:
            raise ActError(
                InstitutionRefusal.PROPOSAL_OUTDATED,
                f"proposal {decision.proposal}: expected one made for {body}, which has to"
                f" approve it now, got one made for {proposal.body}: make it anew",
            )
        answer = self._done(proposer, request, second=person, proposal_id=proposal.proposal_id)
        return {"proposal": proposal.proposal_id, "approved": proposal.op, "answer": answer}

    def _done(
        self,
        person: Person,
        request: R,
        *,
        second: Person | None = None,
        proposal_id: int = 0,
    ) -> dict[str, Any]:
        by = person.name if second is None else f"{person.name} and {second.name}"
        act_log = self.services.act_log
        with (
            self.services.acting(by),
            self.services.store.transaction(act_id=act_log.next_id()),
        ):
            answer = request.act(self.services) or {}
        act_log.add(
            request.op,
            person,
            msgspec.msgpack.encode(request),
            msgspec.msgpack.encode(answer),
            second=second,
            proposal_id=proposal_id,
        )
        return answer

    def _proposals(self, person: Person, request: Proposals) -> dict[str, Any]:
        listed = self.services.approvals.listed(
            person, waiting_only=not request.all, first=request.first, count=request.count + 1
        )
        now_ns = self.services.now_ns()
        shown = ((_proposal_shown(each, now_ns), len(each.request)) for each in listed)
        found, further = page_read(shown, request.count, "proposal_id")
        return {"proposals": found, "next": further}


def outcome_unknown(error: DatabaseLost) -> dict[str, Any]:
    """Return the answer to an act of which only the database knows whether it was done."""
    why = "database lost, whether it was done is not known; the same request_id does it once"
    return refused(InstitutionRefusal.OUTCOME_UNKNOWN, f"{why}: {error}")


def _proposal_shown(proposal: Proposal, now_ns: int) -> dict[str, Any]:
    proposed = proposal._asdict()
    del proposed["approved"]
    request = message_shown(proposal.request)
    return {**proposed, "request": request, "state": proposal.state(now_ns)}
