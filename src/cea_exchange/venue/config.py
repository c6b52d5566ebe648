"""The venue daemon's settings: a TOML file, read once, strict."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import Operator, OperatorSetting, operators_by_key
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import (
    Address,
    ConfigError,
    MetricsAddress,
    TcpAddress,
    settings_read,
)

DATA_FOLDERS = ("journal", "events", "snapshots", "bulletins", "profiles", "keys", "venue")
"""What a venue keeps in its data folder, beside the archive."""

PublicKey = Annotated[str, msgspec.Meta(min_length=40, max_length=40)]
PerSecond = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


Threshold = tuple[
    Annotated[int, msgspec.Meta(ge=0, le=2**62)], Annotated[int, msgspec.Meta(ge=0, le=10**9)]
]
"""Records and seconds; either is enough, 0 is never."""


class LagSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How far the registry may be behind, ``[records, seconds]`` each, and what happens then.

    Attributes
    ----------
    warn
        It is logged.
    throttle
        Every key is held to `throttle_per_second`.
    cancel_only
        Only cancels are taken.
    halt
        The market is halted.
    throttle_per_second
        Commands a key may send in a second then.
    recover_percent
        A level is left when the lag is below this part of its thresholds.
    """

    warn: Threshold = (50_000, 5)
    throttle: Threshold = (500_000, 30)
    cancel_only: Threshold = (2_000_000, 60)
    halt: Threshold = (5_000_000, 300)
    throttle_per_second: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100
    recover_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50

    def __post_init__(self) -> None:
        levels = (self.warn, self.throttle, self.cancel_only, self.halt)
        for unit, name in enumerate(("records", "seconds")):
            values = [level[unit] for level in levels if level[unit]]
            if values != sorted(values):
                raise ValueError(
                    f"{name} of warn, throttle, cancel_only, halt: expected none below the one"
                    f" before, got {', '.join(map(str, values))}"
                )


class VenueConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of ``venue serve``; every one may be left out.

    Attributes
    ----------
    profile
        Name of a packaged profile, or the path of a profile file; another than before from a day
        on only.
    clock
        See `ClockSetting`.
    gateway, market_data, snapshot, settlement, replay, admin
        Where the daemon listens. Port 0 takes a free one, written to ``DIR/venue/endpoints.json``.
    way_in, way_in_keys
        Where ways in come that hold participants' sessions for whichever venue leads
        (`cea_exchange.cluster.way_in`), and their public keys: whom one of them names is believed
        to be there, as of the venue's own fronts. Without keys nobody may come.
    registry_feed
        The registry's feed. Left out, it is taken from `registry_endpoints`, again whenever the
        connection is made anew.
    registry_endpoints
        File in which the registry says where it listens; ``DIR/registry/endpoints.json`` if left
        out.
    registry_public_key
        The registry's key; ``DIR/keys/registry.public`` if left out.
    settlement_keys
        Further keys that may follow the settlement stream.
    operators
        Who may act or look over the admin socket, see `OperatorSetting`.
    admin_keys
        Keys of one more operator, named ``admin``. Without these and without `operators`, the key
        in ``DIR/keys/admin.public``.
    proposal_s
        How long an act that takes two persons waits for the second one.
    throttle_per_second, throttle_cancels_per_second
        New orders and amends, and cancels, that a key may send in a second; 0 is any number.
    fronts
        Participants and operators come to so many processes, which share the addresses
        (`cea_exchange.control_plane.fronts`); 0: to the venue's own, which a single key can end
        then.
    front_memory_mib_max
        A front that has grown beyond ends, and is begun again.
    throttle_account_per_second, throttle_account_cancels_per_second
        The same for all keys of an account together.
    market_data_public
        Anybody's key may follow the market data and ask for snapshots; else participants,
        registry and operators only.
    relay
        A process of its own serves whoever may follow the market data, and the venue serves that
        (`cea_exchange.venue.publication.relay`); else the venue does it itself.
    relay_memory_mib_max
        It is started again when it has grown beyond.
    relay_keys
        Further public keys that may follow the market data where it is not public: those of relays
        on other machines.
    market_data_interval_ms
        Public data goes out at most once in so long; 0 is with every batch, or with those together
        that came while orders waited.
    batch_count_max
        Commands gathered into one batch.
    wait_for_confirmation
        The next day opens only after the registry has confirmed the last.
    heartbeat_s
        A session to which nothing else was sent for so long gets a heartbeat.
    session_silence_s_max
        A session that sends nothing for so long is lost.
    session_queue_bytes_max
        What may wait for a session that does not read, beside the 4 MiB at most that ZeroMQ keeps
        for it; where more comes, it is cut off.
    second_logon
        What a logon does whose key has a session already: ``take_over`` ends that one, ``refuse``
        leaves it until it is lost. One whose connection is gone is taken over either way.
    snapshot_commands
        A snapshot is taken after so many commands, and at each day's close; 0 is never.
    archive
        Where segments of the journal go that a snapshot covers; ``DIR/archive`` if left out.
    bulletin_opening
        A bulletin (JSON) with what was traded before this venue began: its sums are carried on.
    lag
        See `LagSetting`.
    metrics
        Where Prometheus may ask, as ``127.0.0.1:0``; left out, nowhere.
    cluster
        The venues that share one journal, this one among them, see `ClusterConfig`; left out, the
        journal is in the data folder alone.
    """

    profile: str = "cea"
    clock: ClockSetting = msgspec.field(default_factory=ClockSetting)
    gateway: TcpAddress = "tcp://127.0.0.1:0"
    market_data: Address = "tcp://127.0.0.1:0"
    snapshot: Address = "tcp://127.0.0.1:0"
    settlement: Address = "tcp://127.0.0.1:0"
    replay: Address = "tcp://127.0.0.1:0"
    admin: TcpAddress = "tcp://127.0.0.1:0"
    way_in: TcpAddress = "tcp://127.0.0.1:0"
    way_in_keys: tuple[PublicKey, ...] = ()
    registry_feed: Address | None = None
    registry_endpoints: str | None = None
    registry_public_key: PublicKey | None = None
    settlement_keys: tuple[PublicKey, ...] = ()
    operators: tuple[OperatorSetting, ...] = ()
    admin_keys: tuple[PublicKey, ...] | None = None
    proposal_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 3_600
    fronts: Annotated[int, msgspec.Meta(ge=0, le=64)] = 2
    front_memory_mib_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 20)] = 512
    throttle_per_second: PerSecond = 1_000
    throttle_cancels_per_second: PerSecond = 2_000
    throttle_account_per_second: PerSecond = 5_000
    throttle_account_cancels_per_second: PerSecond = 10_000
    market_data_public: bool = True
    relay: bool = True
    relay_memory_mib_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 20)] = 512
    relay_keys: tuple[PublicKey, ...] = ()
    market_data_interval_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 10
    batch_count_max: Annotated[int, msgspec.Meta(ge=1, le=16_384)] = 16_384
    wait_for_confirmation: bool = True
    heartbeat_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 1
    session_silence_s_max: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 30
    snapshot_commands: Annotated[int, msgspec.Meta(ge=0)] = 5_000_000
    archive: str | None = None
    bulletin_opening: str | None = None
    lag: LagSetting = msgspec.field(default_factory=LagSetting)
    metrics: MetricsAddress | None = None
    cluster: ClusterConfig | None = None
    session_queue_bytes_max: Annotated[int, msgspec.Meta(ge=65_536, le=1 << 40)] = 8 << 20
    second_logon: Literal["take_over", "refuse"] = "take_over"

    def __post_init__(self) -> None:
        for key in filter(None, (self.registry_public_key, *self.settlement_keys)):
            key_check(key, "registry_public_key and settlement_keys")
        for key in self.relay_keys:
            key_check(key, "relay_keys")
        for key in self.way_in_keys:
            key_check(key, "way_in_keys")
        for key in self.admin_keys or ():
            key_check(key, "admin_keys")
        if self.heartbeat_s > self.session_silence_s_max:
            raise ValueError(
                f"`heartbeat_s`: expected at most {self.session_silence_s_max},"
                f" `session_silence_s_max`, got {self.heartbeat_s}"
            )

    def registry_key(self, data: Path) -> str:
        """Return the registry's public key."""
        return self.registry_public_key or public_key_load(data / "keys", "registry")

    def operators_by_key(self, data: Path) -> dict[str, Operator]:
        """Return who may act or look over the admin socket, by public key."""
        return operators_by_key(self.operators, self.admin_keys, data)

    def archive_folder(self, data: Path) -> Path:
        """Return the folder of archived segments.

        Raises
        ------
        ConfigError
            It is one that holds something else: a manifest among the segments, and no venue starts
            on them again.
        """
        archive = data / "archive" if self.archive is None else Path(self.archive)
        within = archive.resolve()
        taken = (data.resolve() / name for name in DATA_FOLDERS)
        if within == data.resolve() or any(within.is_relative_to(folder) for folder in taken):
            raise ConfigError(f"archive: expected a folder of its own, got {archive}")
        return archive

    def registry_endpoints_file(self, data: Path) -> Path:
        """Return the file in which the registry says where it listens."""
        if self.registry_endpoints is not None:
            return Path(self.registry_endpoints)
        return data / "registry" / "endpoints.json"


def config_load(path: Path | str) -> VenueConfig:
    """Read the daemon's config file; ConfigError names the place of what is no setting."""
    return settings_read(path, VenueConfig)
