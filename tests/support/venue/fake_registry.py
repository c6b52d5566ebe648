"""The registry's side of the wire, as far as a venue sees it: the feed, answered at will."""

import json
import threading
from pathlib import Path

import msgspec
import zmq

from cea_exchange.protocol import control
from cea_exchange.protocol.security import AllowList, CurveKeys, server_socket


class FakeRegistry:
    """Serves a feed from DIR's keys; one thread, ended by `close`.

    Attributes
    ----------
    commands
        The feed, in order; append to it at any time.
    settled_seq, confirmed_date, state
        Answered as they are.
    is_silent
        Whether questions are left without an answer.
    """

    def __init__(self, data: Path, commands=()) -> None:
        self.data = data
        self.commands = list(commands)
        self.settled_seq = 0
        self.confirmed_date = 0
        self.state = "ok"
        self.is_silent = False
        self.last_seq: int | None = None
        keys = CurveKeys.load(data / "keys", "registry")
        venue_key = CurveKeys.load(data / "keys", "venue").public
        self._context = zmq.Context()
        self._allow_list = AllowList(self._context)
        self._allow_list.allow("feed", {venue_key}.__contains__)
        self._socket, endpoint = server_socket(
            self._allow_list,
            self._context,
            zmq.ROUTER,
            domain="feed",
            keys=keys,
            address="tcp://127.0.0.1:0",
        )
        path = data / "registry" / "endpoints.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"feed": endpoint}))
        self._closing = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing:
            if not self._socket.poll(20):
                continue
            peer, payload = self._socket.recv_multipart()
            if not self.is_silent:
                request = msgspec.msgpack.decode(payload)
                answer = self._answer(request["from"], request["count"])
                self._socket.send_multipart([peer, msgspec.msgpack.encode(answer)])

    def _answer(self, first: int, count: int) -> dict:
        commands = self.commands[first - 1 : first - 1 + count]
        items = [
            control.control_encode(control.FeedItem(transfer_seq=seq, command=command))
            for seq, command in enumerate(commands, first)
        ]
        return {
            "items": items,
            "last_seq": len(self.commands) if self.last_seq is None else self.last_seq,
            "settled_seq": self.settled_seq,
            "confirmed_date": self.confirmed_date,
            "state": self.state,
        }

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self._socket.close()
        self._allow_list.close()
        self._context.term()
