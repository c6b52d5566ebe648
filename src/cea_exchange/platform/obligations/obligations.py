"""Obligations: of every verified tonne that is within the plan, by version."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.deadlines.calendar import due_day
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.allocation.allocations import Allocations
from cea_exchange.platform.allocation.computation import Line
from cea_exchange.platform.checks import PlatformActError, words_checked, year_checked
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.record import Acting, Record


class Obligation(NamedTuple):
    """A row of `obligations`."""

    obligation_id: int
    enterprise_id: int
    compliance_year: int
    version: int
    verified_tonnes: int
    due_tonnes: int
    succeeded_tonnes: int
    due_on: int
    result_id: int
    mark: str
    reason: str
    set_by: str
    set_on: int

    @property
    def own_tonnes(self) -> int:
        """Return what it owes by its own units, whoever pays it."""
        return self.due_tonnes - self.succeeded_tonnes


class Held(NamedTuple):
    """An entity whose obligation stays as it is, though its final allocation has another: why."""

    enterprise: str
    words: str


_ROW = ", ".join(Obligation._fields)
Set = Callable[[int, int, list[Obligation]], None]
"""Takes a province, a year and the obligations that were set."""
Hold = Callable[[Enterprise, int, int], str]
"""Takes an entity, a year and what it would owe itself; says why it can't, nothing if it can."""


class Obligations:
    """The obligations of all entities.

    Attributes
    ----------
    after_setting : list of callable
        Each is called with what was set, in the same transaction.
    holding : list of callable
        Each may say why an entity's obligation has to stay as it is.
    after_holding : list of callable
        Each is called with whose obligations stayed as they are, in the same transaction.
    """

    def __init__(self, record: Record, enterprises: Enterprises, allocations: Allocations) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._allocations = allocations
        self.after_setting: list[Set] = []
        self.holding: list[Hold] = []
        self.after_holding: list[Callable[[int, int, list[Held]], None]] = []

    def set_all(
        self, person: Acting, province: int, year: int, reason: str = ""
    ) -> list[Obligation]:
        """Set what a province's entities owe of a year, as its final allocation has it.

        What is owed already and has not changed is not set again, and whose obligation has to stay
        as it is holds up nobody else.

        Parameters
        ----------
        reason
            Why some owe something else than before.

        Notes
        -----
        Rules: CEA-SUR-01, CEA-ENT-12.
        """
        year_checked(year)
        words_checked(reason, "reason", is_needed=False)
        with self._record.transaction():
            held = self.held(province, year)
            names = {each.enterprise for each in held}
            made = [
                self._set(person, year, line, reason)
                for line in self._new_lines(province, year)
                if line.enterprise not in names
            ]
            if not made:
                others = "".join(f"; {each.enterprise}: {each.words}" for each in held)
                raise PlatformActError(
                    PlatformRefusal.OBLIGATIONS_UNCHANGED,
                    f"{province} {year}: expected some that change, got what is owed already"
                    f"{others}",
                )
            for follow in self.after_setting:
                follow(province, year, made)
            for tell in self.after_holding:
                tell(province, year, held)
        return made

    def held(self, province: int, year: int) -> list[Held]:
        """Return whose obligations have to stay as they are, though the final allocation changed.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        found = []
        for line in self._new_lines(province, year):
            enterprise = self._enterprises.of(line.enterprise)
            before = self.of(enterprise.enterprise_id, year)
            own = line.duty + (0 if before is None else before.succeeded_tonnes)
            why = next(filter(None, (hold(enterprise, year, own) for hold in self.holding)), "")
            if own < 0:
                why = (
                    f"expected {line.duty - own} t or more, which its successors owe already, got"
                    f" {line.duty} t (CEA-ENT-12)"
                )
            if why:
                found.append(Held(line.enterprise, why))
        return found

    def of(self, enterprise_id: int, year: int) -> Obligation | None:
        """Return what an entity owes of a year; None if nothing is set."""
        row = self._store.one(
            f"SELECT {_ROW} FROM obligations WHERE enterprise_id = ? AND compliance_year = ?"
            " ORDER BY version DESC LIMIT 1",
            (enterprise_id, year),
        )
        return None if row is None else Obligation(*row)

    def of_enterprise(self, enterprise_id: int) -> list[Obligation]:
        """Return what an entity owes, of each year of which something was set."""
        years = self._store.execute(
            "SELECT DISTINCT compliance_year FROM obligations WHERE enterprise_id = ? ORDER BY 1",
            (enterprise_id,),
        )
        found = (self.of(enterprise_id, year) for (year,) in years.fetchall())
        return [each for each in found if each is not None]

    def pass_on(self, obligation: Obligation, shares: Mapping[int, int], reason: str) -> None:
        """Let others owe tonnes of an obligation in its entity's place.

        Parameters
        ----------
        shares
            Enterprise -> tonnes that it owes more; fewer, where more was passed on before.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        moved = {obligation.enterprise_id: -sum(shares.values()), **shares}
        for enterprise_id, tonnes in moved.items():
            before = self.of(enterprise_id, obligation.compliance_year) or obligation._replace(
                version=0, verified_tonnes=0, due_tonnes=0, succeeded_tonnes=0, result_id=0
            )
            self._keep(
                before._replace(
                    enterprise_id=enterprise_id,
                    version=before.version + 1,
                    due_tonnes=before.due_tonnes + tonnes,
                    succeeded_tonnes=before.succeeded_tonnes + tonnes,
                    mark=marks_text(before.mark.split(), obligation.mark.split()),
                    reason=reason,
                    set_by=obligation.set_by,
                )
            )

    def _new_lines(self, province: int, year: int) -> list[Line]:
        """Return the lines of final allocations by which an entity owes what is not set yet."""
        lines = self._allocations.standing_lines(province, year)
        return [line for line in lines if self._is_new(line, year)]

    def _is_new(self, line: Line, year: int) -> bool:
        enterprise = self._enterprises.of(line.enterprise)
        before = self.of(enterprise.enterprise_id, year)
        figures = (line.emissions, line.duty, line.result_id)
        return before is None or figures != (
            before.verified_tonnes,
            before.own_tonnes,
            before.result_id,
        )

    def _set(self, person: Acting, year: int, line: Line, reason: str) -> Obligation:
        enterprise = self._enterprises.of(line.enterprise)
        before = self.of(enterprise.enterprise_id, year)
        # What it took over from others alone is no obligation of its own yet.
        is_first = before is None or not before.result_id
        if not is_first and not reason:
            raise PlatformActError(
                PlatformRefusal.REASON_MISSING,
                f"{line.enterprise}: expected the reason why it owes {line.duty} t and not"
                f" {before.own_tonnes if before else 0} t, got none",
            )
        succeeded = 0 if before is None else before.succeeded_tonnes
        return self._keep(
            Obligation(
                0,
                enterprise.enterprise_id,
                year,
                version=1 if before is None else before.version + 1,
                verified_tonnes=line.emissions,
                due_tonnes=line.duty + succeeded,
                succeeded_tonnes=succeeded,
                due_on=date_number(due_day("surrender", year, enterprise.sector)),
                result_id=line.result_id,
                mark=line.mark,
                reason="" if is_first else reason,
                set_by=person.name,
                set_on=0,
            )
        )

    def _keep(self, obligation: Obligation) -> Obligation:
        kept = obligation._replace(
            obligation_id=self._store.next_id("obligations", "obligation_id"),
            set_on=self._record.business_date(),
        )
        self._store.insert(f"obligations ({_ROW})", [kept])
        return kept
