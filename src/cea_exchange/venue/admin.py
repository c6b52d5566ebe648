"""Operators' requests over the admin socket: MessagePack in, one journaled act, MessagePack out."""

from typing import Annotated

import msgspec

from cea_exchange.protocol import control
from cea_exchange.protocol.framing import FrameError


class AdminRequest(msgspec.Struct, tag_field="op", frozen=True, forbid_unknown_fields=True):
    """Base of every request."""


class Status(AdminRequest, tag="status"):
    """Where the venue stands."""


class ClockMove(AdminRequest, tag="clock"):
    """Move a manual clock; what falls due on the way happens in order."""

    at: str


class PhaseChange(AdminRequest, tag="phase"):
    """Set the phase of the open day."""

    phase: str


class OpenDay(AdminRequest, tag="open_day"):
    """Open a trading day, whatever the calendar says."""

    date: str


class CloseDay(AdminRequest, tag="close_day"):
    """Close the trading day."""


class Halt(AdminRequest, tag="halt"):
    """Halt a product, or without one the market."""

    product: control.Name | None = None


class Resume(AdminRequest, tag="resume"):
    """Lift a halt."""

    product: control.Name | None = None


class Suspend(AdminRequest, tag="suspend"):
    """Suspend an account."""

    account: control.Name


class Restore(AdminRequest, tag="restore"):
    """Let a suspended account trade again."""

    account: control.Name


class ReferencePrice(AdminRequest, tag="reference_price"):
    """Set a product's reference price (fen) before the day's first listed phase."""

    product: control.Name
    price: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class Stop(AdminRequest, tag="stop"):
    """End the daemon: seal the journal and exit."""


AnyAdminRequest = (
    Status
    | ClockMove
    | PhaseChange
    | OpenDay
    | CloseDay
    | Halt
    | Resume
    | Suspend
    | Restore
    | ReferencePrice
    | Stop
)

_requests = msgspec.msgpack.Decoder(AnyAdminRequest)


def admin_request_decode(payload: bytes) -> AnyAdminRequest:
    """Return an operator's request; FrameError if it is none."""
    try:
        return _requests.decode(payload)
    except control.DECODE_ERRORS as error:
        raise FrameError(expected="an admin request", came=str(error), where="payload") from None
