from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer, disjoint_base

COMMAND_COLUMNS: tuple[str, ...]

def numbers_read(
    data: Buffer, numbers: NDArray[np.int64], timed: bool
) -> tuple[int, int, str | None]: ...

@disjoint_base
class CommandReader:
    def __new__(cls, columns: Sequence[str | None], decimals: int = 0, step: int = 1) -> Self: ...
    def read(self, data: Buffer, commands: NDArray[np.void]) -> tuple[int, int, str | None]: ...
