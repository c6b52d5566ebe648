"""Ask a running platform something over its admin socket."""

from pathlib import Path
from typing import Any

from cea_exchange.control_plane.client import Daemon, NotDone, refusal_words
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.protocol.security import public_key_load

TIMEOUT_S = 40
"""Longer than the platform lets a look wait for its turn and take, so that it says which it was."""
PLATFORM = Daemon(
    name="platform",
    endpoints=Path("platform") / "endpoints.json",
    lock=Path("platform") / "lock",
    server_key=lambda data, endpoints: public_key_load(data / "keys", "platform"),
    person="a person",
    timeout_s=TIMEOUT_S,
)


class PlatformUnavailable(NotDone):
    """No platform runs on the folder, it does not answer, or it refuses the request."""


class PlatformRefused(PlatformUnavailable):
    """The platform has answered, and refuses the request.

    Attributes
    ----------
    code : PlatformRefusal or None
        Why; None where the platform is of another version and says none that is known here.
    answer : dict
        As it came: ``ok``, ``code``, ``error``.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(refusal_words(answer))
        self.code = code_of(answer, PlatformRefusal)
        self.answer = answer


def platform_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: float = TIMEOUT_S,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Return a running platform's answer, see `Daemon.ask`.

    Raises
    ------
    PlatformUnavailable
        There is no answer.
    PlatformRefused
        It is a refusal.
    """
    return PLATFORM.ask(
        data,
        request,
        key=key,
        timeout_s=timeout_s,
        error=PlatformUnavailable,
        refused=PlatformRefused,
    )
