"""Who leads: a record that lives as long as its lease.

It says where the leader is to be found, and to others that they need not stand for it. It is no
authority: only an epoch record that the log took is.
"""

from typing import Any

import msgspec

LEADER_KEY = "leader"
"""Of the record in the bucket of leases."""


class LeaderRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What the leader says of itself in the bucket of leases.

    Attributes
    ----------
    node
        The leader's name.
    epoch
        The epoch it leads; 0 while it is standing for one.
    endpoints
        As the venue's ``endpoints.json`` has them; empty until its sockets are open.
    successor
        The node that the leader hands over to, and nobody else may stand; empty otherwise.
    """

    node: str
    epoch: int
    endpoints: dict[str, Any] = {}
    successor: str = ""


def leader_encode(record: LeaderRecord) -> bytes:
    """Return a record's bytes, JSON."""
    return msgspec.json.encode(record)


def leader_decode(data: bytes) -> LeaderRecord:
    """Return the record that the bytes are.

    Raises
    ------
    msgspec.DecodeError
        They are none.
    """
    return msgspec.json.decode(data, type=LeaderRecord)
