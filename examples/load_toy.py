"""A toy server, and what `cea-exchange load` needs to load it. From this folder:

    cea-exchange load --target load_toy:Toy --set port=9000 \
        --serve "python load_toy.py 9000" --port 9000 --workload quotes --rate 500
"""

import asyncio
import select
import socket
import sys
import time

from cea_exchange.loadtest.targets import CommandKind, Outcome, Report, Target


class Toy(Target):
    """A line a command, `ENTER 7 100` or `CANCEL 8 7`; the server says `ok 7` or `no 7 WHY`."""

    def __init__(self, port):
        self.port, self.unread = int(port), b""

    def connect(self, participants):
        self.socket = socket.create_connection(("127.0.0.1", self.port))

    def send(self, commands):
        lines = "".join(map(self.line, commands)).encode()
        written_ns = time.monotonic_ns()
        self.socket.sendall(lines)
        return written_ns

    def line(self, command):
        what = command.tonnes if command.kind == CommandKind.ENTER else command.order
        return f"{CommandKind(command.kind).name} {command.number} {what}\n"

    def poll(self, timeout_s):
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return []
        if not (data := self.socket.recv(65536)):
            raise ConnectionError("the server is gone")
        *lines, self.unread = (self.unread + data).split(b"\n")
        return [self.report(*line.decode().split()) for line in lines]

    def report(self, verdict, number, code="", tonnes="0"):
        outcome = Outcome.ACCEPTED if verdict == "ok" else Outcome.REJECTED
        return Report(outcome, int(number), tonnes_open=1, code=code)

    def close(self):
        self.socket.close()


async def serve(reader, writer):
    """Keep open orders, and trade none."""
    orders = set()
    while line := await reader.readline():
        kind, number, what = line.decode().split()
        if kind == "ENTER" and int(what) > 0:
            orders.add(number)
            answer = f"ok {number}"
        elif kind == "CANCEL" and what in orders:
            orders.remove(what)
            answer = f"ok {number}"
        else:
            answer = f"no {number} {'NO_SUCH_ORDER' if kind == 'CANCEL' else 'REFUSED'}"
        writer.write(f"{answer}\n".encode())


async def main(port):
    await (await asyncio.start_server(serve, "127.0.0.1", port)).serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        sys.exit(__doc__)
    asyncio.run(main(int(sys.argv[1])))
