"""What commands print: JSON for programs, lines and tables for people."""

import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import typer

from cea_exchange.cli.errors import CommandError, DaemonRefused
from cea_exchange.cli.language import ENGLISH, language, said, said_filled, say, word
from cea_exchange.cli.readable import Quantity, shown

if TYPE_CHECKING:
    from cea_exchange.registry.reconciliation.reconcile import Reconciliation

WORDS_MAX = 60
NAME_CELLS = 16

Answer = dict[str, Any]


def act_line(answer: Answer) -> str:
    """Return the result of an act in a line."""
    return fields_line(answer) or said("done")


def reconciled(found: "Reconciliation") -> str:
    """Give the result of comparing venue and registry as a sentence, in the reader's language."""
    if found.agrees and found.checkpoint_seq:
        return say("reconciled at seq {seq}: venue hash = registry hash", seq=found.checkpoint_seq)
    return found.sentence()


def json_print(content: Any) -> None:
    """Print one line of JSON."""
    typer.echo(msgspec.json.encode(content).decode())


class Refused(Protocol):
    """What a daemon has refused a request by: its answer, and the code if that is known here."""

    answer: Answer

    @property
    def code(self) -> IntEnum | None:
        """Why."""


def refused(error: Refused, json: bool) -> CommandError:
    """Return what ends a command that a daemon refused; the answer is printed where JSON is.

    In Chinese the code's meaning and remedy come first, then what the daemon says of it.
    """
    if json:
        json_print(error.answer)
    if language() == ENGLISH or error.code is None:
        return DaemonRefused(str(error))
    from cea_exchange.screens.texts.catalogue import refusal_text

    means = refusal_text(language(), error.code)
    text = "".join(part for part in means or () if part != "-")
    words = said_filled(str(error))
    return DaemonRefused(f"{error.code.name}：{text}（{words}）" if text else words)


def fields_print(fields: Mapping[str, Any], json: bool) -> None:
    """Print fields as JSON, or each on a line of its own."""
    if json:
        json_print(fields)
        return
    for name, value in fields.items():
        if isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        typer.echo(f"{filled(word(name), NAME_CELLS)} {value}")


def fields_line(fields: dict[str, Any]) -> str:
    """Return ``name value, name value``, without what is absent; long values are cut."""
    return ", ".join(
        f"{word(name)} {_cut(str(shown(name, value, fields)))}"
        for name, value in fields.items()
        if value is not None
    )


def rows_table(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str] | None = None,
    *,
    none: str = "none",
) -> str:
    """Return rows of an answer as a table, as a person reads them.

    Parameters
    ----------
    names
        The fields to show, under their names; those of the first row if left out.
    none
        What is said where there are no rows.
    """
    if not rows:
        return said(none)
    names = list(rows[0]) if names is None else names
    # Times are shown as such, whatever they are counted in.
    heads = [name.removesuffix("_ns").replace("_", " ") for name in names]
    return table(heads, [[cell(shown(name, row[name], row)) for name in names] for row in rows])


def cell(value: Any) -> Any:
    """Return a field's value in one line; what is no list and no mapping stays as it is."""
    if isinstance(value, dict):
        return fields_line(value) or "none"
    if isinstance(value, list):
        return "; ".join(str(cell(each)) for each in value) or "none"
    return value


def _cut(text: str) -> str:
    return text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]}..."


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows in columns; numbers stand to the right.

    Where a person looks it fits the terminal, with its heads set off. Elsewhere a row is a line and
    a column as wide as it must be, written here: rich takes seconds for a ledger's entries.
    """
    heads = list(map(word, heads))
    texts = [[str(cell) for cell in row] for row in rows]
    columns = zip(*rows, strict=True) if rows else (() for _ in heads)
    is_number = [all(isinstance(cell, int | Quantity) for cell in column) for column in columns]
    if sys.stdout.isatty():
        return _table_seen(heads, texts, is_number)
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(heads, *texts, strict=True)]
    lines = (
        "  ".join(map(filled, row, widths, is_number)).rstrip() for row in (heads, *texts)
    )
    return "\n".join(lines)


def filled(cell: str, width: int, right: bool = False) -> str:
    """Return a cell as wide as so many letters; a Chinese character is as wide as two."""
    from rich.cells import cell_len

    blanks = " " * (width - cell_len(cell))
    return blanks + cell if right else cell + blanks


def _table_seen(
    heads: Sequence[str], texts: Sequence[Sequence[str]], is_number: Sequence[bool]
) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head, right in zip(heads, is_number, strict=True):
        shown.add_column(head, justify="right" if right else "left", overflow="fold")
    for row in texts:
        # Not markup: brackets are what somebody wrote.
        shown.add_row(*map(Text, row))
    console = Console()
    with console.capture() as captured:
        console.print(shown)
    return captured.get().rstrip("\n")
