"""What every request has in common, and whose second person approves what takes two."""

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from cea_exchange.institution.control import request as institution
from cea_exchange.institution.control.dual_control import can_approve, second_person_check
from cea_exchange.platform.roles import OWN_BODIES, firm_body, province_body

if TYPE_CHECKING:
    from cea_exchange.institution.persons import Person
    from cea_exchange.platform.platform import Platform


class Second(Enum):
    """Whose person approves."""

    OWN = "the proposer's own body"
    PERSONS = "the body whose person it is, or the one above it"


class Request(institution.Request, kw_only=True):
    """Base of every request. Amounts are whole tonnes, or fen."""

    second: ClassVar[Second | None] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        """Carry it out; return the answer's fields."""
        raise NotImplementedError

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return the bodies whose own business it is.

        Those of the enterprise in the field `enterprise`, and of the firm in `firm` and the
        province in `province`; a request that speaks of something else says so itself.
        """
        found: set[str] = set()
        if (enterprise := getattr(self, "enterprise", None)) is not None:
            found |= platform.bodies_of(enterprise)
        if (firm := getattr(self, "firm", None)) is not None:
            found.add(firm_body(firm))
        if (province := getattr(self, "province", None)) is not None:
            found.add(province_body(province))
        return frozenset(found)

    def persons_body(self, platform: "Platform") -> str:
        """Return the body whose persons it changes."""
        raise NotImplementedError

    def approving_body(self, platform: "Platform", proposer: "Person") -> str:
        """Return the body whose second person has to approve it; ActError if there is none.

        Notes
        -----
        Rules: CEA-REG-02, CEA-ENT-14.
        """
        if self.second is not Second.PERSONS:
            return super().approving_body(platform, proposer)
        body = self.persons_body(platform)
        for each in (body, *_above(platform, body)):
            if can_approve(platform.persons, each, proposer):
                return each
        return second_person_check(platform.persons, self.op, OWN_BODIES["operator"], proposer)


def _above(platform: "Platform", body: str) -> tuple[str, ...]:
    """Return the bodies above one, the nearest first.

    Rules: CEA-PER-02.
    """
    authority, own = OWN_BODIES["authority"], OWN_BODIES["operator"]
    kind, _, name = body.partition(" ")
    match kind:
        case "enterprise":
            province = province_body(platform.enterprises.of(name).province)
            return (province, authority, own)
        case "city":
            return (province_body(int(name) // 100), authority, own)
        case "province":
            return (authority, own)
    return (own,)
