"""Ask a running registry something over its admin socket."""

import json
from pathlib import Path
from typing import Any

import msgspec
import zmq

from cea_exchange.protocol.operators import operator_pair
from cea_exchange.protocol.processes import process_check
from cea_exchange.protocol.security import SecurityError, client_socket, public_key_load

LOCK_NAME = "lock"


class RegistryUnavailable(RuntimeError):
    """No registry runs on the folder, it does not answer, or it refuses the request."""


def registry_ask(
    data: Path | str,
    request: dict[str, Any],
    *,
    timeout_s: int = 10,
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
        There is no answer, or it is a refusal.
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
    with zmq.Context() as context:
        socket = client_socket(context, zmq.DEALER, keys=keys, server_key=server_key)
        try:
            # Once libzmq was refused, a send would wait for ever.
            socket.sndtimeo = timeout_s * 1000
            socket.connect(address)
            socket.send(payload)
            arrived = socket.poll(timeout_s * 1000)
            answer = msgspec.msgpack.decode(socket.recv()) if arrived else None
        except zmq.Again:
            answer = None
        finally:
            socket.close()
    if answer is None:
        raise RegistryUnavailable(
            f"registry at {address}: no answer within {timeout_s} s; is {key} a person's key?"
        )
    if not answer["ok"]:
        raise RegistryUnavailable(f"registry at {address}: {answer['error']}")
    return answer
