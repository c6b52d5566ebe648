"""Life cycles: which step leads from which state to which, and what must be refused."""

from collections.abc import Mapping
from typing import NamedTuple

from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class LifeCycle(NamedTuple):
    """The states of something and the steps between them; a state without a step is final.

    Attributes
    ----------
    what
        Whose states they are, for messages.
    code
        Why a step is refused that no state of this has.
    steps
        Step -> state before -> state after.
    """

    what: str
    code: CcerRefusal
    steps: Mapping[str, Mapping[str, str]]

    def after(self, state: str, step: str) -> str:
        """Return the state after a step; ProgrammeError where the state does not allow it."""
        allowed = self.steps[step]
        if state not in allowed:
            raise ProgrammeError(
                self.code,
                f"{self.what} to {step}: expected one that is {' or '.join(allowed)}, got {state}",
            )
        return allowed[state]

    @property
    def states(self) -> frozenset[str]:
        """All states that a step comes from or leads to."""
        moves = [pair for each in self.steps.values() for pair in each.items()]
        return frozenset(state for pair in moves for state in pair)

    def is_final(self, state: str) -> bool:
        """Tell whether nothing follows a state."""
        return not any(state in moves for moves in self.steps.values())
