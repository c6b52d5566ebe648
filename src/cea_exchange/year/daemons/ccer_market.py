"""The market of CCERs of a year at its exchange's daemon, which keeps the cash."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from cea_exchange.ccer.control.requests.market import KeyGrant
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.institution.control.request import Request
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.year.daemons.market import DaemonMarket
from cea_exchange.year.daemons.venue_operator import VenueOperator
from cea_exchange.year.institutions.ccer_exchange import PROFILE
from cea_exchange.year.institutions.programme import representative
from cea_exchange.year.institutions.systems import Actor, ExchangeCash, Seat, System


class CcerSystem(Protocol):
    """What the market asks of its systems."""

    def ask(self, system: System, actor: Actor, request: Request) -> dict[str, Any]: ...


class DaemonCcerMarket(DaemonMarket):
    """The market of CCERs at its daemon; see `CcerMarket`."""

    def __init__(
        self,
        systems: CcerSystem,
        venue: VenueOperator,
        data: Path,
        read: Callable[[], AbstractContextManager[Store]],
    ) -> None:
        super().__init__(venue, data, load_profile(PROFILE), {})
        self._systems, self._read = systems, read
        self._seats: dict[str, Seat] = {}

    def feed(self) -> None:
        """Wait until the exchange has what the CCER registry sent it, and that its answers."""
        self._venue.feed()

    def listing_confirm(self, instrument: str) -> None:
        """Confirm an instrument's first listing: it is traded from the next trading day on."""
        # Where it is traded already, none waits any more.
        done = {VenueRefusal.LISTING_CONFIRMED, VenueRefusal.LISTING_UNKNOWN}
        self._venue.once(done, "confirm_listing", product=instrument, why="first listing")

    def paid_in(self, account: str, fen: int, reference: str) -> None:
        """Book what the exchange's bank took in: one operator proposes, another agrees."""
        self._venue.once_by_two(
            {VenueRefusal.CASH_BOOKED},
            "cash_pay_in",
            account=account,
            cash=fen,
            reference=reference,
        )

    def seat(self, account: str) -> Seat:
        """Return an account's seat; its first session's key is made known to the exchange."""
        if account not in self._seats:
            with self._read() as ccer:
                index: int = ccer.one(
                    "SELECT account_index FROM accounts WHERE account = ?", (account,)
                )
            keys = self._keys[index] = CurveKeys.new()
            granted = KeyGrant(key=keys.public, account=account)
            self._systems.ask("ccer", representative(account), granted)
            self.feed()
            self._seats[account] = Seat(account, index)
        return self._seats[account]

    def cash(self) -> ExchangeCash:
        """Return the exchange's cash book."""
        book, held = self._venue.operate("cash_reconcile"), dict[str, int]()
        with self._read() as ccer:
            accounts = ccer.column(
                "SELECT account FROM accounts WHERE account_index >= 0 ORDER BY account_index"
            )
        for account in accounts:
            cash = int(self._venue.operate("position", account=account)["cash"])
            if cash:
                held[account] = cash
        return ExchangeCash(booked=int(book["booked"]), fees=int(book["fees"]), held=held)
