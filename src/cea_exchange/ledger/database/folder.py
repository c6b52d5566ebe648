"""Which database an institution's folder speaks of, and the lock against a second writer.

``DIR/registry/`` has SQLite's file, ``registry.sqlite``, or, in ``database``, the address of a
PostgreSQL database that was chosen when the registry began; every other institution's likewise.
Passwords are libpq's business (``.pgpass``, ``PGPASSWORD``): none is kept.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from cea_exchange.ledger.database.interface import Database, DatabaseError, DatabaseTaken
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock

ADDRESS_FILE = "database"


def sqlite_file(folder: Path) -> Path:
    """Return where an institution's folder has its SQLite database."""
    return folder / f"{folder.name}.sqlite"


def writer_open(folder: Path, address: str | None) -> Database:
    """Open a folder's database for its one writer.

    Parameters
    ----------
    folder
        ``DIR/registry/``; made where it is not there.
    address
        ``postgresql://...``; None takes what the folder says, SQLite where it says nothing.

    Raises
    ------
    DatabaseError
        It can't be opened, or the folder speaks of another one.
    """
    chosen = _chosen(folder, address)
    if chosen is None:
        return Sqlite.open_writer(sqlite_file(folder))
    database = postgres().Postgres.open_writer(chosen, folder.name)
    address_keep(folder, chosen)
    return database


def reader_open(folder: Path, address: str | None = None) -> Database:
    """Open a folder's database for reading, whether or not a daemon is at work on it."""
    chosen = _chosen(folder, address)
    if chosen is None:
        return Sqlite.open_reader(sqlite_file(folder))
    return postgres().Postgres.open_reader(chosen, folder.name)


def has_database(folder: Path) -> bool:
    """Tell whether a folder has an institution's database, or speaks of one."""
    return sqlite_file(folder).is_file() or (folder / ADDRESS_FILE).is_file()


def folder_lock(folder: Path) -> FolderLock:
    """Lock an institution's folder against a second process; the lock ends with the process."""
    try:
        return FolderLock(folder)
    except FolderInUse as error:
        raise DatabaseTaken(f"{error}: another process has this {folder.name} open") from None


def _chosen(folder: Path, address: str | None) -> str | None:
    """Return the address of a PostgreSQL database; None is SQLite."""
    if address is not None and not address.startswith(("postgresql://", "postgres://")):
        raise DatabaseError(f"database: expected postgresql://..., got {address!r}")
    file = folder / ADDRESS_FILE
    kept = file.read_text(encoding="utf-8").strip() if file.is_file() else None
    if address is None:
        return kept
    if sqlite_file(folder).exists():
        raise DatabaseError(f"database: {folder} has an SQLite database already")
    if kept is not None and kept != _without_password(address):
        raise DatabaseError(f"database: {folder} speaks of {kept}")
    return address


def address_keep(folder: Path, address: str) -> None:
    """Let a folder speak of a PostgreSQL database from now on."""
    file = folder / ADDRESS_FILE
    if not file.exists():
        file.write_text(_without_password(address) + "\n", encoding="utf-8")


def _without_password(address: str) -> str:
    return str(postgres().address_without_password(address))


def postgres() -> ModuleType:
    """Return the module for PostgreSQL.

    Raises
    ------
    DatabaseError
        Its driver is not installed, or finds no libpq.
    """
    try:
        return import_module("cea_exchange.ledger.database.postgres")
    except ImportError as error:
        why = str(error).splitlines()[0]
        raise DatabaseError(
            "database: PostgreSQL expected its driver, pip install 'cea-exchange[postgres]',"
            f" got {why}"
        ) from error
