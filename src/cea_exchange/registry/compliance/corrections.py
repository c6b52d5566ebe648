"""Orders to correct: what comes between a shortfall and its deduction.

deadline --> ordered, with a term --> the term passes --> refused --> deducted
                 |                        |
                 +---- surrendered -------+--> nothing is left to deduct
"""

import msgspec

from cea_exchange.domain.compliance.penalties import Correction
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.registry.checks import day_checked, refusals_raised
from cea_exchange.registry.compliance.obligation_status import Standing, standing_of
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.entities import province_checked
from cea_exchange.registry.participants.mergers import with_successor

DOCUMENT_LENGTH_MAX = 128


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order to correct, as the lists have it. Days are yyyymmdd, 0 is none."""

    order_id: int
    account: str
    province: int
    document: str
    tonnes: int
    """Missing when it was made."""
    ordered_on: int
    until: int
    refusal: str
    """The document that shows the entity's refusal; empty: none is recorded."""
    refused_on: int
    due: int
    """Missing today."""


class Corrections:
    """Records orders to correct a shortfall, and who refuses to follow them.

    Rules: CEA-PEN-05.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def order(
        self, account: str, compliance_year: int, province: int, document: str, until: int
    ) -> int:
        """Record that an entity was ordered to surrender what is missing, by a day.

        Returns the order's id.

        Raises ActError: the deadline has not passed, nothing is missing, or it was ordered before.

        Parameters
        ----------
        account
            Who owes; of a merged account another owes.
        document
            The order's number.
        until
            The last day of its term, yyyymmdd.
        """
        words_checked(document, "document", DOCUMENT_LENGTH_MAX)
        today = self._ledger.business_date()
        day_checked(until, "until", after=today)
        with self._store.transaction():
            standing = self._short(account, compliance_year, province)
            index, deadline = standing.account_index, standing.status.obligation.deadline
            if today <= deadline:
                raise ActError(
                    RegistryRefusal.TOO_EARLY,
                    f"order: expected after the deadline {deadline}, got on {today}",
                )
            known = self._store.one(
                "SELECT document FROM correction_orders"
                " WHERE compliance_year = ? AND account_index = ?",
                (compliance_year, index),
            )
            if known is not None:
                raise ActError(
                    RegistryRefusal.CORRECTION_ORDERED,
                    f"{account}: expected one order to correct {compliance_year}, got {known}"
                    " before",
                )
            return self._store.add(
                "correction_orders (order_id, compliance_year, account_index, document, province,"
                " tonnes, ordered_on, until_date)",
                *(compliance_year, index, document, province, standing.due, today, until),
            )

    def refuse(self, account: str, compliance_year: int, province: int, document: str) -> int:
        """Record that an entity refuses: the term has passed, and something is missing still.

        Returns the order's id.

        Parameters
        ----------
        document
            What shows it, as the record of an inspection.
        """
        words_checked(document, "document", DOCUMENT_LENGTH_MAX)
        today = self._ledger.business_date()
        with self._store.transaction():
            standing = self._short(account, compliance_year, province)
            row = self._store.one(
                "SELECT order_id, until_date FROM correction_orders"
                " WHERE compliance_year = ? AND account_index = ?",
                (compliance_year, standing.account_index),
            )
            if row is None:
                raise ActError(
                    RegistryRefusal.CORRECTION_NOT_ORDERED,
                    f"{account}: expected an order to correct {compliance_year}, got none",
                )
            number, until = row
            if today <= until:
                raise ActError(
                    RegistryRefusal.TOO_EARLY,
                    f"refusal: expected after the order's term {until}, got on {today}",
                )
            known = self._store.find("correction_refusals", "document", order_id=number)
            if known is not None:
                raise ActError(
                    RegistryRefusal.CORRECTION_REFUSED,
                    f"refusal: expected to be recorded once, got {known}, which shows it",
                )
            row = (number, document, standing.due, today)
            self._store.insert(
                "correction_refusals (order_id, document, tonnes, recorded_on)",
                [row],
            )
        return int(number)

    def take(
        self,
        account: str,
        compliance_year: int,
        province: int,
        decided: Correction,
        refusal: str,
    ) -> None:
        """Keep an order and its refusal as the platform's case has them, on the days they have.

        What was recorded here before stays.

        Parameters
        ----------
        refusal
            The document that shows it, if it was refused.

        Rules: CEA-PEN-05.
        """
        with self._store.transaction():
            standing = self._short(account, compliance_year, province)
            index = standing.account_index
            if self.of(index, compliance_year) is not None or not decided.document:
                return
            number = self._store.add(
                "correction_orders (order_id, compliance_year, account_index, document, province,"
                " tonnes, ordered_on, until_date)",
                *(compliance_year, index, decided.document, province, standing.due),
                *(decided.ordered_on, decided.until),
            )
            if decided.refused_on:
                self._store.insert(
                    "correction_refusals (order_id, document, tonnes, recorded_on)",
                    [(number, refusal, standing.due, decided.refused_on)],
                )

    def of(self, account_index: int, compliance_year: int) -> Correction | None:
        """Return the order that an account had for a year; None if it had none."""
        row = self._store.one(
            "SELECT o.document, ordered_on, until_date, coalesce(recorded_on, 0)"
            " FROM correction_orders o LEFT JOIN correction_refusals r ON r.order_id = o.order_id"
            " WHERE compliance_year = ? AND account_index = ?",
            (compliance_year, account_index),
        )
        if row is None:
            return None
        document, ordered_on, until, refused_on = row
        return Correction(
            document=document, ordered_on=ordered_on, until=until, refused_on=refused_on
        )

    def listed(
        self,
        compliance_year: int,
        province: int | None = None,
        *,
        first: int = 1,
        count: int = ALL,
    ) -> list[OrderRow]:
        """Return the orders of a year, of a province or of all, earlier ones first.

        Parameters
        ----------
        first, count
            So many at most, from an order's id on.
        """
        of_whom = "" if province is None else " AND o.province = :province"
        rows = self._store.all(
            "SELECT o.order_id, account_index, o.province, o.document, o.tonnes, ordered_on,"
            " until_date, coalesce(r.document, ''), coalesce(recorded_on, 0)"
            " FROM correction_orders o LEFT JOIN correction_refusals r ON r.order_id = o.order_id"
            f" WHERE compliance_year = :year AND o.order_id >= :first{of_whom}"
            " ORDER BY o.order_id LIMIT :count",
            {"year": compliance_year, "first": first, "count": count, "province": province},
        )
        store, rules = self._store, self._ledger.rules
        return [
            OrderRow(
                order_id=number,
                account=store.account_name(index),
                province=whose,
                document=document,
                tonnes=tonnes,
                ordered_on=ordered_on,
                until=until,
                refusal=refusal,
                refused_on=refused_on,
                due=standing_of(store, rules, index, compliance_year).owed,
            )
            for number, index, whose, document, tonnes, ordered_on, until, *refused in rows
            for refusal, refused_on in (refused,)
        ]

    def _short(self, account: str, compliance_year: int, province: int) -> Standing:
        """Return how an obligation stands of which something is missing, by its own province."""
        ledger, store = self._ledger, self._store
        with refusals_raised():
            ledger.rules.obligations.cycle_of(compliance_year)
        index, _successor = with_successor(ledger, account)
        province_checked(store, index, province)
        standing = standing_of(store, ledger.rules, index, compliance_year)
        if not standing.owed:
            raise ActError(
                RegistryRefusal.NOTHING_SHORT,
                f"{account}: expected short of {compliance_year}, got nothing missing",
            )
        return standing
