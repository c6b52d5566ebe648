"""The state of each node as it reports it: one record a second in a bucket of the log."""

import base64
from typing import Any

import msgspec
import nats.errors
import structlog

from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable

SAID_EACH_S = 1.0

log = structlog.get_logger("cluster")


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself.

    Attributes
    ----------
    node, incarnation
        Its name, and of which process; two of one name are found out by that.
    state
        ``leader``, ``standby`` (follows the log), ``halted`` or ``ended``.
    epoch
        The epoch of the last message it has.
    log_seq, next_seq
        The last message of the log that it has, and the journal's next sequence number.
    lag
        Messages that the log has beyond.
    checkpoint_seq, checkpoint_hash
        The last checkpoint that it has made or compared since its start: after which event, and the
        market's hash there, 16 hexadecimal digits.
    code_version, profile_hash
        What it runs.
    disk_free_bytes
        On the file system of its data folder.
    now_ns
        By its own clock, since 1970.
    why
        Of a halted one: what was expected and what was found.
    """

    node: str
    incarnation: str
    state: str
    epoch: int
    log_seq: int
    next_seq: int
    lag: int
    checkpoint_seq: int
    checkpoint_hash: str
    code_version: str
    profile_hash: str
    disk_free_bytes: int
    now_ns: int
    why: str = ""


async def node_state_say(connection: LogConnection, state: NodeState) -> None:
    """Put a node's state where others find it; what can't be said now is said next time."""
    subject = f"$KV.{connection.config.nodes_bucket}.{state.node}"
    try:
        await connection.client.publish(subject, msgspec.json.encode(state))
    except (OSError, nats.errors.Error) as error:
        log.warning("node_state_not_said", error=str(error))


async def node_states(connection: LogConnection) -> list[NodeState]:
    """Return what each node said last, by name.

    Raises
    ------
    LogUnreachable
        Nobody answers, or not what was asked for: that says nothing of the nodes.
    """
    bucket = connection.config.nodes_bucket
    answer = await connection.look_up(
        f"STREAM.INFO.KV_{bucket}", {"subjects_filter": f"$KV.{bucket}.>"}
    )
    if "error" in answer:
        raise LogUnreachable(f"bucket {bucket}: {answer['error'].get('description')}")
    states = []
    for subject in sorted(answer["state"].get("subjects") or {}):
        said: dict[str, Any] = await connection.look_up(
            f"STREAM.MSG.GET.KV_{bucket}", {"last_by_subj": subject}
        )
        if "error" in said:
            raise LogUnreachable(f"{subject}: {said['error'].get('description')}")
        data = base64.b64decode(said["message"].get("data", ""))
        try:
            states.append(msgspec.json.decode(data, type=NodeState))
        except msgspec.DecodeError as error:
            log.warning("node_state_unread", subject=subject, error=str(error))
    return states
