"""The cells of a Parquet file; rows are counted from 1, there is no line of heads."""

import io
from typing import Any

from cea_exchange.files.cells.table import CellTable, blanks_dropped, size_check
from cea_exchange.files.findings import FileRefused, Findings

CELL_BYTES_MAX = 64 << 20
"""What the columns may take unpacked, as the file's own figures say."""
TEXT_BYTES_MAX = 4_096
"""Of one cell: a dictionary can repeat one long text in every row."""


def parquet_cells(data: bytes, findings: Findings) -> CellTable:
    """Take a Parquet file apart."""
    pyarrow, parquet = pyarrow_needed()
    try:
        table = _table(pyarrow, parquet, data, findings)
        columns = [_cells(column, findings) for column in table.columns]
    except FileRefused:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        first = str(error).partition("\n")[0]
        raise findings.refuse(None, f"expected a Parquet file, got {first}") from None
    rows = list(enumerate(zip(*columns, strict=True), 1))
    return CellTable(tuple(table.column_names), None, blanks_dropped(rows))


def pyarrow_needed() -> tuple[Any, Any]:
    """Return the package and its Parquet part; ModuleNotFoundError says which extra brings them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Parquet needs pyarrow: pip install 'cea-exchange[arrow]'", name="pyarrow"
        ) from None
    return pyarrow, parquet


def _table(pyarrow: Any, parquet: Any, data: bytes, findings: Findings) -> Any:
    is_text = (pyarrow.types.is_string, pyarrow.types.is_large_string)
    schema = parquet.read_schema(io.BytesIO(data))
    texts = [field.name for field in schema if any(kind(field.type) for kind in is_text)]
    # Text stays in its dictionary until its length is known.
    file = parquet.ParquetFile(
        io.BytesIO(data), read_dictionary=texts, page_checksum_verification=True
    )
    metadata = file.metadata
    size_check(findings, rows=metadata.num_rows, columns=metadata.num_columns)
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > CELL_BYTES_MAX:
        raise findings.refuse(None, f"expected at most {CELL_BYTES_MAX} bytes unpacked, got more")
    return file.read(use_threads=False)


def _cells(column: Any, findings: Findings) -> list[Any]:
    """Return a column's values as Python has them; an empty text is no cell, as in CSV."""
    for chunk in column.chunks:
        words = getattr(chunk, "dictionary", ())
        if any(len(word.as_buffer() or b"") > TEXT_BYTES_MAX for word in words):
            text = f"expected text of at most {TEXT_BYTES_MAX} bytes, got longer"
            raise findings.refuse(None, text)
    return [None if value == "" else value for value in column.to_pylist()]
