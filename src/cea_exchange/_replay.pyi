from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer, disjoint_base

from cea_exchange._book import OrderBook

COMMAND_COLUMNS: tuple[str, ...]

def numbers_read(
    data: Buffer, numbers: NDArray[np.int64], timed: bool
) -> tuple[int, int, str | None]: ...

@disjoint_base
class CommandReader:
    def __new__(cls, columns: Sequence[str], decimals: int = 0, step: int = 1) -> Self: ...
    def read(self, data: Buffer, commands: NDArray[np.void]) -> tuple[int, int, str | None]: ...

@disjoint_base
class FlowReplay:
    def __new__(cls, level_count: int) -> Self: ...
    @property
    def book(self) -> OrderBook | None: ...
    def prepare(
        self, messages: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> None: ...
    def play(
        self, messages: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> None: ...
    def counts(self) -> dict[str, int]: ...
    def difference(self) -> tuple[int, str] | None: ...
