"""Answers the allowance registry's questions about cancellations, over their link.

All claims of a question are judged and kept in one transaction; the answer leaves after it. If it
is lost the same question gets the same answer.
"""

import msgspec
import structlog

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.cancellation.proofs import Proofs
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.ledger.anchoring import Anchoring
from cea_exchange.ledger.partners import REGISTRY
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links.ccer import LinkAnswer, LinkQuestion

QUESTION_BYTES_MAX = 1 << 16

log = structlog.get_logger("ccer")
_decoder = msgspec.msgpack.Decoder(LinkQuestion)


class Link:
    """Answers the allowance registry.

    Notes
    -----
    Rules: CCER-LNK-01, CCER-LNK-02, CEA-REG-05.

    Attributes
    ----------
    anchoring
        Heads of both chains, which go with each answer.
    """

    def __init__(self, books: Books, proofs: Proofs) -> None:
        self._books = books
        self._store = books.store
        self._proofs = proofs
        self.anchoring = Anchoring(
            *(books.store, REGISTRY), lambda: proofs.last_seq() + proofs.last_claim_seq()
        )

    def answer(self, payload: bytes) -> LinkAnswer:
        """Return the answer to a question; whatever it is, there is one.

        Parameters
        ----------
        payload
            MessagePack of a `LinkQuestion`.
        """
        try:
            question = _decoder.decode(payload)
        except DECODE_ERRORS as error:
            return self._refused(0, CcerRefusal.BAD_REQUEST, f"question: {error}")
        taken_seq = question.first_proof_seq - 1
        lacks = self._store.partners.stream_compare(
            REGISTRY,
            self._proofs.last_seq(),
            (taken_seq, question.head),
            self._store.find("proof_stream", "head", proof_seq=taken_seq),
            chain_wrong=self.anchoring.wrong(question.anchors),
        )
        if lacks:
            log.error("ledger_lacks_records", why=lacks)
            return self._refused(question.question, CcerRefusal.LEDGER_STOPPED, lacks)
        if wrong := self.anchoring.partner_wrong(question.anchors):
            return self._refused(question.question, CcerRefusal.BAD_REQUEST, wrong)
        try:
            with self._store.transaction():
                answers = tuple(self._proofs.claim(claim) for claim in question.claims)
        except ProgrammeError as error:
            return self._refused(question.question, error.code, str(error))
        self.anchoring.keep(question.anchors, self._books.now_ns())
        return LinkAnswer(
            question=question.question,
            last_proof_seq=self._proofs.last_seq(),
            items=self._proofs.items(question.first_proof_seq),
            answers=answers,
            anchors=self.anchoring.said(),
        )

    def _refused(self, question: int, code: CcerRefusal, words: str) -> LinkAnswer:
        return LinkAnswer(
            question=question,
            last_proof_seq=self._proofs.last_seq(),
            code=code.name,
            words=words[:500],
            anchors=self.anchoring.said(),
        )
