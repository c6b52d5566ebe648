"""The registry's side of the bank's socket: ask, wait, ask again.

Every request is one the bank takes as often as it comes, so a lost answer costs a repetition and
nothing else.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import zmq

from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.protocol.security import (
    CURVE_BYTES_MAX,
    CurveKeys,
    SecurityError,
    client_socket,
    public_key_load,
)
from cea_exchange.registry.bank.instructions import Batch
from cea_exchange.registry.bank.iso_20022 import camt_053, pain_001, pain_002
from cea_exchange.registry.bank.iso_20022.camt_053 import Known
from cea_exchange.registry.bank.requests import (
    BANK_MESSAGE_BYTES_MAX,
    AskStatement,
    AskStatus,
    BankRequest,
    OpenAccount,
    SendBatch,
)
from cea_exchange.registry.bank.statements import Statement, StatusReport

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

    def send(self, batch: Batch) -> StatusReport:
        """Send a batch and return the bank's answer to it.

        Raises BankUnavailable, BankRefused: there is no answer, or no report; the batch may be sent
        again, unchanged.

        Raises BankFileError: the report is none, or of something else.
        """
        content = self.send_content(batch)
        return pain_002.report_read(content, f"report of {batch.batch_id}", batch=batch)

    def status(self, batch: Batch) -> StatusReport:
        """Return how a batch's instructions stand by now; raises as `send` does."""
        content = self.status_content(batch)
        return pain_002.report_read(content, f"report of {batch.batch_id}", batch=batch)

    def send_content(self, batch: Batch) -> bytes:
        """Send a batch and return the answer as the bank made it, to be kept, whatever it is."""
        return self.content(SendBatch(content=pain_001.batch_write(batch)))

    def status_content(self, batch: Batch) -> bytes:
        """Return how a batch's instructions stand by now, as the bank made it."""
        return self.content(AskStatus(batch_id=batch.batch_id))

    def statement_content(self, business_date: int, sequence: int = 1) -> bytes:
        """Return a statement's file as the bank made it, to be kept; raises as `send` does."""
        return self.content(AskStatement(business_date=business_date, sequence=sequence))

    def statement(
        self, business_date: int, sequence: int = 1, known: Known | None = None
    ) -> Statement:
        """Return a day's statement; raises as `send` does."""
        content = self.statement_content(business_date, sequence)
        name = f"statement {business_date} {sequence}"
        return camt_053.statement_read(content, name, known or Known())

    def open_account(self, account: str) -> None:
        """Open a sub-account, if it is not open."""
        self.ask(OpenAccount(account=account))

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
            except UNUSABLE as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            if answer is None:
                trouble = f"no answer within {self._timeout_ms} ms"
            elif not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
                trouble = "the answer must be a map with ok"
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
            raise BankUnavailable(f"bank of {self._data}: the answer must have bytes as content")
        return content

    def _try(self, content: bytes) -> Any:
        """Ask once, where the bank is now and with a socket of its own: no late answer is taken."""
        path = self._data / "bank" / "endpoints.json"
        address = json.loads(path.read_text(encoding="utf-8"))["bank"]
        server_key = public_key_load(self._data / "keys", "bank")
        with zmq.Context() as context:
            socket = client_socket(context, zmq.DEALER, keys=self._keys, server_key=server_key)
            try:
                socket.setsockopt(zmq.MAXMSGSIZE, BANK_MESSAGE_BYTES_MAX + CURVE_BYTES_MAX)
                socket.sndtimeo = self._timeout_ms
                socket.connect(address)
                # A bank that refuses the key ends the connection for good, and a send would wait.
                with suppress(zmq.Again):
                    socket.send(content)
                if not socket.poll(self._timeout_ms):
                    return None
                return msgspec.msgpack.decode(socket.recv())
            finally:
                socket.close()
