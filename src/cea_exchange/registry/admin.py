"""What may be asked over the control socket, all of it; see `desk` for how it is answered."""

from typing import Any, Union

import msgspec

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.registry.checks import INT64_MAX, ActError
from cea_exchange.registry.requests import (
    accounts,
    approvals,
    bank,
    basics,
    carryover,
    claims,
    defaults,
    distribution,
    enforcement,
    obligation,
    offset,
    persons,
    statements,
    surrender,
    views,
)
from cea_exchange.registry.requests.request import Request
from cea_exchange.registry.second_persons import SECOND


class Status(Request, tag="status"):
    """How far the registry is."""

    is_look = True
    is_scoped = False


class Stop(Request, tag="stop"):
    """End the daemon."""


_MODULES = (
    accounts,
    approvals,
    bank,
    basics,
    carryover,
    claims,
    defaults,
    distribution,
    enforcement,
    obligation,
    offset,
    persons,
    statements,
    surrender,
    views,
)
_OFFICES = tuple(
    found
    for module in _MODULES
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Request) and found is not Request
)
REQUEST_TYPES: tuple[type[Request], ...] = (Status, Stop, *_OFFICES)
OPS = frozenset(str(found.__struct_config__.tag) for found in REQUEST_TYPES)
OPS_OF_TWO = frozenset(SECOND)
"""What needs a second person; the settings may add to it, or take all of it off a test bench."""

_decoder = msgspec.msgpack.Decoder(Union[REQUEST_TYPES])


def request_decode(payload: bytes) -> Request:
    """Return the request in a message.

    Raises
    ------
    ActError
        It is none: unknown op or field, wrong type, missing field, a number of more than 63 bits,
        broken MessagePack.
    """
    try:
        request = _decoder.decode(payload)
    except DECODE_ERRORS as error:
        raise ActError(f"request: {error}") from None
    _numbers_check(request)
    return request


def _numbers_check(value: Any, name: str = "") -> None:
    """Refuse numbers that MessagePack has and no database: its unsigned ones go to 2^64."""
    match value:
        case int():
            if value > INT64_MAX:
                raise ActError(f"request: {name} must be below 2^63, was {value}")
        case msgspec.Struct() | dict():
            fields = value if isinstance(value, dict) else msgspec.structs.asdict(value)
            for field, each in fields.items():
                _numbers_check(each, str(field))
