"""Allowances that provinces gave or recalled at the platform: computed again, then distributed."""

from collections.abc import Sequence
from typing import NamedTuple

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import FileRefused
from cea_exchange.protocol.links.platform import AllowancesGiven, AllowancesRecalled, Mismatch
from cea_exchange.registry.distribution.distribution import Distribution
from cea_exchange.registry.files import Allocation, FileTable, SourceFile
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.platform_link.listed_entities import EntityAccount, ListedEntities
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch, mismatched
from cea_exchange.registry.platform_link.recomputation import Computed, computed
from cea_exchange.registry.vintages import product_vintages

FIRST_VINTAGE = 2020
"""Allowances of 2019 and 2020 were issued as one product."""
_NOTHING = Computed(0, 0, 0, 0)


class _Line(NamedTuple):
    enterprise: str
    account: EntityAccount
    computed: Computed


class GivenAllowances:
    """Posts what was given and recalled."""

    def __init__(self, ledger: Ledger, distribution: Distribution, listed: ListedEntities) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._distribution = distribution
        self._listed = listed

    def give(self, link_seq: int, source: SourceFile, given: AllowancesGiven) -> None:
        """Distribute what a province gave; what was given before of the year counts in.

        Raises
        ------
        Mismatched
            A line comes to something else, or can't be posted; nothing was.

        Notes
        -----
        Rules: CEA-PLK-02.
        """
        names = [line.enterprise for line in given.lines]
        accounts = self._accounts(names, given.province)
        lines = [*map(_Line, names, accounts, computed(given))]
        self._post(link_seq, source, given, lines)

    def recall(self, link_seq: int, source: SourceFile, recalled: AllowancesRecalled) -> None:
        """Take back what an allocation gave: what was before it holds again.

        Raises
        ------
        Mismatched
            The allocation is not the last of an entity, or another one held before it.

        Notes
        -----
        Rules: CEA-PLK-04.
        """
        names = [line.enterprise for line in recalled.lines]
        accounts = self._accounts(names, recalled.province)
        lines, wrong = [], []
        for line, account in zip(recalled.lines, accounts, strict=True):
            held = self._held(account.account_index, recalled.compliance_year)
            if not held or held[-1][0] != recalled.allocation_id:
                got = f"{recalled.allocation_id}, which is not its last"
                text = f"allocation: expected {held[-1][0] if held else 'none'}, got {got}"
                wrong.append(mismatch(line.enterprise, RegistryRefusal.ALLOCATION_NOT_LAST, text))
                continue
            before = held[-2][1] if len(held) > 1 else _NOTHING
            if before.tonnes != line.tonnes:
                text = f"tonnes: expected {before.tonnes} as before it, got {line.tonnes}"
                wrong.append(mismatch(line.enterprise, RegistryRefusal.COMPUTED_OTHERWISE, text))
            lines.append(_Line(line.enterprise, account, before))
        if wrong:
            raise Mismatched(wrong)
        self._post(link_seq, source, recalled, lines)

    def of(self, account_index: int, compliance_year: int) -> Computed | None:
        """Return what an entity has of a year now; None if it was never given anything."""
        held = self._held(account_index, compliance_year)
        return held[-1][1] if held else None

    def _held(self, account_index: int, compliance_year: int) -> list[tuple[int, Computed]]:
        """Return the allocations of an entity's year that were not recalled, oldest first."""
        held: list[tuple[int, Computed]] = []
        rows = self._store.execute(
            "SELECT allocation_id, is_recall, tonnes, verified, emissions, duty, mark"
            " FROM platform_given"
            " WHERE account_index = ? AND compliance_year = ? ORDER BY link_seq",
            (account_index, compliance_year),
        )
        for allocation_id, is_recall, *figures in rows.fetchall():
            if is_recall:
                held.pop()
            else:
                held.append((allocation_id, Computed(*figures)))
        return held

    # -- posting ------------------------------------------------------------------------------

    def _accounts(self, enterprises: Sequence[str], province: int) -> list[EntityAccount]:
        accounts: list[EntityAccount] = []
        wrong: list[Mismatch] = []
        if len({*enterprises}) < len(enterprises):
            text = "lines: expected each enterprise once, got one twice"
            raise Mismatched([mismatch("", RegistryRefusal.ENTERPRISE_TWICE, text)])
        for enterprise in enterprises:
            try:
                accounts.append(self._listed.account_of(enterprise, province))
            except Mismatched as error:
                wrong += error.mismatches
        if wrong:
            raise Mismatched(wrong)
        return accounts

    def _post(
        self,
        link_seq: int,
        source: SourceFile,
        content: AllowancesGiven | AllowancesRecalled,
        lines: Sequence[_Line],
    ) -> None:
        is_recall = isinstance(content, AllowancesRecalled)
        # Ahead there may be nothing for an entity; a recall takes back what there was.
        has_zeros = is_recall or content.stage != "pre"
        posted = [line for line in lines if line.computed.tonnes or has_zeros]
        if posted:
            table = self._table(source, content, posted)
            try:
                self._distribution.take(source, table)
            except FileRefused as refused:
                raise mismatched(refused, [line.enterprise for line in posted]) from refused
        self._store.insert(
            "platform_given (link_seq, account_index, compliance_year, allocation_id, is_recall,"
            " tonnes, verified, emissions, duty, mark)",
            [
                (link_seq, line.account.account_index, content.compliance_year)
                + (content.allocation_id, int(is_recall), *line.computed)
                for line in lines
            ],
        )

    def _table(
        self,
        source: SourceFile,
        content: AllowancesGiven | AllowancesRecalled,
        lines: Sequence[_Line],
    ) -> FileTable[Allocation]:
        product = self._product(content.compliance_year)
        rows = tuple(
            Allocation(
                compliance_year=content.compliance_year,
                product=product,
                stage=content.stage,
                province=content.province,
                account=line.account.account,
                tonnes=line.computed.tonnes,
                at_risk=False,
            )
            for line in lines
        )
        return FileTable(source.name, source.sha256, rows, tuple(range(len(rows))))

    def _product(self, compliance_year: int) -> str:
        vintage = max(compliance_year, FIRST_VINTAGE)
        vintages = product_vintages(self._store, self._ledger.rules.vintages)
        for asset, found in vintages.items():
            if found == vintage:
                return self._store.asset_name(asset)
        text = f"product: expected one of vintage {vintage}, got none that is declared"
        raise Mismatched([mismatch("", RegistryRefusal.PRODUCT_UNKNOWN, text)])
