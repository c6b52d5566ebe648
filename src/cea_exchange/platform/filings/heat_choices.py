"""Whether a steelworks measures a fuel's heat: chosen for a year, and never given up again."""

from collections.abc import Iterator, Mapping

import msgspec

from cea_exchange.files.findings import Finding
from cea_exchange.platform.entity_list.enterprises import Enterprise
from cea_exchange.platform.filings.month_files import MEASURED, Lines, UnitMonth
from cea_exchange.platform.record import Record

QUANTITY, HEAT = "FC.", "NCV."
Choices = dict[tuple[int, str], dict[int, bool]]
"""Unit's id and fuel -> month -> whether its heat was measured."""


class _Row(msgspec.Struct, array_like=True):
    parameter: str
    value: str
    measure: str
    origin: str


class HeatChoices:
    """What steelworks chose, by what they have filed."""

    def __init__(self, record: Record) -> None:
        self._store = record.store
        self._decode = msgspec.json.Decoder(list[_Row]).decode

    def faults(
        self,
        enterprise: Enterprise,
        groups: Mapping[UnitMonth, Lines],
        unit_ids: Mapping[UnitMonth, int],
    ) -> Iterator[Finding]:
        """Yield where a file has a default for what was measured, or changes within a year.

        Notes
        -----
        Rules: CEA-STE-07.
        """
        if enterprise.sector != "steel":
            return
        own = {(unit_ids[each], each.month) for each in groups if each in unit_ids}
        chosen = self._chosen(enterprise, own)
        for each in sorted(groups, key=lambda each: (each.month, each.unit)):
            if each not in unit_ids:
                continue
            for fuel, (line, is_measured) in _of_month(groups[each]).items():
                before = chosen.setdefault((unit_ids[each], fuel), {})
                if (text := _contradicted(each.month, is_measured, before)) is not None:
                    words = f"{HEAT}{fuel} of {each.unit} in {each.month}: expected {text}"
                    yield Finding(line, "origin", f"{words} (CEA-STE-07)")
                before[each.month] = is_measured

    def _chosen(self, enterprise: Enterprise, leaving: set[tuple[int, int]]) -> Choices:
        """Return what was chosen in the months that are filed, but for some entered anew."""
        rows = self._store.execute(
            "SELECT documents.unit_id, documents.period, content FROM documents"
            " JOIN filings ON filings.filing_id = documents.filing_id"
            " WHERE documents.enterprise_id = ? AND documents.kind = 'month'"
            " AND state IN ('filed', 'accepted')",
            (enterprise.enterprise_id,),
        )
        chosen: Choices = {}
        for unit_id, month, content in rows.fetchall():
            if (unit_id, month) in leaving:
                continue
            kept = {row.parameter: row.origin for row in self._decode(content)}
            for fuel, origin in _fuels(kept):
                chosen.setdefault((unit_id, fuel), {})[month] = origin == MEASURED
        return chosen


def _of_month(lines: Lines) -> dict[str, tuple[int, bool]]:
    """Return fuel -> the line to name, and whether its heat is measured."""
    at = {figure.parameter: line for line, figure in lines}
    origins = {figure.parameter: figure.origin for _, figure in lines}
    return {
        fuel: (at.get(f"{HEAT}{fuel}", at[f"{QUANTITY}{fuel}"]), origin == MEASURED)
        for fuel, origin in _fuels(origins)
    }


def _fuels(origins: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the fuels of a month, each with where its heat comes from; '' is the guideline's."""
    for parameter in origins:
        if parameter.startswith(QUANTITY):
            fuel = parameter.removeprefix(QUANTITY)
            yield fuel, origins.get(f"{HEAT}{fuel}", "")


def _contradicted(month: int, is_measured: bool, chosen: Mapping[int, bool]) -> str | None:
    """Return what was to be expected of a month, where it is something else."""
    measured = [other for other in chosen if chosen[other] and other < month]
    if not is_measured and measured:
        return f"a measured value, as in {max(measured)}, got the default"
    of_year = [other for other in chosen if other // 100 == month // 100]
    for other in of_year:
        if chosen[other] != is_measured:
            was, now = ("measured", "the default") if chosen[other] else ("the default", "measured")
            return f"{was} all the year, as in {other}, got {now}"
    return None
