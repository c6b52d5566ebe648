"""Whether a body has a second person, who is not the one that proposes."""

from collections.abc import Container
from typing import TYPE_CHECKING

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.checks import ActError

if TYPE_CHECKING:
    from cea_exchange.institution.persons import Person, Persons


class AnyRole:
    """All roles there are."""

    def __contains__(self, _role: object) -> bool:
        return True


def can_approve(
    persons: "Persons", body: str, proposer: "Person", approving: Container[str] = AnyRole()
) -> bool:
    """Tell whether a body has a person who may approve what another one proposed.

    Parameters
    ----------
    approving
        Roles that may.
    """
    return any(
        person["role"] in approving and not look_alike(person["name"], proposer.name)
        for person in persons.listed(body)
    )


def second_person_check(
    persons: "Persons",
    op: str,
    body: str,
    proposer: "Person",
    approving: Container[str] = AnyRole(),
) -> str:
    """Return the body that has to approve; ActError if no other person there could.

    Notes
    -----
    Rules: CEA-REG-02.
    """
    if not can_approve(persons, body, proposer, approving):
        raise ActError(
            InstitutionRefusal.NO_SECOND_PERSON,
            f"{op}: expected {body} to have another person who approves, got none beside"
            f" {proposer.name} of {proposer.body}",
        )
    return body


def second_of_own_body(persons: "Persons", op: str, proposer: "Person") -> str:
    """Return the proposer's own body, of which another person has to approve."""
    return second_person_check(persons, op, proposer.body, proposer)
