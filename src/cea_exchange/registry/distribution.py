"""Distribution: from the authority over the provinces to the entities, and back what was too much.

    preview = registry.distribution.preview(SourceFile.load("allocation-2024-final.xlsx"))
    registry.distribution.distribute(preview.preview_id)

A preview shows what a file does, and does nothing. To distribute computes all of it again, from the
file's bytes and what the registry holds then, and does it if it comes to the same. Where the units'
figures came with the file, each entity's tonnes are computed from them, both times.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import msgspec

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.compliance.adjustment import Cause, Deduction, recall
from cea_exchange.domain.compliance.allocation import Industry, Sector
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.units import tonnes_check, whole_number
from cea_exchange.registry.checks import ActError, amount_checked, name_checked
from cea_exchange.registry.distribution_plan import (
    Known,
    Line,
    Owed,
    Plan,
    ahead_check,
    planned_of,
    stages_check,
    uncomputed,
    warnings_of,
)
from cea_exchange.registry.files import (
    Allocation,
    FileRefused,
    FileTable,
    SourceFile,
    allocation_read,
    units_read,
)
from cea_exchange.registry.files.findings import Finding, Findings
from cea_exchange.registry.institutions import Institution, province_account
from cea_exchange.registry.ledger import Compartment, EntryKind, Holding, Movement
from cea_exchange.registry.mergers import mergers, successors, with_taken_over
from cea_exchange.registry.paging import ALL
from cea_exchange.registry.recall_acts import RecallActs, Recalled, back, moved
from cea_exchange.registry.recomputation import recomputed
from cea_exchange.registry.vintages import product_vintages, vintage_checked

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry

_AUTHORITY = Institution.AUTHORITY


BY_HAND: tuple[Cause, ...] = ("enforcement", "other")
"""Causes of deductions that nothing here decides: a document does."""


class Preview(NamedTuple):
    """What was shown of a file."""

    preview_id: int
    file: str
    sha256: str
    units_file: str
    """Of the units' figures that came with it; empty: none did."""
    units_sha256: str
    distributed_on: int
    """yyyymmdd; 0: not yet."""
    plan: Plan


class Adjustable(NamedTuple):
    """A deduction, or a recall that did not find all, with what of it is still to adjust."""

    deduction_id: int
    account: str
    document: str
    cause: str
    decided_on: int
    compliance_year: int
    """Of the allowances to recall; 0 of a deduction."""
    tonnes: int
    remaining: int


