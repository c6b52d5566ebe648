"""Market scripts: one JSON object a line in, named events out.

    {"cmd": "product", "product": "CEA23", "reference_price": "97.49"}
    {"cmd": "account", "account": "alice"}
    {"cmd": "deposit", "account": "alice", "cash": "100000.00"}
    {"cmd": "clock", "at": "2025-07-16T09:30:00+08:00"}
    {"cmd": "enter", "id": "a1", "account": "alice", "product": "CEA23", "side": "buy",
     "price": "97.50", "tonnes": 100}          (on one line)

A line is read strictly: an unknown command or field, a missing one, another type, null, or a number
with a point stops the script there. What the market refuses is no error but an event.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.naming import id_check
from cea_exchange.domain.records import Phase, Pricing, Restriction, Side, Tif
from cea_exchange.domain.timetable import time_parse
from cea_exchange.domain.units import cash_parse, price_parse
from cea_exchange.matching.events import Event
from cea_exchange.matching.market import Market
from cea_exchange.matching.text.names import text_check

LINE_BYTES_MAX = 1 << 20


class ScriptError(Exception):
    """A script can't go on; the message names the script, the line, what was expected and came."""


def script_events(lines: Iterable[bytes], market: Market, name: str) -> Iterator[list[Event]]:
    """Play a script on a market.

    Parameters
    ----------
    lines : iterable of bytes
        The script, line by line.
    market : Market
        Is changed by it.
    name : str
        What errors call the script.

    Yields
    ------
    list of Event
        What each command gave, in order.

    Raises
    ------
    ScriptError
        At the first line that is no command; the ones before it have been played.
    """
    for number, line in enumerate(lines, start=1):
        try:
            fields = line_parse(line)
            if fields is not None:
                yield command_play(fields, market)
        except (TypeError, ValueError) as error:
            raise ScriptError(f"{name}:{number}: {error}") from error


def line_parse(line: bytes) -> dict[str, Any] | None:
    """Return the object on a line, None if it is blank or a comment.

    Raises
    ------
    ValueError
        If it is no JSON object, or names a field twice.
    """
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"line: expected at most {LINE_BYTES_MAX} bytes, got {len(line)}")
    try:
        # Blank is what JSON calls blank: other white space is no part of a JSON text.
        text = line.decode("utf-8").strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"line: expected UTF-8, got another byte at {error.start}") from None
    if not text or text.startswith("#"):
        return None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_int_parse,
            parse_constant=_constant_refuse,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"expected a JSON object, {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("expected a JSON object, got one nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {_kind(value)}")
    return value


def command_play(fields: dict[str, Any], market: Market) -> list[Event]:
    """Play one command on a market and return its events.

    Raises
    ------
    TypeError, ValueError
        If it is no command of a script, or can't come now; nothing has changed then.
    """
    if "cmd" not in fields:
        raise ValueError("expected field 'cmd', it is missing")
    cmd = _text(fields["cmd"], "cmd")
    if cmd not in COMMANDS:
        raise ValueError(f"expected cmd to be one of {', '.join(COMMANDS)}, got {cmd[:80]!r}")
    command = COMMANDS[cmd]
    values = _values(fields, command, cmd)
    return command.play(market, values)


# -- Fields --------------------------------------------------------------------------------------


def _text(value: Any, field: str) -> str:
    if type(value) is not str:
        raise TypeError(f"{field}: expected str, got {_kind(value)}")
    text_check(value, field)
    return value


def _name(value: Any, field: str) -> str:
    return id_check(_text(value, field), field)


def _tonnes(value: Any, field: str) -> int:
    if type(value) is not int:
        raise TypeError(f"{field}: expected a whole number, got {_kind(value)}")
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{field}: expected at most 64 bits, got one of {value.bit_length()} bits")
    return value


def _flag(value: Any, field: str) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{field}: expected true or false, got {_kind(value)}")
    return value


def _price(value: Any, field: str) -> str:
    return _money(value, field, price_parse)


def _cash(value: Any, field: str) -> str:
    return _money(value, field, cash_parse)


def _money(value: Any, field: str, parse: Callable[[str], int]) -> str:
    if type(value) is not str:
        raise TypeError(f"{field}: expected a two-decimal str such as '97.49', got {_kind(value)}")
    parse(value)
    return value


def _date(value: Any, field: str) -> str:
    date_parse(_text(value, field))
    return value


def _time(value: Any, field: str) -> str:
    time_parse(_text(value, field))
    return value


def _one_of(names: Iterable[str]) -> Callable[[Any, str], str]:
    known = tuple(names)

    def read(value: Any, field: str) -> str:
        if _text(value, field) not in known:
            raise ValueError(f"{field}: expected one of {', '.join(known)}, got {value[:80]!r}")
        return value

    return read


def _restrictions(value: Any, field: str) -> list[str]:
    if type(value) is not list:
        raise TypeError(f"{field}: expected a list, got {_kind(value)}")
    return [_restriction(each, field) for each in value]


