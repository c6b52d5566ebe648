"""Requests to a daemon, a struct each: who may send it, and whether a second person must approve.

    class Halt(Act, tag="halt"):
        \"\"\"Halt a product, or the market.\"\"\"

        command = "market halt"
        example = 'market halt CEA24 --why "news awaited"'

        product: Annotated[str | None, field("Product; left out, the whole market.")] = None

The struct is the whole contract: its tag is the ``op`` on the wire, its fields are checked as it is
read, `roles` and `second` are held by the service, and the command line is made of the rest.
"""

from collections.abc import Iterable
from enum import Enum
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar, Union, dataclass_transform

import msgspec

from cea_exchange.domain.naming import is_one_line
from cea_exchange.protocol.control import DECODE_ERRORS

INT64_MAX = 2**63 - 1


class RequestUnread(ValueError):
    """No request that this daemon knows: where, what was expected, and what came."""

    def __init__(self, where: str, expected: str, got: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.where, self.expected, self.got = where, expected, got


# A type checker does not inherit that it is frozen.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Request(
    msgspec.Struct, tag_field="op", frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Base of every request.

    Attributes
    ----------
    roles
        Who may ask it; what nobody was given is nobody's.
    second
        Whose second person has to agree (the two-person rule); None: one person is enough.
    is_look
        Whether it changes nothing.
    command
        Its words on the command line, a noun and then a verb; the verb alone where the noun is the
        daemon itself; empty: it has none, or one that is
        written by hand because it is more than one request.
    example
        What may be typed, behind the daemon's name.
    aliases
        Other words for the command, from before it had a noun, that users have learned.
    rows
        The fields of the answer that come in pages; the command line asks for all of them.
    """

    roles: ClassVar[tuple[str, ...]] = ()
    second: ClassVar[Enum | None] = None
    is_look: ClassVar[bool] = False
    command: ClassVar[str] = ""
    example: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    rows: ClassVar[tuple[str, ...]] = ()

    @property
    def op(self) -> str:
        """What is asked for."""
        return op_of(type(self))


def op_of(request: type[Request]) -> str:
    """Return the ``op`` of a kind of request."""
    return str(request.__struct_config__.tag)


def requests_in(*modules: ModuleType) -> tuple[type[Any], ...]:
    """Return all kinds of requests that modules define, in their order; bases name no ``op``."""
    return tuple(
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, Request)
        and found.__module__ == module.__name__
        and op_of(found) != found.__name__
    )


R = TypeVar("R", bound=Request)


class Requests(Generic[R]):
    """All that one daemon may be asked.

    Parameters
    ----------
    types
        The kinds of requests; no two have one ``op``.

    Attributes
    ----------
    by_op : dict
        Each kind by its ``op``.
    """

    def __init__(self, types: Iterable[type[R]]) -> None:
        self.types = tuple(types)
        self.by_op = {op_of(each): each for each in self.types}

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[R]:
        # Not before a daemon reads: who only asks would wait for it.
        return msgspec.msgpack.Decoder(Union[self.types])  # noqa: UP007 - of a tuple

    @property
    def of_two(self) -> frozenset[str]:
        """Which ops need a second person."""
        return frozenset(op for op, each in self.by_op.items() if each.second is not None)

    def roles(self) -> dict[str, tuple[str, ...]]:
        """Return by ``op`` who may ask it."""
        return {op: each.roles for op, each in self.by_op.items()}

    def decode(self, payload: bytes) -> R:
        """Return the request in a message.

        Raises
        ------
        RequestUnread
            It is none: unknown op or field, wrong type, missing field, a number of more than 63
            bits, a text with characters that are not seen or more than one line.
        """
        try:
            request: R = self._decoder.decode(payload)
        except DECODE_ERRORS as error:
            raise RequestUnread("payload", "a request", str(error)) from None
        _values_check(request, "request")
        return request


def _values_check(value: Any, name: str) -> None:
    """Refuse numbers that no database has, and texts that are not what they look like.

    MessagePack's unsigned numbers go to 2^64. Others read what is asked, in proposals, logs and
    lists; and the record of acts keeps it.
    """
    match value:
        case int() if value > INT64_MAX:
            raise RequestUnread(name, "a number below 2^63", str(value))
        case str() if not is_one_line(value):
            raise RequestUnread(name, "one line of visible characters", ascii(value[:80]))
        case dict():
            for each, content in value.items():
                _values_check(each, f"name in {name}")
                _values_check(content, each)
        case msgspec.Struct():
            _values_check(msgspec.structs.asdict(value), name)
