from typing import Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

from cea_exchange._book import OrderBook

DIFFERENCE_KINDS: tuple[str, ...]

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
    ) -> list[tuple[int, str, str]]: ...
    def counts(self) -> dict[str, int]: ...
    def difference(self) -> tuple[int, str, str] | None: ...
