"""Obligations: who owes how many allowances for a year, by the files of the provinces."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import Finding, Findings
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, words_checked
from cea_exchange.registry.checks import refusals_raised
from cea_exchange.registry.compliance.certificates import (
    certificate_issue_if_covered,
    certificate_revoke,
)
from cea_exchange.registry.compliance.obligation_status import Standing, standing_of, standings
from cea_exchange.registry.compliance.offset_shares import offset_rules
from cea_exchange.registry.files import FileTable, Obligation, SourceFile, obligations_read
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.entities import entity_provinces
from cea_exchange.registry.participants.mergers import with_successor

_ENTRIES = (
    "obligation_entries (compliance_year, account_index, file_id, verified_tonnes, due_tonnes,"
    " succeeded_tonnes)"
)
_Check = Callable[[FileTable[Obligation]], Iterator[Finding]]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The notice of an obligation (履约通知书): what is owed, until when, and what may offset it."""

    number: str
    """Of the file and the entity: a correction makes a new one."""
    account: str
    entity: str
    credit_code: str | None
    province: int
    compliance_year: int
    verified_tonnes: int
    obligation_tonnes: int
    succeeded_tonnes: int
    """Of these, what whom it succeeded owed; below 0: what its successors owe in its place."""
    due: int
    """Tonnes not covered as the notice is written."""
    deadline: int
    offset_max: int
    """Tonnes of CCERs that may count at most."""

    def text(self) -> str:
        """Return it for a person."""
        return "\n".join(
            (
                f"Notice of obligation {self.number}",
                "",
                f"entity             {self.entity} ({self.account})",
                f"credit code        {self.credit_code or '-'}",
                f"province           {PROVINCES[self.province].name}",
                f"compliance year    {self.compliance_year}",
                f"verified emissions {self.verified_tonnes} t",
                f"to surrender       {self.obligation_tonnes} t",
                *self._succession(),
                f"not yet covered    {self.due} t",
                f"deadline           {self.deadline}",
                f"CCERs, at most     {self.offset_max} t",
            )
        )

    def _succession(self) -> Iterator[str]:
        if self.succeeded_tonnes > 0:
            yield f"in others' place   {self.succeeded_tonnes} t of these (CEA-ENT-12)"
        elif self.succeeded_tonnes:
            yield f"owed by successors {-self.succeeded_tonnes} t besides (CEA-ENT-12)"


