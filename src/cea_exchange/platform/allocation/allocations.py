"""What provinces give their entities of a year: computed, approved by another person, distributed.

    verified results --> computed --another person of the province--> approved --> distributed
                            |                                            |
                            +--------------- withdrawn <-----------------+       recalled

The authority sets the balance values, from all verified results of the nation, and the totals.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from cea_exchange.control_plane.maker_checker import is_another
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.allocation.computation import (
    Computation,
    LeftOut,
    Line,
    RolledUp,
    Terms,
)
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    count_checked,
    year_checked,
)
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.record import Acting, Record

STAGES = ("pre", "final", "adjustment")
TOTAL_MAX = 10**12
WHOLE_BP = 10_000


class AllocationRow(NamedTuple):
    """A row of `allocations`."""

    allocation_id: int
    province: int
    compliance_year: int
    stage: str
    state: str
    share_bp: int | None
    plan_mark: str
    tonnes: int
    sha256: str
    computed_by: str
    computed_key: str
    computed_on: int
    approved_by: str
    distributed_on: int


_ROW = ", ".join(AllocationRow._fields)
_LINE = "enterprise, result_id, emissions, line.tonnes, duty, mark, units"

Distributed = Callable[[AllocationRow, list[Line], Terms], None]
"""Takes an allocation, its lines, and the authority's terms they were computed with."""


