"""Layouts of tables as data: columns, what must be the same in all rows, totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from cea_exchange.files.kinds import TONNES_OR_ZERO, Kind

Row = TypeVar("Row")

TOTAL_MARK = "TOTAL"
"""Stands where an entry names its account: the row is a control total."""


class _Required:
    """Marks a column that must be there, and no cell of it empty."""


REQUIRED = _Required()


class Column(NamedTuple):
    """A column of a layout."""

    name: str
    kind: Kind
    empty: Any = REQUIRED
    """What an empty cell means, or a column that is not there."""


class Totals(NamedTuple):
    """Control totals behind the entries: rows whose `mark` is `TOTAL`."""

    mark: str
    """The column that has `TOTAL`."""
    summed: tuple[str, ...]
    by: str | None = None
    """The column whose every value has a total of its own, in front of the whole file's."""
    kind: Kind = TONNES_OR_ZERO
    """Of the sums."""


@dataclass(frozen=True)
class Layout(Generic[Row]):
    """A kind of file.

    Parameters
    ----------
    title : str
        What errors call it.
    row : type
        An entry: a struct whose fields are named as the columns.
    columns : tuple of Column
        In the order they are written; read in any.
    totals : Totals
        Every file has them: a file that was cut, or edited by hand, does not add up.
    once : tuple of str
        The columns no two entries have all alike.
    same : tuple of str
        Columns that all entries have alike.
    """

    title: str
    row: type[Row]
    columns: tuple[Column, ...]
    totals: Totals
    once: tuple[str, ...]
    same: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns' names."""
        return tuple(column.name for column in self.columns)

    def sums(self, rows: Sequence[Row]) -> dict[Any, dict[str, Any]]:
        """Return what entries add up to: by value of `totals.by`, ascending, then under None."""
        by = self.totals.by
        groups = sorted({getattr(row, by) for row in rows}) if by else []
        sums: dict[Any, dict[str, Any]] = {
            key: dict.fromkeys(self.totals.summed, 0) for key in [*groups, None]
        }
        for row in rows:
            for key in {None, getattr(row, by) if by else None}:
                for name in self.totals.summed:
                    sums[key][name] += getattr(row, name)
        return sums
