"""Prints the result of a replay: lines of name and value."""

from typing import Any

import typer


def rate_of(count: int, elapsed_ns: int) -> int:
    """Return how many that is in a second."""
    return count * 1_000_000_000 // max(1, elapsed_ns)


def show(summary: dict[str, Any]) -> None:
    """Print lines of name and value; what is None is left out."""
    for name, value in summary.items():
        if value is not None:
            typer.echo(f"{name:<26} {value}")
