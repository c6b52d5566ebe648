from typing import Self

import zmq
from typing_extensions import Buffer, disjoint_base

@disjoint_base
class Router:
    def __new__(cls, socket: zmq.Socket, frames_max: int) -> Self: ...
    def receive(self) -> tuple[bytes, str | None, list[bytes]] | None: ...
    def send(self, routing_id: bytes, tag: bytes, payload: Buffer) -> None: ...
