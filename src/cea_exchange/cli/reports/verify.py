"""`cea-exchange verify`: replay a data folder's journal and compare all that was recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input, check_failed, file_used
from cea_exchange.cli.options import Archive, DataArgument, PlainJson, ProfileFile
from cea_exchange.cli.output import json_print
from cea_exchange.cli.reports.disclose import disclosures_of
from cea_exchange.disclosure.publishing import differing
from cea_exchange.domain.profile import ProfileError, load_profile
from cea_exchange.institution.maintenance.venue_books import venue_compared
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.journal import JournalError
from cea_exchange.ledger.database.folder import has_database
from cea_exchange.ledger.store import Store, StoreError
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
from cea_exchange.registry.reconciliation.reconcile import Reconciliation, check_ledger
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.maintenance.verify import SettlementCheck, VerifyResult, verify_data
from cea_exchange.venue.registry_link.ledger_books import venue_books


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("verify")(verify)


def verify(
    data: DataArgument,
    registry: Annotated[
        Path | None, typer.Option(help="The registry's data folder, if it is another.")
    ] = None,
    disclosed: Annotated[
        Path | None, typer.Option(help="A folder that `disclose` wrote: compared byte by byte.")
    ] = None,
    profile: ProfileFile = None,
    archive: Archive = None,
    opening: Annotated[
        Path | None,
        typer.Option(help="The bulletins' opening figures, if the folder has no copy of them."),
    ] = None,
    json: PlainJson = False,
) -> None:
    """Replay the journal; compare every recorded hash, event, snapshot and settled trade with it.

    Segments that were moved out of the journal's folder are read from the archive, and every
    archived segment is held against the manifest. Each closed day's bulletin is made anew and
    compared with its files.

    What can be made again of the journal may be missing: it is named, and the venue's next start
    makes it.

    Changes nothing. Exit status 1, with the first sequence that differs, if anything does.
    """
    if not (data / "journal").is_dir():
        raise CommandError(f"{data}: expected a data folder with a journal, there is none")
    if registry is not None and not has_database(registry / "registry"):
        raise CommandError(f"{registry}: expected a registry's data folder, there is none")
    with (
        bad_input(FolderInUse, ends="; stop it first"),
        file_used(data, "can't be read"),
        bad_input(ProfileError),
        check_failed(JournalError, StoreError),
    ):
        loaded = load_profile(profile) if profile else None
        with FolderLock(data, "venue.lock"), _registry_open(registry or data) as store:
            settlement = None if store is None else SettlementCheck(partial(records_from, store))
            result = verify_data(
                data, profile=loaded, archive=archive, settlement=settlement, opening=opening
            )
            if store is not None and settlement is not None:
                _log_id_check(store, result)
                settlement.finish(result.next_seq)
        ledger = None if settlement is None else _ledger_check(registry or data, data, archive)
    if disclosed is not None:
        _disclosed_check(data, disclosed, profile, archive)
    summary = _summary(result, ledger)
    if json:
        json_print(summary)
        return
    for name, value in summary.items():
        if name != "missing":
            typer.echo(f"  {name:<20} {value}")
    for path in result.missing:
        typer.echo(f"  {'missing':<20} {path}: the venue's next start makes it of the journal")
    typer.echo(f"verified up to sequence {result.next_seq - 1}")


@contextmanager
def _registry_open(data: Path) -> Iterator[Store | None]:
    """Open the registry's database, if there is one."""
    if not has_database(data / "registry"):
        yield None
        return
    with RegistryStore.open_reader(data) as store:
        yield store


def _log_id_check(store: Store, result: VerifyResult) -> None:
    if store.log_id is not None and store.log_id != result.log_id:
        raise CheckFailed(
            f"sequence 1: log_id: expected {result.log_id}, got {store.log_id} of the registry"
        )


def _ledger_check(data: Path, venue: Path, archive: Path | None) -> Reconciliation:
    ledger = check_ledger(data)
    if not ledger.agrees:
        raise CheckFailed(f"settlement sequence {ledger.last_seq}: {ledger.sentence()}")
    with RegistryStore.open_reader(data) as store:
        for difference in venue_compared(store, venue_books(venue, archive)).differences:
            raise CheckFailed(f"settlement sequence {ledger.last_seq}: {difference}")
    return ledger


def _disclosed_check(
    data: Path, disclosed: Path, profile: str | None, archive: Path | None
) -> None:
    for difference in differing(disclosed, disclosures_of(data, profile, archive)):
        raise CheckFailed(difference)


def _summary(result: VerifyResult, ledger: Reconciliation | None) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "log_id": result.log_id,
        "profile": result.profile,
        "segments": result.segments,
        "frames": result.frames,
        "commands": result.commands,
        "controls": result.controls,
        "checkpoints": result.checkpoints,
        "events": result.events,
        "events_stored": result.events_stored,
        "index_blocks": result.index_blocks,
        "snapshots": result.snapshots,
        "bulletins": result.bulletins,
        "archived": result.archived,
        "trading_date": result.trading_date,
        "settlement_seq": result.settlement_seq,
        "state_hash": f"{result.state_hash:016x}",
        "holdings_hash": f"{result.holdings_hash:016x}",
        "missing": result.missing,
    }
    if ledger is not None:
        summary["settled_seq"] = ledger.last_seq
        summary["ledger"] = ledger.sentence()
    return summary
