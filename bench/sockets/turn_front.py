"""A front that `bench.turn` begins instead of a real one: it plays its clients, a turn at a time.

Over a pair of pipes, named after the process in the folder that the environment says, it hears when
to put the next turn's commands into the ring, and when the turn is over. What came of it is read
then, checked as the venue's other benchmarks check it, and added to a digest.
"""

import contextlib
import json
import os
import socket
import sys
import time
from hashlib import blake2b

import msgspec
import numpy as np

from bench.sockets.venue_client import Session
from cea_exchange.control_plane.fronts.link import (
    Arrived,
    Link,
    LinkEnded,
    Pulse,
    Send,
    descriptors_take,
)
from cea_exchange.domain.records import Side
from cea_exchange.protocol.framing import TAG_COMMANDS, TAG_MESSAGE

FOLDER = "CEA_EXCHANGE_BENCH_TURN"


def key_of(name: str) -> str:
    """The key of a participant."""
    return name.ljust(40, "-")


class PlayedFront:
    """The clients of one front.

    Parameters
    ----------
    link
        The venue's.
    setting
        Which of all clients are here (`number` of `fronts`), how many commands a message has
        (`commands`) and messages a turn (`messages`), the `seed`.
    """

    def __init__(self, link: Link, setting: dict) -> None:
        self._link = link
        self._setting = setting
        self._sent = 0
        self._digest = blake2b(digest_size=16)
        self._sessions: dict[bytes, Session] = {}
        names = list(enumerate(setting["names"]))
        for number, name in names[setting["number"] :: setting["fronts"]]:
            self._put(number, name, TAG_MESSAGE, msgspec.msgpack.encode({"op": "logon"}))
            (_, payload) = self._hear()[0].frames
            shown = msgspec.msgpack.decode(payload)
            self._sessions[_route(number)] = Session.begun(
                name,
                Side.SELL if number % 2 else Side.BUY,
                None,
                shown,
                commands_max=setting["commands_max"],
                rng=np.random.default_rng([setting["seed"], number]),
            )

    def send(self) -> None:
        """Put what this front's clients have for a turn."""
        names, sent = self._setting["names"], self._sent
        self._sent += self._setting["messages"]
        for number in (index % len(names) for index in range(sent, self._sent)):
            session = self._sessions.get(_route(number))
            if session is not None:
                records = session.batch(self._setting["commands"])
                session.sent_ns[records["client_order_id"]] = 1
                session.outstanding += len(records)
                self._put(number, names[number], TAG_COMMANDS, records.tobytes())
        self._link.flush()

    def take(self) -> None:
        """Take what has come."""
        while items := self._link.receive():
            for item in items:
                if isinstance(item, Send):
                    self._digest.update(msgspec.msgpack.encode((item.routing_id, item.frames)))
                    self._sessions[item.routing_id].take(*item.frames, 2)

    def end(self) -> dict:
        """Say what all heard; nobody may be without an answer."""
        assert not any(session.outstanding for session in self._sessions.values())
        totals = [session.totals for session in self._sessions.values()]
        return {
            "digest": self._digest.hexdigest(),
            "acknowledged": sum(each.acknowledged for each in totals),
            "reports": sum(each.reports for each in totals),
        }

    def _put(self, number: int, name: str, tag: bytes, payload: bytes) -> None:
        self._link.put(Arrived(0, _route(number), key_of(name), [tag, payload]))

    def _hear(self) -> list[Send]:
        self._link.flush()
        while not (heard := [one for one in self._link.receive() if isinstance(one, Send)]):
            time.sleep(0.001)
        return heard


def _route(number: int) -> bytes:
    return bytes([0, 0, 0, 0, number])


def main() -> None:
    """Be a front: LINK NOTES, as a real one."""
    end = socket.socket(fileno=int(sys.argv[1]))
    descriptors = descriptors_take(end)
    if not descriptors:
        return
    link = Link(end, descriptors[0], is_front=True)
    link.put(Pulse(0))
    link.flush()
    folder, own = os.environ[FOLDER], os.getpid()
    while not os.path.exists(f"{folder}/{own}.out"):
        time.sleep(0.001)
    with (
        open(f"{folder}/{own}.in", encoding="ascii") as instructions,
        open(f"{folder}/{own}.out", "w", encoding="ascii") as telling,
        contextlib.suppress(LinkEnded),
    ):
        say = telling.write
        front = PlayedFront(link, json.loads(instructions.readline()))
        say("logged on\n")
        telling.flush()
        for line in instructions:
            match line.strip():
                case "send":
                    front.send()
                    say("sent\n")
                case "take":
                    front.take()
                    say("taken\n")
                case "end":
                    say(json.dumps(front.end()) + "\n")
            telling.flush()


if __name__ == "__main__":
    main()
