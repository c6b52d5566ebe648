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
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from cea_exchange.cli.acts.parameters import Parameter, amount_check, parameters_of
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError, file_used
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.output import Answer, json_print
from cea_exchange.control_plane.fields import fields_of
from cea_exchange.control_plane.requests import Request, op_of

Text = Callable[[Answer], str]
Ask = Callable[[dict[str, Any]], Answer]
Before = Callable[[Ask, dict[str, Any]], dict[str, Any]]
"""What is put into a request before it is sent; it may ask the daemon, and the person."""
After = Callable[[Ask, Answer], Answer]
"""What is asked further, of the daemon and by its answer, before anything is shown."""
Form = Callable[[Answer], bytes]
"""What is written to a file."""


class Asker(NamedTuple):
    """How the commands of one daemon ask it, and what they print."""

    name: str
    """The daemon's command: ``registry``."""
    ask: Callable[[Path, Path, dict[str, Any], bool], Answer]
    """Returns its answer to a request; the last says whether a refusal is printed as JSON too."""
    done: Text
    """What is said of an act."""
    texts: Mapping[str, Text]
    """What is said of a look, or of an act that has more to say, by op."""
    after: Mapping[str, After] = {}
    """See `After`, by op."""
    before: Mapping[str, Before] = {}
    """See `Before`, by op."""
    forms: Mapping[str, Mapping[str, Form]] = {}
    """Other forms of an answer, by op and by the suffix of a file: ``--format`` and ``--out``."""


def whole(ask: Callable[[dict[str, Any]], Answer], request: dict[str, Any], *names: str) -> Answer:
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

    Returns the groups by their noun, to which commands written by hand are added.
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
            made = RequestCommand(asker, request)
            (groups[noun] if noun else group).command(verb)(made)
            for alias in request.aliases:
                group.command(alias, hidden=True)(made)
    return groups


class RequestCommand:
    """The function of a request's command, with a signature that typer reads.

    It is made when typer asks for it: of a daemon's hundred commands one is run.
    """

    def __init__(self, asker: Asker, request: type[Request]) -> None:
        self._asker = asker
        self._request = request
        self._op = op_of(request)
        self._forms = asker.forms.get(self._op, {})
        self.__name__ = self._op
        self.__doc__ = help_of(asker.name, request)

    @cached_property
    def _parameters(self) -> list[Parameter]:
        return parameters_of(self._request)

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return {each.name: each.annotation for each in self.__signature__.parameters.values()}

    @cached_property
    def __signature__(self) -> inspect.Signature:
        shared: list[tuple[str, Any, Any]] = [
            ("data", Data, inspect.Parameter.empty),
            ("key", Key, ADMIN),
            ("json", Json, False),
        ]
        if self._forms:
            suffixes = ", ".join(_suffixes(self._forms).values())
            out = typer.Option("--out", help=f"Write it there, too: {suffixes}.")
            form = typer.Option("--format", help="Print, or write, it so.")
            names = [(name, name) for name in self._forms]
            choices: Any = Enum("format", names)  # type: ignore[misc]
            shared[:0] = [
                ("format", Annotated[choices | None, form], None),
                ("out", Annotated[Path | None, out], None),
            ]
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [each.declared() for each in self._parameters]
            + [
                inspect.Parameter(name, kind, annotation=annotation, default=default)
                for name, annotation, default in shared
            ]
        )

    def __call__(
        self,
        *,
        data: Path,
        key: Path,
        json: bool,
        format: Enum | None = None,
        out: Path | None = None,
        **given: Any,
    ) -> None:
        request, op, forms, asker = self._request, self._op, self._forms, self._asker
        asked: dict[str, Any] = {"op": op}
        for parameter in self._parameters:
            parameter.put(given[parameter.name], asked, data)
        amount_check(request, asked)
        form = format and str(format.value)

        def ask(wanted: dict[str, Any]) -> Answer:
            return asker.ask(data, key, wanted, json or form == "json")

        for one in _each(request, asked):
            if op in asker.before:
                one = asker.before[op](ask, one)
            answer = whole(ask, _first(request) | one, *request.rows) if request.rows else ask(one)
            if op in asker.after:
                answer = asker.after[op](ask, answer)
            if out is not None:
                _write(out, forms[form or _suffix_form(out, forms)](answer))
            if json and "json" not in forms:
                json_print(answer)
            elif out is None and (json or form):
                typer.echo(forms["json" if json else str(form)](answer), nl=False)
            else:
                typer.echo(asker.texts.get(op, asker.done)(answer))


def _suffix_form(out: Path, forms: Mapping[str, Form]) -> str:
    form = {suffix: name for name, suffix in _suffixes(forms).items()}.get(out.suffix.lower())
    if form is None:
        wanted = ", ".join(_suffixes(forms).values())
        raise CommandError(f"{out}: expected a file of one of {wanted}, or --format")
    return form


def _suffixes(forms: Mapping[str, Form]) -> dict[str, str]:
    return {name: ".txt" if name == "text" else f".{name}" for name in forms}


def _write(out: Path, content: bytes) -> None:
    with file_used(out, "can't be written"):
        out.write_bytes(content)


def _each(request: type[Request], asked: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Return what is asked, once for each of what was typed of a field of which several may be."""
    name = next((each.name for each in fields_of(request) if each.terms.typed == "each"), None)
    return [asked] if name is None else [{**asked, name: value} for value in asked[name]]


def help_of(daemon: str, request: type[Request]) -> str:
    """Return a request's docstring without what is for programmers only, and its example."""
    text = inspect.cleandoc(request.__doc__ or "").split("\n\nAttributes\n")[0]
    example = f"\n\nExample: cea-exchange {daemon} {request.example}" if request.example else ""
    aliases = "".join(f"\n\nAlso: cea-exchange {daemon} {each}" for each in request.aliases)
    return text + example + aliases


def _first(request: type[Request]) -> dict[str, Any]:
    """Return where the first page begins."""
    return {each.name: each.default for each in fields_of(request) if each.name == "first"}
