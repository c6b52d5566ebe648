from typing import final

import numpy as np
from numpy.typing import NDArray

Trade = tuple[int, int, int, int]
Level = tuple[int, int, int]

LEVEL_COUNT_MAX: int

@final
class OrderResult:
    reason: int
    tonnes_open: int
    tonnes_canceled: int
    trades: tuple[Trade, ...]
    @property
    def accepted(self) -> bool: ...

class OrderBook:
    rows_needed: int
    def __init__(
        self,
        price_min: int,
        price_max: int,
        *,
        order_count_max: int,
        self_trade: str = "allow",
        levels_max: int | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __contains__(self, order_id: int) -> bool: ...
    @property
    def best_bid(self) -> int | None: ...
    @property
    def best_ask(self) -> int | None: ...
    @property
    def price_min(self) -> int: ...
    @property
    def price_max(self) -> int: ...
    @property
    def order_count_max(self) -> int: ...
    def enter(
        self,
        order_id: int,
        side: int,
        price: int,
        tonnes: int,
        owner: int = 0,
        *,
        tif: int = 0,
        post_only: bool = False,
        pick_order_id: int = 0,
    ) -> OrderResult: ...
    def cancel(self, order_id: int) -> OrderResult: ...
    def amend(self, order_id: int, price: int, tonnes: int) -> OrderResult: ...
    def process(
        self, commands: NDArray[np.void], events: NDArray[np.void], trades_only: bool = False
    ) -> tuple[int, int]: ...
    def depth(self, levels: int | None = None) -> tuple[list[Level], list[Level]]: ...
    def orders(self, side: int, price: int) -> list[int]: ...
    def order(self, order_id: int) -> dict[str, int] | None: ...
    def check(self) -> None: ...
    def copy(self) -> OrderBook: ...