class Distribution:
    """The office that issues, distributes, adjusts and recalls allowances.

    Parameters
    ----------
    registry
        Acted upon.
    """

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._store = registry.store
        self._holdings = registry.province_holdings
        self._recalls = RecallActs(registry)
        registry.accounts.pending_checks.append(self._pending)

    # -- issue --------------------------------------------------------------------------------

    def issue(self, product: str, tonnes: int) -> int:
        """Issue allowances into the competent authority's account, to be distributed.

        Returns
        -------
        int
            The entry's id, by which it may be reversed.

        Notes
        -----
        Rules: CEA-DIS-01.
        """
        asset = self._registry.asset(product)
        vintage_checked(self._store, self._registry.rules.vintages, asset)
        with self._store.transaction():
            return self._registry.move(
                EntryKind.ISSUE, Institution.ISSUANCE, _AUTHORITY, asset, tonnes
            )

    # -- allocation files ---------------------------------------------------------------------

    def preview(self, source: SourceFile, units: SourceFile | None = None) -> Preview:
        """Show what an allocation file would do; keep the files and what was shown.

        Parameters
        ----------
        units
            The units' figures, from which each entity's tonnes are computed and must come out the
            same.

        Raises
        ------
        ActError
            A file is refused, each fault with its line, or was distributed before.

        Notes
        -----
        Rules: CEA-DIS-05, CEA-DIS-09.
        """
        with self._store.transaction():
            self._new_checked(source)
            plan = self._plan(source, units)
            preview_id = self._next("allocation_previews", "preview_id")
            shown, today = msgspec.msgpack.encode(plan), self._registry.business_date()
            row = (preview_id, *_file_row(source), shown, today)
            self._store.insert("allocation_previews", [row])
            if units is not None:
                self._store.insert("allocation_units", [(preview_id, *_file_row(units))])
        return self.previewed(preview_id)

    def previewed(self, preview_id: int) -> Preview:
        """Return a preview as it was shown."""
        row = self._store.one(
            "SELECT p.preview_id, p.file, p.sha256, coalesce(u.file, ''), coalesce(u.sha256, ''),"
            " coalesce(d.business_date, 0), plan FROM allocation_previews p"
            " LEFT JOIN allocation_units u ON u.preview_id = p.preview_id"
            " LEFT JOIN distributions d ON distribution_id = p.preview_id"
            " WHERE p.preview_id = ?",
            (preview_id,),
        )
        if row is None:
            raise ActError(
                RegistryRefusal.PREVIEW_UNKNOWN,
                f"preview_id: expected that of a preview, got {preview_id!r}",
            )
        *told, plan = row
        return Preview(*told, msgspec.msgpack.decode(plan, type=Plan))

    def distribute(self, preview_id: int) -> Preview:
        """Do what a preview showed: all of it, once.

        Raises
        ------
        ActError
            It was done before, something has changed since, or there is too little to distribute.

        Notes
        -----
        Rules: CEA-DIS-01, CEA-DIS-05, CEA-DIS-09.
        """
        with self._store.transaction():
            preview = self.previewed(preview_id)
            number = preview.preview_id
            source, units = self._sources(number)
            self._new_checked(source)
            plan = self._plan(source, units)
            _same_checked(preview, plan)
            asset, today = self._registry.asset(plan.product), self._registry.business_date()
            terms = (source.sha256, plan.compliance_year, asset, plan.stage, today)
            self._store.insert("distributions", [(number, *terms)])
            # Before anything arrives: what it is given is not taken again for what that settles.
            self._write(number, plan, asset, today)
            self._registry.moves(_movements(plan, asset), f"distribution {number}")
            self._recalls.go_on({each.account_index for each in plan.planned})
        return preview._replace(distributed_on=today, plan=plan)

    def _sources(self, preview_id: int) -> tuple[SourceFile, SourceFile | None]:
        """Return the file that was previewed, and that of the units' figures."""
        found = []
        for table in ("allocation_previews", "allocation_units"):
            row = self._store.one(
                f"SELECT file, content, encoding FROM {table} WHERE preview_id = ?", (preview_id,)
            )
            found.append(row and SourceFile(row[0], bytes(row[1]), row[2]))
        return found[0], found[1]

    def _new_checked(self, source: SourceFile) -> None:
        done = self._store.one(
            "SELECT distribution_id FROM distributions WHERE sha256 = ?", (source.sha256,)
        )
        if done is not None:
            raise ActError(
                RegistryRefusal.DISTRIBUTED_BEFORE,
                f"{source.name}: expected a file that was not distributed, got that of"
                f" distribution {done}",
            )

    def _plan(self, source: SourceFile, units: SourceFile | None) -> Plan:
        """Compute what a file does now, and its tonnes where the units' figures are given.

        Notes
        -----
        Rules: CEA-DIS-02, CEA-DIS-09.
        """
        accounts = {
            account: (index, province, at_risk)
            for account, index, province, at_risk in self._store.execute(
                "SELECT account, account_index, province, at_risk FROM accounts"
                " WHERE kind = 'entity' AND state IN ('open', 'suspended')"
            )
        }
        provinces = {account: province for account, (_, province, _) in accounts.items()}
        try:
            table = allocation_read(source, vintages=self._vintages(), provinces=provinces)
            entries = list(zip(table.lines, table.rows, strict=True))
            known, left_out = self._known(table.rows, accounts)
            findings = Findings(source.name)
            for finding in stages_check(entries, known):
                findings.add(*finding)
            findings.raise_any()
            computed = self._recomputed(table, units, provinces)
            for finding in self._ahead_findings(entries, computed):
                findings.add(*finding)
            findings.raise_any()
        except FileRefused as refused:
            raise ActError(refused.code, str(refused)) from refused
        except ModuleNotFoundError as refused:
            raise ActError(RegistryRefusal.FILE_REFUSED, str(refused)) from refused
        planned = tuple(planned_of(entry, known[entry.account]) for entry in table.rows)
        lines = [each.line for each in planned]
        first = table.rows[0]
        asset = self._registry.asset(first.product)
        authority_holds = self._store.balance(_registration(_AUTHORITY, asset))
        warnings = warnings_of(entries, known, lines, left_out, authority_holds)
        if units is not None:
            warnings += tuple(uncomputed(entries, computed))
        return Plan(
            compliance_year=first.compliance_year,
            product=first.product,
            stage=first.stage,
            planned=planned,
            warnings=warnings,
            recomputed=len(computed),
        )

    def _recomputed(
        self,
        table: FileTable[Allocation],
        units: SourceFile | None,
        provinces: dict[str, int],
    ) -> list[str]:
        """Return whose tonnes come out the same from their units' figures; all others have none."""
        if units is None:
            return []
        first = table.rows[0]
        figures = units_read(
            units,
            compliance_year=first.compliance_year,
            stage=first.stage,
            accounts={entry.account for entry in table.rows},
            provinces=provinces,
        )
        return recomputed(table, figures, self._registry.rules.allocation, self._sectors())

    def _ahead_findings(
        self, entries: Sequence[tuple[int, Allocation]], computed: Sequence[str]
    ) -> Iterable[Finding]:
        known = set(computed)
        unknown = [each for each in entries if each[1].account not in known]
        return ahead_check(unknown, self._sectors(), self._registry.rules.allocation)

    def _sectors(self) -> dict[str, Sector]:
        """Return account -> sector, of all that are not of power."""
        rows = self._store.execute(
            "SELECT account, sector FROM accounts WHERE sector IN (?, ?, ?)", get_args(Industry)
        )
        return dict(rows.fetchall())

    def _known(
        self, entries: Sequence[Allocation], accounts: dict[str, tuple[int, int, int]]
    ) -> tuple[dict[str, Known], list[str]]:
        """Return what is known of each account, and who was given something ahead only."""
        year, asset = entries[0].compliance_year, self._registry.asset(entries[0].product)
        before = self._given_before(year)
        owed = self._owed(year)
        kept = self._holdings.of_product(asset)
        known = {}
        for entry in entries:
            index, province, at_risk = accounts[entry.account]
            stage, tonnes, given = before.get(index, (None, 0, 0))
            known[entry.account] = Known(
                account_index=index,
                at_risk=bool(at_risk),
                stage=stage,
                before=tonnes,
                given_before=given,
                owed=tuple(owed.get(index, ())),
                held=self._store.balance(_registration(index, asset)),
                held_by_province=kept.get((province, index), 0),
            )
        return known, _left_out(entries, accounts, before)

    def _given_before(self, year: int) -> dict[int, tuple[str, int, int]]:
        """Return per account the last stage, the tonnes it determined, what was given in all.

        What was given ahead to an account that was merged since counts as its successor's.

        Notes
        -----
        Rules: CEA-DIS-10.
        """
        found: dict[int, tuple[str, int, int]] = {}
        rows = self._store.execute(
            "SELECT account_index, stage, tonnes, given + kept - recalled - recalled_kept"
            " FROM distribution_lines JOIN distributions USING (distribution_id)"
            " WHERE compliance_year = ? ORDER BY distribution_id",
            (year,),
        )
        for account, stage, tonnes, given in rows:
            found[account] = (stage, tonnes, given + found.get(account, ("", 0, 0))[2])
        rows = self._store.execute(
            "SELECT account_index, sum(recalled + recalled_kept) FROM recalls"
            " WHERE compliance_year = ? GROUP BY account_index",
            (year,),
        )
        for account, recalled in rows:
            # The first of it may have been given to one that was merged into this account.
            stage, tonnes, given = found.get(account, ("pre", 0, 0))
            found[account] = (stage, tonnes, given - recalled)
        for merged, (successor, is_done) in self._without_final(year).items():
            if merged in found:
                _stage, tonnes_ahead, given_ahead = found[merged]
                stage, tonnes, given = found.get(successor, ("pre", 0, 0))
                ahead = 0 if is_done else tonnes_ahead
                found[successor] = (stage, tonnes + ahead, given + given_ahead)
        return found

    def _without_final(self, year: int) -> dict[int, tuple[int, bool]]:
        """Return merged accounts that had no final allocation of a year, and whose is for them.

        Returns
        -------
        dict of int to (int, bool)
            The successor's index, and whether it has had that allocation since the merger.
        """
        final_on = self._final_on(year)
        merged_into, found = mergers(self._store), {}
        for merged in sorted(merged_into.keys() - final_on.keys()):
            last, is_done = merged, False
            while last in merged_into and not is_done:
                last, day = merged_into[last]
                is_done = final_on.get(last, 0) >= day
            found[merged] = (last, is_done)
        return found

    def _final_on(self, year: int) -> dict[int, int]:
        """Return per account the last day of a final allocation or adjustment of a year."""
        rows = self._store.execute(
            "SELECT account_index, max(business_date) FROM distribution_lines"
            " JOIN distributions USING (distribution_id)"
            " WHERE compliance_year = ? AND stage <> 'pre' GROUP BY account_index",
            (year,),
        )
        return dict(rows.fetchall())

    def _owed(self, year: int) -> dict[int, list[Owed]]:
        """Return per account the deductions that are not done, or that this year has paid for.

        What is still to adjust of an account that was merged is taken off its successor's. What was
        borrowed is taken off the year it was borrowed from, and later ones (CEA-BOR-02).
        """
        found = defaultdict(list)
        into, final_on = successors(self._store), self._final_on(year)
        rows = self._store.execute(
            "SELECT d.account_index, d.deduction_id, d.tonnes - coalesce(sum(t.tonnes), 0),"
            " coalesce(sum(CASE WHEN s.compliance_year = ? THEN t.tonnes ELSE 0 END), 0)"
            " FROM deductions d LEFT JOIN deductions_taken t ON t.deduction_id = d.deduction_id"
            " LEFT JOIN distributions s ON s.distribution_id = t.distribution_id"
            " WHERE d.cause <> 'borrowed' OR ? >= ?"
            " GROUP BY d.account_index, d.deduction_id, d.tonnes ORDER BY d.deduction_id",
            (year, year, self._registry.rules.borrowing.from_year.value),
        )
        for account, *figures in rows.fetchall():
            owed = Owed(*figures)
            if account in into and account in final_on:
                # Its own final allocation has settled what was taken ahead.
                owed = owed._replace(taken=0)
            if owed.remaining or owed.taken:
                found[into.get(account, account)].append(owed)
        return found

    def _write(self, distribution_id: int, plan: Plan, asset: int, today: int) -> None:
        reference = f"distribution {distribution_id}"
        lines, unrecalled, taken, kept = [], [], [], []
        for account, line, parts in ((e.account_index, e.line, e.taken) for e in plan.planned):
            what = (line.given, line.kept, line.recalled, line.recalled_kept, line.unrecalled)
            lines.append((distribution_id, account, line.province, line.tonnes, *what))
            taken += [(number, reference, distribution_id, tonnes) for number, tonnes in parts]
            if line.unrecalled:
                terms = ("recall", plan.compliance_year, line.unrecalled, today, today)
                unrecalled.append((account, reference, *terms))
            if line.kept != line.recalled_kept:
                kept.append((line.province, account, asset, line.kept - line.recalled_kept))
        self._store.insert("distribution_lines", lines)
        self._store.insert("deductions_taken", taken)
        first = self._next("deductions", "deduction_id")
        numbered = [(n, *row) for n, row in enumerate(unrecalled, first)]
        self._store.insert("deductions", numbered)
        self._registry.arrivals.recalls.note(row[0] for row in (*taken, *numbered))
        self._holdings.change(kept, reference)

    # -- deductions and recalls ---------------------------------------------------------------

    def deduct(
        self, account: str, document: str, cause: Cause, tonnes: int, decided_on: int
    ) -> int:
        """Register a decision that tonnes are taken off what an entity will be given.

        Parameters
        ----------
        document
            Number of the decision; an entity has each once.
        cause : {"enforcement", "other"}
            Found by inspections, or else. What was not surrendered, or borrowed, is deducted by the
            acts that decide it.
        decided_on
            yyyymmdd.

        Returns
        -------
        int
            The deduction's number. Nothing moves; distributions take it off.

        Notes
        -----
        Rules: CEA-ALC-11, CEA-DIS-06, CEA-PEN-05.
        """
        if cause not in BY_HAND:
            raise ActError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"cause: expected one of {', '.join(BY_HAND)}, got {cause!r}",
            )
        return self.deduction_add(account, document, cause, tonnes, decided_on)

    def deduction_add(
        self, account: str, document: str, cause: Cause, tonnes: int, decided_on: int
    ) -> int:
        """Register a deduction that another act has decided; as `deduct`, of any cause."""
        name_checked(document, "document")
        today = self._registry.business_date()
        with self._store.transaction():
            index = self._registry.account(account)
            decision = self._decision_checked(cause, tonnes, decided_on, today)
            known = self._store.one(
                "SELECT deduction_id FROM deductions WHERE account_index = ? AND document = ?",
                (index, document),
            )
            if known is not None:
                raise ActError(
                    RegistryRefusal.DOCUMENT_USED,
                    f"document: expected a new one, got {document}, which is deduction {known}"
                    f" of {account}",
                )
            number = self._next("deductions", "deduction_id")
            decided = cause, 0, decision.tonnes, decision.decided_on
            row = (number, index, document, *decided, today)
            self._store.insert("deductions", [row])
        return number

    def _decision_checked(
        self, cause: Cause, tonnes: int, decided_on: int, today: int
    ) -> Deduction:
        amount = amount_checked(tonnes, "tonnes")
        try:
            expected = f"a day until {today}"
            day = whole_number(decided_on, "decided_on", expected)
            if not 2000_01_01 <= day <= today:
                raise ValueError(f"decided_on: expected {expected}, got {day}")
            date_of_number(day)
            tonnes_check(amount, "tonnes")
        except (TypeError, ValueError) as error:
            raise ActError(RegistryRefusal.DATE_UNSOUND, str(error)) from None
        decision = Deduction(cause=cause, tonnes=amount, decided_on=day)
        refusal = self._registry.rules.adjustment.refusal(decision)
        if refusal is not None:
            raise ActError(RegistryRefusal.DATE_OUT_OF_RANGE, refusal)
        return decision

    def still_to_adjust(
        self, account: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[Adjustable]:
        """Return what could not be deducted or recalled yet, of one account or of all.

        Of an account also what is left of those that it has taken over.

        Parameters
        ----------
        first, count
            So many at most, of deductions from a number on.
        """
        index = None if account is None else self._registry.account(account)
        return self._adjustable(index, first, count)

    def _adjustable(
        self, account_index: int | None = None, first: int = 1, count: int = ALL
    ) -> list[Adjustable]:
        of_whom = ""
        if account_index is not None:
            members = map(str, with_taken_over(self._store, account_index))
            of_whom = f" AND d.account_index IN ({', '.join(members)})"
        rows = self._store.execute(
            "SELECT d.deduction_id, a.account, d.document, d.cause, d.decided_on,"
            " d.compliance_year, d.tonnes, d.tonnes - coalesce(sum(t.tonnes), 0) AS remaining"
            " FROM deductions d JOIN accounts a ON a.account_index = d.account_index"
            " LEFT JOIN deductions_taken t ON t.deduction_id = d.deduction_id"
            f" WHERE d.deduction_id >= ?{of_whom}"
            " GROUP BY d.deduction_id, a.account, d.document, d.cause, d.decided_on,"
            " d.compliance_year, d.tonnes, d.account_index"
            " HAVING d.tonnes > coalesce(sum(t.tonnes), 0) ORDER BY d.deduction_id LIMIT ?",
            (first, count),
        )
        return [Adjustable(*row) for row in rows]

    def recall_remaining(self, account: str, compliance_year: int) -> Recalled:
        """Recall what an earlier recall did not find; see `RecallActs.remaining`."""
        return self._recalls.remaining(account, compliance_year)

    def called(self, account: str) -> dict[str, int]:
        """Return product -> tonnes that recalls ask the venue for, which has not answered yet."""
        rows = self._store.execute(
            "SELECT product, sum(amount) FROM transfers"
            " JOIN products ON product_index = asset_index"
            " WHERE state = 'pending' AND direction = 'recall' AND account_index = ?"
            " GROUP BY product_index, product ORDER BY product_index",
            (self._registry.account(account),),
        )
        return dict(rows.fetchall())

    def _pending(self, account_index: int) -> Iterator[str]:
        """Yield what keeps an account from being merged or closed.

        Notes
        -----
        Rules: CEA-DIS-08.
        """
        for each in self._adjustable(account_index):
            yield f"deduction {each.deduction_id}"
        for product, tonnes in self._holdings.kept_for(account_index).items():
            yield f"{tonnes} of {product} that its province keeps"

    # -- in common ----------------------------------------------------------------------------

    def _vintages(self) -> dict[str, int]:
        """Return product -> vintage, of those that have one."""
        vintages = product_vintages(self._store, self._registry.rules.vintages)
        return {self._store.asset_name(asset): vintage for asset, vintage in vintages.items()}

    def _province(self, account_index: int) -> int:
        return self._store.one(
            "SELECT province FROM accounts WHERE account_index = ?", (account_index,)
        )

    def _next(self, table: str, column: str) -> int:
        return self._store.one(f"SELECT 1 + coalesce(max({column}), 0) FROM {table}")


def _left_out(
    entries: Sequence[Allocation],
    accounts: dict[str, tuple[int, int, int]],
    before: dict[int, tuple[str, int, int]],
) -> list[str]:
    """Return whom a final file leaves out of its provinces' entities that were given ahead."""
    if entries[0].stage != "final":
        return []
    named = {entry.account for entry in entries}
    provinces = {entry.province for entry in entries}
    return sorted(
        account
        for account, (index, province, _at_risk) in accounts.items()
        if account not in named
        and province in provinces
        and before.get(index, ("", 0, 0))[0] == "pre"
    )


def _file_row(source: SourceFile) -> tuple[str, str, str, bytes]:
    return source.name, source.sha256, source.encoding, source.data


def _registration(account_index: int, asset_index: int) -> Holding:
    return Holding(account_index, asset_index, Compartment.REGISTRATION)


def _same_checked(preview: Preview, plan: Plan) -> None:
    """Refuse a plan that is not what was shown; a holding that decides nothing may be another."""
    for shown, now in zip(preview.plan.planned, plan.planned, strict=True):
        if shown.taken == now.taken and _deciding(shown.line) == _deciding(now.line):
            continue
        differs = next(
            (
                f"its {field} was {was}, is {getattr(now.line, field)}"
                for field, was in _deciding(shown.line).items()
                if was != getattr(now.line, field)
            ),
            "its deductions are others",
        )
        raise ActError(
            RegistryRefusal.PREVIEW_OUTDATED,
            f"preview {preview.preview_id}: expected {now.line.account} as it was shown, got"
            f" another, {differs}: preview the file again",
        )


def _deciding(line: Line) -> dict[str, Any]:
    return {**msgspec.structs.asdict(line), "held": 0}


def _movements(plan: Plan, asset: int) -> list[Movement]:
    """Return what moves: to each province and from there to its entities, and back likewise.

    Notes
    -----
    Rules: CEA-DIS-01, CEA-DIS-04.
    """
    by_province = defaultdict(list)
    for each in plan.planned:
        by_province[each.line.province].append((each.account_index, each.line))
    movements = []
    for code in sorted(by_province):
        province, lines = province_account(code), by_province[code]
        total = sum(line.given + line.kept for _, line in lines)
        given = [(province, account, line.given) for account, line in lines]
        movements += moved(EntryKind.DISTRIBUTED, [(_AUTHORITY, province, total), *given], asset)
        total = sum(line.recalled + line.recalled_kept for _, line in lines)
        recalled = [(account, line.recalled) for account, line in lines]
        movements += back(code, recalled, total, asset)
    return movements
