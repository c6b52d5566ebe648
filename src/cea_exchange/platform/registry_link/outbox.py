"""The numbered stream to the registry: an item is kept in the transaction of the act it tells of.

So the registry hears of an act if and only if it happened, and applies each number once.
"""

from typing import Any

import msgspec
import structlog

from cea_exchange.platform.record import Record
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links.platform import (
    ANSWER_BYTES_MAX,
    HEAD_BEFORE_ALL,
    LinkAnswer,
    LinkContent,
    LinkItem,
    LinkQuestion,
    Verdict,
    head_after,
    question_decode,
)

log = structlog.get_logger("platform")


class Outbox:
    """What the registry is told.

    Parameters
    ----------
    record
        The database and the day.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

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

    def tell(self, content: LinkContent) -> int:
        """Number something and keep it for the registry; belongs in the transaction of its act.

        Notes
        -----
        Rules: CEA-PLK-01.
        """
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
        Rules: CEA-PLK-01, CEA-PLK-02.
        """
        try:
            question = question_decode(payload)
        except DECODE_ERRORS as error:
            return self._answer(refusal=f"question: expected a LinkQuestion, got {error}")
        why = self._refusal(question)
        if why:
            return self._answer(refusal=why)
        self._judged(question.verdicts)
        return self._answer(items=self._items(question.first, question.count))

    def _refusal(self, question: LinkQuestion) -> str:
        if question.log_id not in (None, self.log_id):
            return f"log_id: expected {self.log_id}, got {question.log_id}"
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
        return ""

    def _is_kept(self, verdict: Verdict) -> bool:
        row = self._store.one(
            "SELECT is_posted, mismatches FROM link_verdicts WHERE link_seq = ?",
            (verdict.link_seq,),
        )
        return bool(row == (int(verdict.is_posted), _mismatches(verdict)))

    def _judged(self, verdicts: tuple[Verdict, ...]) -> None:
        new = [verdict for verdict in verdicts if verdict.link_seq > self.judged_seq]
        if not new:
            return
        with self._record.transaction():
            self._store.insert(
                "link_verdicts (link_seq, is_posted, mismatches, told_on)",
                [
                    (
                        each.link_seq,
                        int(each.is_posted),
                        _mismatches(each),
                        self._record.business_date(),
                    )
                    for each in new
                ],
            )
        for verdict in new:
            if not verdict.is_posted:
                log.error("registry_refused", link_seq=verdict.link_seq, why=_mismatches(verdict))

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
        return LinkAnswer(self.log_id, self.last_seq, self.judged_seq, items, refusal)

    def refused(self) -> list[dict[str, Any]]:
        """Return the items that the registry refused, with the lines it computes otherwise."""
        rows = self._store.execute(
            "SELECT link_seq, mismatches, told_on FROM link_verdicts WHERE is_posted = 0"
            " ORDER BY link_seq"
        )
        return [
            {
                "link_seq": link_seq,
                "mismatches": msgspec.json.decode(mismatches),
                "told_on": told_on,
            }
            for link_seq, mismatches, told_on in rows.fetchall()
        ]


def _mismatches(verdict: Verdict) -> str:
    return msgspec.json.encode(verdict.mismatches).decode()
