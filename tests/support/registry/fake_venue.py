"""The venue's side of the wire, as far as a registry sees it: publishes, replays, loses at will."""

import json
import threading
import time
from pathlib import Path

import google_crc32c
import msgspec
import numpy as np
import zmq

from cea_exchange.protocol.security import AllowList, CurveKeys, client_socket, server_socket
from support.patience import patience

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


def run_frames(log_id: str, records: np.ndarray) -> list[bytes]:
    """Return header and payload of a run of records."""
    payload = records.tobytes()
    first = int(records[0]["settlement_seq"]) if len(records) else 0
    header = {
        "log_id": log_id,
        "first_seq": first,
        "count": len(records),
        "crc32c": google_crc32c.value(payload),
    }
    return [pack(header), payload]


class FakeVenue:
    """Serves the settlement stream of `records` from DIR's keys; one thread, closed by `close`."""

    def __init__(self, data: Path, log_id: str, records: np.ndarray) -> None:
        self.data, self.log_id, self.records = data, log_id, records
        self.available = 0  # how many records the heartbeat and the replay know of
        self.context = zmq.Context()
        self.keys = CurveKeys.load(data / "keys", "venue")
        registry_key = CurveKeys.load(data / "keys", "registry").public
        self.allow_list = AllowList(self.context)
        self.allow_list.allow("settlement", {registry_key}.__contains__)
        arguments = {"domain": "settlement", "keys": self.keys, "address": "tcp://127.0.0.1:0"}
        self.pub, settlement = server_socket(self.allow_list, self.context, zmq.PUB, **arguments)
        self.router, replay = server_socket(self.allow_list, self.context, zmq.ROUTER, **arguments)
        self._lock = threading.Lock()
        self._quit = threading.Event()
        self.asked = 0
        self.mangled = list  # what is done to an answer before it is sent
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.endpoints = {"settlement": settlement, "replay": replay}
        self.endpoints_write()

    def endpoints_write(self) -> None:
        """Say where it listens."""
        path = self.data / "venue" / "endpoints.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(self.endpoints))

    def publish(self, first: int, count: int, *, lost: bool = False) -> None:
        """Publish records from sequence `first` on; a lost message is one nobody gets."""
        run = self.records[first - 1 : first - 1 + count]
        with self._lock:
            self.available = max(self.available, first - 1 + len(run))
            if not lost:
                self.pub.send_multipart([b"S", *run_frames(self.log_id, run)])

    def send(self, parts: list[bytes]) -> None:
        """Publish whatever."""
        with self._lock:
            self.pub.send_multipart(parts)

    def _serve(self) -> None:
        while not self._quit.is_set():
            with self._lock:
                self.pub.send_multipart(
                    [b"H", pack({"log_id": self.log_id, "last_seq": self.available})]
                )
            if self.router.poll(50):
                identity, payload = self.router.recv_multipart()
                request = unpack(payload)
                self.asked += 1
                start = request["from"] - 1
                run = self.records[start : min(start + request["count"], self.available)]
                answer = self.mangled(run_frames(self.log_id, run))
                self.router.send_multipart([identity, *answer])

    def close(self) -> None:
        self._quit.set()
        self._thread.join()
        self.pub.close()
        self.router.close()
        self.allow_list.close()
        self.context.term()


class Caller:
    """Asks a daemon's ROUTER and waits for its answer."""

    def __init__(self, keys: CurveKeys, server_key: str, endpoint: str) -> None:
        self.context = zmq.Context()
        self.socket = client_socket(self.context, zmq.DEALER, keys=keys, server_key=server_key)
        self.socket.connect(endpoint)

    def ask(self, message: object, timeout_ms: int = 20_000):
        return self.ask_bytes(pack(message), timeout_ms)

    def ask_bytes(self, payload: bytes, timeout_ms: int = 20_000):
        """Return the answer, None if there is none in time."""
        try:
            self.socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:  # the daemon has refused the key and there is no connection any more
            return None
        is_there = self.socket.poll(int(timeout_ms * patience()))
        return unpack(self.socket.recv()) if is_there else None

    def close(self) -> None:
        self.socket.close()
        self.context.term()


def wait_until(condition, timeout_s: float = 30.0) -> None:
    """Wait until a condition holds; fail the test if it doesn't in time."""
    until = time.monotonic() + timeout_s * patience()
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{condition} did not come true within {timeout_s} s")
        time.sleep(0.02)
