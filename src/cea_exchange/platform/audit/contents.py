"""What no query can say of the platform: hashes of contents, and what the link's items say.

An item of the link is bytes. What it says of allocations, obligations and cuts is taken from it
here and compared with the tables.
"""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.platform.allocation.computation import Line
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links.platform import (
    HEAD_BEFORE_ALL,
    AllowancesCut,
    AllowancesGiven,
    AllowancesRecalled,
    ObligationsSet,
    ObligationSucceeded,
    head_after,
    item_decode,
)


def content_differences(store: RecordStore) -> Iterator[str]:
    """Yield where a content is not of its hash, or the registry was told otherwise.

    Notes
    -----
    Rules: CEA-MRV-08, CEA-PLN-26, CEA-PLK-01.
    """
    yield from _hashes_wrong(store)
    yield from _allocations_wrong(store)
    yield from _Items(store).differences()


def _hashes_wrong(store: RecordStore) -> Iterator[str]:
    for table, number in (("filings", "filing_id"), ("evidence", "evidence_id")):
        rows = store.database.stream(f"SELECT {number}, sha256, content FROM {table} ORDER BY 1")
        for key, digest, content in rows:
            brought = content.encode() if isinstance(content, str) else content
            if sha256(brought).hexdigest() != digest:
                yield f"{table} {key}: its content is not the one of its hash"


def _allocations_wrong(store: RecordStore) -> Iterator[str]:
    allocations = store.all("SELECT allocation_id, sha256 FROM allocations ORDER BY 1")
    for allocation_id, digest in allocations:
        lines = [
            Line(*row)
            for row in store.execute(
                "SELECT enterprise, result_id, emissions, tonnes, duty, mark, units"
                " FROM allocation_lines JOIN enterprises USING (enterprise_id)"
                " WHERE allocation_id = ? ORDER BY line_id",
                (allocation_id,),
            )
        ]
        if sha256(msgspec.json.encode(lines)).hexdigest() != digest:
            yield f"allocation {allocation_id}: its lines are not those of its hash"


class _Items:
    """What the items say, and how the tables say otherwise."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        # Allocation, enterprise -> emissions, tonnes and mark, as distributed.
        self._lines = {
            (allocation_id, enterprise): tuple(figures)
            for allocation_id, enterprise, *figures in store.all(
                "SELECT allocation_id, enterprise, emissions, l.tonnes, mark"
                " FROM allocation_lines AS l JOIN enterprises USING (enterprise_id)"
                " JOIN allocations AS a USING (allocation_id)"
                " WHERE a.state IN ('distributed', 'recalled')"
            )
        }
        self._allocations = {
            allocation_id: tuple(row)
            for allocation_id, *row in store.all(
                "SELECT allocation_id, province, compliance_year, stage, state FROM allocations"
            )
        }
        # Enterprise, year, verified tonnes, own tonnes.
        self._owed = {
            tuple(row)
            for row in store.all(
                "SELECT enterprise, compliance_year, verified_tonnes, due_tonnes - succeeded_tonnes"
                " FROM obligations JOIN enterprises USING (enterprise_id) WHERE result_id > 0"
            )
        }
        self._successions = {
            tuple(row)
            for row in store.all(
                "SELECT old.enterprise, heir.enterprise FROM successions AS s"
                " JOIN enterprises AS old ON old.enterprise_id = s.enterprise_id"
                " JOIN enterprises AS heir ON heir.enterprise_id = s.successor_id"
            )
        }
        self._cuts = {
            tuple(row)
            for row in store.all("SELECT case_id, tonnes FROM case_steps WHERE step = 'cut'")
        }

    def differences(self) -> Iterator[str]:
        given, owed, cut = set(), set(), set()
        before = HEAD_BEFORE_ALL
        items = self._store.database.stream(
            "SELECT link_seq, item, head FROM link_items ORDER BY link_seq"
        )
        for link_seq, encoded, head in items:
            what = f"item {link_seq} for the registry"
            try:
                item = item_decode(encoded)
            except DECODE_ERRORS as error:
                yield f"{what} can not be read: {error}"
                return
            due = head_after(before, encoded)
            if (item.link_seq, item.before, head) != (link_seq, before, due):
                yield f"{what}: its head is not that of its bytes and the item before"
            before = head
            match item.content:
                case AllowancesGiven() as content:
                    given |= {(content.allocation_id, line.enterprise) for line in content.lines}
                    yield from self._given(what, content)
                case AllowancesRecalled() as content:
                    yield from self._allocation(what, content, "recalled")
                case ObligationsSet() as content:
                    owed |= {
                        (line.enterprise, content.compliance_year)
                        + (line.verified_tonnes, line.due_tonnes)
                        for line in content.lines
                    }
                case ObligationSucceeded() as content:
                    yield from self._succeeded(what, content)
                case AllowancesCut() as content:
                    cut.add((content.case_id, content.tonnes))
        for allocation_id, enterprise in sorted(self._lines.keys() - given):
            yield f"allocation {allocation_id}: the registry was not told of {enterprise}"
        for enterprise, year, *figures in sorted(owed ^ self._owed):
            yield (
                f"obligation of {enterprise} of {year}: {figures} t verified and due are either"
                " told to the registry or owed, and not both"
            )
        for case_id, tonnes in sorted(cut ^ self._cuts):
            yield (
                f"case {case_id}: a cut of {tonnes} t is either told to the registry or a step, and"
                " not both"
            )

    def _given(self, what: str, content: AllowancesGiven) -> Iterator[str]:
        yield from self._allocation(what, content, "distributed", "recalled")
        for line in content.lines:
            figures = (line.emissions, line.tonnes, line.mark)
            kept = self._lines.get((content.allocation_id, line.enterprise))
            if kept != figures:
                yield f"{what}: {line.enterprise} was told {figures}, its line has {kept}"

    def _allocation(
        self, what: str, content: AllowancesGiven | AllowancesRecalled, *states: str
    ) -> Iterator[str]:
        said = (content.province, content.compliance_year, content.stage)
        number = content.allocation_id
        kept = self._allocations.get(number)
        if kept is not None and (kept[2], content.stage) == ("adjustment", "final"):
            # It gives a first final amount to whom the final allocation had left out.
            said = (*said[:2], "adjustment")
        if kept is None or kept[:3] != said or kept[3] not in states:
            yield f"{what}: allocation {number} is of {said}, {' or '.join(states)}; kept is {kept}"

    def _succeeded(self, what: str, content: ObligationSucceeded) -> Iterator[str]:
        for line in content.lines:
            if (content.enterprise, line.enterprise) not in self._successions:
                yield f"{what}: {line.enterprise} did not succeed {content.enterprise}"
