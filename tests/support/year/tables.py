"""A year's tables, as a reader has them."""

import csv


def table_rows(folder, name):
    """Yield the rows of a table, each as column -> text."""
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
