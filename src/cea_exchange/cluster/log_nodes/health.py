"""Health of a log node: what its server reports, compared with what is required.

All is asked of the node's monitor on its own machine. A fault is a sentence: what was expected,
what was found. Some faults only a new start mends; the others pass by themselves, or are the
operator's. A warning is of a node that does what it must, and soon may not.
"""

import http.client
import json
import shutil
from typing import Any

import msgspec

from cea_exchange.cluster.log_nodes import server

ASK_S_MAX = 2.0
ANSWER_BYTES_MAX = 4 << 20
STORE_PERCENT_MAX = 80
DISK_FREE_BYTES_MIN = 20_000_000_000
"""Less is enough where the log may take no more than that."""
LAG_MAX = 10_000
REPLICAS_MIN = 3
DUPLICATE_WINDOW_S_MIN = 120
NANOSECONDS_PER_S = 1_000_000_000
_NO_ANSWERS = (AttributeError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading an answer raises that is no monitor's: another program may have the port."""


class StreamHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as one node sees it.

    Attributes
    ----------
    leader
        The node that takes what is published; empty while none is elected.
    last_seq
        Of the last message that this node has.
    behind
        Nodes that lack messages or are not there, as it knows them where it leads.
    """

    name: str
    leader: str
    last_seq: int
    first_seq: int
    bytes_used: int
    behind: tuple[str, ...] = ()


class LogNodeHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself.

    Attributes
    ----------
    faults
        What is not as it must be.
    warnings
        What will be a fault where nobody does anything.
    disk_free_bytes
        Room on the disk of its store; None where who asks can't look there.
    needs_start
        Whether it can't go on: only a new start mends it.
    """

    node: str
    version: str = ""
    syncs_always: bool = False
    meta_leader: str = ""
    routes: int = 0
    store_bytes_used: int = 0
    store_bytes_max: int = 0
    streams: tuple[StreamHealth, ...] = ()
    disk_free_bytes: int | None = None
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs_start: bool = False

    @property
    def is_well(self) -> bool:
        """Whether all is as it must be."""
        return not self.faults


def log_node_health(node: str, monitor: str, *, peers: int) -> LogNodeHealth:
    """Ask a node how it is.

    Parameters
    ----------
    node
        Its name, as its settings have it.
    monitor
        ``host:port`` of its monitor.
    peers
        How many other nodes it must be connected with.
    """
    try:
        about = _ask(monitor, "/varz")
        routes = _ask(monitor, "/routez")
        # First: of a node that lacks nothing, the counts below are those of all of the log.
        current = _ask(monitor, "/healthz", also=http.client.SERVICE_UNAVAILABLE)
        log = _ask(monitor, "/jsz?streams=true&config=true&accounts=true")
        return _judged(node, about, routes, log, str(current.get("error", "")), peers)
    except (OSError, http.client.HTTPException, *_NO_ANSWERS) as error:
        return LogNodeHealth(node=node, faults=(f"{monitor}: expected an answer, {error}",))


def _ask(monitor: str, what: str, *, also: int = http.client.OK) -> dict[str, Any]:
    host, _, port = monitor.rpartition(":")
    line = http.client.HTTPConnection(host, int(port), timeout=ASK_S_MAX)
    try:
        line.request("GET", what)
        answer = line.getresponse()
        body = answer.read(ANSWER_BYTES_MAX)
        if answer.status not in (http.client.OK, also):
            raise ValueError(f"{what}: expected 200, got {answer.status}")
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError(f"{what}: expected an object, got {type(found).__name__}")
        return found
    finally:
        line.close()


def _judged(
    node: str,
    about: dict[str, Any],
    routes: dict[str, Any],
    log: dict[str, Any],
    lacks: str,
    peers: int,
) -> LogNodeHealth:
    faults: list[str] = []
    version = str(about.get("version", ""))
    try:
        server.version_check(version, "it")
    except server.ServerMissing as error:
        faults.append(str(error))
    if about.get("server_name") != node:
        faults.append(f"expected {node} at this address, got {about.get('server_name')}")
    others = {name for each in routes.get("routes", ()) if (name := each.get("remote_name"))}
    if len(others) < peers:
        named = ", ".join(sorted(map(str, others))) or "none"
        faults.append(f"expected to be connected with {peers} other nodes, got {named}")
    config = log.get("config", {})
    is_off = bool(log.get("disabled"))
    if is_off:
        faults.append("it keeps no log any more: its disk was full or failed")
    elif not config.get("sync_always"):
        faults.append("expected sync_interval always, got another: it could lose acknowledged work")
    if lacks and not is_off:
        # Who follows, or has begun with an empty folder, knows by itself what it lacks.
        faults.append(f"expected it to have all of the log, it says: {lacks}")
    used, most = int(log.get("storage", 0)), int(config.get("max_storage", 0))
    if most and used * 100 > most * STORE_PERCENT_MAX:
        limit = f"{STORE_PERCENT_MAX}% of its store at most"
        faults.append(f"expected {limit}, got {used} of {most} bytes")
    disk_free_bytes = _free_bytes(str(config.get("store_dir", "")))
    meta_leader = str(log.get("meta_cluster", {}).get("leader", ""))
    if not meta_leader and not is_off:
        faults.append("expected a leader of the log's nodes, got none")
    streams = []
    for account in log.get("account_details", ()):
        for stream in account.get("stream_detail", ()):
            health, wrong = _stream(node, stream)
            streams.append(health)
            faults += wrong
    return LogNodeHealth(
        node=node,
        version=version,
        syncs_always=bool(config.get("sync_always")),
        meta_leader=meta_leader,
        routes=len(others),
        store_bytes_used=used,
        store_bytes_max=most,
        streams=tuple(streams),
        disk_free_bytes=disk_free_bytes,
        faults=tuple(faults),
        warnings=tuple(_room_warnings(disk_free_bytes, most - used)),
        needs_start=is_off,
    )


def _free_bytes(folder: str) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except (OSError, ValueError):
        return None


def _room_warnings(free_bytes: int | None, wanted_bytes_max: int) -> list[str]:
    """Say that the log may grow by more than its disk has, and that has little."""
    wanted = min(DISK_FREE_BYTES_MIN, wanted_bytes_max)
    if free_bytes is None or free_bytes >= wanted:
        return []
    return [f"expected {wanted} bytes free on its disk, got {free_bytes}"]


def _stream(node: str, stream: dict[str, Any]) -> tuple[StreamHealth, list[str]]:
    name = str(stream.get("name"))
    state, place = stream.get("state", {}), stream.get("cluster") or {}
    # Who follows hears from the leader alone, and knows nothing of the others.
    others = (place.get("replicas") or ()) if place.get("leader") == node else ()
    behind = tuple(
        str(each.get("name"))
        for each in others
        if each.get("offline")
        # A node that was frozen is called current only at the next message, though it lacks none.
        or int(each.get("lag", 0)) > (LAG_MAX if each.get("current") else 0)
    )
    health = StreamHealth(
        name=name,
        leader=str(place.get("leader", "")),
        last_seq=int(state.get("last_seq", 0)),
        first_seq=int(state.get("first_seq", 0)),
        bytes_used=int(state.get("bytes", 0)),
        behind=behind,
    )
    faults = [f"{name}: {each}" for each in behind_said(health)]
    if name.endswith("-journal"):
        faults += [f"{name}: {each}" for each in _terms(stream.get("config") or {})]
        if health.first_seq > 1:
            faults.append(f"{name}: expected message 1 to be its first, got {health.first_seq}")
    return health, faults


def behind_said(health: StreamHealth) -> list[str]:
    """Say which replicas are not where they must be."""
    if not health.leader:
        return ["expected a leader, got none"]
    return [f"expected {each} to have all of it, it has not" for each in health.behind]


def _terms(config: dict[str, Any]) -> list[str]:
    """Say what of a journal's terms is not what its promises need."""
    expected = {
        "storage": "file",
        "discard": "new",
        "deny_delete": True,
        "deny_purge": True,
        "max_age": 0,
        "retention": "limits",
    }
    faults = [
        f"expected {key} {value}, got {config.get(key)}"
        for key, value in expected.items()
        if config.get(key, 0 if key == "max_age" else None) != value
    ]
    if int(config.get("num_replicas", 1)) < REPLICAS_MIN:
        faults.append(f"expected {REPLICAS_MIN} replicas, got {config.get('num_replicas', 1)}")
    if int(config.get("duplicate_window", 0)) < DUPLICATE_WINDOW_S_MIN * NANOSECONDS_PER_S:
        faults.append(f"expected a duplicate window of {DUPLICATE_WINDOW_S_MIN} s, got less")
    return faults
