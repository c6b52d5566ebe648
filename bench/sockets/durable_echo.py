"""The least that a durable server must do, as a floor under a venue's latency on this machine.

    python -m bench.sockets.durable_echo ADDRESS FILE < secret key

It takes what has come, appends it to a file, syncs once, and sends every message back: no market,
no checks, no reports, no event store.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import zmq

from bench.sockets.open_loop import open_loop

COMMAND_BYTES, REPORT_BYTES = 64, 160
FILE_BYTES = 1 << 24
STOP = b"stop"


def serve(address: str, path: str, secret_key: str) -> None:
    """Echo until a message says stop."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.curve_server = True
        socket.curve_secretkey = secret_key.encode()
        socket.bind(address)
        print(socket.last_endpoint.decode(), flush=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        # Written ahead as the venue's journal is: a sync needs not record a new length.
        os.pwrite(descriptor, bytes(FILE_BYTES), 0)
        os.fsync(descriptor)
        offset = 0
        while True:
            socket.poll()
            messages = _taken(socket)
            data = b"".join(message[-1] for message in messages)
            if data.startswith(STOP):
                return
            offset = 0 if offset + len(data) > FILE_BYTES else offset
            os.pwrite(descriptor, data, offset)
            os.fdatasync(descriptor)
            offset += len(data)
            for routing_id, _, payload in messages:
                socket.send_multipart([routing_id, b"R", payload.ljust(REPORT_BYTES)], zmq.NOBLOCK)


def _taken(socket: zmq.Socket) -> list[list[bytes]]:
    messages = []
    try:
        while True:
            messages.append(socket.recv_multipart(zmq.NOBLOCK))
    except zmq.Again:
        return messages


def echo_us(folder: Path, *, rate: float, seconds: float, sockets: int) -> np.ndarray:
    """Return the latencies (us) of single messages through such a server, open loop."""
    public, secret = zmq.curve_keypair()
    address, file = "tcp://127.0.0.1:*", str(folder / "echo")
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.sockets.durable_echo", address, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdin.write(secret.decode())
        process.stdin.close()
        endpoint = process.stdout.readline().strip()
        with zmq.Context() as context:
            dealers = [_dealer(context, endpoint, public) for _ in range(sockets)]
            payloads = [
                number.to_bytes(8, "little") + bytes(COMMAND_BYTES - 8)
                for number in range(int(rate * seconds))
            ]
            sent = open_loop(dealers, payloads, rate=rate)
            dealers[0].send_multipart([b"C", STOP])
            process.wait(10)
            context.destroy(linger=0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    numbers = [int.from_bytes(heard.frames[-1][:8], "little") for heard in sent.heard]
    if sorted(numbers) != list(range(len(payloads))):
        raise RuntimeError(f"{len(payloads)} messages were sent, {len(numbers)} came back")
    at_ns = np.array([heard.at_ns for heard in sent.heard])
    return (at_ns - sent.due_ns[numbers]) / 1000


def _dealer(context: zmq.Context, endpoint: str, server_key: bytes) -> zmq.Socket:
    socket = context.socket(zmq.DEALER)
    socket.curve_serverkey = server_key
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.connect(endpoint)
    return socket


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.stdin.read())
