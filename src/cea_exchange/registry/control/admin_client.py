"""Ask a running registry something over its admin socket."""

from pathlib import Path
from typing import Any

from cea_exchange.control_plane.client import Daemon, NotDone
from cea_exchange.protocol.security import public_key_load

LOCK_NAME = "lock"
TIMEOUT_S = 40
"""Longer than the registry lets a look wait for its turn and take, so that it says which it was."""
REGISTRY = Daemon(
    name="registry",
    endpoints=Path("registry") / "endpoints.json",
    lock=Path("registry") / LOCK_NAME,
    server_key=lambda data, endpoints: public_key_load(data / "keys", "registry"),
    person="a person",
    timeout_s=TIMEOUT_S,
    is_told_by_address=True,
)


class RegistryUnavailable(NotDone):
    """No registry runs on the folder, it does not answer, or it refuses the request."""


def registry_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: float = TIMEOUT_S,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Return a running registry's answer, see `Daemon.ask`; else RegistryUnavailable."""
    return REGISTRY.ask(data, request, key=key, timeout_s=timeout_s, error=RegistryUnavailable)
