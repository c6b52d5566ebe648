"""Court orders: what courts order of an account (司法冻结, 扣划).

    freeze --> asked --> in force --> deducted, to whom the court says
                 |          |
                 +----------+-------> released by the court, or expired

How a freeze takes what it asks for is in `freezes`.
"""

from collections.abc import Iterator
from typing import Any

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.act_log import ActLog
from cea_exchange.institution.checks import ActError, amount_checked, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import (
    AMOUNT_LIMIT,
    CASH_ASSET,
    Compartment,
    EntryKind,
    Holding,
)
from cea_exchange.ledger.history import balances_at_date
from cea_exchange.registry.checks import day_checked
from cea_exchange.registry.enforcement.arrivals import Arrivals
from cea_exchange.registry.enforcement.freezes import FREEZE_COLUMNS, Freeze
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.own_acts import OwnAct
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.public_notices import (
    PublicNotice,
    notice_publish,
    notices_read,
)

TEXT_LENGTH_MAX = 128

_COUNTED = (
    Compartment.REGISTRATION,
    Compartment.TRANSIT,
    Compartment.TRADING,
    Compartment.JUDICIAL,
)


class Enforcement:
    """Freezes, releases, extensions and deductions, each by a court's order."""

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        act_log: ActLog,
        arrivals: Arrivals,
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._act_log = act_log
        self._arrivals = arrivals
        self._freezes = self._arrivals.freezes
        accounts.pending_checks.append(self.pending)

    # -- freeze -------------------------------------------------------------------------------

    def freeze(
        self,
        account: str,
        product: str | None,
        amount: int | None,
        *,
        order: str,
        court: str,
        until: int,
    ) -> int:
        """Freeze tonnes of a product, or without one fen of cash, from now to the end of a day.

        What the account has at the registry is frozen at once, what it has at the venue is asked
        for, and what comes later counts too, until the amount is reached.

        Returns the freeze's id; of several freezes of one account's asset the earlier come first.

        Rules: CEA-ENF-01 (what a freeze takes), CEA-ENF-03 (freezes queue up).

        Parameters
        ----------
        amount
            None: all there is and comes.
        order, court
            The order's number, and whose it is.
        until
            The last day it is in force, yyyymmdd.
        """
        with self._store.transaction():
            place = self._ledger.account(account), self._ledger.asset(product)
            if amount is not None:
                amount = amount_checked(amount, "amount")
                if amount >= AMOUNT_LIMIT:
                    raise ActError(
                        RegistryRefusal.AMOUNT_UNSOUND, f"amount: expected below 2^62, got {amount}"
                    )
            return self._freeze(place, amount, order, court, until)

    def freeze_all(self, account: str, *, order: str, court: str, until: int) -> list[int]:
        """Freeze all that an account has and gets: cash and every product, later ones too.

        Returns the freezes' ids: that of cash, then by product.
        """
        with self._store.transaction():
            index = self._ledger.account(account)
            products = self._store.column(
                "SELECT product_index FROM products ORDER BY product_index"
            )
            return [
                self._freeze((index, asset), None, order, court, until, is_whole=True)
                for asset in (CASH_ASSET, *(product for product in products))
            ]

    def product_declared(self, product_index: int) -> None:
        """Extend freezes of all that accounts have to a new product, within its transaction."""
        rows = self._store.all(
            "SELECT account_index, order_number, court, until_date FROM freezes"
            " WHERE is_whole = 1 AND asset_index = ? AND state IN ('asked', 'in_force')"
            " ORDER BY freeze_id",
            (CASH_ASSET,),
        )
        for account, order, court, until in rows:
            self._freeze((account, product_index), None, order, court, until, is_whole=True)

    def _freeze(
        self,
        place: tuple[int, int],
        amount: int | None,
        order: str,
        court: str,
        until: int,
        *,
        is_whole: bool = False,
    ) -> int:
        today = self._ledger.business_date()
        self._order_check(order, court)
        day_checked(until, "until", first=today)
        terms = (*place, int(is_whole), amount, 0, 0, 0, "asked", order, court, today, until)
        freeze = Freeze(self._store.add(f"freezes ({FREEZE_COLUMNS})", *terms), *terms)
        self._act(freeze, "freeze", order, court, amount or 0, until)
        self._arrivals.take(place, self._store.last_seq, today)
        self._arrivals.ask(place, self._ledger.now_ns())
        return freeze.freeze_id

    # -- release, extension, expiry -----------------------------------------------------------

    def release(self, freeze_id: int, amount: int | None = None, *, order: str, court: str) -> int:
        """End a freeze, or take an amount off what it wants; what is not in force goes first.

        Returns what came back into the registration account; a later freeze may have taken it.

        Rules: CEA-ENF-05 (how a freeze ends).

        Parameters
        ----------
        amount
            Tonnes or fen; None: all of it.
        """
        with self._store.transaction():
            self._order_check(order, court)
            freeze = self._live(freeze_id)
            if amount is None:
                self._act(freeze, "release", order, court, 0, freeze.until_date)
                self._ended(freeze, "released")
                self._give_back(freeze, freeze.in_force)
                return freeze.in_force
            amount = amount_checked(amount, "amount")
            if freeze.ordered is None:
                raise ActError(
                    RegistryRefusal.FREEZE_AMOUNT,
                    f"amount: expected none, freeze {freeze_id} is of all there is, got {amount}",
                )
            wanted = freeze.asked + freeze.in_force
            if amount >= wanted:
                raise ActError(
                    RegistryRefusal.FREEZE_AMOUNT,
                    f"amount: expected less than the {wanted} that freeze {freeze_id} wants, or"
                    f" none, got {amount}",
                )
            back = max(0, amount - freeze.asked)
            self._act(freeze, "release", order, court, amount, freeze.until_date)
            self._freezes.store_amounts(
                freeze._replace(released=freeze.released + amount, in_force=freeze.in_force - back)
            )
            self._give_back(freeze, back)
            return back

    def extend(self, freeze_id: int, until: int, *, order: str, court: str) -> None:
        """Let a freeze hold for longer.

        Rules: CEA-ENF-05 (how a freeze ends).
        """
        with self._store.transaction():
            self._order_check(order, court)
            freeze = self._live(freeze_id)
            day_checked(until, "until", first=self._ledger.business_date())
            if until <= freeze.until_date:
                raise ActError(
                    RegistryRefusal.DATE_OUT_OF_RANGE,
                    f"until: expected after {freeze.until_date}, got {until}",
                )
            self._act(freeze, "extend", order, court, 0, until)
            self._store.change("freezes", {"freeze_id": freeze_id}, until_date=until)

    def expire(self) -> list[int]:
        """End the freezes whose last day is over; return their ids.

        The daemon does it as a day begins; nothing ends a freeze within its last day.

        Rules: CEA-ENF-05 (how a freeze ends).
        """
        today = self._ledger.business_date()
        with self._act_log.own(OwnAct.DAY_BEGUN, {"business_date": today}):
            over = self._freezes.some("state IN ('asked', 'in_force') AND until_date < ?", (today,))
            for freeze in over:
                self._act(freeze, "expire", "", "", 0, freeze.until_date)
                self._ended(freeze, "expired")
            # Only then: what one leaves is not for another whose time is over too.
            for freeze in over:
                self._give_back(freeze, freeze.in_force)
        return [freeze.freeze_id for freeze in over]

    def _ended(self, freeze: Freeze, state: str) -> None:
        self._store.change("freezes", {"freeze_id": freeze.freeze_id}, in_force=0, state=state)

    def _give_back(self, freeze: Freeze, amount: int) -> None:
        """Back into the registration account, where the next in the queue may take it."""
        if amount:
            account, asset = freeze.place
            self._ledger.move(EntryKind.RELEASED, account, account, asset, amount, freeze.reference)

    # -- deduction ----------------------------------------------------------------------------

    def deduct(self, freeze_id: int, amount: int, to: str, *, order: str, court: str) -> int:
        """Give what a freeze holds to another account, as the court says, and publish it.

        Returns the number of the public notice.

        Rules: CEA-ENF-06 (deduction), CEA-ENF-09 (public notices).

        Parameters
        ----------
        amount
            Tonnes or fen that are in force.
        to
            Another entity's account. Cash for somebody without one goes to the account that the
            court itself has here, and from there out through the bank.
        """
        with self._store.transaction():
            self._order_check(order, court)
            amount = amount_checked(amount, "amount")
            freeze, creditor = self._live(freeze_id), self._ledger.account(to)
            account, asset = freeze.place
            if amount > freeze.in_force:
                raise ActError(
                    RegistryRefusal.FREEZE_AMOUNT,
                    f"amount: expected at most the {freeze.in_force} that freeze {freeze_id}"
                    f" holds, got {amount}",
                )
            if creditor == account:
                raise ActError(
                    RegistryRefusal.SAME_ACCOUNT, f"to: expected another account, got {to}"
                )
            self._act(freeze, "deduct", order, court, amount, freeze.until_date, creditor)
            self._freezes.store_amounts(
                freeze._replace(
                    in_force=freeze.in_force - amount, deducted=freeze.deducted + amount
                )
            )
            kind, reference = EntryKind.DEDUCTED, freeze.reference
            self._ledger.move(kind, account, creditor, asset, amount, reference)
            content: dict[str, str | int] = {
                **{"entity": self._entity(account), "court": court, "order": order}
            }
            if asset == CASH_ASSET:
                content["asset"] = CASH_NAME
            else:
                content |= {"product": self._store.asset_name(asset), "tonnes": amount}
            return notice_publish(self._store, self._ledger.business_date(), "deduction", content)

    def unit_check(self, freeze_id: int, unit: str | None) -> None:
        """Raise `ActError` unless a freeze's amounts are in a unit, `tonnes` or `fen`."""
        asset = self._live(freeze_id).asset_index
        expected = "fen" if asset == CASH_ASSET else "tonnes"
        if unit not in (None, expected):
            what = self._store.asset_name(asset)
            raise ActError(
                RegistryRefusal.FREEZE_AMOUNT,
                f"amount: expected {expected}, freeze {freeze_id} is of {what}, got {unit}",
            )

    # -- what there is ------------------------------------------------------------------------

    def freezes(
        self, account: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return freezes from a number on, of all or of an account, in words."""
        where = "freeze_id >= ?"
        values: tuple[int | str, ...] = (first,)
        if account is not None:
            where += " AND account_index = ?"
            values += (self._ledger.account(account),)
        return [self._shown(freeze) for freeze in self._freezes.some(where, values, count)]

    def freeze_shown(self, freeze_id: int) -> dict[str, Any]:
        """Return how a freeze stands, in words."""
        freeze = self._freezes.one(freeze_id)
        if freeze is None:
            raise ActError(
                RegistryRefusal.FREEZE_UNKNOWN,
                f"freeze_id: expected that of a freeze, got {freeze_id}",
            )
        return self._shown(freeze)

    def pending(self, account_index: int) -> Iterator[str]:
        """Yield what courts hold, or want, of an account, which keeps it from being closed."""
        where = "account_index = ? AND state IN ('asked', 'in_force')"
        for freeze in self._freezes.some(where, (account_index,)):
            yield f"{freeze.reference} is {freeze.state.replace('_', ' ')}"

    def notices(self, first: int = 1, count: int = ALL) -> list[PublicNotice]:
        """Return the public notices from a number on, so many at most."""
        return notices_read(self._store, first, count)

    def position(self, account: str, product: str | None, business_date: int | None = None) -> int:
        """Return what counts as an account's position of a product, or of cash.

        What is on the registration account, at the venue or on the way there, and what a court has
        frozen; not what is set aside for an application.

        Rules: CEA-ENF-10 (frozen tonnes count).

        Parameters
        ----------
        business_date
            As it was at the end of a day, yyyymmdd; None: now.
        """
        index, asset = self._ledger.account(account), self._ledger.asset(product)
        holdings = [Holding(index, asset, compartment) for compartment in _COUNTED]
        if business_date is None:
            return sum(self._store.balance(holding) for holding in holdings)
        held = balances_at_date(self._store.database, business_date, index)
        return sum(held.get(holding, 0) for holding in holdings)

    # -- in common ----------------------------------------------------------------------------

    def _live(self, freeze_id: int) -> Freeze:
        freeze = self._freezes.one(freeze_id)
        if freeze is None or not freeze.is_live:
            was = "none" if freeze is None else freeze.state
            raise ActError(
                RegistryRefusal.FREEZE_STATE,
                f"freeze {freeze_id}: expected asked or in force, got {was}",
            )
        return freeze

    def _shown(self, freeze: Freeze) -> dict[str, Any]:
        account, asset = freeze.place
        return freeze._asdict() | {
            "account": self._store.account_name(account),
            "asset": self._store.asset_name(asset),
        }

    def _act(
        self,
        freeze: Freeze,
        act: str,
        order: str,
        court: str,
        amount: int,
        until: int,
        counter_index: int | None = None,
    ) -> None:
        self._store.add(
            "freeze_acts (act_id, freeze_id, business_date, act, order_number, court, amount,"
            " until_date, counter_index)",
            *(freeze.freeze_id, self._ledger.business_date()),
            *(act, order, court, amount, until, counter_index),
        )

    def _order_check(self, order: str, court: str) -> None:
        words_checked(order, "order", TEXT_LENGTH_MAX)
        words_checked(court, "court", TEXT_LENGTH_MAX)

    def _entity(self, account_index: int) -> str:
        return self._store.find("accounts", "entity", account_index=account_index)
