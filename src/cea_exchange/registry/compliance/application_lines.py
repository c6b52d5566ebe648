"""Applications for allowances of some vintages: their lines, and how those move."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.vintages import vintage_checked


class Line(NamedTuple):
    """Some of what is applied for."""

    asset_index: int
    vintage: int
    tonnes: int


class ApplicationLines:
    """The lines of one kind of application, ``surrender`` or ``carryover``."""

    def __init__(self, ledger: Ledger, kind: str) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._kind = kind

    def asked(self, tonnes: Mapping[str, int]) -> list[Line]:
        """Return the lines of product -> tonnes; ActError unless each has a vintage and some."""
        if not tonnes:
            raise ActError(
                RegistryRefusal.AMOUNT_UNSOUND,
                "tonnes: expected those of at least one product, got none",
            )
        rules, lines = self._ledger.rules.vintages, []
        for product, amount in sorted(tonnes.items()):
            amount = amount_checked(amount, f"tonnes of {product}")
            asset = self._ledger.asset(product)
            lines.append(Line(asset, vintage_checked(self._store, rules, asset), amount))
        return lines

    def add(self, number: int, lines: Iterable[Line]) -> None:
        """Keep the lines of an application."""
        columns = f"({self._kind}_id, asset_index, vintage, tonnes)"
        self._store.insert(f"{self._kind}_lines {columns}", [(number, *line) for line in lines])

    def of(self, number: int) -> list[Line]:
        """Return the lines of an application."""
        rows = self._store.all(
            f"SELECT asset_index, vintage, tonnes FROM {self._kind}_lines"
            f" WHERE {self._kind}_id = ? ORDER BY asset_index",
            (number,),
        )
        return [Line(*row) for row in rows]

    def move(
        self, kind: EntryKind, account: int, counter: int, lines: Iterable[Line], number: int
    ) -> None:
        """Post what an application moves from one account to another, or within one."""
        reference = f"{self._kind} {number}"
        for line in lines:
            self._ledger.move(kind, account, counter, line.asset_index, line.tonnes, reference)
