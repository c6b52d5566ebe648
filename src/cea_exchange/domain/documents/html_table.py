"""A table as HTML that a notebook shows under a cell: no style sheet, no script, nothing loaded."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

ROWS_SHOWN = 60
"""Of a longer table the rest is counted: a notebook keeps in its file all that it showed."""
_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?( t)?")

Cell = str | int | bool | None


def html_table(
    heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str = "", count: int = 0
) -> str:
    """Return a table; what anybody wrote in a cell is text in it and no HTML.

    Parameters
    ----------
    rows
        None is an empty cell; numbers, those written in digits too, stand to the right.
    count
        How many rows there are, where `rows` may have more than `ROWS_SHOWN`.
    """
    parts = ["<table>"]
    if caption:
        parts.append(f'<caption style="text-align:left">{escape(caption)}</caption>')
    parts.append(f"<tr>{''.join(_cell('th', head) for head in heads)}</tr>" if any(heads) else "")
    for row in islice(rows, ROWS_SHOWN):
        parts.append(f"<tr>{''.join(_cell('td', cell) for cell in row)}</tr>")
    parts.append("</table>")
    if count > ROWS_SHOWN:
        parts.append(f"<p>and {count - ROWS_SHOWN:,} more</p>")
    return "".join(parts)


def _cell(kind: str, cell: Cell) -> str:
    text = "" if cell is None else str(cell)
    side = "right" if _NUMBER.fullmatch(text) else "left"
    return f'<{kind} style="text-align:{side}">{escape(text)}</{kind}>'
