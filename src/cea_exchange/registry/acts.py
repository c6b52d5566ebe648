"""What the registry does on request: accounts, products, keys, issue, payment and transfers.

Usable without a daemon: open the data folder, act, close. Each act is a transaction of its own, or
part of a larger one::

    with Registry.open(data) as registry, registry.transaction():
        registry.product_declare("CEA24", reference_price_fen=9749)
        registry.account_open("P001", credit_code="91330100799655058B", province=33)
        registry.issue("P001", "CEA24", 5_000)
        registry.transfer_in("P001", "CEA24", 5_000)
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import msgspec

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.protocol.control import (
    FeedCommand,
    KeyGranted,
    KeyRevoked,
    ProductDeclared,
    TransferIn,
    TransferOut,
)
from cea_exchange.registry.accounts import LIVE, Accounts, Admission
from cea_exchange.registry.act_log import ActLog
from cea_exchange.registry.approvals import Approvals
from cea_exchange.registry.arrivals import Arrivals
from cea_exchange.registry.bank_files import BankFiles
from cea_exchange.registry.bank_office import BankOffice
from cea_exchange.registry.borrowing import Borrowing
from cea_exchange.registry.carryover import Carryover
from cea_exchange.registry.checks import ActError, amount_checked, name_checked
from cea_exchange.registry.claims import Claims
from cea_exchange.registry.clock import GivenClock, RegistryClock
from cea_exchange.registry.compliance import Compliance
from cea_exchange.registry.corrections import Corrections
from cea_exchange.registry.defaults import Defaults
from cea_exchange.registry.dispositions import Dispositions
from cea_exchange.registry.distribution import Distribution
from cea_exchange.registry.duties import Duties
from cea_exchange.registry.enforcement import Enforcement
from cea_exchange.registry.feed import feed_append
from cea_exchange.registry.institutions import Institution
from cea_exchange.registry.ledger import (
    CASH_ASSET,
    Compartment,
    EntryKind,
    InsufficientHolding,
    LedgerError,
    Movement,
    Posting,
    legs_of,
)
from cea_exchange.registry.look_alikes import look_alikes_add
from cea_exchange.registry.mergers import successors
from cea_exchange.registry.obligations import Obligations
from cea_exchange.registry.offsets import Offsets
from cea_exchange.registry.persons import Persons
from cea_exchange.registry.province_holdings import ProvinceHoldings
from cea_exchange.registry.recalls import RECALL_WAITS_FOR
from cea_exchange.registry.statements import Statements
from cea_exchange.registry.store import Store
from cea_exchange.registry.surrender import Surrender

PRODUCT_COUNT_MAX = 65_535

_INSUFFICIENT = {
    False: RegistryRefusal.INSUFFICIENT_ALLOWANCES,
    True: RegistryRefusal.INSUFFICIENT_CASH,
}
"""By whether it is cash."""

FOR_A_PURPOSE = frozenset({EntryKind.RESERVE_USED})
"""What comes into a registration account to settle a trade, and is not the account's to lose."""


