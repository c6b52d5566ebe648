"""One log node's settings: what an operator says, and the server's own file that follows from it.

What must hold of a journal is written here and can't be set: every write is synced before it is
acknowledged (``sync_interval: always``), nobody comes in without a secret, and beyond the loopback
nothing goes in the clear.
"""

import ipaddress
import json
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec

from cea_exchange.cluster.config import Name
from cea_exchange.cluster.log_nodes import rights
from cea_exchange.protocol.settings import ConfigError, mode_check, settings_read

HostPort = Annotated[
    str, msgspec.Meta(pattern=r"^[^/:@\s]+:[0-9]{1,5}$", examples=["10.0.0.1:4222"])
]
SERVER_FILE = "nats.conf"
PAYLOAD_BYTES_MAX = 8 << 20
"""A message of the journal is below 4 MiB, and its biggest frame a little over 1."""
PENDING_BYTES_MAX = 256 << 20
"""A client that does not read is let go beyond it: a venue that reads the log from its start is
sent some tens of MiB ahead."""
CONNECTIONS_MAX = 1024
STREAMS_MAX, CONSUMERS_MAX = 8, 512
MEMORY_BYTES_MAX = 256 << 20
DUPLICATE_WINDOW_MAX = "10m"
RESPONSE_EXPIRES = "1s"
PING_S, PINGS_MAX = 2, 2
"""Who is cut off is let go after this many seconds, times this many and one."""


class LogNodeSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of one log node; a TOML file, ``log_node.toml``.

    Attributes
    ----------
    cluster
        The name of the venue's cluster, as in its ``[cluster]``.
    node
        This node's name, unlike all others'. It keeps it for life: a log knows its nodes by it.
    clients, routes
        Where venues, and the other nodes, come in.
    monitor
        Where it says how it is, without asking who wants to know: on the loopback.
    peers
        Where the other nodes' `routes` are.
    secrets
        Folder with a file for each right: see `rights`.
    ca, certificate, certificate_key
        Files (PEM): who signs certificates, and this node's own. Left out, nothing is encrypted.
    unencrypted
        Said where nothing is encrypted and the addresses are not the loopback's.
    store_bytes_max
        How much of its disk the log may take; beyond it nothing more is acknowledged.
    """

    cluster: Name
    node: Name
    clients: HostPort
    routes: HostPort
    monitor: HostPort = "127.0.0.1:8222"
    peers: tuple[HostPort, ...]
    secrets: str = "secrets"
    ca: str | None = None
    certificate: str | None = None
    certificate_key: str | None = None
    unencrypted: bool = False
    store_bytes_max: Annotated[int, msgspec.Meta(ge=64 << 20)] = 100 << 30

    def __post_init__(self) -> None:
        names = ("ca", "certificate", "certificate_key")
        given = [name for name in names if getattr(self, name) is not None]
        if given and len(given) < len(names):
            raise ValueError(
                "`ca`, `certificate` and `certificate_key`: expected all or none,"
                f" got `{'` and `'.join(given)}` alone"
            )
        if self.routes in self.peers or len(set(self.peers)) != len(self.peers):
            peers = ", ".join(self.peers)
            raise ValueError(f"`peers`: expected the other nodes' routes, each once, got {peers}")
        open_ = [each for each in (self.clients, self.routes) if not is_loopback(each)]
        if open_ and not self.is_encrypted and not self.unencrypted:
            raise ValueError(
                f"{open_[0]} is no address of the loopback: expected `ca`, `certificate` and"
                " `certificate_key`, or `unencrypted = true`"
            )
        if self.is_encrypted and self.unencrypted:
            raise ValueError("`unencrypted`: expected no certificate, got one")

    @property
    def is_encrypted(self) -> bool:
        """Whether it has a certificate, and asks everybody else for one."""
        return self.certificate is not None

    @property
    def address(self) -> str:
        """Where venues come in, as their `log_nodes` has it."""
        return f"{'tls' if self.is_encrypted else 'nats'}://{self.clients}"


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own; a name is taken for another's."""
    host = address.rpartition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def log_node_read(file: Path) -> LogNodeSettings:
    """Read a log node's settings.

    Raises
    ------
    ConfigError
        Some are missing or wrong.
    """
    settings = settings_read(file, LogNodeSettings)
    for name in ("ca", "certificate", "certificate_key", "secrets"):
        given = getattr(settings, name)
        if given is not None and not (file.parent / given).exists():
            raise ConfigError(f"{file}: {name}: expected a file or folder, there is no {given}")
    if settings.certificate_key is not None:
        mode_check(file.parent / settings.certificate_key, 0o640)
    return settings


