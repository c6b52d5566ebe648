"""`cea-exchange completion`: let the shell complete commands and options."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# Typer's own, which its options --install-completion and --show-completion call.
from typer.completion import get_completion_script  # type: ignore[attr-defined]
from typer.completion import install as install_script  # type: ignore[attr-defined]

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError, file_used
from cea_exchange.cli.options import COMPLETION_VARIABLE

PROGRAM = "cea-exchange"


class Shell(StrEnum):
    """The shells that can be helped."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


Asked = Annotated[Shell | None, typer.Argument(help="By default the one that $SHELL names.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    group.command("install")(install)
    group.command("show")(show)
    app.add_typer(group, name="completion", help="Completion of commands and options in a shell.")


def install(shell: Asked = None) -> None:
    """Install completion for oneself: a file of its own, and the line that reads it.

    Again changes nothing. It takes effect in shells that are opened from then on.

    Example: cea-exchange completion install bash
    """
    wanted = _shell(shell)
    with file_used(Path.home()):
        _, path = install_script(wanted, PROGRAM, COMPLETION_VARIABLE)
    typer.echo(f"completion for {wanted} installed: {path}; open a new shell")


def show(shell: Asked = None) -> None:
    """Print the script, for whoever installs it elsewhere.

    Example: cea-exchange completion show bash
    """
    typer.echo(get_completion_script(
        prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, shell=_shell(shell)
    ))  # fmt: skip


def _shell(shell: Shell | None) -> str:
    if shell is not None:
        return shell.value
    name = Path(os.environ.get("SHELL", "")).name
    if name not in [each.value for each in Shell]:
        raise CommandError(f"$SHELL: expected one of {', '.join(Shell)}, got {name!r}; name it")
    return name
