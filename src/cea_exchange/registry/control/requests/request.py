"""The request that all others of the registry derive from."""

from typing import TYPE_CHECKING, ClassVar

from cea_exchange.institution.control import request
from cea_exchange.registry.control.dual_control import Second, approving_body
from cea_exchange.registry.control.requests.fields import Province, ProvinceOnly
from cea_exchange.registry.participants.roles import province_bodies

if TYPE_CHECKING:
    from cea_exchange.institution.persons import Person
    from cea_exchange.registry.registry import Registry


class Request(request.Request, kw_only=True):
    """Base of every request. Amounts are tonnes, or fen of cash.

    A province, and an account's representatives, may ask what is scoped about their own only.
    """

    second: ClassVar[Second | None] = None

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return the bodies (``account P001``, ``province 11``) whose own business it is.

        That of the account in the field `account` and of its province; a request that speaks of
        something else says so itself.
        """
        account = getattr(self, "account", None)
        return frozenset() if account is None else registry.accounts.bodies(account)

    def holder(self, registry: "Registry") -> str:
        """Return the account whose right it is: that in `account`, or its successor."""
        return registry.accounts.holder(getattr(self, "account", ""))

    def persons_body(self, registry: "Registry") -> str:
        """Return the body whose persons it changes."""
        raise NotImplementedError

    def approving_body(self, registry: "Registry", proposer: "Person") -> str:
        """Return the body whose second person has to approve it; ActError if there is none."""
        return approving_body(registry, self, proposer)


class Listing(request.Listing, Request, kw_only=True):
    """Base of looks at rows that come in pages; see there."""


class ActOfProvince(Request, kw_only=True):
    """Base of what a province does, as its own business."""

    province: Province

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)


class AboutProvince(Request, kw_only=True):
    """Base of what is of one province if it names one, and of all if it does not."""

    province: ProvinceOnly = None

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)


class ProvinceListing(Listing, kw_only=True):
    """Base of looks at rows of one province if it names one, and of all if it does not."""

    province: ProvinceOnly = None

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)
