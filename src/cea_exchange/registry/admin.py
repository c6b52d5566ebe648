"""Operators' requests over the control socket: MessagePack in, one act, MessagePack out."""

from typing import Any, Union

import msgspec

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.database.interface import DatabaseFull
from cea_exchange.registry.requests import basics
from cea_exchange.registry.requests.request import Request


class Status(Request, tag="status"):
    """How far the registry is."""


class Stop(Request, tag="stop"):
    """End the daemon."""


_REQUESTS = tuple(
    found
    for module in (basics,)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Request) and found is not Request
)
_decoder = msgspec.msgpack.Decoder(Union[(Status, Stop, *_REQUESTS)])


def request_decode(payload: bytes) -> Request:
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
    except DatabaseFull as error:
        return {"ok": False, "error": f"no space, nothing was done: {error}"}, False


def _act_once(registry: Registry, request: Request) -> dict[str, Any]:
    if request.request_id is None:
        return request.act(registry)
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
        answer = request.act(registry)
        store.insert(
            "requests", [(request.request_id, bare, msgspec.msgpack.encode(answer))]
        )
    return answer
