"""Transfers between registration and trading accounts: begun here, ended by the venue's answer.

Who first transfers an instrument in declares it: its first price, and the day it is to be traded
from. The venue numbers instruments in the order in which they are declared.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.participants.accounts import HOLDERS
from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.terms import day_check
from cea_exchange.domain.profile import PROJECT_YEAR
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding
from cea_exchange.protocol.control import ProductDeclared, Seizure, TransferIn, TransferOut

LISTING_DAYS_MAX = 30
"""So many days after its declaration an instrument is to be traded from at the latest."""
SeizureWhy = Literal["court", "recall"]
"""Who takes CCERs out of a trading account: a court, or the ministry, for false ones."""
SEIZED: tuple[SeizureWhy, ...] = get_args(SeizureWhy)
"""The directions of `market_transfers` of which the venue may give less than was asked."""


class MarketTransfers:
    """Begins transfers to and from the exchange; settlement ends them.

    Notes
    -----
    Rules: CCER-PRD-02, CCER-LOT-03.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store

    def to_market(
        self,
        account: str,
        instrument: str,
        what: int | Sequence[Lot],
        *,
        price_fen: int | None = None,
        listing_date: int = 0,
    ) -> int:
        """Send CCERs to the account at the venue; they are in transit until it answers.

        Parameters
        ----------
        price_fen, listing_date
            What who first transfers the instrument in declares; nobody else does.

        Returns
        -------
        int
            The `transfer_seq` under which the venue answers.
        """
        books, store = self._books, self._store
        books.account(account, *HOLDERS)
        index, asset = books.account_moving(account), books.instrument(instrument)
        with store.transaction():
            self._declare(index, asset, price_fen, listing_date)
            entry_id = store.entry_last + 1
            parts = books.move(EntryKind.TRANSFER_BEGUN, index, index, asset, what, "to market")
            tonnes = sum(part.tonnes for part in parts)
            command = TransferIn(account=account, product=instrument, amount=tonnes)
            return self._announce("in", command, index, asset, entry_id)

    def from_market(self, account: str, instrument: str, tonnes: int) -> int:
        """Ask the venue to let tonnes go; nothing moves before its answer.

        Returns
        -------
        int
            The `transfer_seq` under which the venue answers.
        """
        books, store = self._books, self._store
        index, asset = books.account_moving(account), books.instrument(instrument)
        with store.transaction():
            self._listed_check(asset, instrument)
            command = TransferOut(account=account, product=instrument, amount=tonnes)
            return self._announce("out", command, index, asset)

    def seize(self, why: SeizureWhy, account_index: int, asset_index: int, tonnes: int) -> int:
        """Ask the venue for tonnes of a trading account, as far as it has them; return how many.

        What was asked for already is not asked for twice; what was bought today the venue gives
        once it is delivered.

        Notes
        -----
        Rules: CCER-FRZ-01, CCER-REV-01.
        """
        store = self._store
        free = store.balance(Holding(account_index, asset_index, Compartment.TRADING))
        called, leaving = self._called(account_index), self._leaving(account_index)
        free -= sum(called.get((each, asset_index), 0) for each in SEIZED)
        free -= leaving.get(asset_index, 0)
        wanted = min(tonnes, free)
        if wanted > 0:
            account, product = store.account_name(account_index), store.asset_name(asset_index)
            command = Seizure(account=account, product=product, amount=wanted, why=why)
            self._announce(why, command, account_index, asset_index)
        return max(0, wanted)

    def coming(self, why: SeizureWhy, account_index: int, asset_index: int | None = None) -> int:
        """Return what was asked of the venue, or has left it, and is not in registration yet.

        Parameters
        ----------
        asset_index
            Of one instrument; left out, of all.
        """
        called, leaving = self._called(account_index), self._leaving(account_index)
        return sum(
            called.get((why, asset), 0) + leaving.get(asset, 0)
            for asset in {*leaving, *(asset for _why, asset in called)}
            if asset_index in (None, asset)
        )

    def _called(self, account_index: int) -> dict[tuple[str, int], int]:
        """Return what the venue was asked to give up and has not answered: why, and of what."""
        rows = self._store.execute(
            "SELECT direction, asset_index, sum(tonnes) FROM market_transfers"
            " WHERE state = 'pending' AND direction IN ('court', 'recall') AND account_index = ?"
            " GROUP BY direction, asset_index",
            (account_index,),
        )
        return {(why, asset): int(tonnes) for why, asset, tonnes in rows.fetchall()}

    def _leaving(self, account_index: int) -> dict[int, int]:
        """Return what the venue has let go and waits to be posted: it is taken as it arrives."""
        rows = self._store.execute(
            "SELECT asset_index, sum(tonnes) FROM deliveries WHERE entry_id = 0"
            " AND kind = 'withdrawn' AND account_index = ? GROUP BY asset_index",
            (account_index,),
        )
        return {asset: int(tonnes) for asset, tonnes in rows.fetchall()}

    def _announce(
        self,
        direction: str,
        command: TransferIn | TransferOut | Seizure,
        account_index: int,
        asset_index: int,
        entry_id: int = 0,
    ) -> int:
        transfer_seq = self._books.feed(command)
        row = (transfer_seq, direction, account_index, asset_index, command.amount, entry_id)
        self._store.insert(
            "market_transfers (transfer_seq, direction, account_index, asset_index, tonnes,"
            " entry_id, state, reason, settlement_seq)",
            [(*row, "pending", 0, 0)],
        )
        return transfer_seq

    # -- instruments --------------------------------------------------------------------------

    def _declare(
        self, account_index: int, asset_index: int, price_fen: int | None, listing_date: int
    ) -> None:
        """Declare an instrument with its first transfer; refuse a price where it is declared.

        Notes
        -----
        Rules: CCER-PRD-01, CCER-PRD-02.
        """
        books, store = self._books, self._store
        name = store.asset_name(asset_index)
        is_declared = self._market_index(asset_index) is not None
        if is_declared != (price_fen is None):
            expected, got = "its first price", "none"
            if is_declared:
                expected, got = "none: it is declared", f"{price_fen}"
            raise ProgrammeError(
                CcerRefusal.LISTING_PRICE, f"price of {name}: expected {expected}, got {got}"
            )
        if price_fen is None:
            return
        self._declared_check(name, listing_date)
        market_index = store.one("SELECT count(*) FROM listings")
        more = {"listing_date": listing_date} if listing_date else {}
        books.feed(ProductDeclared(product=name, reference_price=price_fen, **more))
        row = (market_index, asset_index, price_fen, listing_date, account_index)
        store.insert(
            "listings (market_index, asset_index, reference_price, listing_date, account_index,"
            " business_date)",
            [(*row, books.business_date())],
        )

    def _declared_check(self, name: str, listing_date: int) -> None:
        """Refuse what the exchange would never list, or not for long: others wait for it.

        Notes
        -----
        Rules: CCER-PRD-01, CCER-PRD-02.
        """
        if PROJECT_YEAR.fullmatch(name) is None:
            raise ProgrammeError(
                CcerRefusal.VALUE_NOT_TAKEN,
                f"instrument: expected PROJECT-YEAR of capital letters, digits and hyphens, got"
                f" {name!r}",
            )
        if not listing_date:
            return
        day_check(listing_date, "listing_date")
        today = date_of_number(self._books.business_date())
        last = date_number(today + timedelta(days=LISTING_DAYS_MAX))
        if listing_date > last:
            raise ProgrammeError(
                CcerRefusal.DATE_OUT_OF_RANGE,
                f"listing_date: expected by {last}, {LISTING_DAYS_MAX} days from today, got"
                f" {listing_date}",
            )

    def _listed_check(self, asset_index: int, instrument: str) -> None:
        if self._market_index(asset_index) is None:
            raise ProgrammeError(
                CcerRefusal.INSTRUMENT_UNKNOWN,
                f"instrument: expected one that was transferred in, got {instrument!r}",
            )

    def _market_index(self, asset_index: int) -> int | None:
        index: int | None = self._store.one(
            "SELECT market_index FROM listings WHERE asset_index = ?", (asset_index,)
        )
        return index

    # -- looking ------------------------------------------------------------------------------

    def listed(self, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return transfers to and from the exchange, from a number on."""
        return self._store.records(
            "SELECT t.transfer_seq, t.direction, a.account, p.product AS instrument, t.tonnes,"
            " t.state, t.reason FROM market_transfers AS t"
            " JOIN accounts AS a ON a.account_index = t.account_index"
            " JOIN products AS p ON p.product_index = t.asset_index"
            " WHERE t.transfer_seq >= ? ORDER BY t.transfer_seq LIMIT ?",
            (first, count),
        )

    def instruments(self, place: int = 0, count: int = ALL) -> list[dict[str, Any]]:
        """Return the instruments of the exchange, as it numbers them."""
        return self._store.records(
            "SELECT l.market_index, p.product AS instrument, l.reference_price, l.listing_date,"
            " a.account AS declared_by, l.business_date AS date FROM listings AS l"
            " JOIN products AS p ON p.product_index = l.asset_index"
            " JOIN accounts AS a ON a.account_index = l.account_index"
            " WHERE l.market_index >= ? ORDER BY l.market_index LIMIT ?",
            (place, count),
        )
