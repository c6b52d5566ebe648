"""Ask a running daemon something over its control socket, with a person's key."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cea_exchange.control_plane.answers import answer_read
from cea_exchange.protocol.operators import operator_pair
from cea_exchange.protocol.question import KeyRefused, NoAnswer, question_ask
from cea_exchange.protocol.security import SecurityError
from cea_exchange.user_files.formats import json_read

NO_ENDPOINTS = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What an endpoints file may raise that is none, or has another's values."""


class NotDone(RuntimeError):
    """The daemon did not answer, or refused.

    Attributes
    ----------
    is_key_refused : bool
        It is there, and the key is on no list of it.
    """

    is_key_refused = False


def refusal_words(answer: dict[str, Any]) -> str:
    """Return the line that a person reads of a refused request: its code, and the words."""
    refusal = answer_read(answer).refusal
    assert refusal is not None, answer
    return f"refused {refusal.code}".strip() + f": {refusal.sentence()}"


class Daemon(NamedTuple):
    """Where one kind of daemon is found.

    Attributes
    ----------
    name
        As a person calls it.
    endpoints, lock
        Files in its data folder: where it listens, and what is there while its folder is here.
    server_key
        Returns its public key of the data folder and its endpoints.
    person
        What a key must be of.
    timeout_s
        How long its answers may take.
    """

    name: str
    endpoints: Path
    lock: Path
    server_key: Callable[[Path, dict[str, Any]], str]
    person: str
    timeout_s: float

    def ask(
        self,
        data: Path | str,
        request: dict[str, Any],
        *,
        key: Path | str = "admin",
        timeout_s: float | None = None,
        error: type[NotDone],
        refused: Callable[[dict[str, Any]], NotDone],
    ) -> dict[str, Any]:
        """Send one request with a person's keys and return the answer, as it is on the wire.

        Parameters
        ----------
        data
            The daemon's data folder; or one that has only a copy of its endpoints file, for those
            who may not read that folder, or are at another machine.
        request
            What is asked, with the key ``op``.
        key
            Whose keys: a name in ``DIR/keys``, or the path of the pair without its suffix.
        timeout_s
            How long the answer may take.
        error
            What is raised where none runs on the folder, or it does not answer.
        refused
            Makes of the answer what is raised where it refuses the request.

        Raises
        ------
        NotDone
            As those say.
        """
        try:
            payload = msgspec.msgpack.encode(request)
        except (OverflowError, UnicodeEncodeError) as why:
            raise error(f"request: expected text and numbers that fit, {why}") from None
        data = Path(data)
        endpoints: dict[str, Any] = {}
        try:
            keys = operator_pair(data, key)
            endpoints = json_read(data / self.endpoints, "endpoints", dict[str, Any])
            address, server_key = endpoints["admin"], self.server_key(data, endpoints)
            # Elsewhere there is a copy of the file only, and processes of other numbers.
            if (data / self.lock).exists() and "pid" in endpoints:
                process_check(endpoints["pid"])
        except ProcessLookupError:
            gone = f"it is not running, process {endpoints['pid']} is gone"
            raise error(f"{data}: no {self.name} to ask: {gone}") from None
        except (*NO_ENDPOINTS, SecurityError) as why:
            raise error(f"{data}: no {self.name} to ask: {why}") from None
        place = f"{self.name} at {address}"
        try:
            reply = msgspec.msgpack.decode(
                question_ask(
                    address,
                    payload,
                    keys=keys,
                    server_key=server_key,
                    timeout_s=self.timeout_s if timeout_s is None else timeout_s,
                )
            )
        except KeyRefused as why:
            stranger = error(f"{place}: {why}; is {key} {self.person}'s key?")
            stranger.is_key_refused = True
            raise stranger from None
        except (NoAnswer, TypeError, ValueError) as why:
            # The last two: its endpoints have no address there, or no key.
            raise error(f"{place}: {why}") from None
        if not answer_read(reply).is_done:
            raise refused(reply)
        return reply


def process_check(pid: int) -> None:
    """Raise ProcessLookupError if a process is gone: no need to wait for its answer."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return  # it is there, and another user's
