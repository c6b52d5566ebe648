"""The settings that every institution's daemon has; its own come beside them."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, dataclass_transform

import msgspec

from cea_exchange.control_plane.requests import Requests
from cea_exchange.institution.persons import Person
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import Operator, OperatorSetting, operators_by_key
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address, MetricsAddress, TcpAddress


# A type checker does not inherit that it is frozen.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class InstitutionConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of an institution's ``serve``; every one may be left out.

    Attributes
    ----------
    institution, requests
        Whose they are, and what may be asked of it.
    admin
        Where persons' requests come in. Port 0 takes a free one, written to
        ``DIR/registry/endpoints.json``, where the institution is the registry.
    fronts
        Persons come to so many processes, which share the address
        (`cea_exchange.control_plane.fronts`); 0: to the daemon's own, which a single key can end
        then.
    front_memory_mib_max
        A front that has grown beyond ends, and is begun again.
    clock
        What time it is, see `ClockSetting`; the system's is guarded.
    operators
        Who may act over the admin socket; see `OperatorSetting`. They add the persons of other
        bodies.
    admin_keys
        Keys of one more operator, named ``admin``. Without these and without `operators`, the key
        in ``DIR/keys/admin.public``.
    second_person
        More ops that need a second person's approval than those that always do. An empty list asks
        for no second person at all: a test bench, which says so in its status.
    proposal_s
        How long a proposal waits for that person, in seconds.
    database
        ``postgresql://...``, the database to keep everything in; left out, the one that the
        institution's folder speaks of, or SQLite. A password does not belong here: libpq takes it
        from ``PGPASSWORD`` or ``.pgpass``. It may name several servers, of which one writes.
    database_synchronous
        Whether each commit must be on the disk of a standby, too, before it counts; then a server
        that would not wait for one is not written to.
    database_wait_s
        How long a start waits for that database's server, in seconds; 0 not at all.
    metrics
        Where Prometheus may ask, as ``127.0.0.1:0``; left out, nowhere.
    """

    institution: ClassVar[str]
    requests: ClassVar[Requests[Any]]

    admin: TcpAddress = "tcp://127.0.0.1:0"
    fronts: Annotated[int, msgspec.Meta(ge=0, le=64)] = 2
    front_memory_mib_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 20)] = 512
    clock: ClockSetting = msgspec.field(default_factory=ClockSetting)
    operators: tuple[OperatorSetting, ...] = ()
    admin_keys: tuple[str, ...] | None = None
    second_person: tuple[str, ...] | None = None
    proposal_s: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)] = 259_200
    database: str | None = None
    database_synchronous: bool = False
    database_wait_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 60
    metrics: MetricsAddress | None = None

    def __post_init__(self) -> None:
        for key in self.admin_keys or ():
            key_check(key, "admin_keys")
        unknown = {*(self.second_person or ())} - self.requests.by_op.keys()
        if unknown:
            raise ValueError(f"second_person: expected ops, got {', '.join(sorted(unknown))}")

    def operators_by_key(self, data: Path) -> dict[str, Operator]:
        """Return who may act, or look where there is something to look at, by public key."""
        return operators_by_key(self.operators, self.admin_keys, data)

    def persons_by_key(self, data: Path) -> dict[str, Person]:
        """Return the institution's own persons, its operators and the regulators, by public key."""
        bodies = {"operator": self.institution, "regulator": "regulator"}
        return {
            key: Person(operator.name, key, operator.role, bodies[operator.role])
            for key, operator in self.operators_by_key(data).items()
        }


class LinkConfig(InstitutionConfig, frozen=True, kw_only=True):
    """Settings of an institution that the registry asks, beside those of every institution.

    Attributes
    ----------
    link
        Where the registry asks. Port 0 takes a free one, written to the institution's
        ``endpoints.json``.
    registry_public_key
        The registry's key, z85 text; ``DIR/keys/registry.public`` if left out.
    """

    link: Address = "tcp://127.0.0.1:0"
    registry_public_key: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.registry_public_key is not None:
            key_check(self.registry_public_key, "registry_public_key")

    def registry_key(self, data: Path) -> str:
        """Return the registry's public key."""
        return self.registry_public_key or public_key_load(data / "keys", "registry")
