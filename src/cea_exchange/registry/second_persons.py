"""Whose second person approves what one asks: one table, op by op, and how it is read.

    who asks                   whose the right is           whose person approves
    registry's operator        the account's holder         that account's approver
    account's initiator        the account's holder         that account's approver
    registry's operator        the authority, a province    a person of theirs
    anybody                    his own body's               another person of that body

So nobody acts alone, and nobody acts for another without that other's consent. What is in no line
of the table one person does: it looks, it bars or freezes, which must not wait, or moves nothing.
"""

from enum import Enum
from typing import TYPE_CHECKING

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.persons import OWN_BODIES, Person, account_body
from cea_exchange.registry.roles import APPROVER, AUTHORITY, MAY, OPERATOR

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry
    from cea_exchange.registry.requests.request import Request


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


SECOND: dict[str, Second] = {
    # the daemon
    "clock_move": Second.OWN,
    "clock_confirm": Second.OWN,
    # persons
    "person_add": Second.PERSONS,
    "person_remove": Second.PERSONS,
    # accounts
    "account_open": Second.OWN,
    "account_restore": Second.OWN,
    "account_rename": Second.PROVINCE,
    "account_merge": Second.SUCCESSOR,
    "account_close": Second.HOLDER_OR_AUTHORITY,
    "account_at_risk": Second.PROVINCE,
    "account_bank": Second.HOLDER,
    # distribution
    "allocation_issue": Second.AUTHORITY,
    "allocation_reverse": Second.OWN,
    "allocation_distribute": Second.AUTHORITY,
    "allocation_deduct": Second.DECIDER,
    "allocation_recall": Second.DECIDER,
    "allocation_release": Second.PROVINCE,
    # products, keys and cash
    "product_declare": Second.OWN,
    "key_grant": Second.HOLDER,
    "pay_in": Second.OWN,
    "transfer_in": Second.HOLDER,
    "transfer_out": Second.HOLDER,
    # obligations
    "obligation_take": Second.OWN,
    "obligation_correct": Second.OWN,
    "borrow": Second.AUTHORITY,
    "correction_order": Second.OWN,
    "correction_refused": Second.OWN,
    "unpaid_deduct": Second.OWN,
    # surrender and offset
    "surrender_apply": Second.HOLDER,
    "surrender_withdraw": Second.HOLDER,
    "surrender_accept": Second.OWN,
    "surrender_reject": Second.OWN,
    "surrender_retire": Second.OWN,
    "surrender_force": Second.PROVINCE,
    "offset_take": Second.OWN,
    "offset_book": Second.OWN,
    "offset_revoke": Second.OWN,
    # carryover
    "carryover_give_notice": Second.OWN,
    "carryover_apply": Second.HOLDER,
    "carryover_withdraw": Second.HOLDER,
    "carryover_run": Second.OWN,
    # courts, dispositions
    "freeze_release": Second.OWN,
    "freeze_deduct": Second.OWN,
    "cancellation_apply": Second.HOLDER,
    "legal_transfer_apply": Second.OWN,
    "disposition_approve": Second.OWN,
    "disposition_refuse": Second.OWN,
    # the settlement bank
    "bank_report": Second.OWN,
    "bank_statement": Second.OWN,
    "bank_again": Second.OWN,
    "bank_unapplied_close": Second.OWN,
    "pay_out": Second.HOLDER,
    # trades that failed, and what busts left owing
    "reserve_fund": Second.OWN,
    "reserve_use": Second.OWN,
    "reserve_recover": Second.OWN,
    "claim_pay": Second.OWN,
}

_REGISTRY = OWN_BODIES[OPERATOR]
_AUTHORITY = OWN_BODIES[AUTHORITY]


def approving_body(registry: "Registry", request: "Request", proposer: Person) -> str:
    """Return the body whose second person has to approve a request.

    Raises
    ------
    ActError
        Nobody there is could approve it: there is no such body, or no other person of it.

    Notes
    -----
    Rules: CEA-REG-02, CEA-PER-01, CEA-PER-02, CEA-PER-03.
    """
    body = _body(registry, request, proposer)
    if not can_approve(registry, body, proposer):
        raise ActError(
            RegistryRefusal.NO_SECOND_PERSON,
            f"{request.op}: expected {body} to have another person who approves, got none beside"
            f" {proposer.name} of {proposer.body}",
        )
    return body


def can_approve(registry: "Registry", body: str, proposer: Person) -> bool:
    """Tell whether a body has a person who may approve what another one proposed."""
    return any(
        person["role"] in MAY["approve"] and not look_alike(person["name"], proposer.name)
        for person in registry.persons.listed(body)
    )


def _body(registry: "Registry", request: "Request", proposer: Person) -> str:
    # What the settings add to the table takes another person of the same body.
    match SECOND.get(request.op, Second.OWN):
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


def _persons_body(registry: "Registry", request: "Request") -> str:
    """Return who decides on the persons of a body.

    Notes
    -----
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
