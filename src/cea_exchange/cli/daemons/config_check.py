"""`venue check` and `registry check`: whether a daemon would start, without starting it."""

from collections.abc import Callable, Iterable
from typing import Any

import typer

from cea_exchange.cli.errors import CheckFailed
from cea_exchange.cli.language import said, said_filled, word
from cea_exchange.cli.output import filled

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
            state, found = "ok", str(look())
        except expected as error:
            state, found = "WRONG", str(error)
            count += 1
        typer.echo(f"{filled(word(name), 10)} {filled(said(state), 6)} {said_filled(found)}")
    if count:
        raise CheckFailed(f"{count} of what a start needs is not as it must be")


def persons_said(operators: dict[str, Any]) -> str:
    """Return who may act and who may look."""
    return ", ".join(sorted({f"{each.name} ({each.role})" for each in operators.values()}))
