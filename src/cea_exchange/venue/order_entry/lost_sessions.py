"""Cancels the orders of operators whose session was lost, some at a time beside the trading.

To find them the market looks through all order ids of the day, so many operators share a look.
What a loss is decides the daemon; that it was one is journaled (`control.SessionLost`), so replay
cancels the same orders at the same place. Each message names the orders it may take, so many at
most: others trade between two, and so may the operators, of what they enter anew nothing goes.
"""

from collections.abc import Callable

import msgspec
import numpy as np
import structlog

from cea_exchange.domain.records import EventKind
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import KeyHolder, VenueStateMachine
from cea_exchange.venue.order_entry.sessions import Sessions
from cea_exchange.venue.refusals import ActRefusal

TURN_S = 0.02
"""From here on the next turn takes half as many operators, else twice as many."""
OPERATORS_PER_TURN_MIN = 64
"""A look alone may take that long; one for each operator would take all day."""
OPERATORS_PER_TURN_MAX = 1_024
assert OPERATORS_PER_TURN_MAX <= control.LOST_WITH_IT_MAX + 1
ORDERS_PER_SLICE = 2_000
"""About 10 ms."""
PAUSE_S = 1.0

log = structlog.get_logger("venue")


class _Sweep(msgspec.Struct):
    """Operators whose orders are being cancelled: of those up to `last_order_id`, the next ones."""

    operators: list[tuple[int, int]]
    last_order_id: int
    after_order_id: int = 0


class LostSessions:
    """The operators whose orders are still to be cancelled.

    Parameters
    ----------
    machine, sessions
        Whose orders there are, and who is logged on.
    run_acts
        Journals acts, releases their events, and returns these and the refusals.
    now_s
        A clock that never goes back.

    Notes
    -----
    Rules: CEA-ORD-11.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        sessions: Sessions,
        *,
        run_acts: Callable[[list[control.Control]], tuple[np.ndarray, list[ActRefusal]]],
        now_s: Callable[[], float],
    ) -> None:
        self._machine = machine
        self._sessions = sessions
        self._run_acts = run_acts
        self._now_s = now_s
        self._lost: dict[tuple[int, int], None] = {}
        self._sweeps: list[_Sweep] = []
        self._count = OPERATORS_PER_TURN_MIN
        self._not_before_s = 0.0

    @property
    def has_work(self) -> bool:
        """Whether orders are to be cancelled now."""
        has_any = bool(self._lost or self._sweeps)
        return has_any and self._now_s() >= self._not_before_s

    def note(self, holder: KeyHolder) -> None:
        """Take down that a key's session was lost; no loss while another one trades for it."""
        if (
            holder.role == "trader"
            and holder.cancel_on_disconnect
            and not self._sessions.has_trader(holder.operator)
        ):
            self._lost[holder.operator] = None

    def note_absent(self) -> None:
        """Take down all operators whose keys ask for it and none of whom is logged on."""
        kept = set()
        for holder in self._machine.keys.values():
            if holder.role == "trader" and not holder.cancel_on_disconnect:
                # Which of its keys had the session before is not known any more.
                kept.add(holder.operator)
        for holder in self._machine.keys.values():
            if holder.operator not in kept:
                self.note(holder)

    def cancel_before_logon(self, operator: tuple[int, int]) -> bool:
        """Begin to cancel what an operator lost before it enters anything; False: a full disk.

        Of very many orders the rest follows while it is logged on already.
        """
        if operator in self._lost:
            # Where thousands come back at once, those behind it share its look at the orders.
            others = [one for one in list(self._lost)[: self._count] if one != operator]
            self._sweep_begin([operator, *others])
        sweep = next((each for each in self._sweeps if operator in each.operators), None)
        return sweep is None or self._cancel(sweep)

    def turn(self) -> None:
        """Cancel a slice of the orders; of how many operators, the last turn's time decides."""
        if not self.has_work:
            return
        if self._sweeps:
            self._cancel(self._sweeps[0])
            return
        began_s = self._now_s()
        chosen: list[tuple[int, int]] = []
        for operator in list(self._lost)[:OPERATORS_PER_TURN_MAX]:
            if not self._may_have_orders(operator[0]):
                del self._lost[operator]
            elif len(chosen) < self._count:
                chosen.append(operator)
            else:
                break
        if chosen:
            self._cancel(self._sweep_begin(chosen))
            took_s = self._now_s() - began_s
            grown = self._count * 2 if took_s < TURN_S else self._count // 2
            self._count = min(max(grown, OPERATORS_PER_TURN_MIN), OPERATORS_PER_TURN_MAX)

    def _sweep_begin(self, operators: list[tuple[int, int]]) -> _Sweep:
        """Take operators off the list: what they enter from now on is not lost with it."""
        for operator in operators:
            del self._lost[operator]
        self._sweeps.append(_Sweep(operators, self._machine.core.order_id_last))
        return self._sweeps[-1]

    def _cancel(self, sweep: _Sweep) -> bool:
        """Cancel the next orders of a sweep, and end it behind the last; False if the disk is full.

        Rules: CEA-ORD-11.
        """
        names = self._machine.account_names
        first, *others = [
            control.LostOperator(names[account], operator) for account, operator in sweep.operators
        ]
        act = control.SessionLost(
            first.account,
            first.operator_index,
            tuple(others),
            after_order_id=sweep.after_order_id,
            last_order_id=sweep.last_order_id,
            orders_max=ORDERS_PER_SLICE,
        )
        events, (refusal,) = self._run_acts([act])
        if refusal is not None:
            # The disk is full: the orders stay until there is room to say that they went.
            count = len(sweep.operators)
            log.error("session_lost_not_journaled", operators=count, error=str(refusal))
            self._not_before_s = self._now_s() + PAUSE_S
            return False
        canceled = events["order_id"][events["kind"] == EventKind.ORDER_CANCELED]
        if len(canceled) < ORDERS_PER_SLICE:
            self._sweeps.remove(sweep)
        else:
            sweep.after_order_id = int(canceled.max())
        return True

    def _may_have_orders(self, account_index: int) -> bool:
        """Every order locks something; what is locked is known without looking for orders."""
        account = self._machine.core.account(account_index)
        holdings = account["holdings"].values()
        return account["cash_locked"] > 0 or any(locked for _, locked, _ in holdings)
