"""What may be asked over the control socket, all of it; see `desk` for how it is answered."""

from typing import Any, Union

import msgspec

from cea_exchange.domain.naming import is_one_line
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.registry.checks import INT64_MAX, ActError
from cea_exchange.registry.requests import (
    accounts,
    approvals,
    bank,
    basics,
    carryover,
    claims,
    clock,
    defaults,
    distribution,
    duties,
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
    clock,
    defaults,
    distribution,
    duties,
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
        a text with characters that are not seen or more than one line, broken MessagePack.
    """
    try:
        request = _decoder.decode(payload)
    except DECODE_ERRORS as error:
        raise ActError(RegistryRefusal.BAD_REQUEST, f"request: {error}") from None
    _values_check(request)
    return request


def _values_check(value: Any, name: str = "request") -> None:
    """Refuse numbers that no database has, and texts that are not what they look like.

    MessagePack's unsigned numbers go to 2^64. Others read what is asked, in proposals, logs and
    lists; and the record of acts keeps it.
    """
    match value:
        case int() if value > INT64_MAX:
            raise ActError(
                RegistryRefusal.BAD_REQUEST,
                f"request: {name}: expected a number below 2^63, got {value}",
            )
        case str() if not is_one_line(value):
            raise ActError(
                RegistryRefusal.BAD_REQUEST,
                f"request: {name}: expected one line of visible characters, got {value[:80]!a}",
            )
        case dict():
            for field, each in value.items():
                _values_check(field, f"name in {name}")
                _values_check(each, field)
        case msgspec.Struct():
            _values_check(msgspec.structs.asdict(value), name)
