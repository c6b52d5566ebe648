"""`cea-exchange registry verify`, `audit`, `receipt`: what proves that nothing was rewritten."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.daemons.registry_database import Database
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import Data, Json
from cea_exchange.cli.output import json_print


def register(group: typer.Typer) -> None:
    """Add the commands to `cea-exchange registry`."""
    group.command("verify")(verify)
    group.command("audit")(audit)


def verify(
    data: Data,
    venue: Annotated[
        Path | None, typer.Option("--venue", help="A venue's data folder: its journal's heads too.")
    ] = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Check the chain of hashes over all that the registry knows; 1, and the place, if it breaks.

    Each link is computed again from what it covers, and every row compared with the log of rows.
    With --venue, the heads that a venue's journal has are compared, too.

    Example: cea-exchange registry verify --venue .
    """
    from cea_exchange.journal import JournalError
    from cea_exchange.ledger.chain import link_last
    from cea_exchange.ledger.store import StoreError
    from cea_exchange.registry.reconciliation.integrity import (
        heads_differing,
        integrity_differences,
    )
    from cea_exchange.registry.store import RegistryStore
    from cea_exchange.venue.registry_link.registry_heads import registry_heads

    try:
        with RegistryStore.open_reader(data, database) as store:
            store.database.begin(snapshot=True)
            last = link_last(store.database)
            wrong = list(integrity_differences(store))
            if venue is not None:
                wrong += heads_differing(store, registry_heads(venue), "the venue's journal")
    except (StoreError, JournalError, OSError) as error:
        raise CommandError(str(error)) from error
    if json:
        json_print({"links": last.link_id, "head": last.head, "differences": wrong})
    elif wrong:
        for sentence in wrong:
            typer.echo(sentence)
    else:
        typer.echo(f"verified {last.link_id} links, head {last.head}")
    if wrong:
        raise CheckFailed(f"the registry was changed at {len(wrong)} places: {wrong[0]}")


def audit(
    data: Data,
    show: Annotated[
        str | None, typer.Option("--show", help="Print one query, to be run by hand.")
    ] = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Run the auditor's queries, which must give no row; 1, and the rows, if one does.

    Example: cea-exchange registry audit
    Example: cea-exchange registry audit --show conservation
    """
    from cea_exchange.ledger.store import StoreError
    from cea_exchange.registry.reconciliation.audit import checks
    from cea_exchange.registry.store import RegistryStore

    queries = {name: check.sql for name, check in checks().items()}
    if show is not None:
        if show not in queries:
            raise CommandError(f"--show: expected one of {', '.join(queries)}, got {show}")
        typer.echo(f"{queries[show]};")
        return
    found: dict[str, list[Any]] = {}
    try:
        with RegistryStore.open_reader(data, database) as store:
            store.database.begin(snapshot=True)
            for name, query in queries.items():
                found[name] = store.execute(query).fetchall()
    except StoreError as error:
        raise CommandError(str(error)) from error
    if json:
        json_print(found)
    else:
        for name, rows in found.items():
            typer.echo(f"{name:24} {len(rows) or 'nothing'}")
            for row in rows:
                typer.echo(f"  {row}")
    odd = [name for name, rows in found.items() if rows]
    if odd:
        raise CheckFailed(f"queries that must give no row gave some: {', '.join(odd)}")
