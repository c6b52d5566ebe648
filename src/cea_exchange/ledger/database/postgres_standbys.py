"""The servers of a ledger: which one writes, which follow it, and how far each of them is."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import conninfo

from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.database.postgres_servers import (
    CONNECT_TIMEOUT_OF_SEVERAL_S,
    Standing,
    connected,
    error_line,
    errors_translated,
    server_addresses,
)
from cea_exchange.ledger.database.server import Server

USUAL_PORT = 5432
PROMOTE_S = 60
REPLAY_S = 60
_LOOKS_PER_S = 20


def servers_look(address: str, institution: str) -> list[Server]:
    """Ask each server that an address names."""
    return [_looked(name, server, institution) for name, server in _servers(address)]


def listens(address: str, server: str) -> bool:
    """Return whether a server's port takes connections: one that is ending still does.

    No answer in time is none that says no.
    """
    (at,) = [each for name, each in _servers(address) if name == server]
    parts = conninfo.conninfo_to_dict(at)
    host, port = str(parts.get("host", "localhost")), str(parts.get("port") or USUAL_PORT)
    try:
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.connect(f"{host}/.s.PGSQL.{port}")
        else:
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT_OF_SEVERAL_S).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return True
    return True


def promote(address: str, institution: str, server: str) -> Server:
    """Let a standby be the primary from now on, and return what it says then.

    Raises
    ------
    DatabaseError
        It did not, or the address names no such server.
    """
    (at,) = [each for name, each in _servers(address) if name == server]
    with errors_translated():
        with connected(at, institution, CONNECT_TIMEOUT_OF_SEVERAL_S) as connection:
            row = connection.execute(f"SELECT pg_promote(true, {PROMOTE_S})").fetchone()
        if row != (True,):
            raise DatabaseError(f"{server}: expected to be promoted in {PROMOTE_S} s, was not")
    return _looked(server, at, institution)


def head_at(address: str, institution: str, server: str, link_id: int) -> str:
    """Return the head of a link at a standby that has no primary; empty if it lacks the link.

    It may have log behind the link that it never comes to read: a primary that dies amid a record
    leaves the record's beginning.

    Raises
    ------
    DatabaseError
        It has not come to the link, nor to the end of the log that it has.
    """
    (at,) = [each for name, each in _servers(address) if name == server]
    until_ns = time.monotonic_ns() + REPLAY_S * 1_000_000_000
    with (
        errors_translated(),
        connected(at, institution, CONNECT_TIMEOUT_OF_SEVERAL_S) as connection,
    ):
        query = "SELECT pg_last_wal_replay_lsn() < pg_last_wal_receive_lsn()"
        while True:
            # Asked before the link is looked for, so that all that was to be read is looked at.
            is_behind = connection.execute(query).fetchone() == (True,)
            if (head := _head(connection, link_id)) or not is_behind:
                return head
            if time.monotonic_ns() > until_ns:
                raise DatabaseError(f"{server}: expected to have read its log in {REPLAY_S} s")
            time.sleep(1 / _LOOKS_PER_S)


def _head(connection: psycopg.Connection[Any], link_id: int) -> str:
    """Return the head of a link; empty if it is not there."""
    # One that followed for a moment only may not even have the tables.
    (has_chain,) = connection.execute("SELECT to_regclass('chain') IS NOT NULL").fetchall()[0]
    if not has_chain:
        return ""
    row = connection.execute("SELECT head FROM chain WHERE link_id = %s", (link_id,)).fetchone()
    return "" if row is None else str(row[0])


def _servers(address: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of each server; of a name with several numbers, the first."""
    named = set()
    for server in server_addresses(address, "any"):
        parts = conninfo.conninfo_to_dict(server)
        name = str(parts.get("host", "localhost"))
        if parts.get("port"):
            name += f":{parts['port']}"
        if name not in named:
            named.add(name)
            yield name, server


def _looked(name: str, server: str, institution: str) -> Server:
    try:
        with connected(server, institution, CONNECT_TIMEOUT_OF_SEVERAL_S) as connection:
            return _said(name, connection)
    except (DatabaseError, psycopg.Error) as error:
        return Server(server=name, role="away", why=error_line(error))


def _said(name: str, connection: psycopg.Connection[Any]) -> Server:
    ((follows, own_name, wal_bytes, has_chain),) = connection.execute(
        "SELECT pg_is_in_recovery(), current_setting('cluster_name'), pg_wal_lsn_diff("
        "CASE WHEN pg_is_in_recovery() THEN"
        " greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
        " ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint, to_regclass('chain') IS NOT NULL"
    ).fetchall()
    link = None
    if has_chain:
        link = connection.execute(
            "SELECT link_id, head FROM chain ORDER BY link_id DESC LIMIT 1"
        ).fetchone()
    followers = connection.execute(
        "SELECT application_name, CASE WHEN state = 'streaming' THEN sync_state END"
        " FROM pg_stat_replication"
    ).fetchall()
    standing = Standing.of(connection)
    return Server(
        server=name,
        role="standby" if follows else "primary",
        name=own_name,
        timeline=standing.timeline,
        epoch=standing.epoch,
        wal_bytes=wal_bytes,
        link_id=0 if link is None else link[0],
        head="" if link is None else link[1],
        followers={follower: sync_state or "" for follower, sync_state in followers},
    )
