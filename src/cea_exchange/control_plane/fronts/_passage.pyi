from collections.abc import Callable
from typing import Self

from typing_extensions import disjoint_base

from cea_exchange.control_plane._router import Router
from cea_exchange.control_plane.fronts._ring import Reader, Writer

@disjoint_base
class Passage:
    def __new__(
        cls,
        descriptor: int,
        incoming: Reader,
        outgoing: Writer,
        doors: list[tuple[Router, Callable[[int, bytes, str, int], None]]],
    ) -> Self: ...
    def hold(self, door: int, is_held: bool) -> None: ...
    def run(self, wait_ms: int, work_ms: int) -> None: ...