_side = _one_of(side.name.lower() for side in Side)
_tif = _one_of(tif.name.lower() for tif in Tif)
_phase = _one_of(phase.name.lower() for phase in Phase)
_restriction = _one_of(restriction.name.lower() for restriction in Restriction)
_pricing = _one_of(pricing.name.lower() for pricing in Pricing)


# -- Commands ------------------------------------------------------------------------------------

Values = dict[str, Any]


class ScriptCommand(NamedTuple):
    """How a command is read and played."""

    play: Callable[[Market, Values], list[Event]]
    required: dict[str, Callable[[Any, str], Any]]
    optional: dict[str, Callable[[Any, str], Any]]


def _values(fields: dict[str, Any], command: ScriptCommand, cmd: str) -> Values:
    """Read a command's fields, each by its own form."""
    readers = command.required | command.optional
    for field in fields:
        if field != "cmd" and field not in readers:
            known = f"one of {', '.join(readers)}" if readers else "none"
            raise ValueError(f"field of {cmd}: expected {known}, got {field[:80]!r}")
    for field in command.required:
        if field not in fields:
            raise ValueError(f"{cmd}: expected field {field!r}, it is missing")
    values = {}
    for field, value in fields.items():
        if value is None:
            raise TypeError(f"{field}: expected a value, got null; leave the field out")
        if field != "cmd":
            values[field] = readers[field](value, field)
    return values


def _product(market: Market, values: Values) -> list[Event]:
    market.declare_product(values["product"], values["reference_price"])
    return []


def _account(market: Market, values: Values) -> list[Event]:
    market.declare_account(values["account"], values.get("group"))
    return []


def _deposit(market: Market, values: Values) -> list[Event]:
    return market.deposit(**values, open_account=False)


def _withdraw(market: Market, values: Values) -> list[Event]:
    return market.withdraw(**values)


def _enter(market: Market, values: Values) -> list[Event]:
    options = {field: values[field] for field in ("tif", "post_only", "pick") if field in values}
    return market.enter(
        values["account"],
        values["product"],
        values["side"],
        price=values["price"],
        tonnes=values["tonnes"],
        order_id=values["id"],
        **options,
    )


def _amend(market: Market, values: Values) -> list[Event]:
    price, tonnes = values["price"], values["tonnes"]
    return market.amend(values["account"], values["id"], price=price, tonnes=tonnes)


def _block_enquiry(market: Market, values: Values) -> list[Event]:
    names = ("price", "tonnes", "counterparty", "to_group")
    options = {field: values[field] for field in names if field in values}
    return market.block_enquiry(
        values["account"], values["product"], values["side"], block_id=values["id"], **options
    )


def _block_offer(market: Market, values: Values) -> list[Event]:
    names = ("counterparty", "to_group", "enquiry")
    options = {field: values[field] for field in names if field in values}
    return market.block_offer(
        values["account"],
        values["product"],
        values["side"],
        price=values["price"],
        tonnes=values["tonnes"],
        block_id=values["id"],
        **options,
    )


def _block_counter(market: Market, values: Values) -> list[Event]:
    price, tonnes = values["price"], values["tonnes"]
    return market.block_counter(values["account"], values["id"], price=price, tonnes=tonnes)


def _bidding_open(market: Market, values: Values) -> list[Event]:
    names = ("tonnes", "pricing", "floor", "ceiling", "side", "opens_at", "closes_at")
    options = {field: values[field] for field in (*names, "reserve_price") if field in values}
    return market.bidding_open(
        values["account"], values["product"], bidding_id=values["id"], **options
    )


def _bid(market: Market, values: Values) -> list[Event]:
    price, tonnes = values.get("price"), values["tonnes"]
    return market.bid(
        values["account"], values["bidding"], bid_id=values["id"], price=price, tonnes=tonnes
    )


_BLOCK = {"id": _name, "account": _text, "product": _text, "side": _side}
_TERMS = {"price": _price, "tonnes": _tonnes}
_ADDRESSEE = {"counterparty": _text, "to_group": _text}
_ANSWER = {"id": _text, "account": _text}

