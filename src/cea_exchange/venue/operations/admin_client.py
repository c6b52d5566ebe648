"""Ask a running venue something over its admin socket."""

from pathlib import Path
from typing import Any

from cea_exchange.control_plane.client import Daemon, NotDone

LOCK_NAME = "venue.lock"
VENUE = Daemon(
    name="venue",
    endpoints=Path("venue") / "endpoints.json",
    lock=Path(LOCK_NAME),
    server_key=lambda data, endpoints: str(endpoints["public_key"]),
    person="an operator",
    timeout_s=10.0,
    is_told_by_address=False,
)


class AdminError(NotDone):
    """The venue refused, or did not answer."""


def admin_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: float = VENUE.timeout_s,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Return a running venue's answer, see `Daemon.ask`; AdminError where there is none."""
    return VENUE.ask(data, request, key=key, timeout_s=timeout_s, error=AdminError)
