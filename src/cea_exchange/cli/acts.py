"""Commands made of request structs: arguments, options, help, and what is printed of the answer.

    class AccountSuspend(Request, tag="account_suspend")     registry account suspend P001 --why ...
        account, why: its fields                              ACCOUNT, --why
        its docstring, `example`                              --help

What a person types is turned into what is on the wire, as each field says (`control_plane.fields`).
Every command has ``--data``, ``--key`` and ``--json``.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import typer

from cea_exchange.cli.asking import Answer, file_content, json_print
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import date_typed, price_typed, yuan_typed
from cea_exchange.control_plane.fields import RequestField, fields_of
from cea_exchange.control_plane.requests import Request, op_of

Text = Callable[[Answer], str]
RANGE_MAX = 2**31
"""A bound beyond it is the wire's, nobody's whose words are read."""
PAGED = frozenset({"first", "count"})
"""Fields by which an answer is asked for in pages, no business of who types; one with words is."""


class Asker(NamedTuple):
    """How the commands of one daemon ask it, and what they print.

    Attributes
    ----------
    name
        The daemon's command: ``registry``.
    ask
        Returns its answer to a request.
    done
        What is said of an act.
    texts
        What is said of a look, by op.
    """

    name: str
    ask: Callable[[Path, Path, dict[str, Any]], Answer]
    done: Text
    texts: Mapping[str, Text]


def whole(
    ask: Callable[[dict[str, Any]], Answer], request: dict[str, Any], *names: str
) -> Answer:
    """Return an answer that comes in pages, as each one's `next` says, put together.

    Parameters
    ----------
    names
        The fields with rows, of which each page has some; the others are the first page's.
    """
    answer = ask(request)
    following = answer.pop("next")
    while following is not None:
        page = ask({**request, "first": following})
        following = page["next"]
        for name in names:
            answer[name] = (
                answer[name] | page[name]
                if isinstance(answer[name], dict)
                else answer[name] + page[name]
            )
    return answer


def commands_add(
    group: CommandLine,
    asker: Asker,
    requests: Iterable[type[Request]],
    helps: Mapping[str, str],
) -> dict[str, CommandLine]:
    """Add the commands of requests; those of two words to the group of their noun.

    Returns
    -------
    dict
        The groups by their noun, to which commands written by hand are added.
    """
    groups: dict[str, CommandLine] = {}
    for noun, words in helps.items():
        groups[noun] = CommandLine()
        # A callback keeps a command a subcommand while it is the only one.
        groups[noun].callback()(lambda: None)
        group.add_typer(groups[noun], name=noun, help=words)
    for request in requests:
        if request.command:
            noun, _, verb = request.command.rpartition(" ")
            (groups[noun] if noun else group).command(verb)(command_made(asker, request))
    return groups


def command_made(asker: Asker, request: type[Request]) -> Callable[..., None]:
    """Return the function of a request's command, with a signature that typer reads."""
    parameters = parameters_of(request)

    def command(*, data: Path, key: Path, json: bool, **given: Any) -> None:
        asked: dict[str, Any] = {"op": op_of(request)}
        for parameter in parameters:
            parameter.put(given[parameter.name], asked)
        _amount_check(request, asked)

        def ask(wanted: dict[str, Any]) -> Answer:
            return asker.ask(data, key, wanted)

        first = {name: each for name, each in _first(request).items() if name not in asked}
        answer = whole(ask, first | asked, *request.rows) if request.rows else ask(asked)
        text = asker.texts[op_of(request)] if request.is_look else asker.done
        if json:
            json_print(answer)
        else:
            typer.echo(text(answer))

    shared = [
        inspect.Parameter("data", inspect.Parameter.KEYWORD_ONLY, annotation=Data),
        inspect.Parameter("key", inspect.Parameter.KEYWORD_ONLY, annotation=Key, default=ADMIN),
        inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, annotation=Json, default=False),
    ]
    signature = [each.declared() for each in parameters] + shared
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in signature}
    command.__name__ = op_of(request)
    command.__doc__ = help_of(asker.name, request)
    return command


def help_of(daemon: str, request: type[Request]) -> str:
    """Return a request's docstring without what is for programmers only, and its example."""
    text = inspect.cleandoc(request.__doc__ or "").split("\n\nAttributes\n")[0]
    example = f"\n\nExample: cea-exchange {daemon} {request.example}" if request.example else ""
    return text + example


def _first(request: type[Request]) -> dict[str, Any]:
    """Return where the first page begins."""
    return {each.name: each.default for each in fields_of(request) if each.name == "first"}


class Parameter(NamedTuple):
    """One argument or option.

    Attributes
    ----------
    name
        Of the function's parameter.
    kind
        As typer takes it.
    info
        What typer is told of it.
    default
        `inspect.Parameter.empty` where it must be given.
    put
        Puts what was typed into the request.
    """

    name: str
    kind: Any
    info: Any
    default: Any
    put: Callable[[Any, dict[str, Any]], None]

    def declared(self) -> inspect.Parameter:
        """Return it for a signature."""
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[self.kind, self.info],
            default=self.default,
        )


def parameters_of(request: type[Request]) -> list[Parameter]:
    """Return what is typed of a request, arguments first."""
    fields = [
        each
        for each in fields_of(request)
        if not each.terms.is_hidden
        and not (request.rows and each.name in PAGED and not each.words)
    ]
    made = [each for field in fields for each in _parameters(field)]
    return sorted(made, key=lambda each: isinstance(each.info, typer.models.OptionInfo))