COMMANDS: dict[str, ScriptCommand] = {
    "product": ScriptCommand(_product, {"product": _name, "reference_price": _price}, {}),
    "account": ScriptCommand(_account, {"account": _name}, {"group": _name}),
    "deposit": ScriptCommand(
        _deposit, {"account": _text}, {"cash": _cash, "product": _text, "tonnes": _tonnes}
    ),
    "withdraw": ScriptCommand(
        _withdraw, {"account": _text}, {"cash": _cash, "product": _text, "tonnes": _tonnes}
    ),
    "clock": ScriptCommand(lambda market, values: market.clock(values["at"]), {"at": _time}, {}),
    "open_day": ScriptCommand(
        lambda market, values: market.open_day(values["date"]), {"date": _date}, {}
    ),
    "close_day": ScriptCommand(lambda market, values: market.close_day(), {}, {}),
    "phase": ScriptCommand(
        lambda market, values: market.phase(values["phase"]), {"phase": _phase}, {}
    ),
    "halt": ScriptCommand(
        lambda market, values: market.halt(values.get("product")), {}, {"product": _text}
    ),
    "resume": ScriptCommand(
        lambda market, values: market.resume(values.get("product")), {}, {"product": _text}
    ),
    "suspend": ScriptCommand(
        lambda market, values: market.suspend(values["account"]), {"account": _text}, {}
    ),
    "restore": ScriptCommand(
        lambda market, values: market.restore_account(values["account"]), {"account": _text}, {}
    ),
    "restrict": ScriptCommand(
        lambda market, values: market.restrict(values["account"], values["barred"]),
        {"account": _text, "barred": _restrictions},
        {},
    ),
    "allocation": ScriptCommand(
        lambda market, values: market.allocation(values["account"], values["tonnes"]),
        {"account": _text, "tonnes": _tonnes},
        {},
    ),
    "reference_price": ScriptCommand(
        lambda market, values: market.reference_price(values["product"], values["price"]),
        {"product": _text, "price": _price},
        {},
    ),
    "list": ScriptCommand(
        lambda market, values: market.list_product(values["product"], values["reference_price"]),
        {"product": _text, "reference_price": _price},
        {},
    ),
    "confirm_listing": ScriptCommand(
        lambda market, values: market.confirm_listing(values["product"]), {"product": _text}, {}
    ),
    "delist": ScriptCommand(
        lambda market, values: market.delist_product(values["product"]), {"product": _text}, {}
    ),
    "enter": ScriptCommand(
        _enter,
        {
            "id": _name,
            "account": _text,
            "product": _text,
            "side": _side,
            "price": _price,
            "tonnes": _tonnes,
        },
        {"tif": _tif, "post_only": _flag, "pick": _text},
    ),
    "cancel": ScriptCommand(
        lambda market, values: market.cancel(values["account"], values["id"]),
        {"id": _text, "account": _text},
        {},
    ),
    "amend": ScriptCommand(
        _amend, {"id": _text, "account": _text, "price": _price, "tonnes": _tonnes}, {}
    ),
    "block_enquiry": ScriptCommand(_block_enquiry, _BLOCK, _TERMS | _ADDRESSEE),
    "block_offer": ScriptCommand(_block_offer, _BLOCK | _TERMS, _ADDRESSEE | {"enquiry": _text}),
    "block_accept": ScriptCommand(
        lambda market, values: market.block_accept(values["account"], values["id"]), _ANSWER, {}
    ),
    "block_reject": ScriptCommand(
        lambda market, values: market.block_reject(values["account"], values["id"]), _ANSWER, {}
    ),
    "block_withdraw": ScriptCommand(
        lambda market, values: market.block_withdraw(values["account"], values["id"]), _ANSWER, {}
    ),
    "block_counter": ScriptCommand(_block_counter, _ANSWER | _TERMS, {}),
    "block_confirm": ScriptCommand(
        lambda market, values: market.block_confirm(values["id"]), {"id": _text}, {}
    ),
    "block_refuse": ScriptCommand(
        lambda market, values: market.block_refuse(values["id"]), {"id": _text}, {}
    ),
    "bidding_open": ScriptCommand(
        _bidding_open,
        {"id": _name, "account": _text, "product": _text, "tonnes": _tonnes, "pricing": _pricing},
        {"floor": _price, "ceiling": _price, "side": _side, "reserve_price": _price}
        | {"opens_at": _time, "closes_at": _time},
    ),
    "bid": ScriptCommand(
        _bid,
        {"id": _name, "bidding": _text, "account": _text, "tonnes": _tonnes},
        {"price": _price},
    ),
    "bid_cancel": ScriptCommand(
        lambda market, values: market.bid_cancel(values["account"], values["id"]), _ANSWER, {}
    ),
    "bidding_close": ScriptCommand(
        lambda market, values: market.bidding_close(values["id"]), {"id": _text}, {}
    ),
    "bidding_cancel": ScriptCommand(
        lambda market, values: market.bidding_cancel(values["id"]), {"id": _text}, {}
    ),
    "state": ScriptCommand(lambda market, values: [market.state()], {}, {}),
}


# -- JSON ----------------------------------------------------------------------------------------


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"expected each field once, {twice[:80]!r} came twice")
    return fields


def _int_parse(text: str) -> int:
    # Python refuses to convert thousands of digits; a number of 64 bits has 20 at most.
    if len(text) > len("-9223372036854775808"):
        raise ValueError(f"expected whole numbers of 64 bits, got one of {len(text)} characters")
    return int(text)


def _constant_refuse(text: str) -> None:
    raise ValueError(f"expected JSON, got {text}")


def _kind(value: Any) -> str:
    """Return what JSON calls a value's type."""
    kinds = {
        bool: "true or false",
        int: "a whole number",
        float: "a number with a point or exponent",
        str: "a string",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return kinds[type(value)]
