"""The numbered stream to the registry: an item is kept in the transaction of its act.

So the registry hears of an act if and only if it happened, and applies each number once.
"""

from typing import Any

import msgspec
import structlog

from cea_exchange.ledger.anchoring import Anchoring
from cea_exchange.ledger.partners import REGISTRY
from cea_exchange.platform.record import Record
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links.platform import (
    ANSWER_BYTES_MAX,
    HEAD_BEFORE_ALL,
    Completion,
    LinkAnswer,
    LinkContent,
    LinkItem,
    LinkQuestion,
    Verdict,
    completion_row_hash,
    head_after,
    item_decode,
    question_decode,
)

log = structlog.get_logger("platform")


class Outbox:
    """The items for the registry.

    Parameters
    ----------
    record
        The database and the day.

    Attributes
    ----------
    anchoring
        Heads of both chains, which go with each answer.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store
        self.anchoring = Anchoring(
            *(record.store, REGISTRY),
            lambda: self.last_seq + self.judged_seq + self.completed_seq,
        )

    @property
    def log_id(self) -> str:
        """The identity of the stream: another platform's numbers mean other acts."""
        found: str = self._store.one("SELECT link_log_id FROM meta")
        return found

    @property
    def last_seq(self) -> int:
        """The number of the last item; 0 before the first."""
        found: int = self._store.one("SELECT coalesce(max(link_seq), 0) FROM link_items")
        return found

    @property
    def judged_seq(self) -> int:
        """The last number of which there is a verdict; 0 before the first."""
        found: int = self._store.one("SELECT coalesce(max(link_seq), 0) FROM link_verdicts")
        return found

    @property
    def completed_seq(self) -> int:
        """The number of the last completion that the registry sent; 0 before the first."""
        found: int = self._store.one("SELECT coalesce(max(completion_seq), 0) FROM completions")
        return found

    def tell(self, content: LinkContent) -> int:
        """Number something and keep it for the registry; belongs in the transaction of its act.

        Notes
        -----
        Rules: CEA-PLK-01, CEA-REG-09.
        """
        self._store.partners.number_check(REGISTRY)
        with self._record.transaction():
            link_seq = self.last_seq + 1
            before = HEAD_BEFORE_ALL
            if link_seq > 1:
                before = self._store.one(
                    "SELECT head FROM link_items WHERE link_seq = ?", (link_seq - 1,)
                )
            item = msgspec.msgpack.encode(
                LinkItem(link_seq, self._record.now_ns(), before, content)
            )
            self._store.insert(
                "link_items (link_seq, item, head)",
                [(link_seq, item, head_after(before, item))],
            )
        return link_seq

    def answer(self, payload: bytes) -> LinkAnswer:
        """Take a question of the registry, keep its verdicts, and answer it.

        Whatever comes, it is answered: nothing that a peer says ends the platform.

        Notes
        -----
        Rules: CEA-PLK-01, CEA-PLK-02, CEA-REG-05.
        """
        try:
            question = question_decode(payload)
        except DECODE_ERRORS as error:
            return self._answer(refusal=f"question: expected a LinkQuestion, got {error}")
        why = self._refusal(question)
        if why:
            return self._answer(refusal=why)
        if question.verdicts or question.completions or self._is_later(question.reported_until):
            with self._record.transaction():
                self._judged(question.verdicts)
                self._completed(question.completions)
                if self._is_later(question.reported_until):
                    self._store.insert(
                        "registry_days (business_date)", [(question.reported_until,)]
                    )
        self.anchoring.keep(question.anchors, self._record.now_ns())
        return self._answer(items=self._items(question.first, question.count))

    def _refusal(self, question: LinkQuestion) -> str:
        if question.log_id not in (None, self.log_id):
            return f"log_id: expected {self.log_id}, got {question.log_id}"
        if lacks := self._lacks(question):
            return lacks
        if wrong := self.anchoring.partner_wrong(question.anchors):
            return wrong
        beyond = [each.link_seq for each in question.verdicts if each.link_seq > self.last_seq]
        if beyond:
            return f"verdict: expected on an item up to {self.last_seq}, got on {beyond[0]}"
        numbers = [each.link_seq for each in question.verdicts]
        new = [number for number in numbers if number > self.judged_seq]
        if new != list(range(self.judged_seq + 1, self.judged_seq + 1 + len(new))):
            return f"verdicts: expected from {self.judged_seq + 1} on without gaps, got {new}"
        for verdict in question.verdicts:
            if verdict.link_seq <= self.judged_seq and not self._is_kept(verdict):
                return f"verdict: expected on {verdict.link_seq} as before, got another one"
        return self._completions_refusal(question)

    def _lacks(self, question: LinkQuestion) -> str:
        """Return what the registry has taken and the platform lacks; '' if nothing.

        Notes
        -----
        Rules: CEA-REG-09.
        """
        taken_seq = question.first - 1
        own_head = self._store.find("link_items", "head", link_seq=taken_seq)
        lacks = self._store.partners.stream_compare(
            *(REGISTRY, self.last_seq, (taken_seq, question.head), own_head),
            chain_wrong=self.anchoring.wrong(question.anchors),
        )
        if lacks:
            log.error("ledger_lacks_records", why=lacks)
        return lacks

    def _completions_refusal(self, question: LinkQuestion) -> str:
        last_seq = self.completed_seq
        new = [each for each in question.completions if each.completion_seq > last_seq]
        due = range(last_seq + 1, last_seq + 1 + len(new))
        if [each.completion_seq for each in new] != [*due]:
            return f"completions: expected from {last_seq + 1} on without gaps, got others"
        for each in new:
            if self._enterprise_id(each.enterprise) is None:
                return f"completion: expected of a registered enterprise, got {each.enterprise!r}"
        return ""

    def _enterprise_id(self, enterprise: str) -> int | None:
        number: int | None = self._store.one(
            "SELECT enterprise_id FROM enterprises WHERE enterprise = ?", (enterprise,)
        )
        return number

    def _is_kept(self, verdict: Verdict) -> bool:
        row = self._store.one(
            "SELECT is_posted, mismatches, mark FROM link_verdicts WHERE link_seq = ?",
            (verdict.link_seq,),
        )
        return bool(row == (int(verdict.is_posted), _mismatches(verdict), verdict.mark))

    def _judged(self, verdicts: tuple[Verdict, ...]) -> None:
        new = [verdict for verdict in verdicts if verdict.link_seq > self.judged_seq]
        if not new:
            return
        today = self._record.business_date()
        self._store.insert(
            "link_verdicts (link_seq, is_posted, mismatches, mark, notified_on)",
            [
                (each.link_seq, int(each.is_posted), _mismatches(each), each.mark, today)
                for each in new
            ],
        )
        for verdict in new:
            if not verdict.is_posted:
                log.error("registry_refused", link_seq=verdict.link_seq, why=_mismatches(verdict))

    def _completed(self, completions: tuple[Completion, ...]) -> None:
        last_seq = self.completed_seq
        new = [each for each in completions if each.completion_seq > last_seq]
        if not new:
            return
        today = self._record.business_date()
        self._store.insert(
            "completions (completion_seq, enterprise_id, compliance_year, owed, surrendered,"
            " offset_tonnes, completed_on, applied, deducted, covered, notified_on)",
            [
                (each.completion_seq, self._enterprise_id(each.enterprise))
                + (each.compliance_year, each.owed, each.surrendered, each.offset)
                + (each.completed_on, each.applied, each.deducted)
                + (msgspec.json.encode(each.covered).decode(), today)
                for each in new
            ],
        )

    def _is_later(self, reported_until: int) -> bool:
        known = self._store.one("SELECT coalesce(max(business_date), 0) FROM registry_days")
        return bool(reported_until > known)

    def _items(self, first: int, count: int) -> tuple[bytes, ...]:
        items: list[bytes] = []
        size = 0
        rows = self._store.execute(
            "SELECT item FROM link_items WHERE link_seq >= ? ORDER BY link_seq LIMIT ?",
            (first, count),
        )
        for (item,) in rows:
            size += len(item) + 5
            if items and size > ANSWER_BYTES_MAX:
                break
            items.append(bytes(item))
        return tuple(items)

    def _answer(self, *, items: tuple[bytes, ...] = (), refusal: str = "") -> LinkAnswer:
        places = (self.last_seq, self.judged_seq, self.completed_seq)
        hashed, anchors = self._completed_hash(), self.anchoring.said()
        return LinkAnswer(self.log_id, *places, items, refusal, hashed, anchors)

    def _completed_hash(self) -> str:
        row = self._store.one(
            "SELECT completion_seq, compliance_year, owed, surrendered, offset_tonnes,"
            " completed_on, applied, deducted, covered FROM completions"
            " ORDER BY completion_seq DESC LIMIT 1"
        )
        return "" if row is None else completion_row_hash(row)

    # -- what items were about --------------------------------------------------------------------

    def allocation_note(self, link_seq: int, allocation_id: int) -> None:
        """Note of which allocation an item tells."""
        self._store.insert(
            "link_allocations (link_seq, allocation_id)", [(link_seq, allocation_id)]
        )

    def of_allocation(self, allocation_id: int) -> list[tuple[int, bool | None]]:
        """Return the items of an allocation: number, and whether posted; None before a verdict."""
        rows = self._store.execute(
            "SELECT item.link_seq, is_posted FROM link_allocations AS item"
            " LEFT JOIN link_verdicts ON link_verdicts.link_seq = item.link_seq"
            " WHERE allocation_id = ? ORDER BY item.link_seq",
            (allocation_id,),
        )
        return [(seq, None if posted is None else bool(posted)) for seq, posted in rows.fetchall()]

    def recomputed(self, allocation_id: int) -> list[dict[str, Any]]:
        """Return what the registry's recomputation of an allocation said, item by item.

        Notes
        -----
        Rules: CEA-PLK-02, CEA-PLN-30.
        """
        names = ("link_seq", "is_posted", "mark", "notified_on", "mismatches")
        rows = self._store.execute(
            "SELECT item.link_seq, is_posted, mark, notified_on, mismatches"
            " FROM link_allocations AS item"
            " JOIN link_verdicts ON link_verdicts.link_seq = item.link_seq"
            " WHERE allocation_id = ? ORDER BY item.link_seq",
            (allocation_id,),
        )
        return [
            {
                **dict(zip(names, row, strict=True)),
                "is_posted": bool(row[1]),
                "mismatches": msgspec.json.decode(row[-1]),
            }
            for row in rows.fetchall()
        ]

    def again_note(self, link_seq: int, again_seq: int) -> None:
        """Note that a refused item is sent again."""
        self._store.insert("link_resends (link_seq, again_seq)", [(link_seq, again_seq)])

    def again_of(self, link_seq: int) -> int | None:
        """Return the number under which an item was sent again, if it was."""
        found: int | None = self._store.one(
            "SELECT again_seq FROM link_resends WHERE link_seq = ?", (link_seq,)
        )
        return found

    def content(self, link_seq: int) -> LinkContent:
        """Return what an item tells."""
        item = self._store.one("SELECT item FROM link_items WHERE link_seq = ?", (link_seq,))
        return item_decode(bytes(item)).content

    def is_refused(self, link_seq: int) -> bool:
        """Tell whether the registry has refused an item."""
        sql = "SELECT is_posted FROM link_verdicts WHERE link_seq = ?"
        return bool(self._store.one(sql, (link_seq,)) == 0)

    def refused(self) -> list[dict[str, Any]]:
        """Return the items that the registry refused, with the lines it computes otherwise."""
        rows = self._store.execute(
            "SELECT verdict.link_seq, mismatches, notified_on, coalesce(again_seq, 0)"
            " FROM link_verdicts AS verdict"
            " LEFT JOIN link_resends ON link_resends.link_seq = verdict.link_seq"
            " WHERE is_posted = 0 ORDER BY verdict.link_seq"
        )
        return [
            {
                "link_seq": link_seq,
                "mismatches": msgspec.json.decode(mismatches),
                "notified_on": notified_on,
                "again_seq": again_seq,
            }
            for link_seq, mismatches, notified_on, again_seq in rows.fetchall()
        ]


def _mismatches(verdict: Verdict) -> str:
    return msgspec.json.encode(verdict.mismatches).decode()
