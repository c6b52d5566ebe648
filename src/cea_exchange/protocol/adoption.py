"""The statement with which a registry lets a venue begin a new log; a file between the two."""

from pathlib import Path
from typing import Annotated, Literal

import google_crc32c
import msgspec
import numpy as np

from cea_exchange.domain.records import CHECKPOINT_DTYPE, EventKind
from cea_exchange.protocol.control import (
    DECODE_ERRORS,
    AdoptedState,
    Hash,
    KeyGranted,
    LogId,
    Time,
    Who,
    Why,
)
from cea_exchange.user_files.opening import UserFileError, bytes_read

MAGIC = b"CEAADOPT"
STATEMENT_BYTES_MAX = 32 << 20
"""Of a statement's file: an account and its holdings take some 200 bytes."""
NUMBER_NAMES = ("trade_id", "order_id", "event_seq", "market_data_seq", "command_seq")
"""What is given out in a row and must not be given twice."""


class AdoptionError(ValueError):
    """An adoption can't be: what was expected, what came, where."""


class AdoptionStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the registry has, and whom it will follow from there on.

    Attributes
    ----------
    old_log_id, log_id
        Of the stream it settled so far, and of the one that may follow.
    by, second, why, at_ns
        Who decided so at the registry, and when.
    holdings_hash
        Of all trading accounts at `state.settlement_seq`; the venue must come to the same.
    state
        The holdings and numbers.
    keys
        The grants in force.
    """

    format: Literal[1] = 1
    old_log_id: LogId
    log_id: LogId
    by: Annotated[Who, msgspec.Meta(min_length=1)]
    second: Annotated[Who, msgspec.Meta(min_length=1)]
    why: Annotated[Why, msgspec.Meta(min_length=1)]
    at_ns: Time
    holdings_hash: Hash
    state: AdoptedState
    keys: tuple[KeyGranted, ...]


class NumbersGiven:
    """The highest numbers in events of the life that ended: they are not given again.

    Attributes
    ----------
    report_seqs : dict
        By account index.
    """

    def __init__(self) -> None:
        self.trading_date = self.trade_id = self.order_id = self.settlement_seq = 0
        self.event_seq = self.market_data_seq = self.command_seq = 0
        self.report_seqs: dict[int, int] = {}

    def take(self, records: np.ndarray) -> None:
        """Look at Event records, in any order."""
        kind = records["kind"]
        checkpoints = records[kind == EventKind.CHECKPOINT].view(CHECKPOINT_DTYPE)
        events = records[(kind != EventKind.CHECKPOINT) & (kind != EventKind.DAY_CLOSED)]
        trades = events[events["kind"] == EventKind.TRADE]
        self.settlement_seq = _most(self.settlement_seq, records["settlement_seq"])
        self.trading_date = _most(self.trading_date, records["trading_date"])
        self.event_seq = _most(self.event_seq, records["seq"])
        self.command_seq = _most(self.command_seq, checkpoints["command_seq"])
        self.trade_id = _most(self.trade_id, trades["trade_id"])
        self.order_id = _most(self.order_id, events["order_id"], events["counter_order_id"])
        self.market_data_seq = _most(self.market_data_seq, events["market_data_seq"])
        for account, number in (
            ("account_index", "report_seq"),
            ("counter_account_index", "counter_report_seq"),
        ):
            of_account = events[events[number] != 0]
            pairs = zip(of_account[account].tolist(), of_account[number].tolist(), strict=True)
            for index, seq in pairs:
                self.report_seqs[index] = max(seq, self.report_seqs.get(index, 0))


    def take_state(self, state: AdoptedState) -> None:
        """Look at the numbers that a life began with."""
        for name in NUMBER_NAMES:
            setattr(self, name, max(getattr(self, name), getattr(state, name)))
        for index, account in enumerate(state.accounts):
            known = self.report_seqs.get(index, 0)
            self.report_seqs[index] = max(known, account.report_seq)


def _most(known: int, *columns: np.ndarray) -> int:
    return max([known, *(int(column.max()) for column in columns if len(column))])


_statements = msgspec.msgpack.Decoder(AdoptionStatement)


def statement_encode(statement: AdoptionStatement) -> bytes:
    """Return the bytes of a statement's file: a magic, a CRC-32C, MessagePack.

    Raises
    ------
    AdoptionError
        It could not be read again: encoding itself checks no limits.
    """
    payload = msgspec.msgpack.encode(statement)
    _statement_decode(payload, "statement")
    return MAGIC + google_crc32c.value(payload).to_bytes(4, "little") + payload


def statement_read(path: Path | str) -> AdoptionStatement:
    """Read a statement's file.

    Raises
    ------
    AdoptionError
        It is none, or not as it was written.
    """
    try:
        data = bytes_read(path, "a statement", STATEMENT_BYTES_MAX)
    except UserFileError as error:
        raise AdoptionError(str(error)) from None
    payload = data[len(MAGIC) + 4 :]
    checksum = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "little")
    if data[: len(MAGIC)] != MAGIC or checksum != google_crc32c.value(payload):
        raise AdoptionError(f"{path}: expected a whole statement of a registry, got another file")
    return _statement_decode(payload, str(path))


def _statement_decode(payload: bytes, where: str) -> AdoptionStatement:
    try:
        return _statements.decode(payload)
    except DECODE_ERRORS as error:
        raise AdoptionError(f"{where}: {error}") from None
