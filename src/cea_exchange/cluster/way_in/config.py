"""The settings of a way in: a TOML file, read once, strict."""

from pathlib import Path
from typing import Annotated

import msgspec

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.way_in.whereabouts import Addresses, EndpointsFiles, Whereabouts
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import MetricsAddress, TcpAddress, settings_read

KEYS_NAME = "way_in"
"""Of its key files: participants know it by them, and so does the venue."""
SOCKETS = ("way_in",)
"""Which of a venue's it goes to."""


class WayInConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of ``cluster way-in``.

    Attributes
    ----------
    gateway
        Where participants come. Port 0 takes a free one, written to ``DIR/way_in/endpoints.json``.
    venues
        Addresses of the venues' sockets `way_in`; without them the two below say where they are.
    venue_endpoints
        Files in which the venues say where they listen; ``DIR/venue/endpoints.json`` if left out.
    cluster
        The cluster, whose lease says where the leader is; goes before the two others.
    venue_public_key
        The key that all venues of the cluster have; ``DIR/keys/venue.public`` if left out.
    silence_s_max
        A venue that says nothing for so long is given up for another one.
    wait_s_max
        What came while no venue leads is refused after so long.
    commands_waiting_max
        So many commands of all participants wait for a leader.
    fronts, front_memory_mib_max, session_queue_bytes_max
        As of a venue.
    metrics
        Where Prometheus may ask, as ``127.0.0.1:0``; left out, nowhere.
    """

    gateway: TcpAddress = "tcp://127.0.0.1:0"
    venues: tuple[TcpAddress, ...] = ()
    venue_endpoints: tuple[str, ...] = ()
    cluster: ClusterConfig | None = None
    venue_public_key: str | None = None
    silence_s_max: Annotated[int, msgspec.Meta(ge=1, le=60)] = 2
    wait_s_max: Annotated[int, msgspec.Meta(ge=0, le=600)] = 15
    commands_waiting_max: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)] = 262_144
    fronts: Annotated[int, msgspec.Meta(ge=0, le=64)] = 2
    front_memory_mib_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 20)] = 512
    session_queue_bytes_max: Annotated[int, msgspec.Meta(ge=65_536, le=1 << 40)] = 8 << 20
    metrics: MetricsAddress | None = None

    def __post_init__(self) -> None:
        if self.venue_public_key is not None:
            key_check(self.venue_public_key, "venue_public_key")

    def venue_key(self, data: Path) -> str:
        """Return the venues' public key."""
        return self.venue_public_key or public_key_load(data / "keys", "venue")

    def whereabouts(self, data: Path) -> Whereabouts:
        """Return what says where the leader is."""
        if self.cluster is not None:
            from cea_exchange.cluster.way_in.leader_lease import LeaderLease

            return LeaderLease(self.cluster, data, SOCKETS)
        if self.venues:
            return Addresses([(address,) for address in self.venues])
        files = self.venue_endpoints or (str(data / "venue" / "endpoints.json"),)
        return EndpointsFiles([Path(path) for path in files], SOCKETS)


def config_load(path: Path | str) -> WayInConfig:
    """Read the config file; ConfigError names the place of what is no setting."""
    return settings_read(path, WayInConfig)
