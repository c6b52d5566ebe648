"""Ask a running venue something over its admin socket."""

import json
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol.operators import operator_pair
from cea_exchange.protocol.processes import process_check
from cea_exchange.protocol.question import KeyRefused, NoAnswer, question_ask
from cea_exchange.protocol.refusal import code_of
from cea_exchange.protocol.security import SecurityError

LOCK_NAME = "venue.lock"


class AdminError(RuntimeError):
    """The venue refused, or did not answer."""


class ActRefused(AdminError):
    """The venue has answered, and refuses the request.

    Attributes
    ----------
    code : VenueRefusal or None
        Why; None where the venue is of another version and says none that is known here.
    answer : dict
        As it came: ``op``, ``code``, ``expected``, ``came``, ``where``.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        why = f"refused {answer.get('code', '')}".strip()
        came = f", got {answer['came']}" if answer["came"] else ""
        super().__init__(f"{why}: {answer['where']}: expected {answer['expected']}{came}")
        self.code = code_of(answer, VenueRefusal)
        self.answer = answer


def admin_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: float = 10.0,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Send one request with an operator's keys and return the answer.

    Parameters
    ----------
    data
        The venue's data folder; or one that has only a copy of its ``venue/endpoints.json``, for
        those who may not read that folder, or are at another machine.
    request
        What is asked, with the key ``op``.
    timeout_s
        How long the answer may take.
    key
        Whose keys: a name in ``DIR/keys``, or the path of the pair without its suffix.

    Raises
    ------
    AdminError
        No venue runs on the folder, or it does not answer.
    ActRefused
        It refuses the request.
    """
    try:
        payload = msgspec.msgpack.encode(request)
    except (OverflowError, UnicodeEncodeError) as error:
        raise AdminError(f"request: expected text and numbers that fit, {error}") from None
    data = Path(data)
    try:
        keys = operator_pair(data, key)
        endpoints = json.loads((data / "venue" / "endpoints.json").read_text(encoding="utf-8"))
        address, server_key = endpoints["admin"], endpoints["public_key"]
        if (data / LOCK_NAME).exists():
            process_check(endpoints["pid"])
    except ProcessLookupError:
        reason = f"it is not running, process {endpoints['pid']} is gone"
        raise AdminError(f"{data}: no venue to ask: {reason}") from None
    except (OSError, ValueError, KeyError, SecurityError) as error:
        raise AdminError(f"{data}: no venue to ask: {error}") from None
    try:
        answer = msgspec.msgpack.decode(
            question_ask(
                address, payload, keys=keys, server_key=server_key, timeout_s=timeout_s
            )
        )
    except KeyRefused as error:
        why = f"venue at {address}: {error}; is {key} an operator's key?"
        raise AdminError(why) from None
    except NoAnswer as error:
        raise AdminError(f"venue at {address}: {error}") from None
    if answer["op"] == "refused":
        raise ActRefused(answer)
    return answer
