"""What must hold of a cluster at rest: each copy for itself, and all of them together.

All of it is read from files: the participants' own, each venue's, each log node's, the registry's.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cea_exchange.cluster.log_nodes.replica_files import (
    ReplicaError,
    ReplicaMessage,
    replica_messages,
)
from cea_exchange.loadtest.stands.audit import (
    audit_all,
    event_log_id,
    events_of,
    venue_events,
    verify_faults,
)
from cea_exchange.loadtest.stands.local_cluster import CLUSTER, REGISTRY, LocalCluster
from cea_exchange.loadtest.targets.target import Reconciliation

OF_VENUE = ("journal", "events", "snapshots", "bulletins", "profiles", "venue", "archive")


def cluster_audit(cluster: LocalCluster, leads: str, participants: list[Path]) -> Reconciliation:
    """Hold everything against everything; nothing of the cluster may be running.

    Parameters
    ----------
    leads
        The venue whose files the registry and the participants are held against first.
    participants
        Their directories, named for them.
    """
    with TemporaryDirectory(prefix="cea-exchange-audit-") as place:
        found = audit_all(_as_one(cluster, leads, Path(place)), participants)
    copies = cluster_copies(cluster, leads)
    found.differences += copies.differences
    found.checked |= copies.checked
    return found


def cluster_copies(cluster: LocalCluster, leads: str) -> Reconciliation:
    """Hold each venue's files and each copy of the log against themselves and one another."""
    found = Reconciliation()
    for name in cluster.venue_names:
        found.differences += [f"{name}: {each}" for each in verify_faults(cluster.folder(name))]
        if name != leads:
            found.differences += venue_differences(cluster, leads, name)
    found.differences += log_differences(cluster)
    found.checked = {
        "venues": len(cluster.venue_names),
        "events": len(venue_events(cluster.folder(leads))),
        "log_messages": sum(1 for _ in _messages(cluster, 0)),
    }
    return found


def _as_one(cluster: LocalCluster, leads: str, place: Path) -> Path:
    """Return a folder that has the registry's files and one venue's, as if on one machine."""
    for file in cluster.folder(REGISTRY).iterdir():
        if file.name not in OF_VENUE:
            (place / file.name).symlink_to(file)
    for file in cluster.folder(leads).iterdir():
        if file.name in OF_VENUE:
            (place / file.name).symlink_to(file)
    return place


def venue_differences(cluster: LocalCluster, one: str, other: str) -> Iterator[str]:
    """Say where another venue's events are not the first's: all of them are numbered alike."""
    log_id = event_log_id(cluster.folder(one))
    expected, found = (events_of(cluster.folder(name), log_id) for name in (one, other))
    common = min(len(expected), len(found))
    differs = (expected[:common] != found[:common]).nonzero()[0]
    if len(differs):
        yield f"event {int(differs[0]) + 1} of {other} is not that of {one}"
    if len(expected) != len(found):
        yield f"{other} has {len(found)} events, {one} {len(expected)}"


def log_differences(cluster: LocalCluster) -> Iterator[str]:
    """Say where the log's copies differ from one another."""
    try:
        copies = {
            cluster.log_nodes.settings[number].node: [
                message.payload for message in _messages(cluster, number)
            ]
            for number in range(cluster.log_nodes.count)
        }
    except ReplicaError as error:
        yield str(error)
        return
    yield from replica_differences(copies)


def _messages(cluster: LocalCluster, number: int) -> Iterator[ReplicaMessage]:
    return replica_messages(cluster.log_nodes.data(number), f"{CLUSTER}-journal")


def replica_differences(replicas: Mapping[str, Iterable[bytes]]) -> Iterator[str]:
    """Say where a node's messages are not the first node's, or end before them."""
    first, *others = ((name, list(messages)) for name, messages in replicas.items())
    for name, messages in others:
        for seq, (one, other) in enumerate(zip(first[1], messages, strict=False), 1):
            if one != other:
                yield f"message {seq} of {name} is not that of {first[0]}"
                break
        else:
            if len(messages) != len(first[1]):
                yield f"{name} has {len(messages)} messages, {first[0]} {len(first[1])}"
