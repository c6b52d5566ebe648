"""The exchange's risk reserve: filled from its fees, never above its registered capital.

::

    fee account --share of the fees, top-ups--> risk reserve --a default--> who did not pay
                                                     ^------- he pays back -------'

What it pays for defaults, and gets back, is in `defaults`. What it has lent counts as there: a
reserve that was filled again meanwhile would be too large once the loan is paid back.
"""

from typing import Any

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.general_ledger import Ledger

BASIS_POINTS = 10_000
_HELD = Holding(int(Institution.RISK_RESERVE), CASH_ASSET, int(Compartment.REGISTRATION))


class RiskReserve:
    """The service that fills the risk reserve."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # -- looking ------------------------------------------------------------------------------

    def shown(self) -> dict[str, Any]:
        """Return what there is, up to what it is filled, and what is due; all cash in fen."""
        terms = self._terms()
        fees_from = self._fees_from(terms)
        return {
            "held": self._ledger.store.balance(_HELD),
            "lent": self._lent(),
            "capital": terms["capital"] if terms else 0,
            "share_bp": terms["share_bp"] if terms else 0,
            "fees_since": self._fees_taken() - fees_from if terms else 0,
            "due": self._due(terms) if terms else 0,
        }

    def room(self) -> int | None:
        """Return the fen it may still take; None where nobody has set up to what it is filled."""
        terms = self._terms()
        return None if terms is None else max(terms["capital"] - self._whole(), 0)

    # -- acts ---------------------------------------------------------------------------------

    def terms_set(self, capital_fen: int, share_bp: int) -> None:
        """Say up to which amount it is filled, and by which share of the fees from now on.

        Rules: CEA-RSV-01.
        """
        capital = amount_checked(capital_fen, "capital")
        if not 0 <= share_bp <= BASIS_POINTS:
            raise ActError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"share_bp: expected within 0..{BASIS_POINTS}, got {share_bp}",
            )
        ledger = self._ledger
        with ledger.transaction():
            into = "reserve_terms (terms_id, business_date, capital, share_bp, fees_before)"
            # What was taken by other terms, and not shared yet, is shared by the new ones.
            before = self._terms()
            fees_before = self._fees_from(before) if before else self._fees_taken()
            ledger.store.add(into, ledger.business_date(), capital, share_bp, fees_before)

    def contribute(self) -> int:
        """Put the share of the fees that were taken since the last time into it; return the fen.

        Raises ActError: nobody has set the terms, nothing is due, or it is full.

        Rules: CEA-RSV-02.
        """
        with self._ledger.transaction():
            terms = self._terms_set()
            due = self._due(terms)
            if due <= 0:
                raise ActError(
                    RegistryRefusal.NOT_DUE,
                    f"reserve: expected fees with a share of 1 fen or more, got {due} fen",
                )
            cash = min(due, self._within_capital(1))
            self._put(terms, cash, self._fees_taken())
        return cash

    def top_up(self, cash_fen: int) -> None:
        """Put more of the exchange's fees into it, as after a default that nobody paid back.

        Raises ActError: nobody has set the terms, or it would be too large.

        Rules: CEA-RSV-02.
        """
        cash = amount_checked(cash_fen, "cash")
        with self._ledger.transaction():
            terms = self._terms_set()
            self._within_capital(cash)
            self._put(terms, cash, self._fees_from(terms))

    def capital_check(self, cash: int) -> None:
        """Refuse cash that would bring it above the registered capital, where that is set.

        Rules: CEA-RSV-02.
        """
        if self._terms() is not None:
            self._within_capital(cash)

    # -- in common ----------------------------------------------------------------------------

    def _put(self, terms: dict[str, Any], cash: int, fees_until: int) -> None:
        ledger = self._ledger
        kept = (terms["terms_id"], self._fees_from(terms), fees_until, self._whole(), cash)
        ends = (int(Institution.FEES), int(Institution.RISK_RESERVE), CASH_ASSET, cash)
        entry_id = ledger.move(EntryKind.RESERVE_CONTRIBUTED, *ends, "risk reserve")
        ledger.store.insert(
            "reserve_contributions (entry_id, terms_id, fees_from, fees_until, held_before, cash)",
            [(entry_id, *kept)],
        )

    def _within_capital(self, cash: int) -> int:
        room = self.room() or 0
        if cash > room:
            raise ActError(
                RegistryRefusal.RESERVE_FULL,
                f"reserve: expected at most {room} fen, up to the registered capital, got {cash}",
            )
        return room

    def _due(self, terms: dict[str, Any]) -> int:
        fees = self._fees_taken() - self._fees_from(terms)
        return fees * terms["share_bp"] // BASIS_POINTS

    def _whole(self) -> int:
        """Return the fen it has, what it has lent included."""
        return self._ledger.store.balance(_HELD) + self._lent()

    def _lent(self) -> int:
        return int(
            self._ledger.store.one(
                "SELECT coalesce(sum(reserve_cash - recovered_cash), 0) FROM defaults"
                " WHERE state = 'covered'"
            )
        )

    def _fees_taken(self) -> int:
        """Return the fen of fees of all trades that are settled."""
        return int(
            self._ledger.store.one(
                "SELECT coalesce(sum(buy_fee + sell_fee), 0) FROM trades WHERE state = 'settled'"
            )
        )

    def _fees_from(self, terms: dict[str, Any] | None) -> int:
        """Return the fen of fees ever taken of which the reserve has had its share."""
        last = self._ledger.store.one("SELECT max(fees_until) FROM reserve_contributions")
        before = 0 if terms is None else int(terms["fees_before"])
        return before if last is None else max(int(last), before)

    def _terms(self) -> dict[str, Any] | None:
        rows = self._ledger.store.records(
            "SELECT terms_id, capital, share_bp, fees_before FROM reserve_terms"
            " ORDER BY terms_id DESC LIMIT 1"
        )
        return next(iter(rows), None)

    def _terms_set(self) -> dict[str, Any]:
        terms = self._terms()
        if terms is None:
            raise ActError(
                RegistryRefusal.RESERVE_TERMS_MISSING,
                "reserve: expected its capital and share to be set, got neither",
            )
        return terms
