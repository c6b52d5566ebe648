"""When the CCER registry is asked, and what of its answers is taken in a turn; knows no socket."""

import msgspec

from cea_exchange.institution.links.turns import LinkStopped, LinkTurns
from cea_exchange.protocol.links.ccer import LinkAnswer
from cea_exchange.registry.ccer_link.proofs import CcerProofs

_decoder = msgspec.msgpack.Decoder(LinkAnswer)


class CcerTurns(LinkTurns):
    """Asks the CCER registry, one question at a time; see `LinkTurns`."""

    institution = "ccer"

    def __init__(self, proofs: CcerProofs) -> None:
        super().__init__()
        self._proofs = proofs
        self._number = 0

    def question(self) -> bytes:
        """Return a question of a new number: items from the next on, claims without an answer."""
        self._number += 1
        question = msgspec.structs.replace(self._proofs.question(), question=self._number)
        return msgspec.msgpack.encode(question)

    def take(self, payload: bytes) -> bool | None:
        """Keep items and answers; pass over what answers an earlier question."""
        answer = _decoder.decode(payload)
        self._proofs.anchors_check(answer)
        if answer.code and answer.question in (0, self._number):
            raise LinkStopped(f"{answer.code}: {answer.words}")
        if answer.question != self._number:
            return None
        is_new = self._proofs.take(answer) > 0
        return is_new or answer.last_proof_seq > self._proofs.last_seq()

    def last_seq(self) -> int:
        """Return the number of the last item that was kept."""
        return self._proofs.last_seq()

    def forget(self) -> None:
        """Forget nothing: each answer says to which question it is."""
