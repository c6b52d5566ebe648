"""Arguments and options of a request's command: what a person types, and what goes on the wire."""

import inspect
from collections.abc import Callable
from enum import Enum
from hashlib import file_digest
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import typer

from cea_exchange.cli.acts import case_papers
from cea_exchange.cli.errors import CommandError, bad_input
from cea_exchange.cli.readable import (
    ALL_CASH,
    cash_or_all_typed,
    date_typed,
    month_typed,
    period_typed,
    price_typed,
    yuan_typed,
)
from cea_exchange.control_plane.fields import RequestField, fields_of
from cea_exchange.control_plane.requests import Request
from cea_exchange.user_files.opening import bytes_read, file_open

RANGE_MAX = 2**31
"""A bound beyond it is the wire's, nobody's whose words are read."""
PAGED = frozenset({"first", "count"})
"""Fields by which an answer is asked for in pages, no business of who types; one with words is."""
PARSED = frozenset({"date", "month", "period", "yuan", "price"})
FILE_BYTES_MAX = (4 << 20) - 1_024
"""What a request's file may have: the daemon drops larger messages unread, and the rest of the
request takes less than 1 KiB."""

Asked = dict[str, Any]
Put = Callable[[Any, Asked, Path], None]
"""Puts what was typed into the request; called with the data folder."""


class Parameter(NamedTuple):
    """One argument or option."""

    name: str
    """Of the function's parameter."""
    kind: Any
    """As typer takes it."""
    info: Any
    """Its settings for typer."""
    default: Any
    """`inspect.Parameter.empty` where it must be given."""
    put: Put
    """See `Put`."""

    def declared(self) -> inspect.Parameter:
        """Return it for a signature."""
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[self.kind, self.info],
            default=self.default,
        )


class Typing(NamedTuple):
    """How a field is typed: its type for typer, how it goes on the wire, what else is known."""

    kind: Any
    put: Put
    more: dict[str, Any]
    words: str


def parameters_of(request: type[Request]) -> list[Parameter]:
    """Return what is typed of a request, arguments first."""
    fields = [
        each
        for each in fields_of(request)
        if not each.terms.is_hidden and not (request.rows and each.name in PAGED and not each.words)
    ]
    made = [each for field in fields for each in _parameters(field)]
    return sorted(made, key=lambda each: isinstance(each.info, typer.models.OptionInfo))


def _parameters(field: RequestField) -> list[Parameter]:
    terms = field.terms
    if terms.typed == "amount":
        return _amount_parameters(field)
    if terms.typed == "gain":
        return [_gain_parameter(field)]
    is_needed = field.is_needed and terms.typed != "new_id"
    is_option = terms.is_option
    if is_option is None:
        is_option = field.kind is bool or field.name == "why" or not is_needed
    name = field.name if terms.name.startswith("--") else terms.name or field.name
    kind, put, more, words = _typing(field)
    # What is typed as text has no default that is a number: left out, it is what the wire has.
    has_text = terms.typed in PARSED or terms.typed == "alerts"
    if not is_needed and (field.default is None or has_text):
        kind = kind | None
    flags = [_flags(field, name)] if is_option else []
    info = (typer.Option if is_option else typer.Argument)(*flags, help=words, **more)
    default: Any = inspect.Parameter.empty
    if not is_needed:
        default = None if has_text else _shown_default(field, kind)
    return [Parameter(name, kind, info, default, put)]


def _flags(field: RequestField, name: str) -> str:
    if field.terms.name.startswith("--"):
        return field.terms.name
    flag = f"--{name.replace('_', '-')}"
    return f"{flag}/--no-{flag[2:]}" if field.kind is bool and field.default else flag


def _shown_default(field: RequestField, kind: Any) -> Any:
    is_word = isinstance(kind, type) and issubclass(kind, Enum)
    return kind(field.default) if is_word else field.default


def _typing(field: RequestField) -> Typing:
    wire, words = field.wire_name, field.words
    sentence = words.removesuffix(".")

    def put_as(turned: Callable[[Any], Any]) -> Put:
        return lambda value, asked, _data: asked.update({wire: turned(value)})

    def parsed(parser: Callable[[str], int], metavar: str, said: str) -> Typing:
        put = put_as(lambda value: field.default if value is None else value)
        return Typing(int, put, {"parser": parser, "metavar": metavar}, said)

    match field.terms.typed:
        case "date":
            return parsed(date_typed, "DATE", f"{sentence or 'Day'}, such as 2025-07-16.")
        case "month":
            return parsed(month_typed, "MONTH", f"{sentence or 'Month'}, such as 2025-07.")
        case "period":
            said = f"{sentence or 'Period'}, a month such as 2025-07, or a year."
            return parsed(period_typed, "PERIOD", said)
        case "yuan":
            return parsed(yuan_typed, "YUAN", words or "Yuan, such as 1000.00.")
        case "price":
            return parsed(price_typed, "PRICE", words or "Yuan per tonne, such as 97.49.")
        case "key":
            return Typing(str, put_as(key_text), {}, words)
        case "new_id":
            return Typing(str, put_as(lambda value: value or f"CLI-{token_hex(8)}"), {}, words)
        case "each":
            metavar = {"metavar": f"{field.name.upper()}..."}
            return Typing(list[str], put_as(lambda value: value), metavar, words)
        case "alerts":
            return Typing(Path, _papers(field, case_papers.alerts_of), {"metavar": "FILE"}, words)
        case "document":
            put = _papers(field, case_papers.document_of)
            return Typing(Path, put, {"metavar": "FILE"}, words)
        case "by_product":
            metavar = {"metavar": "PRODUCT=TONNES..."}
            return Typing(list[str], put_as(tonnes_by_product), metavar, words)
        case "file" if field.terms.folder:
            return Typing(str, _file_there(field), {"metavar": "FILE"}, words)
        case "file":
            return Typing(Path, _file_along(field), {"metavar": "FILE"}, words)
    if get_origin(field.kind) is Literal:
        choices = {word: word for word in get_args(field.kind)}
        put = put_as(lambda value: value and value.value)
        return Typing(Enum(field.name, choices), put, {}, words)
    return Typing(field.kind, put_as(lambda value: value), _bounds(field), words)


