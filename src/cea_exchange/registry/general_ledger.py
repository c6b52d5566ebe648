"""What every service of the registry is given: the ledger, the time, and the accounts.

There is one way to post, `Ledger.moves`. Services that have a say in what is posted, or follow it,
add themselves to `before_posting` and `after_posting`; nobody here knows who they are.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import msgspec

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.checks import ActError, amount_checked, refused_as
from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.venue_link.feed import feed_append
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    Compartment,
    EntryKind,
    InsufficientHolding,
    LedgerError,
    Movement,
    Posting,
    legs_of,
)
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import FeedCommand

_INSUFFICIENT = {
    False: RegistryRefusal.INSUFFICIENT_ALLOWANCES,
    True: RegistryRefusal.INSUFFICIENT_CASH,
}
"""By whether it is cash."""

LIVE = ("open", "suspended")
"""States of an account that has not ended."""


class Ledger(ActContext):
    """The registry's books, as services see them.

    Parameters
    ----------
    store
        Open for writing, or for reading by who changes nothing.
    clock
        The time that is noted with acts, and the day that they belong to.

    Attributes
    ----------
    before_posting : list of callable
        Each takes the movements that are to be posted, and may refuse them by `ActError`.
    after_posting : list of callable
        Each takes the movements that were posted and their entries' ids, in the same transaction.
    """

    store: Store

    def __init__(self, store: Store, clock: InstitutionClock) -> None:
        super().__init__(store, clock)
        self.before_posting: list[Callable[[Sequence[Movement]], None]] = []
        self.after_posting: list[Callable[[Sequence[Movement], range], None]] = []

    @cached_property
    def rules(self) -> ComplianceRules:
        """The rules of the compliance cycle."""
        return ComplianceRules.load()

    # -- accounts and assets ------------------------------------------------------------------

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

    def account_moving(self, account: str) -> int:
        """Return the index of an account that may move what it has; ActError if it is suspended.

        Rules: CEA-ACC-03.
        """
        index = self.account(account)
        state = self.store.find("accounts", "state", account_index=index)
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

    # -- entries ------------------------------------------------------------------------------

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

        Returns its id, the ledger's sequence.

        Raises ActError: it can't be: too little is held, or no such movement is allowed.

        Parameters
        ----------
        kind
            Says between which compartments (`legs_of`).
        reference
            The act it belongs to, as ``surrender 12``.
        """
        movement = Movement(kind, account_index, counter_index, asset_index, amount)
        (entry_id,) = self.moves([movement], reference)
        return entry_id

    def moves(self, movements: Sequence[Movement], reference: str = "") -> range:
        """Post entries that belong together, in this order: all of them or none.

        Thousands are written at once, which is many times as fast as one by one.

        Returns their ids.

        Raises ActError: one can't be.
        """
        with self.store.transaction():
            for refuse in self.before_posting:
                refuse(movements)
            ids = self._post(movements, reference)
            for follow in self.after_posting:
                follow(movements, ids)
        return ids

    def _post(self, movements: Sequence[Movement], reference: str) -> range:
        tried: list[Movement] = []

        def entries() -> Iterator[tuple[EntryKind, list[Posting], tuple[int, int, int, int]]]:
            for movement in movements:
                tried.append(movement)
                asset_is_cash = movement.asset_index == CASH_ASSET
                amount = amount_checked(movement.amount, "cash" if asset_is_cash else "tonnes")
                movement = movement._replace(amount=amount)
                yield movement.kind, legs_of(*movement), movement[1:]

        try:
            return self.store.entries_add(
                entries(),
                settlement_seq=self.store.last_seq,
                business_date=self.business_date(),
                reference=reference,
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

    # -- to the venue -------------------------------------------------------------------------

    def feed(self, command: FeedCommand) -> int:
        """Number the command for the venue, if the venue would understand it."""
        says = f"{type(command).__name__}: "
        with refused_as(RegistryRefusal.VALUE_NOT_TAKEN, msgspec.ValidationError, says=says):
            # Encoding checks no limits; a command the venue's strict decoder refuses would stop
            # the feed for good, so it must never get a number.
            msgspec.convert(msgspec.to_builtins(command), type(command))
        return feed_append(self.store, command, self.now_ns())