class Registry:
    """The registry's acts upon its database.

    Parameters
    ----------
    store
        Open for writing.
    clock_ns
        Gives the time (nanoseconds since 1970), whatever it is; left out, the system's.
    clock
        Instead of it, one that is guarded: the daemon's.

    Attributes
    ----------
    clock : RegistryClock
        The time that is noted with acts and by which proposals expire, and the day that acts
        belong to.
    by : str
        Who acts now, ``an`` or ``an and bo``; ``''`` where no person is known.
    obligations, surrender, offsets, compliance, duties, corrections, borrowing, carryover
        The offices of the compliance cycle.
    """

    def __init__(
        self,
        store: Store,
        clock_ns: Callable[[], int] = time.time_ns,
        *,
        clock: RegistryClock | None = None,
        admission: Admission = "listed_entities",
    ) -> None:
        self.store = store
        self.clock = GivenClock(clock_ns) if clock is None else clock
        self._clock_acts_taken = self._clock_acts_last()
        self._clock_is_asked = False
        self.by = ""
        self.accounts = Accounts(self, admission)
        self.persons = Persons(self)
        self.approvals = Approvals(self)
        self.act_log = ActLog(self)
        store.act_missing = self.act_log.library
        self.arrivals = Arrivals(store)
        self.province_holdings = ProvinceHoldings(self)
        self.distribution = Distribution(self)
        self.obligations = Obligations(self)
        self.surrender = Surrender(self)
        self.offsets = Offsets(self)
        self.compliance = Compliance(self)
        self.duties = Duties(self)
        self.corrections = Corrections(self)
        self.borrowing = Borrowing(self)
        self.carryover = Carryover(self)
        self.enforcement = Enforcement(self)
        self.dispositions = Dispositions(self)
        self.defaults = Defaults(self)
        self.claims = Claims(self)
        self.bank = BankOffice(self)
        self.bank_files = BankFiles(self)
        self.statements = Statements(self)

    @cached_property
    def rules(self) -> ComplianceRules:
        """The rules of the compliance cycle."""
        return ComplianceRules.load()

    @cached_property
    def calendar(self) -> TradingCalendar:
        """The national market's trading and working days."""
        return TradingCalendar.load("cn_carbon")

    @classmethod
    def open(
        cls,
        data: Path | str,
        database: str | None = None,
        *,
        admission: Admission = "listed_entities",
    ) -> Self:
        """Open the registry in ``data/registry/``, which no other process may have open.

        Parameters
        ----------
        database
            ``postgresql://...`` for a registry in PostgreSQL; see `Store.open`.
        admission
            Whose accounts are opened: ``listed_entities`` asks for a credit code and a province,
            ``open`` for neither.
        """
        return cls(Store.open(data, database), admission=admission)

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Make many acts one: all are committed, or none. Thousands in one are fast."""
        return self.store.transaction()

    @contextmanager
    def acting(self, by: str) -> Iterator[None]:
        """Note who acts, for what is kept of the acts within."""
        before, self.by = self.by, by
        try:
            yield
        finally:
            self.by = before

    # -- accounts, products, keys -------------------------------------------------------------

    def account_open(self, account: str, group: str = "", **entity: Any) -> int:
        """Open a participant's account and tell the venue; see `Accounts.open`.

        Returns
        -------
        int
            Its index, the same at the venue.
        """
        return self.accounts.open(account, group, **entity)

    def product_declare(self, product: str, reference_price_fen: int) -> int:
        """Declare a product and tell the venue.

        Parameters
        ----------
        product
            Its name; any but that of cash.
        reference_price_fen
            Per tonne.

        Returns
        -------
        int
            Its index, the same at the venue.
        """
        name_checked(product, "product")
        reference_price = amount_checked(reference_price_fen, "reference_price")
        if product == CASH_NAME:
            raise ActError(
                RegistryRefusal.NAME_RESERVED,
                f"product: expected another name than {CASH_NAME}, which is cash, got it",
            )
        with self.store.transaction():
            if self.store.product_index(product) is not None:
                raise ActError(
                    RegistryRefusal.PRODUCT_TAKEN,
                    f"product: expected a new one, got {product}, which is declared already",
                )
            index = self.store.one("SELECT count(*) FROM products")
            if index >= PRODUCT_COUNT_MAX:
                raise ActError(
                    RegistryRefusal.PRODUCT_LIMIT,
                    f"products: expected at most {PRODUCT_COUNT_MAX}, got one more",
                )
            look_alikes_add(self.store, "product", product)
            self.feed(ProductDeclared(product=product, reference_price=reference_price))
            self.store.insert("products", [(index, product, reference_price, None)])
            self.enforcement.product_declared(index)
        return index

    def key_grant(
        self,
        key: str,
        account: str,
        operator_index: int = 0,
        role: str = "trader",
        *,
        cancel_on_disconnect: bool = True,
    ) -> None:
        """Let a CURVE public key (z85 text) act for an operator of an account.

        Parameters
        ----------
        role
            ``trader``, ``canceller`` (cancels only) or ``reader`` (reports only).
        cancel_on_disconnect
            Whether a trader's orders are cancelled when its session is lost.
        """
        with self.store.transaction():
            account_index = self.account(account)
            if self.store.one("SELECT 1 FROM keys WHERE public_key = ?", (key,)):
                raise ActError(
                    RegistryRefusal.KEY_TAKEN,
                    f"key: expected a new one, got {key!r}, which was granted before",
                )
            command = KeyGranted(
                key=key,
                account=account,
                operator_index=operator_index,
                role=role,
                cancel_on_disconnect=cancel_on_disconnect,
            )
            self.feed(command)
            row = (key, account_index, operator_index, role, int(cancel_on_disconnect), 0)
            self.store.insert("keys", [row])

    def key_revoke(self, key: str) -> None:
        """Take back what a key may do; it can't be granted again."""
        with self.store.transaction():
            if not self.store.one(
                "SELECT 1 FROM keys WHERE public_key = ? AND revoked = 0", (key,)
            ):
                raise ActError(
                    RegistryRefusal.KEY_NOT_IN_FORCE, f"key: expected one in force, got {key!r}"
                )
            self.store.execute("UPDATE keys SET revoked = 1 WHERE public_key = ?", (key,))
            self.feed(KeyRevoked(key=key))

    def key_bodies(self, key: str) -> frozenset[str]:
        """Return whose business a key is: that of the account it acts for."""
        account = self.store.one(
            "SELECT account FROM keys JOIN accounts USING (account_index) WHERE public_key = ?",
            (key,),
        )
        return frozenset() if account is None else self.accounts.bodies(account)

    # -- allowances and cash ------------------------------------------------------------------

    def issue(self, account: str, product: str, tonnes: int) -> None:
        """Issue allowances into an account's registration compartment.

        For who embeds a registry without persons, and for tests; over a desk there is no such act:
        allowances are issued to the authority and distributed.
        """
        with self.store.transaction():
            holder, asset = self.account(account), self.asset(product)
            self.move(EntryKind.ISSUE, Institution.ISSUANCE, holder, asset, tonnes)

    def pay_in(self, account: str, cash_fen: int) -> None:
        """Book cash that was paid in into an account's registration compartment.

        Raises
        ------
        ActError
            There is a settlement bank: what it did not book never was paid in.

        Notes
        -----
        Rules: CEA-PER-06.
        """
        with self.store.transaction():
            self.bank.paid_in_by_hand_check("pay_in")
            payer = self.account(account)
            self.move(EntryKind.PAY_IN, Institution.BANK, payer, CASH_ASSET, cash_fen)

    def transfer_in(self, account: str, product: str | None, amount: int) -> int:
        """Send tonnes of a product, or without one fen of cash, to the account at the venue.

        They are in transit until the venue's answer comes on the settlement stream.

        Returns
        -------
        int
            The `transfer_seq` under which the venue answers.
        """
        with self.store.transaction():
            index, asset = self.account_moving(account), self.asset(product)
            amount = amount_checked(amount, "cash" if asset == CASH_ASSET else "tonnes")
            if asset == CASH_ASSET:
                self.defaults.free_cash_check(index, amount)
            self.move(EntryKind.TRANSFER_BEGUN, index, index, asset, amount)
            command = TransferIn(account=account, product=product, amount=amount)
            return self._transfer("in", command)

    def transfer_out(self, account: str, product: str | None, amount: int) -> int:
        """Ask the venue to let tonnes of a product, or without one fen of cash, go.

        Nothing moves before the venue's answer comes on the settlement stream: until then they are
        still at the venue, and may just have been sold.

        Returns
        -------
        int
            The `transfer_seq` under which the venue answers.
        """
        amount = amount_checked(amount, "amount")
        with self.store.transaction():
            command = TransferOut(account=account, product=product, amount=amount)
            return self._transfer("out", command)

    def status(self) -> dict[str, Any]:
        """Return how far the registry is, with its counts."""
        store = self.store
        return {
            "log_id": store.log_id,
            "last_seq": store.last_seq,
            "confirmed_date": store.confirmed_date,
            "state": store.state,
            "accounts": store.one("SELECT count(*) FROM accounts WHERE account_index >= 0"),
            "products": store.one("SELECT count(*) FROM products"),
            "trades": store.one("SELECT count(*) FROM trades"),
            "trades_failed": store.one(
                "SELECT count(*) FROM trades WHERE failure <> '' AND state = 'failed'"
            ),
            "claims": store.one("SELECT count(*) FROM claims"),
            "entries": store.entry_last,
            "transfers_pending": store.one(
                "SELECT count(*) FROM transfers WHERE state = 'pending'"
            ),
            "bank_unapplied": self.bank.reports.open_count(),
        }

    # -- in common ----------------------------------------------------------------------------

    def account(self, account: str) -> int:
        """Return the index of an entity's account; ActError if there is none, or it has ended."""
        row = None
        if isinstance(account, str):
            row = self.store.one(
                "SELECT account_index, state FROM accounts"
                " WHERE account = ? AND account_index >= 0",
                (account,),
            )
        if row is None:
            raise ActError(
                RegistryRefusal.ACCOUNT_UNKNOWN, f"account: expected an open one, got {account!r}"
            )
        index, state = row
        if state not in LIVE:
            raise ActError(
                RegistryRefusal.ACCOUNT_ENDED,
                f"account: expected an open one, got {account}, which is {state}",
            )
        return index

    def with_successor(self, account: str) -> tuple[int, int]:
        """Return the index of an account, open or merged, and of the one that owes for it now.

        Rules: CEA-ACC-08.
        """
        index = self.store.account_index(account) if isinstance(account, str) else None
        into = successors(self.store)
        if index not in into:
            return (self.account(account),) * 2
        return index, self.account(self.store.account_name(into[index]))

    def account_moving(self, account: str) -> int:
        """Return the index of an account that may move what it has; ActError if it is suspended.

        Rules: CEA-ACC-03.
        """
        index = self.account(account)
        state = self.store.one("SELECT state FROM accounts WHERE account_index = ?", (index,))
        if state != "open":
            raise ActError(
                RegistryRefusal.ACCOUNT_SUSPENDED,
                f"account: expected one that is not suspended, got {account}",
            )
        return index

    def asset(self, product: str | None) -> int:
        """Return the index of a product, or without one that of cash; ActError if undeclared."""
        if product is None:
            return CASH_ASSET
        index = self.store.product_index(product) if isinstance(product, str) else None
        if index is None:
            raise ActError(
                RegistryRefusal.PRODUCT_UNKNOWN,
                f"product: expected a declared one, got {product!r}",
            )
        return index

    def move(
        self,
        kind: EntryKind,
        account_index: int,
        counter_index: int,
        asset_index: int,
        amount: int,
        reference: str = "",
    ) -> int:
        """Post an entry from one account to another, or within one; within a transaction.

        Parameters
        ----------
        kind
            Says between which compartments (`legs_of`).
        reference
            The act it belongs to, as ``surrender 12``.

        Returns
        -------
        int
            Its id, the ledger's sequence.

        Raises
        ------
        ActError
            It can't be: too little is held, or no such movement is allowed.
        """
        movement = Movement(kind, account_index, counter_index, asset_index, amount)
        (entry_id,) = self.moves([movement], reference)
        return entry_id

    def moves(self, movements: Sequence[Movement], reference: str = "") -> range:
        """Post entries that belong together, in this order: all of them or none.

        Thousands are written at once, which is many times as fast as one by one.

        Returns
        -------
        range
            Their ids.

        Raises
        ------
        ActError
            One can't be.
        """
        with self.store.transaction():
            return self._post(movements, reference)

    def _post(self, movements: Sequence[Movement], reference: str) -> range:
        tried: list[Movement] = []
        self._recalls_first(movements)

        def entries() -> Iterator[tuple[EntryKind, list[Posting], tuple[int, int, int, int]]]:
            for movement in movements:
                tried.append(movement)
                asset_is_cash = movement.asset_index == CASH_ASSET
                amount = amount_checked(movement.amount, "cash" if asset_is_cash else "tonnes")
                movement = movement._replace(amount=amount)
                yield movement.kind, legs_of(*movement), movement[1:]

        last_seq, date = self.store.last_seq, self.business_date()
        try:
            ids = self.store.entries_add(
                entries(), settlement_seq=last_seq, business_date=date, reference=reference
            )
        except InsufficientHolding as error:
            kind, *_ends, asset_index, amount = tried[-1]
            holder = self.store.account_name(error.holding.account_index)
            where = Compartment(error.holding.compartment).name.lower()
            asset = self.store.asset_name(asset_index)
            raise ActError(
                _INSUFFICIENT[asset_index == CASH_ASSET],
                f"{kind.name.lower()}: expected {holder} to hold {amount} of {asset} in {where},"
                f" got {error.held}",
            ) from None
        except LedgerError as error:
            raise ActError(
                RegistryRefusal.MOVEMENT_NOT_ALLOWED, f"{tried[-1].kind.name.lower()}: {error}"
            ) from None
        self._share_out(movements, last_seq, date)
        self.bank.moved(movements, ids)
        return ids

    def _share_out(self, movements: Sequence[Movement], last_seq: int, date: int) -> None:
        """What comes into a registration account is first for courts and recalls that want it."""
        wanted = self.arrivals.wanted()
        for moved in movements if wanted else ():
            place = (moved.counter_index, moved.asset_index)
            arrives = legs_of(*moved)[1].compartment == Compartment.REGISTRATION
            if arrives and place in wanted and moved.kind not in FOR_A_PURPOSE:
                self.arrivals.take(place, last_seq, date, moved.amount)

    def _recalls_first(self, movements: Sequence[Movement]) -> None:
        """Refuse that what was applied for leaves an account which owes a recall of it.

        Notes
        -----
        Rules: CEA-DIS-11.
        """
        ending = [moved for moved in movements if moved.kind in RECALL_WAITS_FOR]
        owed = self.arrivals.recalls.owed() if ending else {}
        for moved in ending:
            tonnes = owed.get((moved.account_index, moved.asset_index), 0)
            if tonnes:
                raise ActError(
                    RegistryRefusal.RECALL_OWED,
                    f"{moved.kind.name.lower()}: expected"
                    f" {self.store.account_name(moved.account_index)} to owe no recall of"
                    f" {self.store.asset_name(moved.asset_index)}, got {tonnes} owed"
                    " (CEA-DIS-11)",
                )

    def now_ns(self) -> int:
        """Return the time, in nanoseconds since 1970."""
        return self.clock.now_ns()

    def business_date(self) -> int:
        """Return the day that acts of now belong to, as yyyymmdd in Shanghai.

        Raises
        ------
        ActError
            It is not known, as the clock is doubted: whatever belongs to a day waits.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        return self.store.business_date(self.clock.today)

    def day_begin(self) -> list[int]:
        """Note that a day has begun, if it was not noted, and end what ended with the one before.

        Returns
        -------
        list of int
            The freezes that have ended.
        """
        with self.store.transaction():
            date = self.business_date()
            if not self.store.one("SELECT 1 FROM business_days WHERE business_date = ?", (date,)):
                self.store.insert("business_days", [(date, self.now_ns())])
            return self.enforcement.expire()

    def clock_move(self, at_ns: int) -> None:
        """Keep that a manual clock is to be moved; `clock_take` does it once that is committed."""
        self.clock.move_check(at_ns)
        self._clock_act("move", at_ns)

    def clock_confirm(self, date: int) -> None:
        """Keep that a doubted clock is right on a day (yyyymmdd); `clock_take` believes it then.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        self._clock_act("confirm", self.clock.confirm_check(date))

    def clock_take(self) -> None:
        """Do with the clock what was committed since this was asked last."""
        if not self._clock_is_asked:
            return
        rows = self.store.execute(
            "SELECT clock_act_id, act, at_ns FROM clock_acts WHERE clock_act_id > ? ORDER BY 1",
            (self._clock_acts_taken,),
        ).fetchall()
        self._clock_is_asked = False
        for self._clock_acts_taken, act, at_ns in rows:
            self.clock.take(act, at_ns)

    def _clock_act(self, act: str, at_ns: int) -> None:
        with self.store.transaction():
            number = 1 + self._clock_acts_last()
            self.store.insert("clock_acts", [(number, act, at_ns)])
        self._clock_is_asked = True

    def _clock_acts_last(self) -> int:
        number: int = self.store.one("SELECT coalesce(max(clock_act_id), 0) FROM clock_acts")
        return number

    def _transfer(self, direction: str, command: TransferIn | TransferOut) -> int:
        account_index = self.account_moving(command.account)
        asset_index = self.asset(command.product)
        transfer_seq = self.feed(command)
        self.store.execute(
            "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, 'pending', 0, 0)",
            (transfer_seq, direction, account_index, asset_index, command.amount),
        )
        return transfer_seq

    def feed(self, command: FeedCommand) -> int:
        """Number the command for the venue, if the venue would understand it."""
        try:
            # Encoding checks no limits; a command the venue's strict decoder refuses would stop
            # the feed for good, so it must never get a number.
            msgspec.convert(msgspec.to_builtins(command), type(command))
        except msgspec.ValidationError as error:
            raise ActError(
                RegistryRefusal.VALUE_NOT_TAKEN, f"{type(command).__name__}: {error}"
            ) from None
        return feed_append(self.store, command, self.now_ns())
