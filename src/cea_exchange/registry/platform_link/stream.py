"""The platform's numbered items as they come: each is posted whole with its verdict, or refused.

    item --> its number, its hash --> computed again --+--> posted   \\
                                                       +--> refused  -+--> verdict --> platform

An item, what it posts and its verdict are one transaction: whatever is lost or comes twice, an item
is posted once. What contradicts an earlier item stops the link, and nothing else.
"""

from typing import NamedTuple

import msgspec
import structlog

from cea_exchange.domain.compliance.ruled import ComplianceError, marks_text
from cea_exchange.institution.act_log import ActLog
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.ledger.anchoring import Anchoring
from cea_exchange.ledger.database.interface import ConstraintViolated
from cea_exchange.ledger.double_entry import LedgerError
from cea_exchange.protocol.links.platform import (
    COMPLETIONS_MAX,
    HEAD_BEFORE_ALL,
    VERDICTS_MAX,
    AllowancesCut,
    AllowancesGiven,
    AllowancesRecalled,
    EntityListed,
    LinkAnswer,
    LinkContent,
    LinkItem,
    LinkQuestion,
    Mismatch,
    ObligationsSet,
    ObligationSucceeded,
    Verdict,
    head_after,
    item_decode,
)
from cea_exchange.registry.compliance.corrections import Corrections
from cea_exchange.registry.compliance.deductions import Deductions
from cea_exchange.registry.compliance.lists import Compliance
from cea_exchange.registry.compliance.obligations import Obligations
from cea_exchange.registry.compliance.offsets import Offsets
from cea_exchange.registry.compliance.surrender import Surrender
from cea_exchange.registry.distribution.distribution import Distribution
from cea_exchange.registry.files import SourceFile
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.own_acts import OwnAct
from cea_exchange.registry.platform_link.completions import Completions
from cea_exchange.registry.platform_link.cut_allowances import CutAllowances
from cea_exchange.registry.platform_link.given_allowances import GivenAllowances
from cea_exchange.registry.platform_link.listed_entities import ListedEntities
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch_of
from cea_exchange.registry.platform_link.owed import OwedObligations
from cea_exchange.registry.platform_link.succeeded import SucceededObligations

ITEMS_MAX = 20
"""In one answer; other work has its turn between answers."""
PLATFORM = "platform"
"""The partner that takes completions; see `Partners`."""
VERDICT_BYTES_MAX = 256 * 1024
"""Of one question: the platform takes twice as much."""
NOT_POSTED = (
    *(ActError, ComplianceError, LedgerError),
    *(ConstraintViolated, ValueError, ArithmeticError),
)
"""What an item raises that the rules do not allow, or do not foresee: a text that no column holds,
a day that is none, a number beyond all others."""

log = structlog.get_logger()


class Standing(NamedTuple):
    """How far the link is.

    Attributes
    ----------
    refused
        Items that were not posted.
    """

    last_seq: int
    refused: int


