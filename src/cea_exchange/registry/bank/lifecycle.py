"""The states of an instruction, as the registry knows it, and what leads from one to another.

::

    made --> sent --> accepted --> booked
               |  \\      ^   \\      ^  |
               |   -> pending  -> late  |
               v        |       |   v   v
             refused <--         -> in_error --> booked
"""

from enum import StrEnum

from cea_exchange.protocol.bank.statements import Status
from cea_exchange.registry.bank.matching import Outcome


class State(StrEnum):
    """Where an instruction is.

    ``made``: written down here, not sent. ``sent``: sent, perhaps more than once, not answered.
    ``accepted``, ``pending``: so the bank says. ``late``: a statement that should show it does not.
    ``in_error``: a statement shows it, but wrongly. ``booked``: a statement shows it as instructed.
    ``refused``: the bank will not, and no entry says otherwise.
    """

    MADE = "made"
    SENT = "sent"
    ACCEPTED = "accepted"
    PENDING = "pending"
    LATE = "late"
    IN_ERROR = "in_error"
    BOOKED = "booked"
    REFUSED = "refused"


class LifecycleError(ValueError):
    """The bank says what can't be: it has to be asked, by a person."""


def after_status(state: State, status: Status) -> State:
    """Return the state of an instruction once the bank has reported its status.

    Only an entry makes it booked, late or wrong; no status takes that back. Rules: CEA-BNK-08.

    Raises LifecycleError: it was never sent, or was refused before: what was refused has been acted
    upon.
    """
    if state is State.MADE:
        raise LifecycleError(f"expected no status of what was not sent, got {status}")
    if state is State.REFUSED and status is not Status.REFUSED:
        raise LifecycleError(f"expected it to stay refused, got {status}")
    if state is State.IN_ERROR:
        return State.IN_ERROR
    if status is Status.REFUSED:
        return State.IN_ERROR if state is State.BOOKED else State.REFUSED
    if state in (State.BOOKED, State.LATE):
        return state
    if state is State.ACCEPTED:
        return State.ACCEPTED
    return State.ACCEPTED if status is Status.ACCEPTED else State.PENDING


def after_outcome(state: State, outcome: Outcome) -> State:
    """Return the state of an instruction once it was held against the statements of its day.

    Raises LifecycleError: there are entries of what was never sent.

    Rules: CEA-BNK-06, CEA-BNK-08.
    """
    if outcome is Outcome.MISSING:
        if state in (State.MADE, State.REFUSED):
            return state
        # What was booked and is no more was taken back by nobody's instruction.
        return State.IN_ERROR if state is State.BOOKED else State.LATE
    if outcome is Outcome.REFUSED:
        return State.REFUSED
    if state is State.MADE:
        raise LifecycleError(f"expected no entry of what was not sent, got {outcome}")
    is_as_instructed = outcome is Outcome.BOOKED and state is not State.REFUSED
    return State.BOOKED if is_as_instructed else State.IN_ERROR
