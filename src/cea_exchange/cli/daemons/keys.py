"""`cea-exchange keys`: CURVE key pairs for participants, operators and daemons."""

from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    # A callback keeps `new` a subcommand while it is the only one.
    group.callback()(_group)
    group.command("new")(new)
    app.add_typer(group, name="keys", help="CURVE key pairs.")


def _group() -> None:
    """CURVE key pairs."""


def new(
    name: Annotated[str, typer.Argument(help="Whose: NAME.public and NAME.secret are written.")],
    directory: Annotated[Path, typer.Option(help="Where to.")] = Path(),
    json: PlainJson = False,
) -> None:
    """Make a key pair; an existing file is never overwritten."""
    from cea_exchange.protocol.security import CurveKeys

    if not name or Path(name).name != name:
        raise CommandError(f"expected a file name for the key, got {name!r}")
    keys = CurveKeys.new()
    try:
        keys.save(directory, name)
    except OSError as error:
        place = error.filename or directory / name
        raise CommandError(f"{place}: can't be written, {error.strerror}") from error
    if json:
        content = {"name": name, "public": keys.public, "directory": str(directory)}
        json_print(content)
    else:
        typer.echo(f"{keys.public}  {directory / (name + '.public')}")