class PlatformStream:
    """Takes the platform's items, and tells what became of them.

    Attributes
    ----------
    listed, given, owed, cuts, completions, succeeded
        Who post what items say.
    anchoring
        Heads of both chains, which go with each question.

    Notes
    -----
    Rules: CEA-PLK-01, CEA-PLK-02, CEA-REG-05.
    """

    def __init__(
        self,
        ledger: Ledger,
        act_log: ActLog,
        distribution: Distribution,
        obligations: Obligations,
        corrections: Corrections,
        compliance: Compliance,
        deductions: Deductions,
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._act_log = act_log
        self.anchoring = Anchoring(ledger.store, PLATFORM)
        self.listed = ListedEntities(ledger)
        self.given = GivenAllowances(ledger, distribution, self.listed)
        self.owed = OwedObligations(ledger, obligations, self.listed, self.given)
        self.cuts = CutAllowances(ledger, self.listed, corrections, compliance, deductions)
        self.completions = Completions(ledger, self.listed)
        compliance.after_deducting.append(self.completions.note)
        self.succeeded = SucceededObligations(ledger, obligations, self.listed, self.completions)

    def completions_follow(self, surrender: Surrender, offsets: Offsets) -> None:
        """Report to the platform what covers obligations."""
        surrender.after_covering.append(self.completions.note)
        offsets.after_covering.append(self.completions.note)

    # -- what is asked ------------------------------------------------------------------------

    def question(self, answer: LinkAnswer | None) -> LinkQuestion:
        """Return what is to be asked and said.

        Parameters
        ----------
        answer
            The platform's last answer, which says how far it is; None before its first, to which
            nothing is said yet.
        """
        (last_seq, head), log_id, anchors = self._last(), self.log_id(), self.anchoring.said()
        first = last_seq + 1
        if answer is None:
            return LinkQuestion(first, 0, log_id, head=head, anchors=anchors)
        completions = self.completions.since(answer.completed_seq + 1, COMPLETIONS_MAX)
        has_more = len(completions) == COMPLETIONS_MAX
        return LinkQuestion(
            first,
            ITEMS_MAX,
            log_id,
            self._verdicts(answer.judged_seq + 1),
            completions,
            reported_until=0 if has_more else self._ledger.business_date(),
            head=head,
            anchors=anchors,
        )

    def has_more_to_say(self, answer: LinkAnswer) -> bool:
        """Tell whether the platform lacks a verdict or a completion."""
        completed: int = self._store.one(
            "SELECT coalesce(max(completion_seq), 0) FROM platform_completions"
        )
        return answer.judged_seq < self.last_seq() or answer.completed_seq < completed

    def _verdicts(self, first: int) -> tuple[Verdict, ...]:
        rows = self._store.execute(
            "SELECT link_seq, is_posted, mismatches, mark FROM platform_items WHERE link_seq >= ?"
            " ORDER BY link_seq LIMIT ?",
            (first, VERDICTS_MAX),
        )
        found: list[Verdict] = []
        size = 0
        for link_seq, is_posted, mismatches, mark in rows.fetchall():
            size += len(mismatches)
            if found and size > VERDICT_BYTES_MAX:
                break
            lines = msgspec.msgpack.decode(mismatches, type=tuple[Mismatch, ...])
            found.append(Verdict(link_seq, bool(is_posted), lines, mark))
        return tuple(found)

    # -- what comes ---------------------------------------------------------------------------

    def take(self, answer: LinkAnswer) -> int:
        """Post the items of an answer, each by itself, and return how many were new.

        Raises
        ------
        LinkStopped
            It is another platform's, has lost what it said, or one contradicts an earlier one;
            what came before that is posted.
        """
        if wrong := self.anchoring.wrong(answer.anchors):
            self._store.partners.heard(PLATFORM, wrong)
            raise LinkStopped(wrong)
        if answer.refusal:
            raise LinkStopped(f"platform: expected an answer, got {answer.refusal}")
        if wrong := self.anchoring.partner_wrong(answer.anchors):
            raise LinkStopped(wrong)
        if self.log_id() not in (None, answer.log_id):
            raise LinkStopped(f"log_id: expected {self.log_id()}, got {answer.log_id}")
        if answer.last_seq < self.last_seq():
            raise LinkStopped(
                f"items: expected {self.last_seq()} or more, got {answer.last_seq}: the platform"
                " has lost what it said"
            )
        lacks = self.completions.lacking(answer.completed_seq, answer.completed_hash)
        self._store.partners.heard(PLATFORM, lacks)
        if lacks:
            raise LinkStopped(lacks)
        taken = sum(self._take(answer.log_id, item) for item in answer.items)
        self.anchoring.keep(answer.anchors, self._ledger.now_ns())
        return taken

    def _take(self, log_id: str, payload: bytes) -> bool:
        try:
            item = item_decode(payload)
        except msgspec.MsgspecError as error:
            raise LinkStopped(f"item {self.last_seq() + 1}: {error}") from error
        last_seq, before = self._last()
        if item.link_seq <= last_seq:
            self._same_check(item, payload)
            return False
        if (item.link_seq, item.before) != (last_seq + 1, before):
            raise LinkStopped(
                f"item: expected {last_seq + 1} after {before}, got {item.link_seq} after"
                f" {item.before}"
            )
        try:
            with self._act_log.own(OwnAct.PLATFORM_ITEM, item.link_seq, is_kept=True):
                self._keep(log_id, item, payload, ())
                self._post(item, payload)
        except Mismatched as error:
            self._refuse(log_id, item, payload, error.mismatches)
        except NOT_POSTED as error:
            self._refuse(log_id, item, payload, (mismatch_of(error, ""),))
        return True

    def _post(self, item: LinkItem, payload: bytes) -> None:
        source = SourceFile(f"platform item {item.link_seq}", payload)
        content: LinkContent = item.content
        match content:
            case EntityListed():
                self.listed.take(item.link_seq, content)
            case AllowancesGiven():
                self.given.give(item.link_seq, source, content)
            case AllowancesRecalled():
                self.given.recall(item.link_seq, source, content)
            case ObligationsSet():
                self.owed.take(source, content)
            case ObligationSucceeded():
                self.succeeded.take(source, content)
            case AllowancesCut():
                self.cuts.take(content)

    def _refuse(
        self, log_id: str, item: LinkItem, payload: bytes, mismatches: tuple[Mismatch, ...]
    ) -> None:
        with self._act_log.own(OwnAct.PLATFORM_ITEM, item.link_seq, is_kept=True):
            self._keep(log_id, item, payload, mismatches)
        log.warning("platform_item_refused", link_seq=item.link_seq, count=len(mismatches))

    def _same_check(self, item: LinkItem, payload: bytes) -> None:
        kept = self._store.one(
            "SELECT item FROM platform_items WHERE link_seq = ?", (item.link_seq,)
        )
        if bytes(kept) != payload:
            raise LinkStopped(f"item {item.link_seq}: expected the one of before, got another")

    def _keep(
        self, log_id: str, item: LinkItem, payload: bytes, mismatches: tuple[Mismatch, ...]
    ) -> None:
        if self.log_id() is None:
            self._store.insert("platform_stream (id, log_id)", [(1, log_id)])
        lines = msgspec.msgpack.encode(mismatches)
        head, today = head_after(item.before, payload), self._ledger.business_date()
        self._store.insert(
            "platform_items (link_seq, item, head, is_posted, mismatches, mark, business_date)",
            [
                (item.link_seq, payload, head, int(not mismatches), lines)
                + (_mark(item.content), today)
            ],
        )

    # -- how far it is ------------------------------------------------------------------------

    def last_seq(self) -> int:
        """Return the number of the last item that was taken, 0 before the first."""
        return self._last()[0]

    def log_id(self) -> str | None:
        """Return whose items these are; None before the first."""
        found: str | None = self._store.one("SELECT log_id FROM platform_stream")
        return found

    def standing(self) -> Standing:
        """Return how far it is."""
        refused = self._store.one("SELECT count(*) FROM platform_items WHERE is_posted = 0")
        return Standing(self.last_seq(), refused)

    def _last(self) -> tuple[int, str]:
        # Never kept: who looks has a stream of his own, in which nothing is taken.
        row = self._store.one(
            "SELECT link_seq, head FROM platform_items ORDER BY link_seq DESC LIMIT 1"
        )
        return (0, HEAD_BEFORE_ALL) if row is None else tuple(row)


def _mark(content: LinkContent) -> str:
    """Return why an item's tonnes are no settled law; what is posted has the marks it must have."""
    lines = content.lines if isinstance(content, AllowancesGiven) else ()
    return marks_text(*(line.mark.split() for line in lines))
