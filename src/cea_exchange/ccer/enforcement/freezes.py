"""Courts: what is frozen, what is released, and what is given to another.

A freeze asks for tonnes of one account's instrument. What is on the registration compartment is
frozen at once, what comes there later until the tonnes are reached, the earliest freeze first. The
exchange is asked for the rest, as far as the trading account has it.
"""

from typing import Any, NamedTuple

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.lots.places import Place
from cea_exchange.ccer.market.transfers import MarketTransfers
from cea_exchange.ccer.participants.accounts import HOLDERS
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding


class Freeze(NamedTuple):
    """A row of `freezes`."""

    freeze_id: int
    account_index: int
    asset_index: int
    ordered: int
    in_force: int
    released: int
    deducted: int
    order_number: str
    court: str
    from_date: int

    @property
    def asked(self) -> int:
        """What is not in force of what the court wants."""
        return self.ordered - self.in_force - self.released - self.deducted

    @property
    def reference(self) -> str:
        """Of its entries in the ledger."""
        return f"freeze {self.freeze_id}"


FREEZE_COLUMNS = ", ".join(Freeze._fields)
"""Of the table `freezes`."""


class Freezes:
    """Carries out courts' orders.

    Notes
    -----
    Rules: CCER-FRZ-01, CCER-FRZ-02.
    """

    def __init__(self, books: Books, transfers: MarketTransfers) -> None:
        self._books = books
        self._store = books.store
        self._transfers = transfers
        books.after_arrival.append(self.take)
        books.after_trading.append(self.ask)
        books.after_opening.append(self._ask_all)

    def freeze(
        self, account: str, instrument: str, tonnes: int, *, order: str, court: str
    ) -> Freeze:
        """Freeze tonnes of an instrument, and what is missing of them as it comes.

        Notes
        -----
        Rules: CCER-FRZ-01.
        """
        books, store = self._books, self._store
        index, asset = books.account(account), books.instrument(instrument)
        _positive_check(tonnes)
        with store.transaction():
            found = Freeze(
                *(store.next_id("freezes", "freeze_id"), index, asset, tonnes, 0, 0, 0),
                *(order, court, books.business_date()),
            )
            store.insert(
                "freezes (freeze_id, account_index, asset_index, ordered, in_force, released,"
                " deducted, order_number, court, from_date)",
                [found],
            )
            self._act_add(found, "freeze", tonnes, None, order, court)
            self.take(index, asset)
            self.ask(index, asset)
        return self.found(found.freeze_id)

    def release(
        self, freeze_id: int, tonnes: int | None = None, *, order: str, court: str
    ) -> Freeze:
        """End a freeze, or take tonnes off what it wants: what is not in force first.

        Notes
        -----
        Rules: CCER-FRZ-01.
        """
        store = self._store
        with store.transaction():
            found = self.found(freeze_id)
            live = found.asked + found.in_force
            tonnes = live if tonnes is None else tonnes
            self._within_check(found, tonnes, live)
            back = max(0, tonnes - found.asked)
            store.execute(
                "UPDATE freezes SET released = released + ?, in_force = in_force - ?"
                " WHERE freeze_id = ?",
                (tonnes, back, freeze_id),
            )
            self._act_add(found, "release", tonnes, None, order, court)
            if back:
                account = found.account_index
                self._books.move(
                    *(EntryKind.RELEASED, account, account, found.asset_index),
                    *(back, found.reference),
                )
        return self.found(freeze_id)

    def deduct(
        self, freeze_id: int, tonnes: int, to: str, *, order: str, court: str
    ) -> list[Lot]:
        """Give frozen tonnes to the account that the court names, which may hold CCERs.

        Notes
        -----
        Rules: CCER-FRZ-02, CCER-ACC-02.
        """
        with self._store.transaction():
            found, counter = self.found(freeze_id), self._books.account(to, *HOLDERS)
            self._within_check(found, tonnes, found.in_force)
            self._store.execute(
                "UPDATE freezes SET deducted = deducted + ?, in_force = in_force - ?"
                " WHERE freeze_id = ?",
                (tonnes, tonnes, freeze_id),
            )
            self._act_add(found, "deduct", tonnes, counter, order, court)
            return self._books.move(
                *(EntryKind.DEDUCTED, found.account_index, counter, found.asset_index),
                *(tonnes, found.reference),
            )

    def take(self, account_index: int, asset_index: int) -> None:
        """Freeze what is there for the freezes that still ask, the earliest first."""
        store = self._store
        rows = store.execute(
            f"SELECT {FREEZE_COLUMNS} FROM freezes WHERE account_index = ? AND asset_index = ?"
            " AND in_force + released + deducted < ordered ORDER BY freeze_id",
            (account_index, asset_index),
        ).fetchall()
        holding = Holding(account_index, asset_index, Compartment.REGISTRATION)
        for found in (Freeze(*row) for row in rows):
            tonnes = min(found.asked, store.balance(holding))
            if not tonnes:
                return
            self._books.move(
                *(EntryKind.FROZEN, account_index, account_index, asset_index),
                *(tonnes, found.reference),
            )
            store.execute(
                "UPDATE freezes SET in_force = in_force + ? WHERE freeze_id = ?",
                (tonnes, found.freeze_id),
            )

    def ask(self, account_index: int, asset_index: int) -> None:
        """Ask the exchange for what freezes still want of a trading account.

        Notes
        -----
        Rules: CCER-FRZ-01.
        """
        asked = self._store.one(
            "SELECT coalesce(sum(ordered - in_force - released - deducted), 0) FROM freezes"
            " WHERE account_index = ? AND asset_index = ?"
            " AND in_force + released + deducted < ordered",
            (account_index, asset_index),
        )
        if asked:
            asked -= self._transfers.coming("court", account_index, asset_index)
            self._transfers.seize("court", account_index, asset_index, int(asked))

    def _ask_all(self) -> None:
        places = self._store.execute(
            "SELECT DISTINCT account_index, asset_index FROM freezes"
            " WHERE in_force + released + deducted < ordered ORDER BY 1, 2"
        ).fetchall()
        for place in places:
            self.ask(*place)

    def found(self, freeze_id: int) -> Freeze:
        """Return a freeze; ProgrammeError if there is none."""
        row = self._store.one(
            f"SELECT {FREEZE_COLUMNS} FROM freezes WHERE freeze_id = ?", (freeze_id,)
        )
        if row is None:
            raise ProgrammeError(
                CcerRefusal.FREEZE_STATE, f"freeze {freeze_id}: expected a known one, got none"
            )
        return Freeze(*row)

    def listed(
        self, account: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return freezes, earlier ones first, from an id on, all or an account's."""
        return self._store.records(
            "SELECT f.freeze_id, a.account, p.product AS instrument, f.ordered, f.in_force,"
            " f.released, f.deducted, f.order_number, f.court, f.from_date FROM freezes AS f"
            " JOIN accounts AS a ON a.account_index = f.account_index"
            " JOIN products AS p ON p.product_index = f.asset_index WHERE f.freeze_id >= :first"
            + ("" if account is None else " AND f.account_index = :account")
            + " ORDER BY f.freeze_id LIMIT :count",
            {
                "first": first,
                "account": None if account is None else self._books.known(account),
                "count": count,
            },
        )

    def lots(self, found: Freeze) -> list[Lot]:
        """Return all that is frozen of a freeze's account and instrument, by whatever freeze."""
        place = Place(found.asset_index, found.account_index, int(Compartment.JUDICIAL))
        return self._books.places.held(place)

    def _within_check(self, found: Freeze, tonnes: int, most: int) -> None:
        if not 0 < tonnes <= most:
            raise ProgrammeError(
                CcerRefusal.FREEZE_STATE,
                f"freeze {found.freeze_id}: expected 1 to {most} t, got {tonnes}",
            )

    def _act_add(
        self, found: Freeze, act: str, tonnes: int, counter: int | None, order: str, court: str
    ) -> None:
        words_checked(order, "order", WHY_LENGTH_MAX)
        words_checked(court, "court", WHY_LENGTH_MAX)
        number, today = (
            self._store.next_id("freeze_acts", "freeze_act_id"),
            self._books.business_date(),
        )
        self._store.insert(
            "freeze_acts (freeze_act_id, freeze_id, act, tonnes, counter_index, order_number,"
            " court, business_date)",
            [(number, found.freeze_id, act, tonnes, counter, order, court, today)],
        )


def _positive_check(tonnes: int) -> None:
    if tonnes <= 0:
        raise ProgrammeError(
            CcerRefusal.CCERS_NOT_HELD, f"tonnes: expected 1 t or more, got {tonnes}"
        )
