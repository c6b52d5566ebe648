"""The registry daemon's settings: a TOML file, read once, strict."""

from pathlib import Path
from typing import Annotated

import msgspec

from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import Operator, OperatorSetting, operators_by_key
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address, MetricsAddress, TcpAddress, settings_read
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.participants.accounts import Admission
from cea_exchange.registry.participants.persons import Person
from cea_exchange.registry.settlement.settlement import SettlementMode


class RegistryConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of ``registry serve``; every one may be left out.

    Attributes
    ----------
    feed
        Where the venue fetches accounts, products, keys and transfers. Port 0 takes a free one,
        written to ``DIR/registry/endpoints.json``.
    admin
        Where operators' acts come in.
    fronts
        Persons come to so many processes, which share the address
        (`cea_exchange.control_plane.fronts`); 0: to the registry's own, which a single key can end
        then.
    front_memory_mib_max
        A front that has grown beyond ends, and is begun again.
    settlement, replay
        The venue's settlement stream and its replay socket. Left out, both are taken from
        `venue_endpoints`, again whenever that file changes.
    clock
        What time it is, see `ClockSetting`; the system's is guarded.
    venue_endpoints
        File in which the venue says where it listens; ``DIR/venue/endpoints.json`` if left out.
    venue_public_key
        The venue's key, z85 text; ``DIR/keys/venue.public`` if left out.
    operators
        Who may act over the admin socket, and adopt; see `OperatorSetting`. They add the persons
        of other bodies.
    admin_keys
        Keys of one more operator, named ``admin``. Without these and without `operators`, the key
        in ``DIR/keys/admin.public``.
    second_person
        More ops that need a second person's approval than those that protocol/registry.md marks. An
        empty list asks for no second person at all: a test bench, which says so in its status.
    proposal_s
        How long a proposal waits for that person, in seconds.
    database
        ``postgresql://...``, the database to keep the registry in; left out, the one that
        ``DIR/registry`` speaks of, or SQLite. A password does not belong here: libpq takes it from
        ``PGPASSWORD`` or ``.pgpass``.
    database_wait_s
        How long a start waits for that database's server, in seconds; 0 not at all.
    metrics
        Where Prometheus may ask, as ``127.0.0.1:0``; left out, nowhere.
    settlement_mode
        ``realtime`` posts trades as they come, ``end_of_day`` when the day has closed.
    admission
        Whose accounts are opened: of key emitting entities, ``listed_entities``, each with its
        credit code, its province and one of their sectors; or of anybody, ``open``.
    bank
        The settlement bank; left out, cash moves in the ledger alone.
    """

    feed: Address = "tcp://127.0.0.1:0"
    admin: TcpAddress = "tcp://127.0.0.1:0"
    fronts: Annotated[int, msgspec.Meta(ge=0, le=64)] = 2
    front_memory_mib_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 20)] = 512
    settlement: Address | None = None
    replay: Address | None = None
    clock: ClockSetting = msgspec.field(default_factory=ClockSetting)
    venue_endpoints: str | None = None
    venue_public_key: str | None = None
    operators: tuple[OperatorSetting, ...] = ()
    admin_keys: tuple[str, ...] | None = None
    second_person: tuple[str, ...] | None = None
    proposal_s: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)] = 259_200
    database: str | None = None
    database_wait_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 60
    metrics: MetricsAddress | None = None
    settlement_mode: SettlementMode = "realtime"
    admission: Admission = "listed_entities"
    bank: BankSetting | None = None

    def __post_init__(self) -> None:
        if (self.settlement is None) != (self.replay is None):
            raise ValueError("settlement and replay must both be given, or neither")
        if self.venue_public_key is not None:
            key_check(self.venue_public_key, "venue_public_key")
        for key in self.admin_keys or ():
            key_check(key, "admin_keys")
        unknown = {*(self.second_person or ())} - REGISTRY_REQUESTS.by_op.keys()
        if unknown:
            raise ValueError(f"second_person: expected ops, got {', '.join(sorted(unknown))}")

    def venue_key(self, data: Path) -> str:
        """Return the venue's public key."""
        return self.venue_public_key or public_key_load(data / "keys", "venue")

    def operators_by_key(self, data: Path) -> dict[str, Operator]:
        """Return who may act, or look where there is something to look at, by public key."""
        return operators_by_key(self.operators, self.admin_keys, data)

    def persons_by_key(self, data: Path) -> dict[str, Person]:
        """Return the registry's own persons, its operators and the regulators, by public key."""
        bodies = {"operator": "registry", "regulator": "regulator"}
        return {
            key: Person(operator.name, key, operator.role, bodies[operator.role])
            for key, operator in self.operators_by_key(data).items()
        }

    def endpoints_file(self, data: Path) -> Path:
        """Return the file in which the venue says where it listens."""
        if self.venue_endpoints is not None:
            return Path(self.venue_endpoints)
        return data / "venue" / "endpoints.json"


def config_load(path: Path | str) -> RegistryConfig:
    """Read the daemon's config file; ConfigError names the place of what is no setting."""
    return settings_read(path, RegistryConfig)
