"""How many allowances of closed vintages an entity may exchange for the next one.

    T = B + NS x R rounded down, and at most the position at the end of the window; B by sector
    NS = what it sold less what it bought of these vintages in the window, at least 0
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import get_args

from msgspec import Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.allocation import Industry
from cea_exchange.domain.compliance.ruled import (
    ComplianceError,
    Draftable,
    DraftableDate,
    DraftableRatio,
    Drafted,
    Year,
)
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import Tonnes
from cea_exchange.domain.units import tonnes_check


class CompleteBy(Drafted, frozen=True, kw_only=True):
    """A year that must have been surrendered in full by a day."""

    year: Year
    by: date


class RunRule(Drafted, frozen=True, kw_only=True):
    """Applications up to a day are processed by another."""

    applied_by: date
    processed_by: date


class VintageTrade(Struct, frozen=True, kw_only=True):
    """What an entity sold and bought of one vintage on one day (yyyymmdd)."""

    trading_date: int
    vintage: int
    sold: int = 0
    bought: int = 0


class EndPosition(Struct, frozen=True, kw_only=True):
    """What an entity holds of closed vintages when the window ends.

    Attributes
    ----------
    trading, registration
        Available tonnes on the two accounts. What is set aside for an application that is not
        decided, to surrender or to cancel, is in neither: it does not count.
    frozen
        Tonnes frozen by a court; they do count.
    """

    trading: int
    registration: int
    frozen: int = 0

    @property
    def tonnes(self) -> int:
        """Return what counts."""
        return (
            tonnes_check(self.trading, "trading account")
            + tonnes_check(self.registration, "registration account")
            + tonnes_check(self.frozen, "frozen")
        )


class Run(Struct, frozen=True, kw_only=True):
    """The exchange an application goes into; its day is yyyymmdd, None for a late one's."""

    number: int
    processed_by: int | None


class CarryoverRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides how much is carried over, by whom and when.

    Notes
    -----
    Rules: CEA-CRY-01 to CEA-CRY-06.
    """

    last_vintage: Draftable[Year]
    target_vintage: Draftable[Year]
    base_tonnes: Draftable[Tonnes]
    industry_base_tonnes: Draftable[Tonnes]
    net_sales_times: DraftableRatio
    trades_from: DraftableDate
    trades_to: DraftableDate
    position_on: DraftableDate
    notice_by: DraftableDate
    complete: tuple[CompleteBy, ...]
    run: tuple[RunRule, ...]

    def net_sales(self, trades: Iterable[VintageTrade]) -> int:
        """Return tonnes sold less bought, of closed vintages in the window; never negative.

        Notes
        -----
        Rules: CEA-CRY-02.
        """
        first, last = self.trades_from.number, self.trades_to.number
        net = sum(
            tonnes_check(trade.sold, "sold") - tonnes_check(trade.bought, "bought")
            for trade in trades
            if trade.vintage <= self.last_vintage.value and first <= trade.trading_date <= last
        )
        return max(0, net)

    def limit(self, net_sales: int, position: EndPosition, sector: str = "power") -> int:
        """Return T, the most an entity of a sector may carry over.

        Notes
        -----
        One whose sector is not known has the base of power, the smaller.

        Rules: CEA-CRY-01, CEA-CRY-03.
        """
        industry = sector in get_args(Industry)
        base = self.industry_base_tonnes if industry else self.base_tonnes
        sold = tonnes_check(net_sales, "net sales") * self.net_sales_times.fraction
        return min(int((base.value + sold) // 1), position.tonnes)

    def ineligibility(self, completed_on: Mapping[int, int | None]) -> str | None:
        """Say why an entity may carry nothing over; None if it may.

        Parameters
        ----------
        completed_on : mapping of int to int or None
            Year of obligation -> the day (yyyymmdd) its surrender was complete, None if it is not.
            A year without an obligation is left out.

        Notes
        -----
        Rules: CEA-CRY-04.
        """
        for rule in self.complete:
            if rule.year not in completed_on:
                continue
            day, by = completed_on[rule.year], date_number(rule.by)
            if day is None or day > by:
                was = "not at all" if day is None else f"on {day}"
                return f"year {rule.year}: expected surrendered in full by {by}, got {was}"
        return None

    def run_of(self, applied_on: int, noticed_on: int, *, was_frozen: bool = False) -> Run:
        """Return the run an application of a day belongs to.

        Parameters
        ----------
        applied_on, noticed_on : int
            The days (yyyymmdd) of the application and of the entity's notice.
        was_frozen : bool
            Whether a court's freeze kept the entity from applying in time.

        Raises
        ------
        ComplianceError
            If it comes before the notice, or too late.

        Notes
        -----
        Rules: CEA-CRY-05, CEA-CRY-06.
        """
        if applied_on < noticed_on:
            raise ComplianceError(
                RegistryRefusal.TOO_EARLY,
                f"application: expected not before the notice of {noticed_on}, got on"
                f" {applied_on}",
            )
        for number, rule in enumerate(self.run, 1):
            if applied_on <= date_number(rule.applied_by):
                return Run(number=number, processed_by=date_number(rule.processed_by))
        if was_frozen:
            return Run(number=len(self.run) + 1, processed_by=None)
        last = date_number(self.run[-1].applied_by)
        raise ComplianceError(
            RegistryRefusal.TOO_LATE, f"application: expected by {last}, got on {applied_on}"
        )

    def application(
        self,
        tonnes: Mapping[int, int],
        *,
        held: Mapping[int, int],
        applied_before: int,
        limit: int,
        released: Mapping[int, int] | None = None,
    ) -> int:
        """Return the tonnes of an application that keeps the rules.

        Parameters
        ----------
        tonnes : mapping of int to int
            Vintage -> tonnes it wants to carry over.
        held : mapping of int to int
            Vintage -> available tonnes on the registration account now.
        applied_before : int
            Tonnes of its earlier applications.
        limit : int
            T.
        released : mapping of int to int or None
            Of a late one: vintage -> tonnes that a court kept from being applied for in time, has
            released since, and that no other late one is for. None of one in time.

        Raises
        ------
        ComplianceError
            If it asks for another vintage, for more than is held, with the earlier ones for more
            than T, or late for what could have been applied for in time.

        Notes
        -----
        Rules: CEA-CRY-05.
        """
        last = self.last_vintage.value
        for vintage, wanted in sorted(tonnes.items()):
            if vintage > last:
                raise ComplianceError(
                    RegistryRefusal.VINTAGE_NOT_ELIGIBLE,
                    f"vintage: expected {last} or earlier, got {vintage}",
                )
            if tonnes_check(wanted, f"tonnes of vintage {vintage}") == 0:
                raise ComplianceError(
                    RegistryRefusal.AMOUNT_UNSOUND,
                    f"tonnes of vintage {vintage}: expected positive, got 0",
                )
            if released is not None and wanted > released.get(vintage, 0):
                raise ComplianceError(
                    RegistryRefusal.CARRYOVER_LIMIT,
                    f"vintage {vintage}: expected at most the {released.get(vintage, 0)} t that"
                    " a court kept from being applied for in time and has released since, got"
                    f" {wanted}",
                )
            available = held.get(vintage, 0)
            if wanted > available:
                raise ComplianceError(
                    RegistryRefusal.CARRYOVER_LIMIT,
                    f"vintage {vintage}: expected at most the {available} t available, got"
                    f" {wanted}",
                )
        total = sum(tonnes.values())
        if total + applied_before > limit:
            raise ComplianceError(
                RegistryRefusal.CARRYOVER_LIMIT,
                f"applications: expected at most {limit} t together, got {applied_before} +"
                f" {total}",
            )
        return total
