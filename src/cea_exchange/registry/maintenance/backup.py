"""Copies of a registry's database, and the drill that shows one is worth something.

A copy is one SQLite file whichever database it was made of, and beside it ``FILE.sha256``, as
`sha256sum --check` reads it::

    SQLite ------\\                        /---> SQLite in DIR/registry
                  +--> FILE, FILE.sha256 -+
    PostgreSQL --/     (a daemon works on) \\---> PostgreSQL, an empty database

So it is a way from one to the other, too.
"""

import hashlib
import os
from pathlib import Path

from cea_exchange.ledger.database.folder import (
    address_keep,
    folder_lock,
    has_database,
    postgres,
    reader_open,
    sqlite_file,
)
from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.database.schema import schema_check, tables_copy
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.store import StoreError
from cea_exchange.registry.reconciliation.reconcile import Reconciliation, check_store
from cea_exchange.registry.store import REGISTRY_SCHEMA, RegistryStore


def backup(data: Path, out: Path, database: str | None = None) -> int:
    """Copy what a registry has committed, while its daemon works.

    Parameters
    ----------
    data
        The data folder.
    out
        The new file.
    database
        ``postgresql://...``; None takes the one the folder speaks of.

    Returns
    -------
    int
        The last settlement sequence in the copy.

    Raises
    ------
    StoreError
        The file is there already, or there is no registry.
    """
    draft, sums = out.with_name(out.name + ".new"), _sums(out)
    for file in (out, sums):
        if file.exists():
            raise StoreError(f"{file}: expected a new file, it is there")
    draft.unlink(missing_ok=True)
    try:
        source = reader_open(data / "registry", database)
        try:
            schema_check(source, REGISTRY_SCHEMA)
            source.backup(draft, REGISTRY_SCHEMA)
        finally:
            source.close()
        last_seq = _last_seq(draft)
    except DatabaseError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(f"{out}: no copy was made, {error}") from error
    sums.write_text(f"{_sha256(draft)}  {out.name}\n", encoding="utf-8")
    for file in (draft, sums):
        _sync(file)
    os.replace(draft, out)
    _sync(out.parent)
    return last_seq


def restore(file: Path, data: Path, database: str | None = None) -> Reconciliation:
    """Put a copy in the place of a registry that is not there, if its ledger agrees with itself.

    Parameters
    ----------
    file
        As `backup` wrote it.
    data
        A data folder without a registry's database.
    database
        An empty database, ``postgresql://...``; None restores to SQLite.

    Returns
    -------
    Reconciliation
        What the check of the restored ledger found; all agrees.

    Raises
    ------
    StoreError
        The copy is not as it was written, or contradicts itself, or something is there already;
        nothing was restored.
    """
    folder = data / "registry"
    _sum_check(file)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = folder_lock(folder)
        try:
            if has_database(folder):
                raise StoreError(f"{folder}: expected no registry, there is one")
            source = Sqlite.open_reader(file)
            try:
                schema_check(source, REGISTRY_SCHEMA)
                if database is None:
                    return _to_sqlite(source, folder)
                return _to_address(source, folder, database)
            finally:
                source.close()
        finally:
            lock.release()
    except DatabaseError as error:
        raise StoreError(str(error)) from error


def _to_sqlite(source: Sqlite, folder: Path) -> Reconciliation:
    final = sqlite_file(folder)
    draft = final.with_name(final.name + ".new")
    draft.unlink(missing_ok=True)
    source.backup(draft, REGISTRY_SCHEMA)
    restored = Sqlite.open_reader(draft)
    try:
        restored.begin(snapshot=True)
        found = _checked(restored.name, RegistryStore(restored))
    except StoreError:
        draft.unlink()
        raise
    finally:
        restored.close()
    _sync(draft)
    os.replace(draft, final)
    _sync(folder)
    return found


def _to_address(source: Sqlite, folder: Path, address: str) -> Reconciliation:
    restored = postgres().Postgres.open_writer(address, REGISTRY_SCHEMA.institution)
    try:
        if restored.has_schema():
            raise StoreError(f"{restored.name}: expected an empty database, has a registry")
        restored.begin()
        tables_copy(source, restored, REGISTRY_SCHEMA)
        found = _checked(restored.name, RegistryStore(restored))
        restored.commit()
    finally:
        restored.close()
    # Only now: whoever is stopped before must not begin an empty registry there.
    address_keep(folder, address)
    return found


def _checked(name: str, store: RegistryStore) -> Reconciliation:
    found = check_store(store)
    if not found.agrees:
        raise StoreError(f"{name}: {found.sentence()}")
    return found


def _last_seq(file: Path) -> int:
    copy = Sqlite.open_reader(file)
    try:
        return RegistryStore(copy).last_seq
    finally:
        copy.close()


def _sums(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")


def _sum_check(file: Path) -> None:
    """Raise `StoreError` unless a copy is byte for byte what was written."""
    try:
        expected = _sums(file).read_text(encoding="utf-8").split()[0]
        got = _sha256(file)
    except (OSError, IndexError) as error:
        raise StoreError(f"{file}: expected a copy and its .sha256, {error}") from None
    if got != expected:
        raise StoreError(f"{file}: SHA-256: expected {expected}, got {got}")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
