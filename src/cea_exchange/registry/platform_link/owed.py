"""Obligations from the platform's items: each is compared with the entity's allocation."""

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import FileRefused
from cea_exchange.protocol.links.platform import DutyLine, ObligationsSet
from cea_exchange.registry.compliance.obligations import Obligations
from cea_exchange.registry.files import FileTable, Obligation, SourceFile
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.platform_link.given_allowances import GivenAllowances
from cea_exchange.registry.platform_link.listed_entities import ListedEntities
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch, mismatched


class OwedObligations:
    """Posts what is owed."""

    def __init__(
        self,
        ledger: Ledger,
        obligations: Obligations,
        listed: ListedEntities,
        given: GivenAllowances,
    ) -> None:
        self._ledger = ledger
        self._obligations = obligations
        self._listed = listed
        self._given = given

    def take(self, source: SourceFile, owed: ObligationsSet) -> None:
        """Take what entities of a province owe of a year.

        Who has no unit within the plan owes nothing, and is not kept.

        Raises
        ------
        Mismatched
            A line is not what the entity's units come to, or the day is not the year's deadline.

        Notes
        -----
        Rules: CEA-PLK-02, CEA-SUR-01, CEA-SUR-02.
        """
        deadline = self._ledger.rules.obligations.cycle_of(owed.compliance_year).deadline
        wrong, rows, names = [], [], []
        if owed.due_on != deadline:
            text = f"due_on: expected {deadline}, got {owed.due_on}"
            wrong.append(mismatch("", RegistryRefusal.COMPUTED_OTHERWISE, text))
        for line in owed.lines:
            try:
                row = self._row(owed, line)
            except Mismatched as error:
                wrong += error.mismatches
                continue
            if row.due_tonnes:
                rows.append(row)
                names.append(line.enterprise)
        if wrong:
            raise Mismatched(wrong)
        if rows:
            self._keep(source, rows, names)

    def _row(self, owed: ObligationsSet, line: DutyLine) -> Obligation:
        account, index = self._listed.account_of(line.enterprise, owed.province)
        mine = self._given.of(index, owed.compliance_year)
        if mine is None:
            text = f"obligation: expected after an allocation of {owed.compliance_year}, got none"
            code = RegistryRefusal.ALLOCATION_MISSING
            raise Mismatched([mismatch(line.enterprise, code, text)])
        for name, expected, got in (
            ("verified_tonnes", mine.verified, line.verified_tonnes),
            ("due_tonnes", mine.duty, line.due_tonnes),
        ):
            if expected != got:
                text = f"{name}: expected {expected} by its units, got {got}"
                code = RegistryRefusal.COMPUTED_OTHERWISE
                raise Mismatched([mismatch(line.enterprise, code, text)])
        return Obligation(
            compliance_year=owed.compliance_year,
            province=owed.province,
            account=account,
            verified_tonnes=mine.emissions,
            due_tonnes=mine.duty,
        )

    def _keep(self, source: SourceFile, rows: list[Obligation], names: list[str]) -> None:
        table = FileTable(source.name, source.sha256, tuple(rows), tuple(range(len(rows))))
        try:
            self._obligations.take_computed(table, source.name)
        except FileRefused as refused:
            raise mismatched(refused, names) from refused
