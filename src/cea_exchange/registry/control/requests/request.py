"""The request that all others of the registry derive from."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cea_exchange.control_plane import requests as control_plane
from cea_exchange.control_plane.fields import field
from cea_exchange.registry.control.dual_control import Second, approving_body
from cea_exchange.registry.participants.persons import Person

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry

REQUEST_BYTES_MAX = 4 << 20
"""Files of all entities come in one request."""


RequestId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128), field("", is_hidden=True)
]
"""Of the asker's: what is asked again under it gets the first answer."""


class Request(control_plane.Request, kw_only=True):
    """Base of every request. Amounts are tonnes, or fen of cash.

    Attributes
    ----------
    is_scoped
        Whether a province, and an account's representatives, may ask it about their own only.
    """

    request_id: RequestId | None = None

    is_scoped: ClassVar[bool] = True
    second: ClassVar[Second | None] = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        """Carry it out; return the answer's fields.

        Raises
        ------
        ActError
            It is refused; nothing was changed.
        """
        raise NotImplementedError

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

    def approving_body(self, registry: "Registry", proposer: Person) -> str:
        """Return the body whose second person has to approve it; ActError if there is none."""
        return approving_body(registry, self, proposer)
