"""Distribution: from the authority over the provinces to the entities, and back what was too much.

    preview = registry.distribution.preview(SourceFile.load("allocation-2024-final.xlsx"))
    registry.distribution.distribute(preview.preview_id)

A preview shows what a file does, and does nothing. To distribute computes all of it again, from the
file's bytes and what the registry holds then, and does it if it comes to the same. Where the units'
figures came with the file, each entity's tonnes are computed from them, both times.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding, Movement
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.registry.compliance.deductions import DONE, Deductions
from cea_exchange.registry.compliance.province_custody import ProvinceHoldings
from cea_exchange.registry.distribution.plan import (
    Entity,
    Facts,
    Known,
    Line,
    Owed,
    Plan,
    plan,
)
from cea_exchange.registry.distribution.recall_execution import RecallActs, Recalled, back, moved
from cea_exchange.registry.enforcement.arrivals import Arrivals
from cea_exchange.registry.files import (
    Allocation,
    FileRefused,
    FileTable,
    SourceFile,
    allocation_read,
)
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.mergers import mergers, successors
from cea_exchange.registry.vintages import product_vintages, vintage_checked

_AUTHORITY = Institution.AUTHORITY


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


class Distribution:
    """The service that issues, distributes, adjusts and recalls allowances.

    Attributes
    ----------
    by_platform_only : bool
        Whether what is issued and distributed comes from the management platform alone.
    """

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        arrivals: Arrivals,
        custody: ProvinceHoldings,
        deductions: Deductions,
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self.by_platform_only = False
        self._deductions = deductions
        self.deduct, self.still_to_adjust = deductions.deduct, deductions.still_to_adjust
        self._owed_recalls = arrivals.recalls
        self._holdings = custody
        self._recalls = RecallActs(ledger, arrivals, custody)
        accounts.pending_checks.append(self._pending)

    # -- issue --------------------------------------------------------------------------------

    def issue(self, product: str, tonnes: int) -> int:
        """Issue allowances into the competent authority's account, to be distributed.

        Returns the entry's id, by which it may be reversed.

        Rules: CEA-DIS-01.
        """
        self._by_hand_check("issue")
        asset = self._ledger.asset(product)
        vintage_checked(self._store, self._ledger.rules.vintages, asset)
        with self._store.transaction():
            return self._ledger.move(
                EntryKind.ISSUE, Institution.ISSUANCE, _AUTHORITY, asset, tonnes
            )

    # -- allocation files ---------------------------------------------------------------------

    def preview(self, source: SourceFile, units: SourceFile | None = None) -> Preview:
        """Show what an allocation file would do; keep the files and what was shown.

        Raises ActError: a file is refused, each fault with its line, or was distributed before.

        Rules: CEA-DIS-05, CEA-DIS-09.

        Parameters
        ----------
        units
            The units' figures, from which each entity's tonnes are computed and must come out the
            same.
        """
        self._by_hand_check("preview")
        with self._store.transaction():
            self._new_checked(source)
            preview_id = self._preview_keep(source, self._plan(source, units))
            if units is not None:
                self._store.insert(
                    "allocation_units (preview_id, file, sha256, encoding, content)",
                    [(preview_id, *_file_row(units))],
                )
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
        shown = Preview(*row)
        return shown._replace(plan=msgspec.msgpack.decode(row[-1], type=Plan))

    def previewed_files(self, preview_id: int) -> list[SourceFile]:
        """Return the files of a preview, as they came; none, if there is no such preview."""
        return [source for source in self._sources(preview_id) if source is not None]

    def distribute(self, preview_id: int) -> Preview:
        """Do what a preview showed: all of it, once.

        Raises ActError: it was done before, something has changed since, or there is too little to
        distribute.

        Rules: CEA-DIS-01, CEA-DIS-05, CEA-DIS-09.
        """
        self._by_hand_check("distribute")
        with self._store.transaction():
            preview = self.previewed(preview_id)
            source, units = self._sources(preview.preview_id)
            self._new_checked(source)
            plan = self._plan(source, units)
            _same_checked(preview, plan)
            self._carry_out(preview.preview_id, source.sha256, plan)
        return preview._replace(distributed_on=self._ledger.business_date(), plan=plan)

    def take(self, source: SourceFile, table: FileTable[Allocation]) -> int:
        """Distribute what the platform sent, and issue what that takes; return its number.

        The platform names each entity by itself, one whose account was merged too: what that is
        given, or has to give back, is its successor's.

        Raises FileRefused: a line can't follow what was distributed before; nothing was done.

        Rules: CEA-DIS-01, CEA-DIS-02, CEA-DIS-10, CEA-PLK-02.

        Parameters
        ----------
        source
            The item as it came; it is kept as a file that is previewed is.
        table
            What it says, whose tonnes the registry has computed again.
        """
        with self._store.transaction():
            entities = self._entities() | self._taken_over()
            planned = plan(table, None, self._facts(table.rows, entities, each_its_own=True))
            number = self._preview_keep(source, planned)
            needed = sum(line.given + line.kept for line in planned.lines)
            if needed:
                way = (Institution.ISSUANCE, _AUTHORITY, self._ledger.asset(planned.product))
                self._ledger.move(EntryKind.ISSUE, *way, needed, f"distribution {number}")
            self._carry_out(number, source.sha256, planned)
        return number

    def _by_hand_check(self, act: str) -> None:
        """Refuse what a person does where the platform says it itself.

        Rules: CEA-PLK-06.
        """
        if self.by_platform_only:
            raise ActError(
                RegistryRefusal.BY_PLATFORM,
                f"{act}: expected allocations that came from the platform, got one by hand",
            )

    def _preview_keep(self, source: SourceFile, planned: Plan) -> int:
        shown, today = msgspec.msgpack.encode(planned), self._ledger.business_date()
        return self._store.add(
            "allocation_previews (preview_id, file, sha256, encoding, content, plan,"
            " business_date)",
            *(*_file_row(source), shown, today),
        )

    def _carry_out(self, number: int, sha256: str, plan: Plan) -> None:
        asset, today = self._ledger.asset(plan.product), self._ledger.business_date()
        into = successors(self._store)
        terms = (sha256, plan.compliance_year, asset, plan.stage, today)
        self._store.insert(
            "distributions (distribution_id, sha256, compliance_year, product_index, stage,"
            " business_date)",
            [(number, *terms)],
        )
        # Before anything arrives: what it is given is not taken again for what that settles.
        self._write(number, plan, asset, into)
        self._ledger.moves(_movements(plan, asset, into), f"distribution {number}")
        accounts = [each.account_index for each in plan.planned]
        self._recalls.go_on({into.get(account, account) for account in accounts})

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
        done = self._store.find("distributions", "distribution_id", sha256=source.sha256)
        if done is not None:
            raise ActError(
                RegistryRefusal.DISTRIBUTED_BEFORE,
                f"{source.name}: expected a file that was not distributed, got that of"
                f" distribution {done}",
            )

    def _plan(self, source: SourceFile, units: SourceFile | None) -> Plan:
        """Compute what a file does now, and its tonnes where the units' figures are given.

        Rules: CEA-DIS-02, CEA-DIS-09.
        """
        entities = self._entities()
        provinces = {account: entity.province for account, entity in entities.items()}
        try:
            table = allocation_read(source, vintages=self._vintages(), provinces=provinces)
            return plan(table, units, self._facts(table.rows, entities))
        except FileRefused as refused:
            raise ActError(refused.code or RegistryRefusal.FILE_REFUSED, str(refused)) from refused
        except ModuleNotFoundError as refused:
            raise ActError(RegistryRefusal.FILE_REFUSED, str(refused)) from refused

    # -- the facts ----------------------------------------------------------------------------

    def _entities(self) -> dict[str, Entity]:
        """Return account -> entity, of all that may be given something."""
        rows = self._store.execute(
            "SELECT account, account_index, province, at_risk, sector FROM accounts"
            " WHERE kind = 'entity' AND state IN ('open', 'suspended')"
        )
        return {account: Entity(*terms) for account, *terms in rows}

    def _taken_over(self) -> dict[str, Entity]:
        """Return account -> entity, of those that were merged; at risk is who has taken it over."""
        rows = self._store.execute(
            "SELECT account, account_index, province, sector FROM accounts WHERE state = 'merged'"
        ).fetchall()
        into = successors(self._store)
        return {
            account: Entity(
                index,
                province,
                self._store.find("accounts", "at_risk", account_index=into[index]),
                sector,
            )
            for account, index, province, sector in rows
        }

    def _facts(
        self,
        entries: Sequence[Allocation],
        entities: dict[str, Entity],
        *,
        each_its_own: bool = False,
    ) -> Facts:
        """Gather what decides what entries of a year and product do.

        Parameters
        ----------
        each_its_own
            Whether entities whose accounts were merged have entries of their own.
        """
        year, asset = entries[0].compliance_year, self._ledger.asset(entries[0].product)
        before = self._given_before(year)
        if each_its_own:
            owed = self._owed(
                year, frozenset(entities[entry.account].account_index for entry in entries)
            )
        else:
            self._count_taken_over(year, before)
            owed = self._owed(year)
        into = successors(self._store)
        kept = self._holdings.of_product(asset)
        known = {}
        for entry in entries:
            index, province, at_risk, _sector = entities[entry.account]
            stage, tonnes, given = before.get(index, (None, 0, 0))
            known[entry.account] = Known(
                account_index=index,
                at_risk=bool(at_risk),
                stage=stage,
                before=tonnes,
                given_before=given,
                owed=tuple(owed.get(index, ())),
                # A recall looks for a merged one's at its successor's, once all is given.
                held=0 if index in into else self._store.balance(_registration(index, asset)),
                held_by_province=0 if index in into else kept.get((province, index), 0),
            )
        return Facts(
            entities=entities,
            known=known,
            stages={index: stage for index, (stage, _tonnes, _given) in before.items()},
            authority_holds=self._store.balance(_registration(_AUTHORITY, asset)),
            rules=self._ledger.rules.allocation,
        )

    def _given_before(self, year: int) -> dict[int, tuple[str, int, int]]:
        """Return per account the last stage, the tonnes it determined, what was given in all."""
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
        return found

    def _count_taken_over(self, year: int, given_before: dict[int, tuple[str, int, int]]) -> None:
        """Count what was given ahead to accounts that were merged since as their successors'.

        Rules: CEA-DIS-10.
        """
        for merged, (successor, is_done) in self._without_final(year).items():
            if merged in given_before:
                _stage, tonnes_ahead, given_ahead = given_before[merged]
                stage, tonnes, given = given_before.get(successor, ("pre", 0, 0))
                ahead = 0 if is_done else tonnes_ahead
                given_before[successor] = (stage, tonnes + ahead, given + given_ahead)

    def _without_final(self, year: int) -> dict[int, tuple[int, bool]]:
        """Return merged accounts that had no final allocation of a year, and whose is for them.

        Returns the successor's index, and whether it has had that allocation since the merger.
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
        rows = self._store.all(
            "SELECT account_index, max(business_date) FROM distribution_lines"
            " JOIN distributions USING (distribution_id)"
            " WHERE compliance_year = ? AND stage <> 'pre' GROUP BY account_index",
            (year,),
        )
        return dict(rows)

    def _owed(self, year: int, own: frozenset[int] | None = None) -> dict[int, list[Owed]]:
        """Return per account the deductions that are not done, or that this year has paid for.

        What is still to adjust of an account that was merged is taken off its successor's. What was
        borrowed is taken off the year it was borrowed from, and later ones (CEA-BOR-02).

        Parameters
        ----------
        own
            Indexes of the accounts that have entries, where merged ones have their own; None where
            a successor's is for both.
        """
        found: dict[int, list[Owed]] = defaultdict(list)
        into, final_on = successors(self._store), self._final_on(year)
        rows = self._store.all(
            "SELECT d.account_index, d.deduction_id, d.tonnes - coalesce(sum(t.tonnes), 0),"
            " coalesce(sum(CASE WHEN s.compliance_year = ? THEN t.tonnes ELSE 0 END), 0)"
            f" FROM deductions d LEFT JOIN {DONE} t ON t.deduction_id = d.deduction_id"
            " LEFT JOIN distributions s ON s.distribution_id = t.distribution_id"
            " WHERE d.cause <> 'borrowed' OR ? >= ?"
            " GROUP BY d.account_index, d.deduction_id, d.tonnes ORDER BY d.deduction_id",
            (year, year, self._ledger.rules.borrowing.from_year.value),
        )
        for account, *figures in rows:
            owed, index = Owed(*figures), int(account)
            if index in into and index not in (own or ()):
                # Its own final allocation settles, or has settled, what was taken ahead.
                if own is not None or index in final_on:
                    owed = owed._replace(taken=0)
                index = into[index]
            if owed.remaining or owed.taken:
                found[index].append(owed)
        return found

    def _write(self, distribution_id: int, plan: Plan, asset: int, into: Mapping[int, int]) -> None:
        reference, today = f"distribution {distribution_id}", self._ledger.business_date()
        lines, unrecalled, taken, kept = [], [], [], []
        for account, line, parts in ((e.account_index, e.line, e.taken) for e in plan.planned):
            what = (line.given, line.kept, line.recalled, line.recalled_kept, line.unrecalled)
            lines.append((distribution_id, account, line.province, line.tonnes, *what))
            taken += [(number, reference, distribution_id, tonnes) for number, tonnes in parts]
            if line.unrecalled:
                terms = ("recall", plan.compliance_year, line.unrecalled, today, today)
                unrecalled.append((account, reference, *terms))
            if line.kept != line.recalled_kept:
                holder = into.get(account, account)
                kept.append((line.province, holder, asset, line.kept - line.recalled_kept))
        self._store.insert(
            "distribution_lines (distribution_id, account_index, province, tonnes, given, kept,"
            " recalled, recalled_kept, unrecalled)",
            lines,
        )
        self._store.insert(
            "deductions_taken (deduction_id, reference, distribution_id, tonnes)",
            taken,
        )
        first = self._store.next_id("deductions", "deduction_id")
        numbered = [(n, *row) for n, row in enumerate(unrecalled, first)]
        self._store.insert(
            "deductions (deduction_id, account_index, document, cause, compliance_year, tonnes,"
            " decided_on, business_date)",
            numbered,
        )
        self._owed_recalls.note([each[0] for each in taken] + [each[0] for each in numbered])
        self._holdings.change(kept, reference)

    # -- recalls ----------------------------------------------------------------------------------

    def recall_remaining(self, account: str, compliance_year: int) -> Recalled:
        """Recall what an earlier recall did not find; see `RecallActs.remaining`."""
        return self._recalls.remaining(account, compliance_year)

    def called(self, account: str) -> dict[str, int]:
        """Return product -> tonnes that recalls ask the venue for, which has not answered yet."""
        rows = self._store.all(
            "SELECT product, sum(amount) FROM transfers"
            " JOIN products ON product_index = asset_index"
            " WHERE state = 'pending' AND direction = 'recall' AND account_index = ?"
            " GROUP BY product_index, product ORDER BY product_index",
            (self._ledger.account(account),),
        )
        return dict(rows)

    def _pending(self, account_index: int) -> Iterator[str]:
        """Yield what keeps an account from being merged or closed.

        Rules: CEA-DIS-08.
        """
        for each in self._deductions.pending(account_index):
            yield f"deduction {each.deduction_id}"
        for product, tonnes in self._holdings.kept_for(account_index).items():
            yield f"{tonnes} of {product} that its province keeps"

    # -- in common ----------------------------------------------------------------------------

    def _vintages(self) -> dict[str, int]:
        """Return product -> vintage, of those that have one."""
        vintages = product_vintages(self._store, self._ledger.rules.vintages)
        return {self._store.asset_name(asset): vintage for asset, vintage in vintages.items()}


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


def _movements(plan: Plan, asset: int, into: Mapping[int, int]) -> list[Movement]:
    """Return what moves: to each province and from there to its entities, and back likewise.

    What a merged account is given goes on to its successor's.

    Rules: CEA-DIS-01, CEA-DIS-04, CEA-DIS-10.
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
    passed_on = [
        (each.account_index, into[each.account_index], each.line.given)
        for each in plan.planned
        if each.account_index in into
    ]
    return movements + moved(EntryKind.MERGED, passed_on, asset)
