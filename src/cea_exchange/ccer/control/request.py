"""What every request has in common, and whose second person approves what takes two.

    who asks                  what                       whose second person approves
    an account's initiator    its project, its CCERs     that account's approver
    an operator               the end of an account or   the holder's approver; the authority where
                              of its project             the holder has none
    an operator               decisions of the registry  another operator
    an operator               orders of the ministry     the authority
    the authority             its orders                 another person of it
    anybody                   persons                    the body whose person it is, or above it

So nobody acts alone, and nobody acts for another. What names no second one person does: it looks,
it bars, freezes or withholds, which must not wait, or moves nothing.
"""

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from cea_exchange.ccer.roles import (
    APPROVER,
    APPROVING,
    AUTHORITY,
    OPERATOR,
    OWN_BODIES,
    REGULATOR,
    account_body,
)
from cea_exchange.institution.control import request as institution
from cea_exchange.institution.control.dual_control import can_approve, second_person_check

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry
    from cea_exchange.institution.persons import Person


class Second(Enum):
    """Whose person approves."""

    OWN = "the proposer's own body"
    DECIDER = "the proposer's own body; the authority where an operator proposes"
    HOLDER = "the account, or the project's owner; the authority where it has no approver"
    PERSONS = "the body whose person it is, or the one above it"


class Request(institution.Request, kw_only=True):
    """Base of every request. Amounts are tonnes, which are CCERs."""

    second: ClassVar[Second | None] = None

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        """Carry it out; return the answer's fields."""
        raise NotImplementedError

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return the bodies whose own business it is.

        Those of the account in the field `account`, or of the owner of the project in `project`; a
        request that speaks of something else says so itself.
        """
        if (account := getattr(self, "account", None)) is not None:
            return ccer.accounts.bodies(account)
        if (project := getattr(self, "project", None)) is not None:
            return ccer.owner_bodies(project)
        return frozenset()

    def persons_body(self, ccer: "CcerRegistry") -> str:
        """Return the body whose persons it changes."""
        raise NotImplementedError

    def second_asked(self) -> Second | None:
        """Return whose person approves this very request; None if one person will do."""
        return self.second

    def holder(self, ccer: "CcerRegistry") -> str:
        """Return the account whose end, or whose project's, it is; "" for none."""
        project: str | None = getattr(self, "project", None)
        named: str = getattr(self, "account", "")
        return named if project is None else ccer.projects.owner(project) or ""

    def approving_body(self, ccer: "CcerRegistry", proposer: "Person") -> str:
        """Return the body whose second person has to approve it; ActError if there is none.

        Notes
        -----
        Rules: CEA-REG-02, CEA-PER-02, CCER-PER-01.
        """
        body, persons, second = proposer.body, ccer.persons, self.second_asked()
        if second is Second.PERSONS:
            return self._persons_approving(ccer, proposer)
        if second is Second.DECIDER and proposer.role == OPERATOR:
            body = OWN_BODIES[AUTHORITY]
        if second is Second.HOLDER:
            own = account_body(self.holder(ccer))
            body = own if persons.listed(own, APPROVER) else OWN_BODIES[AUTHORITY]
        return second_person_check(persons, self.op, body, proposer, APPROVING)

    def _persons_approving(self, ccer: "CcerRegistry", proposer: "Person") -> str:
        """Return who decides on the persons of a body; the operators bring the first of each."""
        body, persons = self.persons_body(ccer), ccer.persons
        own, authority = OWN_BODIES[OPERATOR], OWN_BODIES[AUTHORITY]
        deciding = [own]
        if body.startswith(account_body("")):
            above = [authority] if persons.had(body, APPROVER) else []
            deciding = [body, *above, own]
        elif body not in (own, OWN_BODIES[REGULATOR]):
            deciding = [authority, own]
        for each in deciding:
            if can_approve(persons, each, proposer, APPROVING):
                return each
        return second_person_check(persons, self.op, own, proposer, APPROVING)
