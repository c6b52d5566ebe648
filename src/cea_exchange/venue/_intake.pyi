from typing import Any, Final

import numpy as np

from cea_exchange.venue.market.state_machine import KeyHolder
from cea_exchange.venue.order_entry.gateway import Message
from cea_exchange.venue.order_entry.sessions import Session

ID_ABOVE: Final[int]
ID_PASSED: Final[int]
ID_UNDECIDED: Final[int]
ID_UNDECIDED_TOO_MANY: Final[int]

def faulty_commands(records: np.ndarray) -> np.ndarray: ...
def faulty_payloads(payloads: list[bytes]) -> list[int]: ...
def commands_join(
    payloads: list[bytes], operators: list[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]: ...
def plain_join(
    messages: list[Message],
    keys: dict[str, KeyHolder],
    sessions: dict[bytes, Session],
    tag: bytes,
    payload_bytes_max: int,
    now_s: float,
) -> tuple[np.ndarray, np.ndarray] | None: ...
def cancels_apart(
    records: np.ndarray, owner: np.ndarray, message_count: int
) -> list[tuple[int, int]]: ...
def are_of_date(records: np.ndarray, trading_date: int) -> bool: ...
def ids_placed(records: np.ndarray, core: Any, undecided_max: int) -> np.ndarray | None: ...
def are_same_commands(
    records: np.ndarray, events: np.ndarray, rows: np.ndarray
) -> np.ndarray: ...
