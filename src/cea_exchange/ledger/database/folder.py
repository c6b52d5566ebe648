"""Which database an institution's folder speaks of, and the lock against a second writer.

``DIR/registry/`` has SQLite's file, ``registry.sqlite``, or, in ``database``, the address of a
PostgreSQL database that was chosen when the registry began; every other institution's likewise.
Passwords are libpq's business (``.pgpass``, ``PGPASSWORD``): none is kept.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from cea_exchange.ledger.database.epoch_file import EpochFile, note_write
from cea_exchange.ledger.database.interface import Database, DatabaseError, DatabaseTaken
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock

ADDRESS_FILE = "database"
SCHEMES = ("postgresql://", "postgres://")


def sqlite_file(folder: Path) -> Path:
    """Return where an institution's folder has its SQLite database."""
    return folder / f"{folder.name}.sqlite"


def writer_open(
    folder: Path, address: str | None, *, is_synchronous: bool = False
) -> Database:
    """Open a folder's database for its one writer, who fences it once it knows it for its own.

    Parameters
    ----------
    folder
        ``DIR/registry/``; made where it is not there.
    address
        ``postgresql://...``; None takes what the folder says, SQLite where it says nothing.
    is_synchronous
        Whether each commit must be on a standby, too, before it counts.

    Raises
    ------
    DatabaseError
        It can't be opened, or the folder speaks of another one.
    """
    chosen = address_of(folder, address)
    if chosen is None:
        _sqlite_is_alone(is_synchronous)
        return Sqlite.open_writer(sqlite_file(folder))
    database: Database = postgres().Postgres.open_writer(
        chosen, folder.name, EpochFile(folder).known(), is_synchronous=is_synchronous
    )
    kept = _kept(folder)
    if kept not in (None, _without_password(chosen)) and not database.has_schema():
        database.close()
        raise DatabaseError(f"database: {folder} speaks of {kept}, {database.name} is empty")
    return database


def _sqlite_is_alone(is_synchronous: bool) -> None:
    if is_synchronous:
        raise DatabaseError("database_synchronous: expected a PostgreSQL database, got SQLite")


def writer_begin(folder: Path, database: Database, address: str | None) -> None:
    """Fence a database that is known for the folder's own, and note in the folder that it is.

    Parameters
    ----------
    address
        As `writer_open` took it.
    """
    epoch = database.fence()
    if epoch:
        EpochFile(folder).keep(epoch)
    if address is not None:
        address_keep(folder, address)


def reader_open(
    folder: Path, address: str | None = None, *, is_synchronous: bool = False
) -> Database:
    """Open a folder's database for reading, whether or not a daemon is at work on it.

    Parameters
    ----------
    is_synchronous
        Whether to refuse it where a writer's commits would not wait for a standby.
    """
    chosen = address_of(folder, address)
    if chosen is None:
        _sqlite_is_alone(is_synchronous)
        return Sqlite.open_reader(sqlite_file(folder))
    opened: Database = postgres().Postgres.open_reader(
        chosen, folder.name, EpochFile(folder).known(), is_synchronous=is_synchronous
    )
    return opened


def has_database(folder: Path) -> bool:
    """Tell whether a folder has an institution's database, or speaks of one."""
    return sqlite_file(folder).is_file() or (folder / ADDRESS_FILE).is_file()


def folder_lock(folder: Path) -> FolderLock:
    """Lock an institution's folder against a second process; the lock ends with the process."""
    try:
        return FolderLock(folder)
    except FolderInUse as error:
        raise DatabaseTaken(f"{error}: another process has this {folder.name} open") from None


def address_of(folder: Path, address: str | None = None) -> str | None:
    """Return the address of a folder's PostgreSQL database; None if it is SQLite.

    Parameters
    ----------
    address
        As `writer_open` takes it.

    Raises
    ------
    DatabaseError
        The folder speaks of another database.
    """
    if address is not None and not address.startswith(SCHEMES):
        raise DatabaseError(f"database: expected postgresql://..., got {address!r}")
    kept = _kept(folder)
    if address is None:
        return kept
    if sqlite_file(folder).exists():
        raise DatabaseError(f"database: {folder} has an SQLite database already")
    # Servers come and go; which database it is stays.
    if kept is not None and _database_name(kept) != _database_name(address):
        raise DatabaseError(f"database: {folder} speaks of {kept}")
    return address


def _kept(folder: Path) -> str | None:
    """Return the address that a folder speaks of."""
    file = folder / ADDRESS_FILE
    if not file.is_file():
        return None
    try:
        address = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseError(f"{file} can not be read: {error}") from error
    if not address.startswith(SCHEMES):
        raise DatabaseError(f"{file}: expected postgresql://..., got {address[:80]!r}")
    return address


def address_keep(folder: Path, address: str) -> None:
    """Let a folder speak of a PostgreSQL database from now on."""
    shown = _without_password(address)
    if shown != _kept(folder):
        note_write(folder / ADDRESS_FILE, shown)


def _database_name(address: str) -> str:
    return str(postgres_servers().database_name(address))


def _without_password(address: str) -> str:
    return str(postgres_servers().address_without_password(address))


def postgres() -> ModuleType:
    """Return the module for PostgreSQL; DatabaseError if its driver is not there."""
    return _with_driver("postgres")


def postgres_servers() -> ModuleType:
    """Return the module for PostgreSQL's servers; DatabaseError if its driver is not there."""
    return _with_driver("postgres_servers")


def postgres_standbys() -> ModuleType:
    """Return the module for a database's standbys; DatabaseError if its driver is not there."""
    return _with_driver("postgres_standbys")


def _with_driver(module: str) -> ModuleType:
    try:
        return import_module(f"cea_exchange.ledger.database.{module}")
    except ImportError as error:
        why = str(error).splitlines()[0]
        raise DatabaseError(
            "database: PostgreSQL expected its driver, pip install 'cea-exchange[postgres]',"
            f" got {why}"
        ) from error
