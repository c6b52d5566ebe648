"""The systems of a year as its steps see them: asked by requests, wherever they are.

    step --who asks, what--+--> in this process: the institution's own act
                           +--> a daemon: the same request over its socket, with that person's key

So one set of steps plays a year on either; what waits for sockets is the systems' own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct

from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.documents.cases import AlertTaken, CaseGain, Outcome
from cea_exchange.institution.control.request import Request
from cea_exchange.ledger.double_entry import Holding
from cea_exchange.ledger.store import Store
from cea_exchange.venue.cases.case_files import CaseFile
from cea_exchange.year.firms.abusers import TradingSeat
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


class Seat(Struct, frozen=True):
    """An account at the exchange of CCERs, which numbers them in its own way."""

    account: str
    index: int


class ExchangeCash(Struct, kw_only=True):
    """The cash of an exchange that settles it itself, in fen.

    Attributes
    ----------
    booked
        Paid in by the bank's references, less what was paid out.
    fees
        Of both sides: the exchange's own.
    held
        Account -> what it has, of those that have any.
    """

    booked: int = 0
    fees: int = 0
    held: dict[str, int] = {}


class CcerMarket(Market, Protocol):
    """The market of CCERs: an exchange that keeps the cash, while their registry delivers."""

    def feed(self) -> None:
        """See that the market has what the CCER registry sent it, and that registry its answers."""

    def listing_confirm(self, instrument: str) -> None:
        """Confirm an instrument's first listing: it is traded from the next trading day on."""

    def paid_in(self, account: str, fen: int, reference: str) -> None:
        """Book what the exchange's bank took in for an account, once by the bank's reference."""

    def seat(self, account: str) -> Seat:
        """Return the seat of an account that the market knows."""

    def cash(self) -> ExchangeCash:
        """Return the exchange's cash book."""


class SupervisedVenue(Protocol):
    """A venue as its supervisors and its abusers have it.

    Attributes
    ----------
    folder : Path
        The venue's data folder, whose journal is looked through.
    seat : TradingSeat
    """

    @property
    def folder(self) -> Path: ...
    @property
    def seat(self) -> TradingSeat: ...

    def files(self) -> Mapping[str, CaseFile]:
        """Return all case files by name."""

    def restricted(self) -> Collection[str]:
        """Return the accounts that measures were taken against."""

    def case_open(self, case: str, title: str, alerts: Sequence[AlertTaken]) -> None:
        """Open a case of alerts."""

    def note(self, case: str, text: str) -> None:
        """Note something in a case."""

    def restrict(self, case: str, account: str) -> None:
        """Keep an account from buying and selling; two persons."""

    def penalty(self, case: str, gain: CaseGain) -> None:
        """Enter what the law says of manipulation with such a gain; two persons."""

    def case_close(self, case: str, outcome: Outcome) -> None:
        """Close a case; two persons."""


class Systems(Protocol):
    """Platform, both registries, both markets and bank of a year.

    Attributes
    ----------
    market : Market
        Of allowances.
    ccer_market : CcerMarket
    bank : Bank or None
        None: cash is booked as it is said to be paid in.
    supervised : SupervisedVenue or None
        Of the market of allowances' venue; None: nobody supervises it.
    """

    @property
    def market(self) -> Market: ...
    @property
    def ccer_market(self) -> CcerMarket: ...
    @property
    def bank(self) -> Bank | None: ...
    @property
    def supervised(self) -> SupervisedVenue | None: ...

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
CCER_OPERATORS = ("first", "second")
"""Of the exchange of CCERs: cash is booked by two."""


def province(code: int, name: str = "") -> Actor:
    """Return who acts for a province."""
    return Actor("province", f"province {code}", name)
