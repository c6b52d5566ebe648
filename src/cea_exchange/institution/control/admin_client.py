"""Ask a running institution something over its admin socket."""

from enum import IntEnum
from pathlib import Path
from typing import Any

from cea_exchange.control_plane.client import Daemon, NotDone, refusal_words
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.protocol.security import public_key_load

TIMEOUT_S = 100
"""Longer than a look may wait for its turn and a process, and take: the answer says which it was.

See `institution.control.query_service`: `WAIT_S`, `READY_S`, `LOOK_S`.
"""


class InstitutionUnavailable(NotDone):
    """No institution runs on the folder, it does not answer, or it refuses the request."""


class InstitutionRefused(InstitutionUnavailable):
    """The institution has answered, and refuses the request.

    Parameters
    ----------
    answer
        As it came: ``ok``, ``code``, ``error``.
    refusals
        The codes of the institution.

    Attributes
    ----------
    code : IntEnum or None
        Why; None where the institution is of another version and says none that is known here.
    """

    def __init__(self, answer: dict[str, Any], refusals: type[IntEnum]) -> None:
        super().__init__(refusal_words(answer))
        self.code = code_of(answer, refusals)
        self.answer = answer


class AdminClient:
    """Asks one kind of institution.

    Parameters
    ----------
    name
        That of its folder in the data folder, and of its key.
    refusals
        The codes by which it refuses.
    """

    def __init__(self, name: str, refusals: type[IntEnum]) -> None:
        self._refusals = refusals
        self._daemon = Daemon(
            name=name,
            endpoints=Path(name) / "endpoints.json",
            lock=Path(name) / "lock",
            server_key=lambda data, _endpoints: public_key_load(data / "keys", name),
            person="a person",
            timeout_s=TIMEOUT_S,
        )

    def ask(
        self,
        data: Path | str,
        request: dict[str, Any],
        *,
        timeout_s: float = TIMEOUT_S,
        key: Path | str = "admin",
    ) -> dict[str, Any]:
        """Return a running institution's answer, see `Daemon.ask`.

        Raises
        ------
        InstitutionUnavailable
            There is no answer.
        InstitutionRefused
            It is a refusal.
        """
        return self._daemon.ask(
            data,
            request,
            key=key,
            timeout_s=timeout_s,
            error=InstitutionUnavailable,
            refused=lambda answer: InstitutionRefused(answer, self._refusals),
        )