def _bounds(field: RequestField) -> dict[str, int]:
    bounds = (("min", field.least), ("max", field.most)) if field.kind is int else ()
    return {side: int(b) for side, b in bounds if b is not None and abs(b) < RANGE_MAX}


# -- papers of a case -----------------------------------------------------------------------------


def _papers(field: RequestField, read: Callable[[Path, Path], Any]) -> Put:
    """Return what puts into the request what a file says; what is to be kept of it is."""

    def put(file: Path | None, asked: Asked, data: Path) -> None:
        if file is not None:
            asked[field.wire_name] = read(file, data)

    return put


def _gain_parameter(field: RequestField) -> Parameter:
    """Return the option for a gain: as typed, or computed from the journal."""

    def put(fen: int | None, asked: Asked, data: Path) -> None:
        if fen is None:
            asked[field.wire_name] = case_papers.gain_of_case(data, asked["case"])
        else:
            asked[field.wire_name] = {"realised": fen, "marked": 0}

    info = typer.Option("--gain", parser=yuan_typed, metavar="YUAN", help=field.words)
    return Parameter("gain", int | None, info, None, put)


# -- files ----------------------------------------------------------------------------------------


def _file_along(field: RequestField) -> Put:
    """Return what puts a file's name and its content into the request."""
    wire = field.wire_name

    def put(file: Path | None, asked: Asked, _data: Path) -> None:
        if file is not None:
            asked |= {wire: file.name, wire.replace("file", "content"): file_content(file)}

    return put


def _file_there(field: RequestField) -> Put:
    """Return what puts the name of a file that the daemon has, and which content is meant."""

    def put(name: str, asked: Asked, data: Path) -> None:
        with file_open(data / field.terms.folder / name, "a file") as content:
            digest = file_digest(content, "sha256").hexdigest()
        asked |= {field.wire_name: name, "sha256": digest}

    return put


def file_content(file: Path) -> bytes:
    """Return what is in a file that goes to a daemon with a request.

    Raises UserFileError: it can't be read, or is too large.
    """
    return bytes_read(file, "a file", FILE_BYTES_MAX)


# -- keys, tonnes by product ----------------------------------------------------------------------


def key_text(given: str) -> str:
    """Return a public key given as its 40 characters, or as the file it is in.

    Raises CommandError: it is neither.
    """
    from cea_exchange.protocol.security import SecurityError, key_check, public_key_read

    with bad_input(OSError, SecurityError, ValueError, says="expected a public key or its file, "):
        # First the file: a path of 40 characters may look like a key.
        if Path(given).is_file():
            return public_key_read(given)
        key_check(given, "key")
    return given


def tonnes_by_product(parts: list[str]) -> dict[str, int]:
    """Return product -> tonnes of words such as CEA24=5000, each product once."""
    found: dict[str, int] = {}
    for part in parts:
        product, is_given, digits = part.partition("=")
        if not is_given or not digits.isdecimal() or product in found:
            raise CommandError(f"expected PRODUCT=TONNES, each product once, got {part!r}")
        found[product] = int(digits)
    return found


# -- an amount: tonnes or yuan, so that the unit tells a slip from what is meant ------------------


def _amount_parameters(field: RequestField) -> list[Parameter]:
    def put(unit: str) -> Put:
        def put_one(value: Any, asked: Asked, _data: Path) -> None:
            if value is None:
                return
            if "unit" in asked:
                raise CommandError("expected --tonnes or --cash, not both")
            asked |= {field.wire_name: None if value == ALL_CASH else value, "unit": unit}

        return put_one

    tonnes = typer.Option("--tonnes", help="How many tonnes.")
    if field.terms.is_all_if_left_out:
        words, parser = "Yuan, such as 1000.00, or all.", cash_or_all_typed
    else:
        words, parser = "Yuan, such as 1000.00.", yuan_typed
    cash = typer.Option("--cash", parser=parser, metavar="YUAN", help=words)
    return [
        Parameter("tonnes", int | None, tonnes, None, put("tonnes")),
        Parameter("cash", int | None, cash, None, put("fen")),
    ]


def amount_check(request: type[Request], asked: Asked) -> None:
    """Refuse an amount without its product, and one that must be given and was not."""
    fields = {each.name: each for each in fields_of(request)}
    amount = next((each for each in fields.values() if each.terms.typed == "amount"), None)
    if amount is None:
        return
    unit = asked.get("unit")
    if "product" in fields:
        is_all = amount.terms.is_all_if_left_out and unit is None
        if (asked["product"] is None) != (unit == "fen") or (unit is None and not is_all):
            raise CommandError("expected --product and --tonnes, or --cash")
    elif amount.is_needed and unit is None:
        raise CommandError("expected --tonnes or --cash")
    if "unit" not in fields:
        asked.pop("unit", None)
