"""What commands print: JSON for programs, lines and tables for people."""

from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

import msgspec
import typer

from cea_exchange.cli.readable import Quantity, shown

WORDS_MAX = 60

Answer = dict[str, Any]


def act_line(answer: Answer) -> str:
    """Return in a line what came of an act."""
    if "approving_body" in answer:
        return (
            f"proposal {answer['proposal']} waits for a second person of"
            f" {answer['approving_body']}: registry proposal approve {answer['proposal']}"
        )
    if "approved" in answer:
        done = fields_line(answer["answer"])
        said = f"proposal {answer['proposal']} approved, {answer['approved']} is done"
        return f"{said}: {done}" if done else said
    return fields_line(answer) or "done"


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
