"""The state of one of several servers of a database, as it reports it."""

import msgspec

WAITED_FOR = ("sync", "quorum")
"""As a primary calls standbys whose disk a commit waits for."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself.

    Attributes
    ----------
    server
        Its name in the address: a host, a port where it is not the usual one.
    role
        ``primary``, ``standby``, or ``away``.
    why
        What keeps one that is away.
    name
        Its own, ``cluster_name``, by which its primary knows it.
    timeline, epoch
        See `Standing`; a standby has the timeline 0.
    wal_bytes
        Up to where the log is on its disk.
    link_id, head
        The last link of the chain that it shows.
    followers
        Of a primary: name of each standby -> whether commits wait for it, as ``quorum``, ``sync``,
        ``async``; empty where it does not stream.
    """

    server: str
    role: str
    why: str = ""
    name: str = ""
    timeline: int = 0
    epoch: int = 0
    wal_bytes: int = 0
    link_id: int = 0
    head: str = ""
    followers: dict[str, str] = {}