class Obligations:
    """The service that takes obligations and gives notice of them.

    Rules: CEA-SUR-01 (how much is owed), CEA-SUR-10 (corrections).

    Attributes
    ----------
    by_platform_only : bool
        Whether obligations come from the management platform alone.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.by_platform_only = False
        self._store = ledger.store

    def take(self, source: SourceFile, province: int | None = None) -> int:
        """Take a file of new obligations, whole.

        Returns the number the file gets.

        Raises ActError: with file, line and reason of everything that is wrong; nothing was taken.

        Parameters
        ----------
        province
            Whose file it is; None: the authority's, which may name entities of several.
        """
        self._by_hand_check()
        with self._store.transaction():
            table = self._read(source, province, self._new_findings)
            return self._keep(table, why="")

    def correct(self, source: SourceFile, why: str, province: int | None = None) -> int:
        """Take a file that replaces obligations there are, whole.

        What is covered already stays covered: nothing of it can be given back, so an obligation
        is never corrected to less, and CCERs keep to their share of the new one.

        Parameters
        ----------
        source, province
            As of `take`.
        why
            The reason; it is kept.
        """
        self._by_hand_check()
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._store.transaction():
            table = self._read(source, province, self._correction_findings)
            return self._replace(table, self._known(table), why)

    def take_computed(self, table: FileTable[Obligation], why: str) -> int:
        """Take what the platform sent, whole: new obligations, and others than there were.

        Raises FileRefused: a line can't be; nothing was taken.

        Rules: CEA-SUR-01, CEA-SUR-10, CEA-PLK-02.

        Parameters
        ----------
        table
            What the item says, as the registry has computed it again.
        why
            Which item it is.
        """
        with self._store.transaction():
            before, findings = self._known(table), Findings(table.file)
            for line, entry in zip(table.lines, table.rows, strict=True):
                if refusal := self._refusal(entry):
                    findings.add(line, "due_tonnes", refusal)
                if (standing := before.get(entry.account)) is not None:
                    for finding in self._lowered(line, entry, standing):
                        findings.add(*finding)
            findings.raise_any()
            return self._replace(table, before, why)

    def _by_hand_check(self) -> None:
        """Refuse what a person hands in where the platform says it itself.

        Rules: CEA-PLK-06.
        """
        if self.by_platform_only:
            raise ActError(
                RegistryRefusal.BY_PLATFORM,
                "obligations: expected those that came from the platform, got some by hand",
            )

    def _replace(self, table: FileTable[Obligation], before: dict[str, Standing], why: str) -> int:
        """Keep obligations, and certify anew those that were others before."""
        file_id = self._keep(table, why)
        for entry in table.rows:
            standing = before.get(entry.account)
            if standing is not None and entry.due_tonnes != standing.own:
                self._certify_anew(standing, why)
        return file_id

    def _refusal(self, entry: Obligation) -> str | None:
        rules = self._ledger.rules.obligations
        return rules.refusal(entry.compliance_year, entry.verified_tonnes, entry.due_tonnes)

    def _certify_anew(self, before: Standing, why: str) -> None:
        store, on = self._store, self._ledger.business_date()
        index, year = before.account_index, before.status.obligation.compliance_year
        certificate_revoke(store, index, year, on, f"obligation corrected: {why}")
        standing = standing_of(store, self._ledger.rules, index, year)
        certificate_issue_if_covered(store, standing, on)

    def standing(self, account: str, compliance_year: int) -> Standing:
        """Return how an obligation stands; ActError if there is none."""
        index, _successor = with_successor(self._ledger, account)
        return standing_of(self._store, self._ledger.rules, index, compliance_year)

    def notice(self, account: str, compliance_year: int) -> Notice:
        """Return the notice of an obligation; ActError if there is none.

        Rules: CEA-SUR-02, CEA-OFS-01.
        """
        standing = self.standing(account, compliance_year)
        obligation = standing.status.obligation
        entity, credit_code, province, file_id = self._store.one(
            "SELECT entity, credit_code, province, file_id FROM obligations"
            " JOIN accounts USING (account_index) WHERE compliance_year = ? AND account_index = ?",
            (compliance_year, standing.account_index),
        )
        return Notice(
            number=f"{compliance_year}-{file_id}-{standing.account_index}",
            account=account,
            entity=entity,
            credit_code=credit_code,
            province=province,
            compliance_year=compliance_year,
            verified_tonnes=standing.verified,
            obligation_tonnes=obligation.tonnes,
            succeeded_tonnes=standing.succeeded,
            due=standing.due,
            deadline=obligation.deadline,
            offset_max=offset_rules(self._ledger, compliance_year).cap(standing.own),
        )

    def pass_on(
        self, source: SourceFile, compliance_year: int, more: Mapping[int, int], why: str
    ) -> None:
        """Let entities owe more in another's place, and that one as much less.

        Parameters
        ----------
        more
            Account -> tonnes more; less than 0 of whose obligation it is. Together they are 0.
        why
            What says so.

        Rules: CEA-ENT-12, CEA-SUR-12.
        """
        store = self._store
        with store.transaction():
            file_id = self._file_add(source.name, source.sha256, compliance_year, why)
            for index, tonnes in more.items():
                found = standings(store, self._ledger.rules, compliance_year, index)
                standing = found.get(index)
                own = (0, 0) if standing is None else (standing.verified, standing.own)
                succeeded = tonnes + (0 if standing is None else standing.succeeded)
                store.insert(_ENTRIES, [(compliance_year, index, file_id, *own, succeeded)])
                if standing is not None:
                    self._certify_anew(standing, why)

    # -- files --------------------------------------------------------------------------------

    def _file_add(self, file: str, sha256: str, compliance_year: int, why: str) -> int:
        return self._store.add(
            "obligation_files (file_id, file, sha256, compliance_year, why, taken_on)",
            *(file, sha256, compliance_year, why, self._ledger.business_date()),
        )

    def _read(
        self, source: SourceFile, province: int | None, check: "_Check"
    ) -> FileTable[Obligation]:
        """Read a file and compare it with what is known; refuse it with all its findings."""
        with refusals_raised():
            table = obligations_read(source, provinces=entity_provinces(self._store))
            findings = Findings(table.file)
            for finding in check(table):
                findings.add(*finding)
            for line, entry in zip(table.lines, table.rows, strict=True):
                if refusal := self._refusal(entry):
                    findings.add(line, "due_tonnes", refusal)
                if province not in (None, entry.province):
                    text = f"expected {province}, whose file it is, got {entry.province}"
                    findings.add(line, "province", text)
            findings.raise_any()
        return table

    def _known(self, table: FileTable[Obligation]) -> dict[str, Standing]:
        year = table.rows[0].compliance_year
        found = standings(self._store, self._ledger.rules, year)
        return {self._store.account_name(index): each for index, each in found.items()}

    def _new_findings(self, table: FileTable[Obligation]) -> Iterator[Finding]:
        known = self._known(table)
        for line, entry in zip(table.lines, table.rows, strict=True):
            if entry.account in known:
                text = f"expected no obligation of {entry.compliance_year} yet, got another for"
                yield Finding(
                    line, "account", f"{text} {entry.account}: hand it in as a correction"
                )

    def _correction_findings(self, table: FileTable[Obligation]) -> Iterator[Finding]:
        known = self._known(table)
        has_changed = False
        for line, entry in zip(table.lines, table.rows, strict=True):
            standing = known.get(entry.account)
            if standing is None:
                text = f"expected an obligation of {entry.compliance_year} to correct"
                yield Finding(line, "account", f"{text}, got {entry.account}, which has none")
                continue
            figures = (entry.verified_tonnes, entry.due_tonnes)
            has_changed |= figures != (standing.verified, standing.own)
            yield from self._lowered(line, entry, standing)
        if not has_changed:
            yield Finding(None, None, "expected a correction, got what is known")

    def _lowered(self, line: int, entry: Obligation, standing: Standing) -> Iterator[Finding]:
        """Find an obligation that would be less than what is covered of it already."""
        # What successors owe in its place it can't owe less than, either.
        spent = standing.own - standing.payable
        if entry.due_tonnes < spent:
            text = f"expected at least {spent}, covered, applied for, deducted or succeeded to"
            yield Finding(line, "due_tonnes", f"{text}, got {entry.due_tonnes}")
        cap = offset_rules(self._ledger, entry.compliance_year).cap(entry.due_tonnes)
        if cap < standing.status.offset:
            text = f"expected so many that {standing.status.offset} t of CCERs may count"
            yield Finding(line, "due_tonnes", f"{text}, got {entry.due_tonnes}")

    def _keep(self, table: FileTable[Obligation], why: str) -> int:
        store, year = self._store, table.rows[0].compliance_year
        file_id = self._file_add(table.file, table.sha256, year, why)
        succeeded: dict[int, int] = dict(
            store.all(
                "SELECT account_index, succeeded_tonnes FROM obligations"
                " WHERE compliance_year = ? AND succeeded_tonnes <> 0",
                (year,),
            )
        )
        store.insert(
            _ENTRIES,
            [
                (year, index, file_id, entry.verified_tonnes, entry.due_tonnes)
                + (succeeded.get(index, 0),)
                for entry in table.rows
                for index in (with_successor(self._ledger, entry.account)[0],)
            ],
        )
        return file_id
