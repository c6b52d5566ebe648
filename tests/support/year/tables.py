"""A year's tables, as a reader has them."""

import csv


def table_rows(folder, name):
    """Return the rows of a table, each as column -> text."""
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
