"""Who has complied, who has not, and what that costs: the lists of a compliance year."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from cea_exchange.domain.compliance.penalties import (
    FineRange,
    Traded,
    month_before,
)
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.history import trade_at_date
from cea_exchange.ledger.store import Store
from cea_exchange.registry.checks import refusals_raised
from cea_exchange.registry.compliance.corrections import Corrections
from cea_exchange.registry.compliance.deductions import Deductions
from cea_exchange.registry.compliance.obligation_status import Standing, standing_of, standings
from cea_exchange.registry.compliance.province_custody import ProvinceHoldings
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.entities import province_checked
from cea_exchange.registry.participants.mergers import successors, with_successor
from cea_exchange.registry.vintages import product_vintages

State = Literal["open", "in time", "late", "short"]


class ComplianceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the public list."""

    account_index: int
    account: str
    entity: str
    province: int
    obligation_tonnes: int
    surrendered: int
    offset: int
    completed_on: int | None
    state: State
    """`in time`, `late` (covered after the deadline), `short` (it has passed, and something is
    missing) or `open` (it has not passed)."""
    taken_over_by: str
    """Who owes for it, where the account was merged into another; else empty."""


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """What an entity had not surrendered when the deadline had passed."""

    account_index: int
    account: str
    entity: str
    province: int
    obligation_tonnes: int
    shortfall: int
    """Tonnes, at the deadline: the fine is of these."""
    applied: int
    """Tonnes that are applied for and not decided; where they were in time the shortfall is less
    once the province accepts them."""
    due: int
    """Tonnes missing today."""
    fine: FineRange | None
    """None where it is of the mean price, and nothing was traded in the month before the
    deadline."""
    fine_after_term: FineRange | None
    """The second one, of what was still missing when the term of the order to correct had passed;
    None where there is none, or no mean price."""
    taken_over_by: str
    """Who owes for it, where the account was merged into another; else empty."""


class UnpaidDeduction(msgspec.Struct, frozen=True, kw_only=True):
    """A decision to take what was not surrendered off an entity's next allowances."""

    decision_id: int
    account: str
    compliance_year: int
    tonnes: int
    decided_on: int


class _Named(NamedTuple):
    """How the lists name an entity."""

    account: str
    entity: str
    province: int
    taken_over_by: str


