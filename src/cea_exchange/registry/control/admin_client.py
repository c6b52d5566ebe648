"""Ask a running registry something over its admin socket."""

from pathlib import Path
from typing import Any

from cea_exchange.control_plane.client import Daemon, NotDone, refusal_words
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.refusals.answers import code_of
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
)


class RegistryUnavailable(NotDone):
    """No registry runs on the folder, it does not answer, or it refuses the request."""


class RegistryRefused(RegistryUnavailable):
    """The registry has answered, and refuses the request.

    Attributes
    ----------
    code : RegistryRefusal or None
        Why; None where the registry is of another version and says none that is known here.
    answer : dict
        As it came: ``ok``, ``code``, ``error``.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(refusal_words(answer))
        self.code = code_of(answer, RegistryRefusal)
        self.answer = answer


def registry_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: float = TIMEOUT_S,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Return a running registry's answer, see `Daemon.ask`.

    Raises
    ------
    RegistryUnavailable
        There is no answer.
    RegistryRefused
        It is a refusal.
    """
    return REGISTRY.ask(
        data,
        request,
        key=key,
        timeout_s=timeout_s,
        error=RegistryUnavailable,
        refused=RegistryRefused,
    )
