"""Ask a running venue something over its admin socket."""

from pathlib import Path
from typing import Any

from cea_exchange.control_plane.client import Daemon, NotDone, refusal_words
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.answers import code_of

LOCK_NAME = "venue.lock"
VENUE = Daemon(
    name="venue",
    endpoints=Path("venue") / "endpoints.json",
    lock=Path(LOCK_NAME),
    server_key=lambda data, endpoints: str(endpoints["public_key"]),
    person="an operator",
    timeout_s=10.0,
)


class AdminError(NotDone):
    """The venue refused, or did not answer."""


class ActRefused(AdminError):
    """The venue has answered, and refuses the request.

    Attributes
    ----------
    code : VenueRefusal or None
        Why; None where the venue is of another version and says none that is known here.
    answer : dict
        As it came: ``op``, ``code``, ``expected``, ``got``, ``where``.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(refusal_words(answer))
        self.code = code_of(answer, VenueRefusal)
        self.answer = answer


def admin_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: float = VENUE.timeout_s,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Return a running venue's answer, see `Daemon.ask`.

    Raises
    ------
    AdminError
        No venue runs on the folder, or it does not answer.
    ActRefused
        It refuses the request.
    """
    return VENUE.ask(
        data, request, key=key, timeout_s=timeout_s, error=AdminError, refused=ActRefused
    )