def _parameters(field: RequestField) -> list[Parameter]:
    if field.terms.typed == "amount":
        return _amount_parameters(field)
    is_flag = field.kind is bool
    is_option = field.terms.is_option
    if is_option is None:
        is_option = is_flag or field.name == "why" or not field.is_needed
    name = field.name if field.terms.name.startswith("--") else field.terms.name or field.name
    kind, put, more = _typed(field)
    if field.kind is int and field.terms.typed is None:
        bounds = (("min", field.least), ("max", field.most))
        more |= {side: int(b) for side, b in bounds if b is not None and abs(b) < RANGE_MAX}
    if not field.is_needed and field.default is None:
        kind = kind | None
    flags = [_flags(field, name)] if is_option else []
    info = (typer.Option if is_option else typer.Argument)(*flags, help=_words(field), **more)
    default = inspect.Parameter.empty if field.is_needed else _shown_default(field, kind)
    return [Parameter(name, kind, info, default, put)]


def _flags(field: RequestField, name: str) -> str:
    if field.terms.name.startswith("--"):
        return field.terms.name
    flag = f"--{name.replace('_', '-')}"
    return f"{flag}/--no-{flag[2:]}" if field.kind is bool and field.default else flag


def _words(field: RequestField) -> str:
    words = field.words
    match field.terms.typed:
        case "date":
            return f"{words or 'Day'}, such as 2025-07-16."
        case "yuan":
            return words or "Yuan, such as 1000.00."
        case "price":
            return words or "Yuan per tonne, such as 97.49."
    return words


def _shown_default(field: RequestField, kind: Any) -> Any:
    is_word = isinstance(kind, type) and issubclass(kind, Enum)
    return kind(field.default) if is_word else field.default


def _typed(
    field: RequestField,
) -> tuple[Any, Callable[[Any, dict[str, Any]], None], dict[str, Any]]:
    """Return a field's type for typer, how what was typed is put on the wire, and what else."""
    wire = field.wire_name

    def put(value: Any, asked: dict[str, Any]) -> None:
        asked[wire] = value.value if isinstance(value, Enum) else value

    match field.terms.typed:
        case "date":
            return int, put, {"parser": date_typed, "metavar": "DATE"}
        case "yuan":
            return int, put, {"parser": yuan_typed, "metavar": "YUAN"}
        case "price":
            return int, put, {"parser": price_typed, "metavar": "PRICE"}
        case "key":
            return str, lambda value, asked: asked.update({wire: key_text(value)}), {}
        case "by_product":
            return (
                list[str],
                lambda value, asked: asked.update({wire: tonnes_by_product(value)}),
                {"metavar": "PRODUCT=TONNES..."},
            )
        case "file":
            return Path, lambda value, asked: _file_put(value, wire, asked), {}
    if get_origin(field.kind) is Literal:
        words = get_args(field.kind)
        return Enum(field.name, {word: word for word in words}), put, {}
    return field.kind, put, {}


def _file_put(file: Path | None, wire: str, asked: dict[str, Any]) -> None:
    if file is not None:
        asked |= {wire: file.name, wire.replace("file", "content"): file_content(file)}


def key_text(given: str) -> str:
    """Return a public key given as its 40 characters, or as the file it is in.

    Raises
    ------
    CommandError
        It is neither.
    """
    from cea_exchange.protocol.security import SecurityError, key_check, public_key_read

    try:
        # First the file: a path of 40 characters may look like a key.
        if Path(given).is_file():
            return public_key_read(given)
        key_check(given, "key")
    except (OSError, SecurityError, ValueError) as error:
        raise CommandError(f"expected a public key or its file, {error}") from error
    return given


def tonnes_by_product(parts: list[str]) -> dict[str, int]:
    """Return product -> tonnes of words such as CEA24=5000, each product once."""
    found: dict[str, int] = {}
    for part in parts:
        product, is_given, digits = part.partition("=")
        if not is_given or not digits.isdecimal() or product in found:
            raise CommandError(f"expected PRODUCT=TONNES, each product once, came {part!r}")
        found[product] = int(digits)
    return found


# -- an amount: tonnes or yuan, so that the unit tells a slip from what is meant ------------------


def _amount_parameters(field: RequestField) -> list[Parameter]:
    def put(unit: str) -> Callable[[Any, dict[str, Any]], None]:
        def put_one(value: Any, asked: dict[str, Any]) -> None:
            if value is None:
                return
            if "unit" in asked:
                raise CommandError("expected --tonnes or --cash, not both")
            asked |= {field.wire_name: value, "unit": unit}

        return put_one

    tonnes = typer.Option("--tonnes", help="How many tonnes.")
    cash = typer.Option(
        "--cash", parser=yuan_typed, metavar="YUAN", help="Yuan, such as 1000.00."
    )
    return [
        Parameter("tonnes", int | None, tonnes, None, put("tonnes")),
        Parameter("cash", int | None, cash, None, put("fen")),
    ]


def _amount_check(request: type[Request], asked: dict[str, Any]) -> None:
    """Refuse an amount without its product, and one that must be given and was not."""
    fields = {each.name: each for each in fields_of(request)}
    amount = next((each for each in fields.values() if each.terms.typed == "amount"), None)
    if amount is None:
        return
    unit = asked.get("unit")
    if "product" in fields:
        if (asked["product"] is None) != (unit == "fen") or unit is None:
            raise CommandError("expected --product and --tonnes, or --cash")
    elif amount.is_needed and unit is None:
        raise CommandError("expected --tonnes or --cash")
    if "unit" not in fields:
        asked.pop("unit", None)
