"""`cea-exchange registry migrate`: what is done to the registry's database as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.errors import CommandError

Data = Annotated[Path, typer.Option("--data", help="Data folder.")]


def register(group: typer.Typer) -> None:
    """Add the commands to `cea-exchange registry`."""
    group.command("migrate")(migrate)


def migrate(data: Data) -> None:
    """Bring the registry's database from an older version to this one; it must not run."""
    from cea_exchange.registry.database.migrations import migrate as migrate_database
    from cea_exchange.registry.store import StoreError

    try:
        kept, found = migrate_database(data)
    except StoreError as error:
        raise CommandError(str(error)) from error
    typer.echo(f"the database of before is kept in {kept}")
    typer.echo(found.sentence())
