"""Serves any range of the settlement stream from the event store."""

import numpy as np
import structlog

from cea_exchange.control_plane.door import Mailbox
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import EventDamaged
from cea_exchange.protocol.control import feed_command_hash
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    settlement_header,
    settlement_request_decode,
)
from cea_exchange.venue.durability.sequencer import Sequencer, damage_refusal

log = structlog.get_logger("venue")


class SettlementReplay:
    """Answers the registry's questions for what it has missed.

    Parameters
    ----------
    mailbox
        Where the questions come in.
    sequencer
        Whose events.
    """

    def __init__(self, mailbox: Mailbox, sequencer: Sequencer) -> None:
        self._mailbox = mailbox
        self._sequencer = sequencer
        self._log_id = sequencer.journal.log_id

    def turn(self) -> None:
        """Answer all that has arrived."""
        while (message := self._mailbox.receive()) is not None:
            if message.key is None or len(message.frames) != 1:
                continue
            try:
                request = settlement_request_decode(message.frames[0])
            except FrameError as error:
                log.warning("replay_refused", error=str(error))
                continue
            rows = np.zeros(0, EVENT_DTYPE)
            if request.first >= 1 and request.log_id in (None, self._log_id):
                count = min(request.count, REPLAY_COUNT_MAX)
                seqs = self._sequencer.index.settlement_events(request.first, count)
                try:
                    rows = self._sequencer.event_rows(seqs)
                except EventDamaged as error:
                    # The registry asks again, and its lag says that it waits.
                    damage_refusal(error)
                    continue
            payload = rows.tobytes()
            header = settlement_header(
                self._log_id, request.first, len(rows), payload, self._feed_taken()
            )
            self._mailbox.answer(message.routing_id, header, payload)

    def _feed_taken(self) -> dict[str, int | str]:
        """Return how much of the registry's feed the venue has: an older registry lacks some."""
        machine = self._sequencer.machine
        return {"feed_seq": machine.feed_seq, "feed_hash": feed_command_hash(machine.feed_last)}
