"""The fine for what was not surrendered in time, and what is taken off next year's allowances."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.adjustment import AdjustmentRules, Deduction
from cea_exchange.domain.compliance.obligations import Obligation
from cea_exchange.domain.compliance.ruled import ComplianceError, Drafted, Year
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.units import tonnes_check

Yuan = Annotated[int, Meta(ge=0, le=10_000_000)]
Times = Annotated[int, Meta(ge=1, le=100)]


class FixedFine(Drafted, frozen=True, kw_only=True):
    """A fine of years up to `last_year`, whatever is missing."""

    document: str
    last_year: Year
    least_yuan: Yuan
    most_yuan: Yuan


class StagedFine(Drafted, frozen=True, kw_only=True):
    """The first fine of years from `from_year` on, whatever is missing; a second may follow.

    Attributes
    ----------
    in_force
        From which day on it is the law: an older breach is judged by it where it is lighter.
    """

    document: str
    in_force: date
    from_year: Year
    least_yuan: Yuan
    most_yuan: Yuan


class MarketFine(Drafted, frozen=True, kw_only=True):
    """A fine of years from `from_year` on, in times the value of what is missing."""

    document: str
    from_year: Year
    least_times: Times
    most_times: Times


class DeductionLaw(Drafted, frozen=True, kw_only=True):
    """Of which years what is missing may be taken off the next allowances, and after what.

    Attributes
    ----------
    after
        ``term``: an order to correct whose term has passed; ``refusal``: and which the entity has
        refused to follow.
    """

    first_year: Year
    last_year: Year
    after: Literal["term", "refusal"]


class Correction(Struct, frozen=True, kw_only=True):
    """An order to correct (责令改正) a shortfall. Days are yyyymmdd.

    Attributes
    ----------
    until
        The last day of its term.
    refused_on
        When it was recorded that the entity refuses; 0: it was not.
    """

    document: str
    ordered_on: int
    until: int
    refused_on: int = 0


class Traded(Struct, frozen=True, kw_only=True):
    """What was traded in a time: fen and tonnes of all methods and vintages."""

    amount: int
    tonnes: int

    @property
    def mean_price(self) -> int:
        """Return the mean in fen per tonne, half up, as the exchange's letter states it.

        Notes
        -----
        Rules: CEA-PEN-02.
        """
        return (2 * self.amount + self.tonnes) // (2 * self.tonnes)


class FineRange(Struct, frozen=True, kw_only=True):
    """The least and the most that may be fined, in fen."""

    least: int
    most: int


class PenaltyRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shortfall costs.

    Notes
    -----
    Rules: CEA-PEN-01, CEA-PEN-03 to CEA-PEN-06.
    """

    fixed: FixedFine
    market: MarketFine
    staged: StagedFine
    deduction: tuple[DeductionLaw, ...]

    def fine(self, compliance_year: int, shortfall: int, traded: Traded | None) -> FineRange:
        """Return the range of the fine; of the first where there are two stages.

        Parameters
        ----------
        compliance_year : int
            The year of the emissions.
        shortfall : int
            Tonnes that were not surrendered by the deadline, 1 or more.
        traded : Traded or None
            What was traded in the month before the deadline (`traded_in`); not asked where the
            fine is fixed.

        Returns
        -------
        FineRange
            What is missing x the mean, rounded half up to the fen, x 5 to 10.

        Raises
        ------
        ComplianceError
            If nothing is missing, or a mean price is needed and nothing was traded.
        """
        if tonnes_check(shortfall, "shortfall") == 0:
            raise ComplianceError(
                RegistryRefusal.NOTHING_SHORT, "shortfall: expected 1 t or more, got 0"
            )
        if compliance_year <= self.fixed.last_year:
            return FineRange(least=self.fixed.least_yuan * 100, most=self.fixed.most_yuan * 100)
        if self.has_stages(compliance_year):
            return self.first_fine
        return self._market_fine(compliance_year, shortfall, traded)

    def fine_after_term(
        self, compliance_year: int, missing: int, traded: Traded | None
    ) -> FineRange:
        """Return the range of the second fine, where the order's term has passed in vain.

        Parameters
        ----------
        compliance_year : int
            The year of the emissions.
        missing : int
            Tonnes that were not surrendered by the end of the term, 1 or more.
        traded : Traded or None
            What was traded in the month before the deadline.

        Raises
        ------
        ComplianceError
            If the year's fine has no stages, nothing is missing or nothing was traded.

        Notes
        -----
        Rules: CEA-PEN-06.
        """
        if not self.has_stages(compliance_year):
            raise ComplianceError(
                RegistryRefusal.YEAR_OUT_OF_RANGE,
                f"year: expected {self.staged.from_year} or later to have a second fine, got"
                f" {compliance_year} ({self.staged.rule})",
            )
        if tonnes_check(missing, "missing") == 0:
            raise ComplianceError(
                RegistryRefusal.NOTHING_SHORT, "missing: expected 1 t or more, got 0"
            )
        return self._market_fine(compliance_year, missing, traded)

    @property
    def first_fine(self) -> FineRange:
        """Return the range of the first of two fines, in fen."""
        return FineRange(least=self.staged.least_yuan * 100, most=self.staged.most_yuan * 100)

    def document_of(self, compliance_year: int) -> str:
        """Return the article by which a year's shortfall is fined."""
        if compliance_year <= self.fixed.last_year:
            return self.fixed.document
        is_staged = self.has_stages(compliance_year)
        return self.staged.document if is_staged else self.market.document

    def has_stages(self, compliance_year: int) -> bool:
        """Tell whether a year's shortfall is fined with the order, and again after its term."""
        return compliance_year >= self.staged.from_year

    def _market_fine(
        self, compliance_year: int, shortfall: int, traded: Traded | None
    ) -> FineRange:
        if traded is None or traded.tonnes <= 0:
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"fine of year {compliance_year}: expected a mean price before the deadline, got"
                " none, as nothing was traded",
            )
        return FineRange(
            least=shortfall * traded.mean_price * self.market.least_times,
            most=shortfall * traded.mean_price * self.market.most_times,
        )

    def deduction_law(self, compliance_year: int) -> DeductionLaw:
        """Return what has to come before a deduction; ComplianceError if the law has none.

        Notes
        -----
        Rules: CEA-PEN-04.
        """
        for law in self.deduction:
            if law.first_year <= compliance_year <= law.last_year:
                return law
        years = ", ".join(f"{law.first_year} to {law.last_year}" for law in self.deduction)
        raise ComplianceError(
            RegistryRefusal.YEAR_OUT_OF_RANGE,
            f"year: expected {years} to be deducted, got {compliance_year} (CEA-PEN-04)",
        )

    def deduction_for(
        self,
        obligation: Obligation,
        shortfall: int,
        decided_on: int,
        *,
        correction: Correction | None,
        adjustment: AdjustmentRules,
    ) -> Deduction:
        """Return the deduction from next year's allowances, tonne for tonne.

        Parameters
        ----------
        obligation : Obligation
            Whose deadline has passed.
        shortfall : int
            Tonnes still missing.
        decided_on : int
            yyyymmdd.
        correction : Correction or None
            The order to correct that the entity had; None if it had none.
        adjustment : AdjustmentRules
            Until when such decisions are made.

        Raises
        ------
        ComplianceError
            If it is decided before the deadline or the order's term has passed, the year's law
            knows none, or asks for a refusal that was not recorded, or it may not be decided any
            more.

        Notes
        -----
        Rules: CEA-PEN-04, CEA-PEN-05, CEA-ALC-11.
        """
        law = self.deduction_law(obligation.compliance_year)
        if not obligation.in_arrears(decided_on):
            raise ComplianceError(
                RegistryRefusal.TOO_EARLY,
                f"deduction: expected after the deadline {obligation.deadline}, got on"
                f" {decided_on}",
            )
        if correction is None:
            raise ComplianceError(
                RegistryRefusal.CORRECTION_NOT_ORDERED,
                "deduction: expected a correction order before it, got none (CEA-PEN-05)",
            )
        if decided_on <= correction.until:
            raise ComplianceError(
                RegistryRefusal.TOO_EARLY,
                f"deduction: expected after {correction.until}, the term of correction order"
                f" {correction.document}, got on {decided_on} (CEA-PEN-05)",
            )
        if law.after == "refusal" and not correction.refused_on:
            raise ComplianceError(
                RegistryRefusal.CORRECTION_NOT_REFUSED,
                f"deduction: expected the refusal of correction order {correction.document}"
                " before it, got none (CEA-PEN-05)",
            )
        deduction = Deduction(
            cause="unpaid", tonnes=tonnes_check(shortfall, "shortfall"), decided_on=decided_on
        )
        refusal = adjustment.refusal(deduction)
        if refusal is not None:
            raise ComplianceError(RegistryRefusal.VINTAGE_NOT_ELIGIBLE, refusal)
        return deduction


def month_before(deadline: int) -> tuple[int, int]:
    """Return the first and last day (yyyymmdd) of the month that ends with the deadline.

    Notes
    -----
    Rules: CEA-PEN-02.
    """
    return deadline // 100 * 100 + 1, deadline


def traded_in(days: Iterable[DailyFigures], first: int, last: int) -> Traded:
    """Add up what was traded from a day to a day (yyyymmdd, both inclusive), by every method.

    Notes
    -----
    Rules: CEA-PEN-02.
    """
    amount = tonnes = 0
    for day in days:
        if first <= date_number(day.trading_date) <= last:
            amount += day.listed_amount + day.block_amount + day.bidding_amount
            tonnes += day.listed_volume + day.block_volume + day.bidding_volume
    return Traded(amount=amount, tonnes=tonnes)
