"""`cea-exchange venue backup` and `restore`: a copy of a venue's data, and a venue made of it."""

from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.errors import bad_input, check_failed, file_used
from cea_exchange.cli.options import Archive, Data, Json, ProfileFile
from cea_exchange.cli.output import fields_print


def register(group: typer.Typer) -> None:
    """Add both to the group `venue`."""
    group.command("backup")(backup)
    group.command("restore")(restore)


def backup(
    destination: Annotated[Path, typer.Argument(help="Folder to make; it may be there, empty.")],
    data: Data,
    archive: Archive = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Copy the secret keys too.")
    ] = False,
    json: Json = False,
) -> None:
    """Copy a venue's data while it runs: all that was acknowledged before, and nothing by half.

    The copy has the journal, the newest snapshot and the events it goes on from, with the SHA-256
    of every file in manifest.json. The registry has a backup of its own.

    Example: cea-exchange venue backup venue-2026-07-16
    """
    from cea_exchange.journal import JournalError
    from cea_exchange.venue.maintenance import backup as module

    with (
        file_used(destination),
        check_failed(JournalError, says="nothing is backed up: "),
        bad_input(module.BackupError),
    ):
        manifest = module.backup(data, destination, archive=archive, with_keys=with_keys)
    shown = {
        "log_id": manifest.log_id,
        "last_seq": manifest.last_seq,
        "snapshot": manifest.snapshot,
        "event_count": manifest.event_count,
        "files": len(manifest.files),
        "bytes": sum(file.bytes for file in manifest.files),
        "with_keys": manifest.with_keys,
    }
    fields_print(shown, json)


def restore(
    source: Annotated[Path, typer.Argument(help="A backup's folder.")],
    data: Annotated[Path, typer.Option("--data", help="Folder to make; it may be there, empty.")],
    profile: ProfileFile = None,
    json: Json = False,
) -> None:
    """Make a data folder of a backup; it appears only after a full replay has confirmed it.

    Every file is held against the manifest, every recorded hash and event against the replay.

    Example: cea-exchange venue restore venue-2026-07-16 --data NEWDIR
    """
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.journal import JournalError
    from cea_exchange.venue.maintenance import backup as module

    with (
        file_used(source),
        check_failed(JournalError, module.BackupDamaged, says="nothing is restored: "),
        bad_input(module.BackupError, ProfileError),
    ):
        loaded = load_profile(profile) if profile else None
        manifest, result = module.restore(source, data, profile=loaded)
    shown = {
        "log_id": result.log_id,
        "last_seq": result.next_seq - 1,
        "events": result.events,
        "snapshots": result.snapshots,
        "trading_date": result.trading_date,
        "settlement_seq": result.settlement_seq,
        "state_hash": f"{result.state_hash:016x}",
        "holdings_hash": f"{result.holdings_hash:016x}",
        "made_at": manifest.made_at,
        "with_keys": manifest.with_keys,
    }
    fields_print(shown, json)
