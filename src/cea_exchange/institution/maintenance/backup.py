"""Copies of an institution's database, and the drill that shows one is worth something.

A copy is one SQLite file whichever database it was made of, and beside it ``FILE.sha256``, as
`sha256sum --check` reads it::

    SQLite ------\\                        /---> SQLite in DIR/NAME
                  +--> FILE, FILE.sha256 -+
    PostgreSQL --/     (a daemon works on) \\---> PostgreSQL, an empty database

So it is a way from one to the other, too.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

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
from cea_exchange.ledger.record_store import RecordStore, StoreError
from cea_exchange.user_files.opening import UserFileError, file_open, text_read

SUMS_BYTES_MAX = 4_096
"""Of a `.sha256` file: a hash and a name."""


class Checked(Protocol):
    """What a check of a database found."""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""

    def sentence(self) -> str:
        """Return it as a line for a person."""


Found = TypeVar("Found", bound=Checked)


def backup(
    store_class: type[RecordStore], data: Path, out: Path, database: str | None = None
) -> tuple[str, int]:
    """Copy what an institution has committed, while its daemon works.

    Parameters
    ----------
    store_class
        Of the institution.
    data
        The data folder.
    out
        The new file.
    database
        ``postgresql://...``; None takes the one the folder speaks of.

    Returns
    -------
    tuple
        How far the copy is, see `RecordStore.reached`.

    Raises
    ------
    StoreError
        The file is there already, or there is no database.
    """
    draft, sums = out.with_name(out.name + ".new"), _sums(out)
    for file in (out, sums):
        if file.exists():
            raise StoreError(f"{file}: expected a new file, it is there")
    draft.unlink(missing_ok=True)
    try:
        source = reader_open(store_class.folder(data), database)
        try:
            schema_check(source, store_class.schema)
            source.backup(draft, store_class.schema)
        finally:
            source.close()
        reached = _reached(store_class, draft)
    except DatabaseError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(f"{out}: no copy was made, {error}") from error
    sums.write_text(f"{_sha256(draft)}  {out.name}\n", encoding="utf-8")
    for file in (draft, sums):
        _sync(file)
    os.replace(draft, out)
    _sync(out.parent)
    return reached


def restore(
    store_class: type[RecordStore],
    check: Callable[[Any], Found],
    file: Path,
    data: Path,
    database: str | None = None,
) -> Found:
    """Put a copy in the place of a database that is not there, if it agrees with itself.

    Parameters
    ----------
    store_class
        Of the institution.
    check
        Checks its database, within a transaction.
    file
        As `backup` wrote it.
    data
        A data folder without the institution's database.
    database
        An empty database, ``postgresql://...``; None restores to SQLite.

    Returns
    -------
    Checked
        What the check of what was restored found; all agrees.

    Raises
    ------
    StoreError
        The copy is not as it was written, or contradicts itself, or something is there already;
        nothing was restored.
    """
    folder = store_class.folder(data)
    _sum_check(file)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = folder_lock(folder)
        try:
            if has_database(folder):
                raise StoreError(f"{folder}: expected no {folder.name}, there is one")
            source = Sqlite.open_reader(file)
            try:
                schema_check(source, store_class.schema)
                if database is None:
                    return _to_sqlite(store_class, check, source, folder)
                return _to_address(store_class, check, source, folder, database)
            finally:
                source.close()
        finally:
            lock.release()
    except DatabaseError as error:
        raise StoreError(str(error)) from error


def _to_sqlite(
    store_class: type[RecordStore], check: Callable[[Any], Found], source: Sqlite, folder: Path
) -> Found:
    final = sqlite_file(folder)
    draft = final.with_name(final.name + ".new")
    draft.unlink(missing_ok=True)
    source.backup(draft, store_class.schema)
    restored = Sqlite.open_reader(draft)
    try:
        restored.begin(snapshot=True)
        found = _checked(check, store_class(restored))
    except StoreError:
        draft.unlink()
        raise
    finally:
        restored.close()
    _sync(draft)
    os.replace(draft, final)
    _sync(folder)
    return found


def _to_address(
    store_class: type[RecordStore],
    check: Callable[[Any], Found],
    source: Sqlite,
    folder: Path,
    address: str,
) -> Found:
    restored = postgres().Postgres.open_writer(address, folder.name)
    try:
        if restored.has_schema():
            raise StoreError(f"{restored.name}: expected an empty database, got one with tables")
        restored.begin()
        tables_copy(source, restored, store_class.schema)
        found = _checked(check, store_class(restored))
        restored.commit()
    finally:
        restored.close()
    # Only now: whoever is stopped before must not begin an empty database there.
    address_keep(folder, address)
    return found


def _checked(check: Callable[[Any], Found], store: RecordStore) -> Found:
    found = check(store)
    if not found.agrees:
        raise StoreError(f"{store.database.name}: {found.sentence()}")
    return found


def _reached(store_class: type[RecordStore], file: Path) -> tuple[str, int]:
    copy = Sqlite.open_reader(file)
    try:
        return store_class(copy).reached()
    finally:
        copy.close()


def _sums(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")


def _sum_check(file: Path) -> None:
    """Raise `StoreError` unless a copy is byte for byte what was written."""
    try:
        expected = text_read(_sums(file), "a SHA-256", SUMS_BYTES_MAX).split()[0]
        got = _sha256(file)
    except (OSError, IndexError, UserFileError) as error:
        raise StoreError(f"{file}: expected a copy and its .sha256, {error}") from None
    if got != expected:
        raise StoreError(f"{file}: SHA-256: expected {expected}, got {got}")


def _sha256(file: Path) -> str:
    with file_open(file, "a copy") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
