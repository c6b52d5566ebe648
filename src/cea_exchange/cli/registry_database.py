"""`cea-exchange registry backup`, `restore`: for the registry's database as a whole."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict

from cea_exchange.cli.asking import json_print
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import Data, Json

Database = Annotated[
    str | None,
    typer.Option("--database", help="postgresql://...; left out, the one DIR/registry speaks of."),
]


def register(group: typer.Typer) -> None:
    """Add the commands to `cea-exchange registry`."""
    group.command("backup")(backup)
    group.command("restore")(restore)


def backup(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="The copy, a new file.")],
    database: Database = None,
    json: Json = False,
) -> None:
    """Copy the registry's database to one file, while its daemon works.

    Example: cea-exchange registry backup --out registry-2026-07-16
    """
    from cea_exchange.ledger.store import StoreError
    from cea_exchange.registry.maintenance.backup import backup as backup_database

    try:
        last_seq = backup_database(data, out, database)
    except StoreError as error:
        raise CommandError(str(error)) from error
    if json:
        json_print({"file": str(out), "last_seq": last_seq})
    else:
        typer.echo(f"{out}: the registry up to seq {last_seq}")


def restore(
    file: Annotated[Path, typer.Argument(help="As `registry backup` wrote it.")],
    data: Data,
    database: Annotated[
        str | None,
        typer.Option("--database", help="An empty one, postgresql://...; left out, SQLite."),
    ] = None,
    json: Json = False,
) -> None:
    """Put a copy in the place of a registry that is not there; only if its ledger agrees.

    Example: cea-exchange registry restore registry-2026-07-16
    """
    from cea_exchange.ledger.store import StoreError
    from cea_exchange.registry.maintenance.backup import restore as restore_database

    try:
        found = restore_database(file, data, database)
    except StoreError as error:
        raise CommandError(str(error)) from error
    if json:
        json_print(asdict(found))
    else:
        typer.echo(found.sentence())
