"""How a command asks a running registry something, and prints what it answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import msgspec
import typer

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.readable import Quantity, shown

WORDS_MAX = 60

Answer = dict[str, Any]


def ask(data: Path, key: Path, request: dict[str, Any]) -> Answer:
    """Return a running registry's answer.

    Raises
    ------
    CommandError
        There is none, or it is a refusal.
    """
    from cea_exchange.registry.control.admin_client import RegistryUnavailable, registry_ask

    try:
        answer = registry_ask(data, request, key=key)
    except RegistryUnavailable as error:
        raise CommandError(str(error)) from error
    del answer["ok"]
    return answer


def act(data: Path, key: Path, request: dict[str, Any], json: bool) -> None:
    """Ask for an act and print what came of it: its fields, or the proposal it has become."""
    answer = ask(data, key, request)
    if json:
        json_print(answer)
    else:
        typer.echo(act_line(answer))


def act_line(answer: Answer) -> str:
    """Return in a line what came of an act."""
    if "approving_body" in answer:
        return (
            f"proposal {answer['proposal']} waits for a second person of"
            f" {answer['approving_body']}: registry approve {answer['proposal']}"
        )
    if "approved" in answer:
        done = fields_line(answer["answer"])
        said = f"proposal {answer['proposal']} approved, {answer['approved']} is done"
        return f"{said}: {done}" if done else said
    return fields_line(answer) or "done"


def file_content(file: Path) -> bytes:
    """Return what is in a file that goes to the registry with a request.

    Raises
    ------
    CommandError
        It can't be read, or is too large: the registry would drop such a message unread.
    """
    from cea_exchange.registry.control.requests.request import REQUEST_BYTES_MAX

    try:
        content = file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    # The rest of the request takes less than 1 KiB.
    if len(content) > REQUEST_BYTES_MAX - 1_024:
        raise CommandError(
            f"{file}: expected at most {REQUEST_BYTES_MAX - 1_024} bytes, came {len(content)}"
        )
    return content


def json_print(content: Any) -> None:
    """Print one line of JSON."""
    typer.echo(msgspec.json.encode(content).decode())


def fields_line(fields: dict[str, Any]) -> str:
    """Return ``name value, name value``, without what is absent; long values are cut."""
    return ", ".join(
        f"{name} {_cut(str(shown(name, value, fields)))}"
        for name, value in fields.items()
        if value is not None
    )


def rows_table(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str] | None = None,
    heads: Sequence[str] | None = None,
    *,
    none: str = "none",
) -> str:
    """Return rows of an answer as a table, as a person reads them.

    Parameters
    ----------
    names
        The fields to show; those of the first row if left out.
    heads
        What stands above them; the names if left out.
    none
        What is said where there are no rows.
    """
    if not rows:
        return none
    names = list(rows[0]) if names is None else names
    return table(heads or names, [[shown(name, row[name], row) for name in names] for row in rows])


def _cut(text: str) -> str:
    return text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]}..."


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows in columns as wide as they must be; numbers stand to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(heads, *texts, strict=True)]
    columns = zip(*rows, strict=True) if rows else (() for _ in heads)
    is_number = [all(isinstance(cell, int | Quantity) for cell in column) for column in columns]
    lines = (
        "  ".join(
            _filled(cell, width, right)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in (list(heads), *texts)
    )
    return "\n".join(lines)


def _filled(cell: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(cell))
    return blanks + cell if right else cell + blanks


def _width(text: str) -> int:
    """Return how many columns a text takes: Chinese characters take two."""
    return sum(1 + (east_asian_width(character) in "WF") for character in text)
