"""Applies what the registry says: its numbered feed, its confirmation, and whether it is there."""

from collections.abc import Callable

import structlog

from cea_exchange.protocol import control
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.order_entry.gateway import Gateway
from cea_exchange.venue.refusals import ActRefusal
from cea_exchange.venue.registry_link.feed import FeedAnswer, RegistryFeed

FEED_PAUSE_S = 1.0
COMMANDS_WAIT_S = 3.0
"""So long commands wait for the first answer; then all but cancels are refused until it comes."""
AWAITING_REGISTRY = "the registry has not answered since the start"

log = structlog.get_logger("venue")


class VenueError(RuntimeError):
    """The venue must not run on: acknowledged work would be contradicted."""


class RegistryContradicts(RuntimeError):
    """The registry's feed is not the one that was followed: nothing of it is taken."""


class RegistryLink:
    """Follows the registry, and takes only cancels while it can't.

    Parameters
    ----------
    feed
        The connection.
    sequencer, gateway
        Where its items are journaled, and what is set to take only cancels.
    run_controls
        Journals acts, releases their events, and returns the refusals.
    sessions_check
        Called after items were applied: they may have revoked keys.
    now_s
        A clock that never goes back.

    Attributes
    ----------
    settled_seq : int
        How far the registry has said to have applied the settlement stream.
    answered_s : float or None
        When it answered last (monotonic clock); None if it never did.
    """

    def __init__(
        self,
        feed: RegistryFeed,
        sequencer: Sequencer,
        gateway: Gateway,
        *,
        run_controls: Callable[[list[control.Control]], list[ActRefusal]],
        sessions_check: Callable[[], None],
        now_s: Callable[[], float],
    ) -> None:
        self._feed = feed
        self._sequencer = sequencer
        self._machine = sequencer.machine
        self._gateway = gateway
        self._run_controls = run_controls
        self._sessions_check = sessions_check
        self._now_s = now_s
        # What the registry may know already; more than this, and the journal has lost something.
        self._settlement_seq_at_start = self._machine.core.settlement_seq
        self.settled_seq = 0
        self.answered_s: float | None = None
        self._wait(AWAITING_REGISTRY)

    @property
    def is_awaited(self) -> bool:
        """Whether the registry has not answered since the start."""
        return self._gateway.cancels_only == AWAITING_REGISTRY

    def turn(self) -> None:
        """Apply an answer that has arrived, and ask for more.

        Raises
        ------
        VenueError
            The journal has lost work that the registry knows.
        """
        try:
            answer = self._feed.answer()
            if answer is not None:
                self._take(answer)
        except control.ControlError as error:
            self._wait(f"the registry's feed: {error}")
            self._feed.pause(FEED_PAUSE_S)
        except RegistryContradicts as error:
            self._contradiction_show(str(error))
            # On the next connection the last item is asked for once more: it may fit again.
            self._feed.pause(FEED_PAUSE_S)
        self._feed.ask(last=self._machine.feed_seq, log_id=self._sequencer.journal.log_id)

    def close(self) -> None:
        """Drop the connection."""
        self._feed.close()

    def _wait(self, reason: str) -> None:
        """Take only cancels from now on; without a reason, take everything again."""
        if reason != self._gateway.cancels_only:
            log.info("registry", cancels_only=reason)
        self._gateway.cancels_only = reason
        is_awaited = reason == AWAITING_REGISTRY
        self._gateway.held.until_s = self._now_s() + COMMANDS_WAIT_S if is_awaited else 0.0
        self._sequencer.checkpoints_on = not is_awaited

    def _contradiction_show(self, why: str) -> None:
        """Take only cancels, and say so until the registry's words fit again."""
        if why != self._gateway.cancels_only:
            log.error("registry_contradiction", why=why, feed_seq=self._machine.feed_seq)
        self._wait(why)

    def _take(self, answer: FeedAnswer) -> None:
        # Not to be waited out: what happens by the clock is numbered on, and once it is beyond what
        # the registry has settled nobody sees any more that other work had these numbers.
        if answer.settled_seq > self._machine.core.settlement_seq:
            raise VenueError(
                f"the registry has settled sequence {answer.settled_seq}, the journal ends at "
                f"settlement sequence {self._machine.core.settlement_seq} "
                f"({self._settlement_seq_at_start} at the start): acknowledged work is missing "
                "from the journal"
            )
        if answer.last_seq < self._machine.feed_seq:
            raise RegistryContradicts(
                f"the registry's feed ends at item {answer.last_seq}, the journal has item "
                f"{self._machine.feed_seq}: work is missing from the registry"
            )
        self.settled_seq, self.answered_s = answer.settled_seq, self._now_s()
        items = answer.feed_items()
        for item in items:
            if item.transfer_seq == self._machine.feed_seq:
                self._same_item(item)
        acts: list[control.Control] = [
            item for item in items if item.transfer_seq > self._machine.feed_seq
        ]
        if answer.confirmed_date > self._machine.confirmed_date:
            confirmed = control.SettlementConfirmed(
                settlement_seq=answer.settled_seq, trading_date=answer.confirmed_date
            )
            acts.append(confirmed)
        refusals = self._run_controls(acts)
        self._sessions_check()
        for refusal in refusals:
            if refusal is not None:
                raise control.ControlError(str(refusal))
        if answer.state != "ok":
            self._wait(f"the registry says {answer.state}")
        elif self._machine.feed_seq >= answer.last_seq:
            self._wait("")

    def _same_item(self, item: control.FeedItem) -> None:
        """A registry that was restored from an older copy may have given a number once more."""
        if item.command != self._machine.feed_last:
            raise RegistryContradicts(
                f"the registry's feed item {item.transfer_seq} is {item.command}, the journal has "
                f"{self._machine.feed_last}: the registry is not the one that was followed"
            )