def server_file_write(settings: LogNodeSettings, beside: Path, data: Path) -> Path:
    """Write the server's own settings into its data folder, for its owner alone, and return them.

    Parameters
    ----------
    beside
        The folder that relative places in the settings are in.
    data
        The node's own folder.

    Raises
    ------
    SecretError
        A secret is missing or none.
    """
    secrets = rights.secrets_read(beside / settings.secrets)
    file = data / SERVER_FILE
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps(server_settings(settings, secrets, beside, data), indent=1) + "\n"
    if _is_as_before(file, text.encode()):
        return file  # a node starts on a full disk too
    new = file.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    new.replace(file)
    return file


def _is_as_before(file: Path, text: bytes) -> bool:
    try:
        return file.stat().st_mode & 0o777 == 0o600 and file.read_bytes() == text
    except OSError:
        return False


def server_settings(
    settings: LogNodeSettings, secrets: dict[str, str], beside: Path, data: Path
) -> dict[str, Any]:
    """Return the server's settings; JSON is one of the forms that it reads."""
    users = [
        _user(holder, secrets[holder], settings.cluster)
        for holder in (rights.VENUE, rights.WATCHER, rights.KEEPER)
    ]
    route_user = {"user": rights.ROUTE, "password": secrets[rights.ROUTE], "timeout": 2}
    routes = [f"nats://{rights.ROUTE}:{secrets[rights.ROUTE]}@{peer}" for peer in settings.peers]
    tls: dict[str, Any] = {}
    if settings.is_encrypted:
        tls["tls"] = {
            "ca_file": str(beside / str(settings.ca)),
            "cert_file": str(beside / str(settings.certificate)),
            "key_file": str(beside / str(settings.certificate_key)),
            "verify": True,
            "timeout": 5,
        }
    return {
        "server_name": settings.node,
        "listen": settings.clients,
        "http": settings.monitor,
        **tls,
        "max_payload": PAYLOAD_BYTES_MAX,
        "max_pending": PENDING_BYTES_MAX,
        "max_connections": CONNECTIONS_MAX,
        "write_deadline": "10s",
        "ping_interval": f"{PING_S}s",
        "ping_max": PINGS_MAX,
        "jetstream": {
            "store_dir": str(data.absolute() / "store"),
            "sync_interval": "always",
            "max_file_store": settings.store_bytes_max,
            "max_memory_store": MEMORY_BYTES_MAX,
            "limits": {"duplicate_window": DUPLICATE_WINDOW_MAX},
        },
        "accounts": {
            "LOG": {
                "jetstream": {
                    "max_streams": STREAMS_MAX,
                    "max_consumers": CONSUMERS_MAX,
                    "max_file": settings.store_bytes_max,
                    "max_memory": MEMORY_BYTES_MAX,
                },
                "users": users,
            },
            "SYS": {"users": [{"user": rights.SYSTEM, "password": secrets[rights.SYSTEM]}]},
        },
        "system_account": "SYS",
        "cluster": {
            "name": settings.cluster,
            "listen": settings.routes,
            "authorization": route_user,
            **tls,
            "routes": routes,
            # Each node has the addresses of all others: none is discovered from a peer.
            "no_advertise": True,
            "ping_interval": f"{PING_S}s",
            "ping_max": PINGS_MAX,
        },
    }


def _user(holder: str, secret: str, name: str) -> dict[str, Any]:
    permissions: dict[str, Any] = {
        "publish": rights.publish_rights(holder, name),
        "subscribe": rights.subscribe_rights(holder, name),
    }
    if holder == rights.VENUE:
        # To whoever asks for the leader, wherever he is answered.
        permissions["allow_responses"] = {"max": 1, "expires": RESPONSE_EXPIRES}
    return {"user": holder, "password": secret, "permissions": permissions}
