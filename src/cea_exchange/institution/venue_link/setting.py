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
Addressed = Address | tuple[Address, ...] | None
Files = str | tuple[str, ...] | None


class VenueSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An institution's settings of the venue; every one may be left out.

    Attributes
    ----------
    feed
        Where the venue fetches accounts, products, keys and transfers. Port 0 takes a free one,
        written to the institution's ``endpoints.json``.
    settlement, replay
        The venue's settlement stream and its replay socket; of several venues, one of which leads,
        a list each in the same order. Left out, both are taken from `endpoints`, again whenever
        that file changes.
    endpoints
        File in which the venue says where it listens, or a list of such files;
        ``DIR/venue/endpoints.json`` if left out.
    cluster
        The cluster, whose lease says where the leader is; then none of those is given.
    public_key
        The venue's key, z85 text; ``DIR/keys/venue.public`` if left out.
    """

    feed: Address = "tcp://127.0.0.1:0"
    settlement: Addressed = None
    replay: Addressed = None
    endpoints: Files = None
    cluster: ClusterConfig | None = None
    public_key: str | None = None

    def __post_init__(self) -> None:
        venues_check(self.settlement, self.replay, self.endpoints, self.cluster)
        if self.public_key is not None:
            key_check(self.public_key, "public_key")

    def key(self, data: Path) -> str:
        """Return the venue's public key."""
        return self.public_key or public_key_load(data / "keys", "venue")

    def whereabouts(self, data: Path) -> Whereabouts:
        """Return what says where the venue that leads is."""
        if self.cluster is not None:
            from cea_exchange.cluster.way_in.lease import Lease

            return Lease(self.cluster, data, SOCKETS)
        if self.settlement is not None:
            return Addresses(list(zip(*map(_several, (self.settlement, self.replay)), strict=True)))
        files = _several(self.endpoints) or (data / "venue" / "endpoints.json",)
        return EndpointsFiles([Path(file) for file in files], SOCKETS)


def venues_check(
    settlement: Addressed, replay: Addressed, endpoints: Files, cluster: ClusterConfig | None
) -> None:
    """Raise ValueError unless an institution's settings say in one way where its venues are."""
    if len(_several(settlement)) != len(_several(replay)):
        raise ValueError("expected settlement and replay both, or neither, and as many of each")
    if cluster is not None and (settlement is not None or endpoints is not None):
        raise ValueError("expected no settlement, replay or endpoints beside a cluster")


def _several(given: Addressed | Files) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else given
