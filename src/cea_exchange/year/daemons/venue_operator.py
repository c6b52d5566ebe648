"""A venue's daemon as its operators have it: what they ask, and what they wait for."""

import time
from collections.abc import Callable, Container
from contextlib import AbstractContextManager, suppress
from typing import Any

import msgspec

from cea_exchange.control_plane.answers import answer_read
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.institution.venue_link.feed import feed_last_seq
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.year.daemons.lines import GIVEN_UP_S, Lines, VenueRefused
from cea_exchange.year.daemons.processes import LOOK_S, Processes


class _ProposalGone(Exception):
    """Nobody can agree to a proposal any more."""


class VenueOperator:
    """Operators of a venue.

    Parameters
    ----------
    name
        The daemon's.
    keys, second
        An operator's, and those of another one who agrees to what takes two persons.
    read
        Opens what the registry keeps that the venue is linked to.

    Attributes
    ----------
    processes : Processes
    """

    def __init__(
        self,
        name: str,
        processes: Processes,
        lines: Lines,
        keys: CurveKeys,
        second: CurveKeys,
        read: Callable[[], AbstractContextManager[Store]],
    ) -> None:
        self.name, self.processes, self.read = name, processes, read
        self._lines, self._keys, self._second = lines, keys, second

    def operate(self, op: str, keys: CurveKeys | None = None, **terms: Any) -> dict[str, Any]:
        """Ask the venue as an operator of it.

        Raises
        ------
        VenueRefused
            It refuses; what it refuses only until the registry has answered is asked again.
        """
        payload = msgspec.msgpack.encode({"op": op, **terms})
        until_s = time.monotonic() + GIVEN_UP_S
        while True:
            answer = self._lines.ask(self.name, keys or self._keys, payload)
            if answer_read(answer).is_done:
                return answer
            refused = VenueRefused(op, answer)
            is_awaited = refused.code is VenueRefusal.REGISTRY_AWAITED
            if not is_awaited or time.monotonic() > until_s:
                raise refused
            self.processes.look()
            time.sleep(LOOK_S)

    def until(self, is_done: Callable[[], bool], op: str, **terms: Any) -> None:
        """Ask for what would be done twice if it were asked twice, as long as it is not done."""
        while not is_done():
            self.operate(op, **terms)

    def until_by_two(self, is_done: Callable[[], bool], op: str, **terms: Any) -> None:
        """Propose what takes two persons, and agree to it, as long as it is not done."""
        while not is_done():
            with suppress(_ProposalGone):
                self._by_two(op, terms)

    def once(self, done: Container[VenueRefusal], op: str, **terms: Any) -> None:
        """Ask for what is refused so the second time, as after an answer that was lost."""
        try:
            self.operate(op, **terms)
        except VenueRefused as error:
            if error.code not in done:
                raise

    def once_by_two(self, done: Container[VenueRefusal], op: str, **terms: Any) -> None:
        """Propose what takes two persons, and agree to it; refused the second time as in `once`."""
        while True:
            try:
                self._by_two(op, terms)
            except _ProposalGone:
                continue
            except VenueRefused as error:
                if error.code not in done:
                    raise
            return

    def _by_two(self, op: str, terms: dict[str, Any]) -> None:
        proposal = self.operate(op, **terms)["proposal"]
        try:
            self.operate("approve", self._second, number=proposal)
        except VenueRefused as error:
            # A restart drops proposals, and an answer may be lost: it is proposed anew, unless it
            # was done.
            if error.code in (VenueRefusal.PROPOSAL_UNKNOWN, VenueRefusal.PROPOSAL_DECIDED):
                raise _ProposalGone from error
            raise

    def feed(self) -> None:
        """Wait until the venue has what the registry sent it, and the registry its answers."""
        self.processes.wait(self._is_fed, f"{self.name} and its registry have exchanged all")

    def _is_fed(self) -> bool:
        with self.read() as registry:
            sent, settled = feed_last_seq(registry), registry.last_seq
        status = self.operate("status")
        return bool(status["feed_seq"] >= sent and status["settlement_seq"] == settled)
