"""The formats of table files, each by the end of a file's name."""

READ = (".csv", ".xlsx", ".parquet")
WRITTEN = (*READ, ".jsonl")
"""JSON Lines have no totals, and so are not read."""


def listed(formats: tuple[str, ...]) -> str:
    """Return formats as a sentence has them: `.csv, .xlsx or .parquet`."""
    *first, last = formats
    return f"{', '.join(first)} or {last}"


TABLE_FILE = f"A {listed(READ)} file."
"""What requests say of a field that names one."""