class Compliance:
    """The service that keeps the lists of a compliance year.

    Rules: CEA-PEN-01 to CEA-PEN-06.

    Attributes
    ----------
    after_deducting : list of callable
        Each is called with the account's index and the year, in the same transaction.
    """

    def __init__(
        self,
        ledger: Ledger,
        corrections: Corrections,
        custody: ProvinceHoldings,
        deductions: Deductions,
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._corrections = corrections
        self._custody = custody
        self._deductions = deductions
        self.after_deducting: list[Callable[[int, int], None]] = []

    def public_list(
        self, compliance_year: int, first: int = 0, count: int = ALL
    ) -> list[ComplianceRow]:
        """Return the public list of a year, in the order in which accounts were opened.

        What an entity's successors owe is shown of them.

        Parameters
        ----------
        first, count
            Only so many, whose accounts' indexes are from this one on.
        """
        today = self._ledger.business_date()
        return [
            ComplianceRow(
                account_index=standing.account_index,
                **named._asdict(),
                obligation_tonnes=standing.tonnes,
                surrendered=standing.surrendered,
                offset=standing.status.offset,
                completed_on=standing.completed_on,
                state=_state(standing, today),
            )
            for named, standing in self._standings(compliance_year, first, count)
            if standing.tonnes
        ]

    def shortfalls(
        self,
        compliance_year: int,
        province: int | None = None,
        first: int = 0,
        count: int = ALL,
    ) -> list[Shortfall]:
        """Return who had not surrendered in full when the deadline had passed.

        Raises ActError: it has not passed.

        Parameters
        ----------
        first, count
            Only of so many obligations, whose accounts' indexes are from this one on.
        """
        self._after_deadline(compliance_year)
        traded = traded_before_deadline(self._store, self._ledger.rules, compliance_year)
        return [
            Shortfall(
                account_index=standing.account_index,
                **named._asdict(),
                obligation_tonnes=standing.tonnes,
                shortfall=standing.shortfall,
                applied=standing.applied,
                due=standing.due,
                fine=self._fine(standing, traded),
                fine_after_term=self._fine_after_term(standing, traded),
            )
            for named, standing in self._standings(compliance_year, first, count)
            if standing.shortfall and province in (None, named.province)
        ]

    def deduct(
        self, account: str, compliance_year: int, province: int, *, decided_on: int | None = None
    ) -> UnpaidDeduction:
        """Decide that what is still missing is taken off the entity's next allowances.

        The entity was ordered to correct it, and has not (`Corrections`). What is deducted can't be
        surrendered any more; the shortfall stays one. What the province keeps for the entity pays
        first.

        Parameters
        ----------
        decided_on
            When the platform's case decided it (yyyymmdd); None: today, here.

        Rules: CEA-PEN-04, CEA-PEN-05, CEA-ALC-11, CEA-SUR-13.
        """
        ledger, store = self._ledger, self._store
        with store.transaction():
            index, debtor = with_successor(ledger, account)
            today = ledger.business_date() if decided_on is None else decided_on
            province_checked(store, index, province)
            standing = standing_of(store, ledger.rules, index, compliance_year)
            if standing.deducted:
                raise ActError(
                    RegistryRefusal.DEDUCTION_DECIDED,
                    f"deduction for {account} and {compliance_year}: expected to be decided"
                    f" once, got {standing.deducted} t decided before",
                )
            if standing.applied or not standing.due:
                raise ActError(
                    RegistryRefusal.NOTHING_SHORT,
                    f"{account}: expected short of {compliance_year} with nothing left to"
                    f" decide, got {standing.due} t due and {standing.applied} t applied for",
                )
            self._nothing_kept_check(store.account_name(debtor), compliance_year, province)
            with refusals_raised():
                deduction = ledger.rules.penalties.deduction_for(
                    standing.status.obligation,
                    standing.due,
                    today,
                    correction=self._corrections.of(index, compliance_year),
                    adjustment=ledger.rules.adjustment,
                )
            decision_id = store.add(
                "unpaid_deductions (decision_id, compliance_year, account_index, tonnes,"
                " decided_on)",
                *(compliance_year, index, deduction.tonnes, today),
            )
            # The distribution takes them off, and keeps what of them is still to adjust.
            document = f"unpaid-{compliance_year}"
            if debtor != index:
                document += f"-{account}"
            self._deductions.add(
                store.account_name(debtor), document, "unpaid", deduction.tonnes, today
            )
            for follow in self.after_deducting:
                follow(index, compliance_year)
            return UnpaidDeduction(
                decision_id=decision_id,
                account=account,
                compliance_year=compliance_year,
                tonnes=deduction.tonnes,
                decided_on=today,
            )

    def _nothing_kept_check(self, holder: str, compliance_year: int, province: int) -> None:
        """Refuse to deduct what the province itself could surrender for an entity.

        Rules: CEA-SUR-13.
        """
        ledger = self._ledger
        vintages, rules = product_vintages(self._store, ledger.rules.vintages), ledger.rules
        paying = sum(
            tonnes
            for product, tonnes in self._custody.kept(holder).items()
            if rules.vintages.may_pay(
                vintages[ledger.asset(product)], compliance_year, in_arrears=True
            )
        )
        if paying:
            raise ActError(
                RegistryRefusal.KEPT_FOR_SURRENDER,
                f"province {province}: expected nothing kept for {holder} that can be"
                f" surrendered first, got {paying} t",
            )

    # -- in common ----------------------------------------------------------------------------

    def next_after(self, compliance_year: int, first: int, count: int) -> int | None:
        """Return the index of the account behind so many obligations from one on; None if none."""
        found: int | None = self._store.one(
            "SELECT DISTINCT account_index FROM obligation_entries WHERE compliance_year = ?"
            " AND account_index >= ? ORDER BY account_index LIMIT 1 OFFSET ?",
            (compliance_year, first, count),
        )
        return found

    def _standings(
        self, compliance_year: int, first: int, count: int
    ) -> Iterator[tuple[_Named, Standing]]:
        behind = None if count == ALL else self.next_after(compliance_year, first, count)
        last = ALL if behind is None else behind - 1
        found = standings(self._store, self._ledger.rules, compliance_year, within=(first, last))
        rows = self._store.all(
            "SELECT account_index, account, entity, province FROM accounts"
            " WHERE account_index BETWEEN ? AND ?",
            (first, last),
        )
        into, store = successors(self._store), self._store
        named = {
            index: _Named(
                account, entity, province, store.account_name(into[index]) if index in into else ""
            )
            for index, account, entity, province in rows
        }
        return ((named[index], found[index]) for index in sorted(found))

    def _after_deadline(self, compliance_year: int) -> None:
        with refusals_raised():
            deadline = self._ledger.rules.obligations.cycle_of(compliance_year).deadline
        today = self._ledger.business_date()
        if today <= deadline:
            raise ActError(
                RegistryRefusal.TOO_EARLY, f"shortfalls: expected after {deadline}, got on {today}"
            )

    def _fine(self, standing: Standing, traded: Traded) -> FineRange | None:
        penalties = self._ledger.rules.penalties
        year = standing.status.obligation.compliance_year
        is_of_mean = year > penalties.fixed.last_year and not penalties.has_stages(year)
        if is_of_mean and not traded.tonnes:
            return None
        return penalties.fine(year, standing.shortfall, traded)

    def _fine_after_term(self, standing: Standing, traded: Traded) -> FineRange | None:
        ledger = self._ledger
        year = standing.status.obligation.compliance_year
        if not ledger.rules.penalties.has_stages(year) or not traded.tonnes:
            return None
        order = self._corrections.of(standing.account_index, year)
        if order is None or ledger.business_date() <= order.until:
            return None
        missing = standing.missing_after(order.until)
        return ledger.rules.penalties.fine_after_term(year, missing, traded) if missing else None


def traded_before_deadline(store: Store, rules: ComplianceRules, compliance_year: int) -> Traded:
    """Return what was traded in the month before a year's deadline.

    Of all vintages, by every method; a trade that failed and is settled late is of its own day
    from the beginning, one that was busted is none.

    Rules: CEA-PEN-02.
    """
    with refusals_raised():
        first, last = month_before(rules.obligations.cycle_of(compliance_year).deadline)
    products = product_vintages(store, rules.vintages)
    bounds = trade_at_date(store.database, first), trade_at_date(store.database, last + 1)
    rows = store.all(
        "SELECT product_index, sum(cash), sum(tonnes) FROM trades"
        " WHERE settlement_seq >= ? AND settlement_seq < ? AND trading_date BETWEEN ? AND ?"
        " AND state <> 'busted' GROUP BY product_index",
        (*bounds, first, last),
    )
    return Traded(
        amount=sum(cash for product, cash, _ in rows if product in products),
        tonnes=sum(tonnes for product, _, tonnes in rows if product in products),
    )


def _state(standing: Standing, today: int) -> State:
    deadline, completed_on = standing.status.obligation.deadline, standing.completed_on
    if completed_on is not None:
        return "in time" if completed_on <= deadline else "late"
    return "open" if today <= deadline else "short"
