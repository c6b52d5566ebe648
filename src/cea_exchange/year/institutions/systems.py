"""The systems of a year as its steps see them: asked by requests, wherever they are.

    step --who asks, what--+--> in this process: the institution's own act
                           +--> a daemon: the same request over its socket, with that person's key

So one set of steps plays a year on either; what waits for sockets is the systems' own.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from typing import Any, Literal, NamedTuple, Protocol

from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.control.request import Request
from cea_exchange.ledger.double_entry import Holding
from cea_exchange.ledger.store import Store
from cea_exchange.year.institutions.market import Market

System = Literal["platform", "registry", "ccer"]


class Actor(NamedTuple):
    """Who asks.

    Attributes
    ----------
    role, body
        As the institution that is asked has them: ``province``, ``province 11``.
    name
        Another one of the same role and body has another.
    """

    role: str
    body: str
    name: str = ""

    @property
    def person(self) -> str:
        """Return what the person is called."""
        return f"{self.name or self.role} of {self.body}"


class Bank(Protocol):
    """The settlement bank of a year."""

    def paid_in(self, day: date, cash: Mapping[int, int]) -> None:
        """Take cash in (index of an account -> fen); the registry hears of it by a statement."""

    def day_closed(self, day: date) -> None:
        """See the day's instructions carried out, and the registry read the day's statement."""


class Systems(Protocol):
    """Platform, both registries, market and bank of a year.

    Attributes
    ----------
    market : Market
    bank : Bank or None
        None: cash is booked as it is said to be paid in.
    """

    @property
    def market(self) -> Market: ...
    @property
    def bank(self) -> Bank | None: ...

    def day_begin(self, day: date) -> None:
        """Let it be noon of a day at every institution."""

    def ask(self, system: System, actor: Actor, request: Request) -> dict[str, Any]:
        """Ask an institution; return its answer. What it refuses ends the year."""

    def together(self, system: System) -> AbstractContextManager[None]:
        """Let what is asked within be one transaction, where the institution is in this process."""

    def talk(self) -> None:
        """See that registry and platform have said to each other what is new."""

    def proofs_talk(self) -> None:
        """See that both registries have said to each other what is new of proofs."""

    def feed(self) -> None:
        """See that the market has what the registry sent it, and the registry its answers."""

    def balances(self) -> Callable[[Holding], int]:
        """Return what tells how much is held now, in tonnes or fen."""

    def registry_read(self) -> AbstractContextManager[Store]:
        """Open what the registry keeps, as it stands."""

    def ccer_read(self) -> AbstractContextManager[CcerStore]:
        """Open what the CCER registry keeps, as it stands."""


OPERATOR = Actor("operator", "registry")
AUTHORITY = Actor("authority", "authority")


def province(code: int, name: str = "") -> Actor:
    """Return who acts for a province."""
    return Actor("province", f"province {code}", name)
