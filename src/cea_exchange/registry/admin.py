"""Operators' requests over the admin socket: MessagePack in, one act, MessagePack out.

Every request may carry a ``request_id`` of the asker's. It is stored with the act: the same request
again, after an answer was lost, gets the first answer and nothing happens twice.
"""

from typing import Annotated, Any

import apsw
import msgspec

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.registry.acts import ActError, Registry


class Request(
    msgspec.Struct, tag_field="op", frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Base of every request. Amounts are tonnes, or fen of cash."""

    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None


class AccountOpen(Request, tag="account_open"):
    """Open an account."""

    account: str
    group: str = ""


class ProductDeclare(Request, tag="product_declare"):
    """Declare a product; the price in fen per tonne."""

    product: str
    reference_price: int


class KeyGrant(Request, tag="key_grant"):
    """Let a key act for an operator of an account."""

    key: str
    account: str
    operator_index: int = 0
    role: str = "trader"
    cancel_on_disconnect: bool = True


class KeyRevoke(Request, tag="key_revoke"):
    """Take back what a key may do."""

    key: str


class Issue(Request, tag="issue"):
    """Issue allowances into an account's registration compartment."""

    account: str
    product: str
    tonnes: int


class PayIn(Request, tag="pay_in"):
    """Book cash from the bank into an account's registration compartment."""

    account: str
    cash: int


class TransferIn(Request, tag="transfer_in"):
    """Send tonnes, or without a product cash, to the account at the venue."""

    account: str
    amount: int
    product: str | None = None


class TransferOut(Request, tag="transfer_out"):
    """Ask the venue to let tonnes, or without a product cash, go."""

    account: str
    amount: int
    product: str | None = None


class Status(Request, tag="status"):
    """How far the registry is."""


class Stop(Request, tag="stop"):
    """End the daemon."""


AnyRequest = (
    AccountOpen
    | ProductDeclare
    | KeyGrant
    | KeyRevoke
    | Issue
    | PayIn
    | TransferIn
    | TransferOut
    | Status
    | Stop
)

_decoder = msgspec.msgpack.Decoder(AnyRequest)


def request_decode(payload: bytes) -> AnyRequest:
    """Return the request in a message.

    Raises
    ------
    ActError
        It is none: unknown op or field, wrong type, missing field, broken MessagePack.
    """
    try:
        return _decoder.decode(payload)
    except DECODE_ERRORS as error:
        raise ActError(f"request: {error}") from None


def request_answer(
    registry: Registry, payload: bytes, place: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Carry a request out.

    Parameters
    ----------
    registry
        Acted upon.
    payload
        The request's bytes.
    place
        What the daemon knows and the database doesn't, for `Status`.

    Returns
    -------
    tuple of dict and bool
        The answer, ``{"ok": True, ...}`` or ``{"ok": False, "error": ...}``; whether to stop.
    """
    try:
        request = request_decode(payload)
        if isinstance(request, Status):
            return {"ok": True, **registry.status(), **place}, False
        if isinstance(request, Stop):
            return {"ok": True}, True
        return {"ok": True, **_act_once(registry, request)}, False
    except ActError as error:
        return {"ok": False, "error": str(error)}, False
    except apsw.FullError as error:
        return {"ok": False, "error": f"no space, nothing was done: {error}"}, False


def _act_once(registry: Registry, request: AnyRequest) -> dict[str, Any]:
    if request.request_id is None:
        return _act(registry, request)
    bare = msgspec.msgpack.encode(request)
    store = registry.store
    with registry.transaction():
        known = store.one(
            "SELECT request, answer FROM requests WHERE request_id = ?", (request.request_id,)
        )
        if known is not None:
            if known[0] != bare:
                raise ActError(f"request_id must be new, {request.request_id!r} was another act")
            return msgspec.msgpack.decode(known[1])
        answer = _act(registry, request)
        store.execute(
            "INSERT INTO requests VALUES (?, ?, ?)",
            (request.request_id, bare, msgspec.msgpack.encode(answer)),
        )
    return answer


def _act(registry: Registry, request: AnyRequest) -> dict[str, Any]:
    match request:
        case AccountOpen():
            return {"account_index": registry.account_open(request.account, request.group)}
        case ProductDeclare():
            price = request.reference_price
            return {"product_index": registry.product_declare(request.product, price)}
        case KeyGrant():
            registry.key_grant(
                request.key,
                request.account,
                request.operator_index,
                request.role,
                cancel_on_disconnect=request.cancel_on_disconnect,
            )
        case KeyRevoke():
            registry.key_revoke(request.key)
        case Issue():
            registry.issue(request.account, request.product, request.tonnes)
        case PayIn():
            registry.pay_in(request.account, request.cash)
        case TransferIn():
            seq = registry.transfer_in(request.account, request.product, request.amount)
            return {"transfer_seq": seq}
        case TransferOut():
            seq = registry.transfer_out(request.account, request.product, request.amount)
            return {"transfer_seq": seq}
    return {}
