"""The registry's side of the bank's socket: ask, wait, ask again.

Every request is one the bank takes as often as it comes, so a lost answer costs a repetition and
nothing else.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import zmq

from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.protocol.question import NoAnswer, question_ask
from cea_exchange.protocol.security import CurveKeys, SecurityError, public_key_load
from cea_exchange.registry.bank.requests import (
    BANK_MESSAGE_BYTES_MAX,
    BankRequest,
)

UNUSABLE = (
    *(OSError, ValueError, KeyError, TypeError, RecursionError),
    *(SecurityError, zmq.ZMQError, msgspec.MsgspecError),
)
"""What a bank's files and answers may raise, whatever is in them; it is then not there."""
TIMEOUT_MS = 5_000
TRIES_MAX = 3


class BankUnavailable(RuntimeError):
    """No bank answers; what was asked may have happened or not, and may be asked again."""


class BankRefused(RuntimeError):
    """The bank has answered, and will not do it.

    Attributes
    ----------
    code : BankRefusal or None
        Why; None of a bank that says no code, or one that is not known here.
    answer : dict
        As it came: ``ok``, ``code``, ``error``.
    """

    def __init__(self, words: str, answer: dict[str, Any]) -> None:
        super().__init__(words)
        self.code = code_of(answer, BankRefusal)
        self.answer = answer


class BankClient:
    """A way to the bank that runs on a data folder.

    Parameters
    ----------
    data
        The bank's folder, with ``bank/endpoints.json`` and ``keys/bank.public``.
    keys
        Who asks.
    timeout_ms
        How long one try waits for its answer.
    tries_max
        How often the same is asked before `BankUnavailable`.
    """

    def __init__(
        self,
        data: Path | str,
        keys: CurveKeys,
        *,
        timeout_ms: int = TIMEOUT_MS,
        tries_max: int = TRIES_MAX,
    ) -> None:
        self._data = Path(data)
        self._keys = keys
        self._timeout_ms = timeout_ms
        self._tries_max = tries_max

    def ask(self, request: BankRequest | dict[str, Any]) -> dict[str, Any]:
        """Ask until there is an answer.

        Raises BankUnavailable: there is none after `tries_max` tries.

        Raises BankRefused: the answer is a refusal.
        """
        content = msgspec.msgpack.encode(request)
        trouble = "no answer"
        for _ in range(self._tries_max):
            try:
                answer = self._try(content)
            except NoAnswer as error:
                trouble = str(error)
                continue
            except UNUSABLE as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
                trouble = "answer: expected a map with ok"
            elif not answer["ok"]:
                why = f"refused {answer.get('code', '')}".strip()
                words = f"bank of {self._data}: {why}: {str(answer.get('error'))[:200]}"
                raise BankRefused(words, answer)
            else:
                return answer
        raise BankUnavailable(f"bank of {self._data}: {trouble}, asked {self._tries_max} times")

    def content(self, request: BankRequest) -> bytes:
        """Return the file that an answer has; raises as `ask` does."""
        content = self.ask(request).get("content")
        if not isinstance(content, bytes):
            raise BankUnavailable(f"bank of {self._data}: answer: expected bytes as content")
        return content

    def _try(self, content: bytes) -> Any:
        """Ask once, where the bank is now and with a socket of its own: no late answer is taken."""
        path = self._data / "bank" / "endpoints.json"
        address = json.loads(path.read_text(encoding="utf-8"))["bank"]
        server_key = public_key_load(self._data / "keys", "bank")
        answer = question_ask(
            address,
            content,
            keys=self._keys,
            server_key=server_key,
            timeout_s=self._timeout_ms / 1_000,
            answer_bytes_max=BANK_MESSAGE_BYTES_MAX,
        )
        return msgspec.msgpack.decode(answer)
