"""The registry daemon's settings: a TOML file, read once, strict."""

from pathlib import Path

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.institution.config import InstitutionConfig
from cea_exchange.institution.venue_link.setting import Files, VenueNode, VenueSetting
from cea_exchange.protocol.security import key_check
from cea_exchange.protocol.settings import Address, settings_read
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.ccer_link.setting import CcerSetting
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.participants.accounts import Admission
from cea_exchange.registry.platform_link.setting import PlatformSetting
from cea_exchange.registry.settlement.settlement import SettlementMode
from cea_exchange.registry.store import REGISTRY_SCHEMA


class RegistryConfig(InstitutionConfig, kw_only=True):
    """Settings of ``registry serve``, beside those of every institution.

    Attributes
    ----------
    feed
        Where the venue fetches accounts, products, keys and transfers. Port 0 takes a free one,
        written to ``DIR/registry/endpoints.json``.
    settlement, replay
        The venue's settlement stream and its replay socket. Left out, both are taken from
        `venue_endpoints`, again whenever that file changes.
    venue_nodes
        The same of several venues, one of which leads; goes before `settlement` and `replay`.
    venue_endpoints
        File in which the venue says where it listens, or a list of such files;
        ``DIR/venue/endpoints.json`` if left out.
    venue_cluster
        The cluster, whose lease says where the leader is; goes before all those.
    venue_public_key
        The venue's key, z85 text; ``DIR/keys/venue.public`` if left out.
    settlement_mode
        ``realtime`` posts trades as they come, ``end_of_day`` when the day has closed.
    admission
        Whose accounts are opened: of key emitting entities, ``listed_entities``, each with its
        credit code, its province and one of their sectors; or of anybody, ``open``.
    bank
        The settlement bank; left out, cash moves in the ledger alone.
    platform
        The management platform; left out, allocations and obligations come by files alone.
    ccer
        The CCER registry; left out, proofs of cancellations come from operators.
    """

    institution = REGISTRY_SCHEMA.institution
    requests = REGISTRY_REQUESTS

    feed: Address = "tcp://127.0.0.1:0"
    settlement: Address | None = None
    replay: Address | None = None
    venue_nodes: tuple[VenueNode, ...] = ()
    venue_endpoints: Files = None
    venue_cluster: ClusterConfig | None = None
    venue_public_key: str | None = None
    settlement_mode: SettlementMode = "realtime"
    admission: Admission = "listed_entities"
    bank: BankSetting | None = None
    platform: PlatformSetting | None = None
    ccer: CcerSetting | None = None

    def __post_init__(self) -> None:
        if self.venue_public_key is not None:
            key_check(self.venue_public_key, "venue_public_key")
        if (self.settlement is None) != (self.replay is None):
            given = "replay" if self.settlement is None else "settlement"
            raise ValueError(
                f"`settlement` and `replay`: expected both or neither, got `{given}` alone"
            )
        super().__post_init__()

    @property
    def venue(self) -> VenueSetting:
        """The settings of the venue, which are not in a table of their own here."""
        return VenueSetting(
            feed=self.feed,
            settlement=self.settlement,
            replay=self.replay,
            nodes=self.venue_nodes,
            endpoints=self.venue_endpoints,
            cluster=self.venue_cluster,
            public_key=self.venue_public_key,
        )


def config_load(path: Path | str) -> RegistryConfig:
    """Read the daemon's config file; ConfigError names the place of what is no setting."""
    return settings_read(path, RegistryConfig)
