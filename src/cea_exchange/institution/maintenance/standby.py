"""Whether a standby could take over from the primary, what would be lost, and that it does.

Nothing that was acknowledged is lost by a standby that has the last link which the institution's
folder knows of, with its head; and while there is a primary it is one whose disk commits wait for.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec

from cea_exchange.ledger.database.folder import address_of, postgres_standbys
from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.database.server import WAITED_FOR, Server
from cea_exchange.ledger.head_file import head_kept
from cea_exchange.ledger.record_store import RecordStore, StoreError


class StandbyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers of a ledger say, and what follows from it.

    Attributes
    ----------
    servers
        In the order of the address.
    link_known
        The last link that the institution's folder knows of; 0 if it knows of none.
    ready
        The standbys that could take over and lose nothing.
    takes_over
        The one of them that has most; empty if there is none.
    findings
        A sentence each.
    """

    servers: list[Server]
    link_known: int
    ready: list[str]
    takes_over: str
    findings: list[str]


class Servers:
    """The servers of an institution's ledger.

    Parameters
    ----------
    store_class
        Of the institution.
    data
        The data folder.
    database
        ``postgresql://...``; None takes the one the folder speaks of.

    Raises
    ------
    StoreError
        It is kept in SQLite.
    """

    def __init__(
        self, store_class: type[RecordStore], data: Path, database: str | None = None
    ) -> None:
        folder = store_class.folder(data)
        self._folder = folder
        self._institution = folder.name
        try:
            address = address_of(folder, database)
            self._known()
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        if address is None:
            raise StoreError(f"{folder}: expected a PostgreSQL database, got SQLite")
        self._address = address
        self._postgres: ModuleType = postgres_standbys()

    def look(self) -> StandbyReport:
        """Ask all of them."""
        servers = self._servers()
        ready = _ready(servers)
        best = max(ready, key=lambda each: each.wal_bytes, default=None)
        link_known, _ = self._known()
        return StandbyReport(
            servers=servers,
            link_known=link_known,
            ready=[each.server for each in ready],
            takes_over="" if best is None else best.server,
            findings=[*_findings(servers, link_known)],
        )

    def listens(self, server: str) -> bool:
        """Whether a server is there, be it one that ends: unknown is yes."""
        is_there: bool = self._postgres.listens(self._address, server)
        return is_there

    def promote(self, server: str) -> Server:
        """Let a standby be the primary from now on, where none is.

        Returns
        -------
        Server
            What it says then.

        Raises
        ------
        StoreError
            It would lose something, or there is a primary; nothing was done.
        """
        servers = self._servers()
        by_name = {each.server: each for each in servers}
        if server not in by_name:
            raise StoreError(f"expected one of {', '.join(by_name)}, got {server}")
        asked = by_name[server]
        if asked.role != "standby":
            raise StoreError(f"{server}: expected a standby, got {asked.role}")
        for each in servers:
            if each.role == "primary":
                raise StoreError(
                    f"{each.server}: expected no primary, it answers: stop it first, so that it"
                    " sends all that it has and acknowledges nothing more"
                )
            if each.wal_bytes > asked.wal_bytes:
                raise StoreError(
                    f"{server}: expected the standby that has most, {each.server} has more"
                )
        try:
            self._lossless_check(server)
            promoted: Server = self._postgres.promote(self._address, self._institution, server)
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        return promoted

    def _known(self) -> tuple[int, str]:
        """Return the last link that the folder knows of by now, and its head."""
        try:
            return head_kept(self._folder) or (0, "")
        except DatabaseError as error:
            raise StoreError(str(error)) from error

    def _servers(self) -> list[Server]:
        try:
            found: list[Server] = self._postgres.servers_look(self._address, self._institution)
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        return found

    def _lossless_check(self, server: str) -> None:
        """Raise unless a standby has the link that the folder knows of, with its head."""
        link_id, head = self._known()
        if not link_id:
            return
        got = self._postgres.head_at(self._address, self._institution, server, link_id)
        if got != head:
            raise StoreError(
                f"{server}: expected link {link_id} of the chain with head {head}, as was"
                f" acknowledged, got {got or 'none'}: it was no synchronous standby"
            )


def _ready(servers: list[Server]) -> list[Server]:
    """Return the standbys that lose nothing; none where that is not known."""
    primaries = [each for each in servers if each.role == "primary"]
    if len(primaries) != 1:
        return []
    waited_for = {
        name for name, state in primaries[0].followers.items() if state in WAITED_FOR
    }
    return [each for each in servers if each.role == "standby" and each.name in waited_for]


def _findings(servers: list[Server], link_known: int) -> Iterator[str]:
    primaries = sorted(
        (each for each in servers if each.role == "primary"),
        key=lambda each: (each.timeline, each.epoch),
    )
    for each in servers:
        if each.role == "away":
            yield f"{each.server}: is away: {each.why}"
    if not primaries:
        yield "no server may be written to: a standby is to be promoted"
        return
    *old, primary = primaries
    for each in old:
        yield (
            f"{each.server}: takes writes, too (timeline {each.timeline}), and was replaced by"
            f" {primary.server} (timeline {primary.timeline}): stop it and make it a standby"
        )
    if primary.link_id < link_known:
        yield (
            f"{primary.server}: expected link {link_known} of the chain, which was acknowledged,"
            f" got {primary.link_id}"
        )
    for each in servers:
        if each.role == "standby":
            yield from _standby_findings(primary, each)


def _standby_findings(primary: Server, standby: Server) -> Iterator[str]:
    state = primary.followers.get(standby.name)
    behind = max(0, primary.wal_bytes - standby.wal_bytes)
    if not state:
        yield (
            f"{standby.server}: does not follow {primary.server}: it would lose what was"
            f" acknowledged in the last {behind} bytes of the log"
        )
    elif state not in WAITED_FOR:
        yield (
            f"{standby.server}: no commit waits for it ({state}): it may lose what is acknowledged"
            f" while it is behind, now {behind} bytes"
        )
