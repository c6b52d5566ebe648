"""The settings of a venue that several machines share: the table ``[cluster]``."""

import ssl
from pathlib import Path
from typing import Annotated

import msgspec

from cea_exchange.protocol.settings import ConfigError, mode_check
from cea_exchange.user_files.opening import UserFileError, text_read

Name = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$", examples=["cea", "venue-1"])
]
LogNode = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(nats|tls)://[^/:@]+:[0-9]{1,5}$", examples=["tls://log-1.example:4222"]
    ),
]
LEASE_S_MAX = 30.0


class ClusterConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where the replicated journal is, and who this node is in it.

    The same on every node, but for `node` and files' places.

    Attributes
    ----------
    name
        Of the cluster; the log's stream and buckets are named after it.
    node
        Of this node, unlike all others of the cluster.
    log_nodes
        Addresses of the log's nodes; one that answers is enough to find the others.
    ca
        File of the authority (PEM) that the log's nodes have their certificates of. Left out, the
        connection is in the clear: for a log on the loopback.
    certificate, certificate_key
        Files of this node's own certificate (PEM), where the log's nodes ask for one; the key is
        its owner's and his group's at most (0640).
    user
        As whom the log's nodes know this node.
    secret_file
        File that holds the user's password, alone in its first line; its owner's alone (0600).
    lease_s
        A leader that was not heard of for so long is taken for dead, in seconds.
    replicas
        On how many of the log's nodes everything is kept.
    """

    name: Name
    node: Name
    log_nodes: Annotated[tuple[LogNode, ...], msgspec.Meta(min_length=1)]
    ca: str | None = None
    certificate: str | None = None
    certificate_key: str | None = None
    user: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    secret_file: str | None = None
    lease_s: Annotated[float, msgspec.Meta(ge=0.5, le=LEASE_S_MAX)] = 1.0
    replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3

    def __post_init__(self) -> None:
        for one, other in (("certificate", "certificate_key"), ("user", "secret_file")):
            given = [name for name in (one, other) if getattr(self, name) is not None]
            if len(given) == 1:
                raise ValueError(
                    f"`{one}` and `{other}`: expected both or neither, got `{given[0]}` alone"
                )
        if self.certificate is not None and self.ca is None:
            raise ValueError("`certificate`: expected `ca` beside it, got none")
        if self.replicas % 2 == 0:
            raise ValueError(f"`replicas`: expected an odd number, got {self.replicas}")

    @property
    def stream(self) -> str:
        """The stream that is the journal."""
        return f"{self.name}-journal"

    @property
    def subject(self) -> str:
        """What the journal's messages are published on."""
        return f"{self.name}.journal"

    @property
    def leader_subject(self) -> str:
        """What whoever leads answers on: where he is to be found."""
        return f"{self.name}.leader"

    def leader_presence(self, node: str) -> str:
        """What a node answers on while it leads, as long as it is connected to the log."""
        return f"{self.name}.alive.{node}"

    def process_presence(self, incarnation: str) -> str:
        """What a node's process answers on as long as it is connected to the log."""
        return f"{self.name}.alive.process.{incarnation}"

    @property
    def lease_bucket(self) -> str:
        """The bucket in which the leader's record lives as long as its lease."""
        return f"{self.name}-lease"

    @property
    def nodes_bucket(self) -> str:
        """The bucket in which each node says where it stands."""
        return f"{self.name}-nodes"

    def secret(self, data: Path) -> str | None:
        """Return the user's password; None without a user.

        Parameters
        ----------
        data
            The folder that a relative `secret_file` is in.

        Raises
        ------
        ConfigError
            The file can't be read, is open to others, or has nothing in it.
        """
        if self.secret_file is None:
            return None
        path = data / self.secret_file
        mode_check(path, 0o600)
        try:
            lines = text_read(path, "a password").splitlines()
        except UserFileError as error:
            raise ConfigError(str(error)) from error
        if not lines or not lines[0].strip():
            raise ConfigError(f"{path}: expected a password in its first line, got none")
        return lines[0].strip()

    def tls(self, data: Path) -> ssl.SSLContext | None:
        """Return how the connection is secured; None where it is in the clear.

        Parameters
        ----------
        data
            The folder that relative names of files are in.

        Raises
        ------
        ConfigError
            A file can't be read, is none of its kind, or a key is open to everybody.
        """
        if self.ca is None:
            return None
        ca = data / self.ca
        try:
            context = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise ConfigError(f"{ca}: expected an authority's certificate, {error}") from error
        if self.certificate is not None and self.certificate_key is not None:
            certificate, key = data / self.certificate, data / self.certificate_key
            mode_check(key, 0o640)
            try:
                context.load_cert_chain(certificate, key)
            except OSError as error:
                what = f"{certificate}, {key}: expected a certificate and its key"
                raise ConfigError(f"{what}, {error}") from error
        return context

    def files_read(self, data: Path) -> str:
        """Read every file that is named, and return in a line what these settings are for.

        Raises
        ------
        ConfigError
            One can't be read, or is not what it must be.
        """
        self.secret(data)
        self.tls(data)
        return f"node {self.node} of {self.name}, log at {', '.join(self.log_nodes)}"