class Allocations:
    """The allocations of all provinces, and what the authority sets.

    Attributes
    ----------
    after_computing : list of callable
        Each is called with an allocation, and whom it leaves out, in the transaction of it.
    after_distributing : list of callable
        Each is called with an allocation in the transaction that distributes it.
    """

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        computation: Computation,
    ) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._computation = computation
        self.after_computing: list[Callable[[AllocationRow, list[LeftOut]], None]] = []
        self.after_distributing: list[Distributed] = []

    # -- the authority ----------------------------------------------------------------------------

    def roll_up(self, person: Acting, year: int) -> RolledUp:
        """Set what binds all provinces of a year, from all verified results, and return it.

        Notes
        -----
        Rules: CEA-PLN-21, CEA-PLN-22, CEA-PLN-32.
        """
        found = self._computation.roll_up(year)
        today = self._record.business_date()
        with self._record.transaction():
            for sector, value in found.terms.balance.items():
                number = self._store.next_id("balance_values", "balance_id")
                self._store.insert(
                    "balance_values (balance_id, compliance_year, sector, numerator, denominator,"
                    " set_by, set_on)",
                    [
                        (number, year, sector, str(value.numerator), str(value.denominator))
                        + (person.name, today)
                    ],
                )
            if (factor := found.terms.cap_factor) is not None:
                number = self._store.next_id("cap_factors", "factor_id")
                self._store.insert(
                    "cap_factors (factor_id, compliance_year, numerator, denominator, set_by,"
                    " set_on)",
                    [
                        (number, year, str(factor.numerator), str(factor.denominator))
                        + (person.name, today)
                    ],
                )
        return found

    def total_set(self, person: Acting, year: int, stage: str, tonnes: int) -> None:
        """Set what all provinces together may give of a year in a stage."""
        year_checked(year)
        choice_checked(stage, STAGES, "stage")
        count_checked(tonnes, "tonnes", TOTAL_MAX)
        with self._record.transaction():
            number = self._store.next_id("allocation_totals", "total_id")
            self._store.insert(
                "allocation_totals (total_id, compliance_year, stage, tonnes, set_by, set_on)",
                [(number, year, stage, tonnes, person.name, self._record.business_date())],
            )

    # -- the province -----------------------------------------------------------------------------

    def compute(
        self, person: Acting, province: int, year: int, stage: str, share_bp: int | None = None
    ) -> AllocationRow:
        """Compute what a province's entities are to have of a year, and return the allocation.

        An entity whose figures lack what the plan asks for is left out, and told so; it holds up
        nobody else, and an adjustment gives it its own. A pre-allocation rests on the verified
        results of the year that the plan names, as a rule the one before.

        Parameters
        ----------
        share_bp
            Of what is given ahead the province's own share of those emissions, in hundredths of a
            percent, where the plan lets it give less.

        Notes
        -----
        Rules: CEA-PLN-13, CEA-PLN-14, CEA-ALC-08, CEA-ALC-14, CEA-MRV-03.
        """
        year_checked(year)
        choice_checked(stage, STAGES, "stage")
        if share_bp is not None:
            count_checked(share_bp, "share_bp", WHOLE_BP)
            if stage != "pre":
                raise PlatformActError(
                    PlatformRefusal.CHOICE_UNKNOWN,
                    f"share_bp: expected with stage pre, got with {stage} (CEA-ALC-08)",
                )
        with self._record.transaction():
            self._none_under_way_check(province, year, stage)
            lines, left_out = self._computation.compute(province, year, stage, share_bp)
            content = msgspec.json.encode(lines)
            row = AllocationRow(
                self._store.next_id("allocations", "allocation_id"),
                province,
                year,
                stage,
                state="computed",
                share_bp=share_bp,
                plan_mark=marks_text(
                    *(line.mark.split() for line in lines), self._computation.marks(year)
                ),
                tonnes=sum(line.tonnes for line in lines),
                sha256=sha256(content).hexdigest(),
                computed_by=person.name,
                computed_key=person.key,
                computed_on=self._record.business_date(),
                approved_by="",
                distributed_on=0,
            )
            self._store.insert(f"allocations ({_ROW})", [row])
            of_province = self._enterprises.listed(province)
            ids = {each.enterprise: each.enterprise_id for each in of_province}
            first = self._store.next_id("allocation_lines", "line_id")
            self._store.insert(
                "allocation_lines (line_id, allocation_id, enterprise_id, result_id, emissions,"
                " tonnes, duty, mark, units)",
                [
                    (
                        number,
                        row.allocation_id,
                        ids[line.enterprise],
                        *line[1:],
                    )
                    for number, line in enumerate(lines, first)
                ],
            )
            first = self._store.next_id("allocation_left_out", "left_out_id")
            self._store.insert(
                "allocation_left_out (left_out_id, allocation_id, enterprise_id, words)",
                [
                    (number, row.allocation_id, ids[each.enterprise], each.words)
                    for number, each in enumerate(left_out, first)
                ],
            )
            for follow in self.after_computing:
                follow(row, left_out)
        return row

    def approve(self, person: Acting, number: int) -> None:
        """Approve what another person of the province computed.

        Notes
        -----
        Rules: CEA-ENT-14.
        """
        with self._record.transaction():
            row = self.of_number(number, "computed")
            if not is_another(row.computed_by, row.computed_key, person):
                raise PlatformActError(
                    PlatformRefusal.SAME_PERSON,
                    f"allocation {number}: expected another person than {row.computed_by}, who"
                    f" computed it, got {person.name}",
                )
            self._store.execute(
                "UPDATE allocations SET state = 'approved', approved_by = ?"
                " WHERE allocation_id = ?",
                (person.name, number),
            )

    def distribute(self, number: int) -> None:
        """Give what was approved, if it still follows from the verified results.

        Notes
        -----
        Rules: CEA-PLN-26.
        """
        with self._record.transaction():
            row = self.of_number(number, "approved")
            lines, _left_out = self._computation.compute(
                row.province, row.compliance_year, row.stage, row.share_bp
            )
            if sha256(msgspec.json.encode(lines)).hexdigest() != row.sha256:
                raise PlatformActError(
                    PlatformRefusal.ALLOCATION_OUTDATED,
                    f"allocation {number}: expected what the verified results give now, got what"
                    f" they gave on {row.computed_on}: withdraw it and compute it anew",
                )
            self._total_check(row)
            self._store.execute(
                "UPDATE allocations SET state = 'distributed', distributed_on = ?"
                " WHERE allocation_id = ?",
                (self._record.business_date(), number),
            )
            for follow in self.after_distributing:
                follow(row, lines, self._computation.terms(row.compliance_year))

    def withdraw(self, number: int) -> None:
        """Take back what was computed or approved, and not distributed yet."""
        with self._record.transaction():
            self.of_number(number, "computed", "approved")
            self._store.execute(
                "UPDATE allocations SET state = 'withdrawn' WHERE allocation_id = ?", (number,)
            )

    # -- what there is ----------------------------------------------------------------------------

    def of_number(self, number: int, *states: str) -> AllocationRow:
        """Return an allocation, in one of some states where any are named."""
        found = self._store.one(
            f"SELECT {_ROW} FROM allocations WHERE allocation_id = ?", (number,)
        )
        if found is None:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_UNKNOWN,
                f"allocation: expected one that was computed, got {number}",
            )
        row = AllocationRow(*found)
        if states and row.state not in states:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_STATE,
                f"allocation {number}: expected {' or '.join(states)}, got {row.state}",
            )
        return row

    def of_province(self, province: int, year: int | None = None) -> list[AllocationRow]:
        """Return the allocations of a province, of one year or of all, the last one first."""
        rows = self._store.execute(
            f"SELECT {_ROW} FROM allocations WHERE province = :province"
            + " AND compliance_year = :year" * (year is not None)
            + " ORDER BY allocation_id DESC",
            {"province": province, "year": year or 0},
        )
        return [AllocationRow(*row) for row in rows.fetchall()]

    def distributed(self, province: int, year: int) -> AllocationRow:
        """Return the last final allocation of a year, or adjustment of it, that was distributed."""
        found = self._store.one(
            f"SELECT {_ROW} FROM allocations WHERE province = ? AND compliance_year = ?"
            " AND stage <> 'pre' AND state = 'distributed' ORDER BY allocation_id DESC LIMIT 1",
            (province, year),
        )
        if found is None:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_UNKNOWN,
                f"{province} {year}: expected a final allocation that was distributed, got none",
            )
        return AllocationRow(*found)

    def standing_lines(self, province: int, year: int) -> list[Line]:
        """Return each entity's last line of a final allocation of a year, or an adjustment.

        An adjustment may leave out an entity that had a line before, which stands.

        Raises
        ------
        PlatformActError
            No final allocation was distributed.
        """
        self.distributed(province, year)
        rows = self._store.execute(
            f"SELECT {_LINE} FROM allocation_lines AS line"
            " JOIN enterprises ON enterprises.enterprise_id = line.enterprise_id"
            " JOIN (SELECT enterprise_id, max(allocation_id) AS last_id FROM allocation_lines"
            "  JOIN allocations USING (allocation_id) WHERE allocations.province = ?"
            "  AND compliance_year = ? AND stage <> 'pre' AND state = 'distributed'"
            "  GROUP BY enterprise_id) AS standing"
            " ON standing.enterprise_id = line.enterprise_id"
            "  AND standing.last_id = line.allocation_id ORDER BY enterprise",
            (province, year),
        )
        return [Line(*row) for row in rows.fetchall()]

    def last_distributed(self, province: int, year: int) -> int:
        """Return the number of the last allocation of a year that is distributed; 0 if none is."""
        found: int = self._store.one(
            "SELECT coalesce(max(allocation_id), 0) FROM allocations WHERE province = ?"
            " AND compliance_year = ? AND state = 'distributed'",
            (province, year),
        )
        return found

    def tonnes_before(self, row: AllocationRow) -> dict[str, int]:
        """Return enterprise -> tonnes of its year as the allocation before one had them."""
        rows = self._store.execute(
            "SELECT enterprise, line.tonnes FROM allocation_lines AS line"
            " JOIN enterprises ON enterprises.enterprise_id = line.enterprise_id"
            " JOIN allocations ON allocations.allocation_id = line.allocation_id"
            " WHERE allocations.province = ? AND compliance_year = ? AND state = 'distributed'"
            " AND allocations.allocation_id < ? ORDER BY allocations.allocation_id",
            (row.province, row.compliance_year, row.allocation_id),
        )
        return dict(rows.fetchall())

    def settled_before(self, row: AllocationRow) -> frozenset[str]:
        """Return who has a line in a final allocation of the year, or an adjustment, before one."""
        rows = self._store.execute(
            "SELECT DISTINCT enterprise FROM allocation_lines AS line"
            " JOIN enterprises ON enterprises.enterprise_id = line.enterprise_id"
            " JOIN allocations ON allocations.allocation_id = line.allocation_id"
            " WHERE allocations.province = ? AND compliance_year = ? AND stage <> 'pre'"
            " AND state = 'distributed' AND allocations.allocation_id < ?",
            (row.province, row.compliance_year, row.allocation_id),
        )
        return frozenset(enterprise for (enterprise,) in rows.fetchall())

    def lines(self, number: int) -> list[Line]:
        """Return the lines of an allocation, by enterprise."""
        rows = self._store.execute(
            f"SELECT {_LINE} FROM allocation_lines AS line"
            " JOIN enterprises ON enterprises.enterprise_id = line.enterprise_id"
            " WHERE allocation_id = ? ORDER BY enterprise",
            (number,),
        )
        return [Line(*row) for row in rows.fetchall()]

    def left_out(self, number: int) -> list[LeftOut]:
        """Return the listed entities that an allocation leaves out, and why, by name."""
        rows = self._store.execute(
            "SELECT enterprise, words FROM allocation_left_out AS left_out"
            " JOIN enterprises ON enterprises.enterprise_id = left_out.enterprise_id"
            " WHERE allocation_id = ? ORDER BY enterprise",
            (number,),
        )
        return [LeftOut(*row) for row in rows.fetchall()]

    def national(self, year: int, stage: str) -> dict[str, Any]:
        """Return what provinces have distributed of a year in a stage, and its total."""
        names = ("province", "tonnes", "plan_mark", "distributed_on")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM allocations WHERE compliance_year = ? AND stage = ?"
            " AND state = 'distributed' ORDER BY province",
            (year, stage),
        )
        provinces = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        given = sum(each["tonnes"] for each in provinces)
        return {
            "total": self._total(year, stage),
            "given": given,
            "mark": marks_text(*(each["plan_mark"].split() for each in provinces)),
            "provinces": provinces,
        }

    def _none_under_way_check(self, province: int, year: int, stage: str) -> None:
        row = self._store.one(
            "SELECT allocation_id, state FROM allocations WHERE province = ?"
            " AND compliance_year = ? AND stage = ? AND (state IN ('computed', 'approved')"
            "  OR (state = 'distributed' AND stage <> 'adjustment'))",
            (province, year, stage),
        )
        if row is not None:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_STATE,
                f"{stage} {year} of {province}: expected none under way or distributed, got"
                f" {row[0]}, {row[1]}",
            )

    def _total(self, year: int, stage: str) -> int | None:
        total: int | None = self._store.one(
            "SELECT tonnes FROM allocation_totals WHERE compliance_year = ? AND stage = ?"
            " ORDER BY total_id DESC LIMIT 1",
            (year, stage),
        )
        return total

    def _total_check(self, row: AllocationRow) -> None:
        """Refuse to give more than the authority's total.

        An adjustment counts against its own: what it gives anew is in place of what was given.
        """
        total = self._total(row.compliance_year, row.stage)
        given = self.national(row.compliance_year, row.stage)["given"]
        if total is None or given + row.tonnes > total:
            raise PlatformActError(
                PlatformRefusal.TOTAL_EXCEEDED,
                f"allocation {row.allocation_id}: expected at most"
                f" {'a total that is set' if total is None else total - given} t, got"
                f" {row.tonnes}",
            )
