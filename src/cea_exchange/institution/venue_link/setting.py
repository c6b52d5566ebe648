"""Settings of the link to the venue: where it is, and where it fetches the feed."""

from pathlib import Path

import msgspec

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.way_in.whereabouts import (
    Addresses,
    EndpointsFiles,
    Whereabouts,
)
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address

SOCKETS = ("settlement", "replay")
"""Which of a venue's sockets an institution goes to."""
Files = str | tuple[str, ...] | None


class VenueNode(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where one of several venues listens, one of which leads.

    Attributes
    ----------
    settlement, replay
        Where that venue publishes settlement records, and where it serves those that were missed.
    """

    settlement: Address
    replay: Address


class VenueSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An institution's settings of the venue; every one may be left out.

    Attributes
    ----------
    feed
        Where the venue fetches accounts, products, keys and transfers. Port 0 takes a free one,
        written to the institution's ``endpoints.json``.
    settlement, replay
        The venue's settlement stream and its replay socket. Left out, both are taken from
        `endpoints`, again whenever that file changes.
    nodes
        The same of several venues, one of which leads; goes before `settlement` and `replay`.
    endpoints
        File in which the venue says where it listens, or a list of such files;
        ``DIR/venue/endpoints.json`` if left out.
    cluster
        The cluster, whose lease says where the leader is; goes before all those.
    public_key
        The venue's key, z85 text; ``DIR/keys/venue.public`` if left out.
    """

    feed: Address = "tcp://127.0.0.1:0"
    settlement: Address | None = None
    replay: Address | None = None
    nodes: tuple[VenueNode, ...] = ()
    endpoints: Files = None
    cluster: ClusterConfig | None = None
    public_key: str | None = None

    def __post_init__(self) -> None:
        if (self.settlement is None) != (self.replay is None):
            given = "replay" if self.settlement is None else "settlement"
            raise ValueError(
                f"`settlement` and `replay`: expected both or neither, got `{given}` alone"
            )
        if self.public_key is not None:
            key_check(self.public_key, "public_key")

    def key(self, data: Path) -> str:
        """Return the venue's public key."""
        return self.public_key or public_key_load(data / "keys", "venue")

    def whereabouts(self, data: Path) -> Whereabouts:
        """Return what says where the venue that leads is."""
        if self.cluster is not None:
            # What it needs is in an extra.
            from cea_exchange.cluster.way_in.leader_lease import LeaderLease

            return LeaderLease(self.cluster, data, SOCKETS)
        if self.nodes:
            return Addresses([(node.settlement, node.replay) for node in self.nodes])
        if self.settlement is not None and self.replay is not None:
            return Addresses([(self.settlement, self.replay)])
        given = self.endpoints or str(data / "venue" / "endpoints.json")
        files = (given,) if isinstance(given, str) else given
        return EndpointsFiles([Path(file) for file in files], SOCKETS)
