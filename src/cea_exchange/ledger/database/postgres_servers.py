"""Connections to PostgreSQL: to which of several servers, and until when one is believed to think.

An address may name several servers, of which one writes (``postgresql://a,b/registry``)::

    a   primary of old, came back      timeline 3, epoch 7   left: the other was promoted after it
    b   promoted when a was gone       timeline 4, epoch 7   taken

Each is asked, so that none is taken because it stands first.
"""

import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import conninfo

from cea_exchange.ledger.database.interface import (
    ConstraintViolated,
    DatabaseError,
    DatabaseFull,
    DatabaseLost,
)

CONNECT_TIMEOUT_S = 10
CONNECT_TIMEOUT_OF_SEVERAL_S = 3
"""A machine that is gone without a word is waited for each time, before the one that took over."""

SILENCE_MS = 10_000
"""So long a server may be silent, before a second connection asks whether it does anything."""

EPOCH_TABLE = "writer_epoch"
_REFUSED = re.compile(
    r'FATAL: +((database|role) ".*" does not exist|password authentication failed'
    r"|no pg_hba\.conf entry|permission denied for database)"
)

T = TypeVar("T")


class ServerSilent(psycopg.OperationalError):
    """The server is there and does not go on; what was asked of it last may be done yet."""


class HeardConnection(psycopg.Connection[Any]):
    """A connection whose server is asked after when nothing comes of it.

    A process that stands still keeps its connections, and a commit that waits for a standby would
    wait for ever: neither is an end that TCP knows of.

    Attributes
    ----------
    server
        Address of the one server that it is to.
    """

    server = ""

    def wait(
        self,
        gen: Generator[Any, Any, T],
        *arguments: Any,
        **named: Any,
    ) -> T:
        """Consume psycopg's generator of what a server says.

        Raises
        ------
        ServerSilent
            Nothing came, and nothing will come soon; the connection is closed.
        """
        try:
            return super().wait(self._heard(gen), *arguments, **named)
        except ServerSilent:
            self.close()
            raise

    def _heard(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        until_ns = _silent_until_ns()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic_ns() > until_ns:
                    self._ask_after()
                    until_ns = _silent_until_ns()
                elif ready:
                    until_ns = _silent_until_ns()
                wanted = gen.send(ready)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _ask_after(self) -> None:
        """Return if the server is at work on what it was asked; `ServerSilent` says what it is."""
        process_id = self.info.backend_pid
        try:
            with _Asker.connect(
                self.server, autocommit=True, connect_timeout=CONNECT_TIMEOUT_OF_SEVERAL_S
            ) as asker:
                row = asker.execute(
                    "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (process_id,)
                ).fetchone()
        except psycopg.Error as error:
            raise ServerSilent(
                f"no answer within {SILENCE_MS} ms, nor to a second connection: {error}"
            ) from None
        if row == ("SyncRep",):
            raise ServerSilent(
                f"a commit has waited {SILENCE_MS} ms for a synchronous standby: none has it yet"
            )


def _silent_until_ns() -> int:
    return time.monotonic_ns() + SILENCE_MS * 1_000_000


class _Asker(HeardConnection):
    """A connection that asks after another one."""

    def _ask_after(self) -> None:
        raise ServerSilent("it takes connections and does not answer")


class Standing(NamedTuple):
    """Which of several servers was promoted last: the greatest.

    Attributes
    ----------
    timeline
        PostgreSQL's number of the promotions of a cluster; 0 of a server that only follows one.
    epoch
        Of its last writer, see `ledger/database/postgres_fence.py`.
    """

    timeline: int
    epoch: int

    @classmethod
    def of(cls, connection: psycopg.Connection[Any]) -> Self:
        """Ask a server."""
        ((timeline, has_epoch),) = connection.execute(
            "SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE"
            " ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END,"
            f" to_regclass('{EPOCH_TABLE}') IS NOT NULL"
        ).fetchall()
        if not has_epoch:
            return cls(timeline, 0)
        row = connection.execute(f"SELECT epoch FROM {EPOCH_TABLE}").fetchone()
        return cls(timeline, 0 if row is None else row[0])


def server_connect(
    address: str, institution: str, epoch_known: int, *, session: str | None = None
) -> HeardConnection:
    """Connect to the server of an address that was promoted last.

    Parameters
    ----------
    address
        ``postgresql://...`` of one server or several.
    institution
        Whose connection the server says it is.
    epoch_known
        Of the last writer that is known of: a server that has not heard of it is an old one.
    session
        What a session there must be able to do, as libpq's ``target_session_attrs``; None takes
        what the address says of it, or else to write.

    Raises
    ------
    DatabaseLost
        None can be reached, or those that can are old.
    DatabaseError
        All refuse.
    """
    servers = server_addresses(address, session)
    wait_s = CONNECT_TIMEOUT_S if len(servers) == 1 else CONNECT_TIMEOUT_OF_SEVERAL_S
    found: list[tuple[Standing, HeardConnection]] = []
    left: list[DatabaseError] = []
    for server in servers:
        try:
            connection = connected(server, institution, wait_s)
            with errors_translated():
                found.append((_standing_checked(connection, epoch_known), connection))
        except DatabaseError as error:
            left.append(error)
    if not found:
        is_waited_for = any(isinstance(error, DatabaseLost) for error in left)
        said = "; ".join(dict.fromkeys(map(str, left)))
        raise DatabaseLost(said) if is_waited_for else DatabaseError(said)
    _standing, best = max(found, key=lambda each: each[0])
    for _standing, connection in found:
        if connection is not best:
            connection.close()
    return best


def _standing_checked(connection: HeardConnection, epoch_known: int) -> Standing:
    try:
        standing = Standing.of(connection)
        if standing.epoch < epoch_known:
            raise DatabaseLost(
                f"{server_name(connection)}: expected epoch {epoch_known} of its last writer, got"
                f" {standing.epoch}: another server was promoted after this one, or it is a copy of"
                " before"
            )
    except BaseException:
        connection.close()
        raise
    return standing


def server_addresses(address: str, session: str | None = None) -> list[str]:
    """Return the address of each server that an address names, as libpq takes it.

    Parameters
    ----------
    session
        As `server_connect` takes it.

    Raises
    ------
    DatabaseError
        It is no address, or none of its names is known.
    """
    shown = address_without_password(address)
    wanted = conninfo.conninfo_to_dict(address)
    wanted["target_session_attrs"] = session or wanted.get("target_session_attrs") or "read-write"
    try:
        attempts = conninfo.conninfo_attempts(wanted)
    except psycopg.OperationalError as error:
        raise DatabaseLost(f"{shown}: {error_line(error)}") from None
    return [conninfo.make_conninfo("", **attempt) for attempt in attempts]


def connected(server: str, institution: str, wait_s: int) -> HeardConnection:
    """Connect to one server.

    Raises
    ------
    DatabaseLost
        It can't be reached.
    DatabaseError
        It refuses for good.
    """
    try:
        connection = HeardConnection.connect(
            server,
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,
            connect_timeout=wait_s,
            # A server that is gone without a word is one that is lost, not one that thinks.
            keepalives_idle=CONNECT_TIMEOUT_S,
            keepalives_interval=CONNECT_TIMEOUT_S,
            keepalives_count=2,
            tcp_user_timeout=3_000 * CONNECT_TIMEOUT_S,
            application_name=f"cea-exchange {institution}",
        )
    except psycopg.OperationalError as error:
        # What the server refuses for good is not waited for; there is no code of it, only words.
        kind = DatabaseError if _REFUSED.search(str(error)) else DatabaseLost
        raise kind(f"{_shown(server)}: {error_line(error)}") from None
    except psycopg.Error as error:
        raise DatabaseError(f"{_shown(server)}: {error_line(error)}") from None
    connection.server = server
    return connection


def server_name(connection: psycopg.Connection[Any]) -> str:
    """Return what a connection is to, for a message to a person."""
    info = connection.info
    return f"postgresql://{info.host}/{info.dbname}"


def _shown(server: str) -> str:
    """Return one server's address for a message to a person."""
    parts = conninfo.conninfo_to_dict(server)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host', '')}{port}/{parts.get('dbname', '')}"


def address_without_password(address: str) -> str:
    """Return an address that may be kept and shown.

    Raises
    ------
    DatabaseError
        It is none.
    """
    try:
        conninfo.conninfo_to_dict(address)
    except psycopg.Error as error:
        raise DatabaseError(f"database: expected postgresql://..., {error_line(error)}") from None
    parts = urlsplit(address)
    user, _colon, _password = parts.netloc.rpartition("@")[0].partition(":")
    host = parts.netloc.rpartition("@")[2]
    pairs = [(name, value) for name, value in parse_qsl(parts.query) if name != "password"]
    netloc = f"{user}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(pairs)))


def database_name(address: str) -> str:
    """Return which database an address is of, on whatever servers."""
    parts = conninfo.conninfo_to_dict(address_without_password(address))
    return str(parts.get("dbname") or parts.get("user") or "")


@contextmanager
def errors_translated() -> Iterator[None]:
    """Raise what psycopg raises as an error of the database's interface."""
    try:
        yield
    except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
        raise ConstraintViolated(error_line(error)) from error
    except (psycopg.errors.DiskFull, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise DatabaseFull(error_line(error)) from error
    except psycopg.OperationalError as error:
        raise DatabaseLost(error_line(error)) from error
    except psycopg.Error as error:
        raise DatabaseError(error_line(error)) from error


def error_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())
