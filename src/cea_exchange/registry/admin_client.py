"""Ask a running registry something over its admin socket."""

import json
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.protocol.operators import operator_pair
from cea_exchange.protocol.processes import process_check
from cea_exchange.protocol.question import KeyRefused, NoAnswer, question_ask
from cea_exchange.protocol.refusal import code_of
from cea_exchange.protocol.security import SecurityError, public_key_load

LOCK_NAME = "lock"
TIMEOUT_S = 40
"""Longer than the registry lets a look wait for its turn and take, so that it says which it was."""


class RegistryUnavailable(RuntimeError):
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
        why = f"refused {answer.get('code', '')}".strip()
        super().__init__(f"{why}: {answer['error']}")
        self.code = code_of(answer, RegistryRefusal)
        self.answer = answer


def registry_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: int = TIMEOUT_S,
    key: Path | str = "admin",
) -> dict[str, Any]:
    """Send one request with an operator's keys and return the answer.

    Parameters
    ----------
    data
        The registry's data folder.
    request
        What is asked, with the key ``op``.
    timeout_s
        How long the answer may take.
    key
        Whose keys: a name in ``DIR/keys``, or the path of the pair without its suffix.

    Raises
    ------
    RegistryUnavailable
        There is no answer.
    RegistryRefused
        It is a refusal.
    """
    try:
        payload = msgspec.msgpack.encode(request)
    except (OverflowError, UnicodeEncodeError) as error:
        why = f"request: expected text and numbers that fit, {error}"
        raise RegistryUnavailable(why) from None
    data = Path(data)
    try:
        keys = operator_pair(data, key)
        server_key = public_key_load(data / "keys", "registry")
        path = data / "registry" / "endpoints.json"
        endpoints = json.loads(path.read_text(encoding="utf-8"))
        address = endpoints["admin"]
        # Elsewhere there is a copy of the file only, and processes of other numbers.
        if (data / "registry" / LOCK_NAME).exists() and "pid" in endpoints:
            process_check(endpoints["pid"])
    except ProcessLookupError:
        reason = f"it is not running, process {endpoints['pid']} is gone"
        raise RegistryUnavailable(f"{data}: no registry to ask: {reason}") from None
    except (OSError, ValueError, KeyError, SecurityError) as error:
        raise RegistryUnavailable(f"{data}: no registry to ask: {error}") from None
    try:
        answer = msgspec.msgpack.decode(
            question_ask(
                address, payload, keys=keys, server_key=server_key, timeout_s=timeout_s
            )
        )
    except KeyRefused as error:
        why = f"registry at {address}: {error}; is {key} a person's key?"
        raise RegistryUnavailable(why) from None
    except NoAnswer as error:
        raise RegistryUnavailable(f"registry at {address}: {error}") from None
    if not answer["ok"]:
        raise RegistryRefused(answer)
    return answer
