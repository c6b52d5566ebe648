"""Whose second person approves what one asks: the kinds there are, and how each is read.

    who asks                   whose the right is           whose person approves
    registry's operator        the account's holder         that account's approver
    account's initiator        the account's holder         that account's approver
    registry's operator        the authority, a province    a person of theirs
    anybody                    his own body's               another person of that body

So nobody acts alone, and nobody acts for another without that other's approval. Each request names
its kind (`Request.second`). What names none one person does: it looks, it bars or freezes, which
must not wait, or moves nothing.
"""

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from cea_exchange.institution.control.dual_control import second_person_check
from cea_exchange.registry.participants.roles import (
    APPROVER,
    APPROVING,
    AUTHORITY,
    OPERATOR,
    OWN_BODIES,
    account_body,
)

if TYPE_CHECKING:
    from cea_exchange.institution.persons import Person
    from cea_exchange.registry.registry import Registry


class Second(Enum):
    """Whose person approves."""

    OWN = "the proposer's own body"
    HOLDER = "the account"
    HOLDER_OR_AUTHORITY = "the account; the authority where it has no approver"
    SUCCESSOR = "as for its end; where its initiator proposes, the successor"
    AUTHORITY = "the authority"
    DECIDER = "the proposer's own body; the authority where an operator proposes"
    PROVINCE = "the entity's province"
    PERSONS = "the body whose person it is"


class Proposed(Protocol):
    """What is asked of a request: its op, its kind, and whose right it touches."""

    @property
    def op(self) -> str: ...
    @property
    def second(self) -> Second | None: ...

    def holder(self, registry: "Registry") -> str: ...
    def persons_body(self, registry: "Registry") -> str: ...


_REGISTRY = OWN_BODIES[OPERATOR]
_AUTHORITY = OWN_BODIES[AUTHORITY]


def approving_body(registry: "Registry", request: Proposed, proposer: "Person") -> str:
    """Return the body whose second person has to approve a request.

    Raises ActError: nobody there is could approve it: there is no such body, or no other person of
    it.

    Rules: CEA-REG-02, CEA-PER-01, CEA-PER-02, CEA-PER-03.
    """
    body = _body(registry, request, proposer)
    return second_person_check(registry.persons, request.op, body, proposer, APPROVING)


def _body(registry: "Registry", request: Proposed, proposer: "Person") -> str:
    # What the settings add to it takes another person of the same body.
    match request.second or Second.OWN:
        case Second.OWN:
            return proposer.body
        case Second.AUTHORITY:
            return _AUTHORITY
        case Second.DECIDER:
            return _AUTHORITY if proposer.role == OPERATOR else proposer.body
        case Second.PROVINCE:
            return registry.accounts.province_body(getattr(request, "account", ""))
        case Second.PERSONS:
            return _persons_body(registry, request)
        case Second.SUCCESSOR if proposer.role != OPERATOR:
            return account_body(getattr(request, "into", ""))
        case second:
            body = account_body(request.holder(registry))
            if second is Second.HOLDER or registry.persons.listed(body, APPROVER):
                return body
            return _AUTHORITY


def _persons_body(registry: "Registry", request: Proposed) -> str:
    """Return who decides on the persons of a body.

    The registry's operators bring the first of each body; whoever is there decides on the next.
    A province's superior is the authority. So it is of an account that has no approver left, and
    of one that is suspended, as when its representatives can't be reached any more.

    Rules: CEA-PER-02.
    """
    body, leaving = request.persons_body(registry), getattr(request, "key", "")
    persons = registry.persons
    if not body.startswith("account "):
        is_founded = body not in (_REGISTRY, OWN_BODIES["regulator"]) and persons.listed(_AUTHORITY)
        return _AUTHORITY if is_founded else _REGISTRY
    if not persons.had(body, APPROVER):
        return _REGISTRY
    staying = [each for each in persons.listed(body, APPROVER) if each["key"] != leaving]
    is_suspended = registry.accounts.is_suspended(body.removeprefix("account "))
    return body if staying and not is_suspended else _AUTHORITY
