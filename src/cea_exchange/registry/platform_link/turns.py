"""When the platform is asked, and what of its answers is taken in a turn; knows no socket."""

import msgspec

from cea_exchange.institution.links.turns import LinkTurns
from cea_exchange.protocol.links.platform import LinkAnswer, answer_decode
from cea_exchange.registry.platform_link.stream import PlatformStream


class PlatformTurns(LinkTurns):
    """Asks the platform, one question at a time; see `LinkTurns`."""

    institution = "platform"

    def __init__(self, stream: PlatformStream) -> None:
        super().__init__()
        self._stream = stream
        self._answer: LinkAnswer | None = None

    def question(self) -> bytes:
        """Return a question, with what the platform lacks by its last answer."""
        return msgspec.msgpack.encode(self._stream.question(self._answer))

    def take(self, payload: bytes) -> bool:
        """Post the items of an answer."""
        answer = answer_decode(payload)
        is_new = self._stream.take(answer) > 0
        is_first, self._answer = self._answer is None, answer
        return is_first or is_new or self._stream.has_more_to_say(answer)

    def last_seq(self) -> int:
        """Return the number of the last item that was posted or refused."""
        return self._stream.last_seq()

    def forget(self) -> None:
        """Forget how far the platform is."""
        self._answer = None
