"""`venue check` and `registry check`: whether a daemon would start, without starting it."""

from collections.abc import Callable, Iterable
from typing import Any

import typer

from cea_exchange.cli.errors import CheckFailed

Look = tuple[str, Callable[[], Any]]
"""What is looked at, and the look: what it returns is shown, what it raises is what is wrong."""


def check_all(looks: Iterable[Look], *wrong: type[Exception]) -> None:
    """Take each look and print what was found, a line each; all that is wrong, not only the first.

    Raises CheckFailed: something is.
    """
    count = 0
    expected: tuple[type[Exception], ...] = (*wrong, OSError)
    for name, look in looks:
        try:
            found = f"ok     {look()}"
        except expected as error:
            found = f"WRONG  {error}"
            count += 1
        typer.echo(f"{name:10} {found}")
    if count:
        raise CheckFailed(f"{count} of what a start needs is not as it must be")


def persons_said(operators: dict[str, Any]) -> str:
    """Return who may act and who may look."""
    return ", ".join(sorted({f"{each.name} ({each.role})" for each in operators.values()}))
