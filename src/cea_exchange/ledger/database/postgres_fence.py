"""One writer of a PostgreSQL database, on whichever of its servers.

Three things keep a second one off, each where the one before does not reach::

    advisory lock      a second process on the same server     as long as the connection lives
    epoch, one row     a writer that was replaced              looked at in every transaction
    synchronous standby   a writer on a primary of old         its commits are never acknowledged

Who begins to write takes the next epoch, and waits until a standby has that: so whatever was
committed before and is seen now is on the standby, too, even if nobody was answered that it is. A
server that knows a lower epoch than the institution's folder has been replaced by another.
"""

from typing import Any

import psycopg

from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost, DatabaseTaken
from cea_exchange.ledger.database.postgres_servers import EPOCH_TABLE, server_name

WRITER_LOCK = 0x6365_6172  # 'cear', the key of the writer's advisory lock
WRITER_WAIT_MS = 5_000

Connection = psycopg.Connection[Any]


def writer_lock(connection: Connection) -> None:
    """Take the writer's lock of a database; it ends with the connection.

    Raises
    ------
    DatabaseTaken
        Another process has it.
    DatabaseLost
        A connection of before has it, whose commit waits for a standby.
    """
    # The server may need a moment to notice that the writer of before is gone.
    connection.execute(f"SET lock_timeout = {WRITER_WAIT_MS}")
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (WRITER_LOCK,))
    except psycopg.errors.LockNotAvailable:
        name = server_name(connection)
        holder = connection.execute(
            "SELECT application_name, wait_event FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND objid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (WRITER_LOCK,),
        ).fetchone()
        if holder is not None and holder[1] == "SyncRep":
            raise DatabaseLost(
                f"{name}: the commit of a writer of before waits for a synchronous standby: none"
                " has it yet"
            ) from None
        whose = "" if holder is None or not holder[0] else f" ({holder[0]})"
        raise DatabaseTaken(f"{name}: another process{whose} writes to this database") from None
    connection.execute("RESET lock_timeout")


def epoch_take(connection: Connection) -> int:
    """Take the next epoch of a database, and return it once a standby has it, where there is one.

    Raises
    ------
    DatabaseLost
        Whether a standby has it is not known.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT to_regclass('{EPOCH_TABLE}') IS NULL")
        if cursor.fetchone() == (True,):
            cursor.execute(
                f"CREATE TABLE {EPOCH_TABLE} (row_id BIGINT PRIMARY KEY CHECK (row_id = 1),"
                " epoch BIGINT NOT NULL)"
            )
        cursor.execute(
            f"INSERT INTO {EPOCH_TABLE} (row_id, epoch) VALUES (1, 1)"
            f" ON CONFLICT (row_id) DO UPDATE SET epoch = {EPOCH_TABLE}.epoch + 1 RETURNING epoch"
        )
        ((epoch,),) = cursor.fetchall()
    commit_replicated(connection)
    taken: int = epoch
    return taken


def epoch_held(epoch: int) -> str:
    """Return what a transaction begins with, after BEGIN: it gives a row while an epoch is held.

    Who takes the next one waits for the row until the transaction has ended.
    """
    return f"; SELECT 1 FROM {EPOCH_TABLE} WHERE epoch = {epoch} FOR SHARE"


def commit_replicated(connection: Connection) -> str:
    """Commit, and return what the server says of it.

    Raises
    ------
    DatabaseLost
        The server gave up waiting for its standby: it has committed, but it alone.
    """
    warnings: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(diagnostic.message_primary or "")

    connection.add_notice_handler(note)
    try:
        done = connection.execute("COMMIT").statusmessage
    finally:
        connection.remove_notice_handler(note)
    if warnings:
        name = server_name(connection)
        connection.close()
        raise DatabaseLost(f"{name}: whether a standby has it is not known: {warnings[0]}")
    return done or ""


def synchronous_check(connection: Connection) -> None:
    """Raise unless a commit on a server waits until a standby has it on its disk.

    Raises
    ------
    DatabaseError
        The server is set otherwise.
    DatabaseLost
        It is set so, and no such standby is there now: a commit would wait for one.
    """
    name = server_name(connection)
    settings = dict(
        connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('synchronous_standby_names', 'fsync', 'full_page_writes')"
        ).fetchall()
    )
    asked = "database_synchronous asks that no commit is on one server alone"
    if not settings["synchronous_standby_names"]:
        raise DatabaseError(
            f"{name}: synchronous_standby_names: expected standbys, got ''; {asked}"
        )
    for setting in ("fsync", "full_page_writes"):
        if settings[setting] != "on":
            raise DatabaseError(f"{name}: {setting}: expected on, got {settings[setting]}; {asked}")
    standbys = connection.execute(
        "SELECT application_name, state, sync_state FROM pg_stat_replication"
    ).fetchall()
    if any(state is None for _name, state, _sync_state in standbys):
        raise DatabaseError(
            f"{name}: expected to see how its standbys are, was not let: GRANT pg_monitor TO"
            f" {connection.info.user}"
        )
    if not any(
        state == "streaming" and sync_state in ("sync", "quorum")
        for _name, state, sync_state in standbys
    ):
        seen = ", ".join(" ".join(map(str, each)) for each in standbys) or "none"
        raise DatabaseLost(
            f"{name}: expected a synchronous standby that streams, got {seen}; {asked}"
        )
