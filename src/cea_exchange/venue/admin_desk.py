"""Answers operators: each act of theirs becomes a journaled command."""

from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from cea_exchange.domain.records import Phase
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import FrameError
from cea_exchange.venue import admin
from cea_exchange.venue.gateway import Message
from cea_exchange.venue.router import receive, send_or_drop
from cea_exchange.venue.trading_day import TradingDay


class AdminDesk:
    """The operators' door.

    Parameters
    ----------
    socket
        A bound ROUTER.
    operators
        Public keys that may act.
    day
        Opens and closes trading days.
    run_controls
        Journals acts, releases their events, and returns the refusals.
    status, stop
        Says where the venue stands; ends the daemon.
    """

    def __init__(
        self,
        socket: zmq.Socket,
        operators: frozenset[str],
        day: TradingDay,
        *,
        run_controls: Callable[[list[control.Control]], list[str | None]],
        status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._operators = operators
        self._day = day
        self._run_controls = run_controls
        self._status = status
        self._stop = stop

    def turn(self) -> None:
        """Answer all that has arrived."""
        while (message := receive(self._socket)) is not None:
            try:
                answer = self._answer(self._request(message))
            except FrameError as error:
                answer = {
                    "op": "refused",
                    "expected": error.expected,
                    "came": error.came,
                    "where": error.where,
                }
            except ValueError as error:
                answer = {"op": "refused", "expected": str(error), "came": "", "where": "payload"}
            send_or_drop(self._socket, [message.routing_id, msgspec.msgpack.encode(answer)])

    def _request(self, message: Message) -> admin.AnyAdminRequest:
        if message.key not in self._operators:
            raise FrameError(expected="an operator's key", came="another", where="key")
        if len(message.frames) != 1:
            came = str(len(message.frames))
            raise FrameError(expected="1 frame", came=came, where="message")
        return admin.admin_request_decode(message.frames[0])

    def _answer(self, request: admin.AnyAdminRequest) -> dict[str, Any]:
        act: control.Control | None = None
        match request:
            case admin.ClockMove(at=at):
                self._day.clock_move(at)
            case admin.Stop():
                self._stop()
            case admin.OpenDay(date=date):
                act = self._day.open_day(date)
            case admin.CloseDay():
                act = self._day.close_day()
            case admin.PhaseChange(phase=phase):
                if phase.upper() not in Phase.__members__:
                    names = ", ".join(member.name.lower() for member in Phase)
                    raise FrameError(expected=names, came=phase, where="phase")
                act = control.PhaseSet(phase=Phase[phase.upper()])
            case admin.Halt(product=product):
                act = control.Halt(product=product)
            case admin.Resume(product=product):
                act = control.Resume(product=product)
            case admin.Suspend(account=account):
                act = control.Suspend(account=account)
            case admin.Restore(account=account):
                act = control.Restore(account=account)
            case admin.ReferencePrice(product=product, price=price):
                act = control.ReferencePriceSet(product=product, price=price)
        for refusal in self._run_controls([] if act is None else [act]):
            if refusal is not None:
                raise FrameError(expected="an act that fits", came=refusal, where="market")
        return {"op": request.__struct_config__.tag, **self._status()}
