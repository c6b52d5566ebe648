"""What the public stream costs the venue's loop: `python -m bench.market_data`.

The steady market workload goes through the compiled market in batches of 256, as the venue takes
them, three times: publishing nothing, a cut with every batch, and a cut every 10 ms at 300,000
commands a second (a clock that steps a batch's share of a second). The stream leaves by a real PUB
socket with CURVE; one subscriber, who reads after the clock has stopped, must end with the market's
own books, and without a gap: else there is no figure. What the loop does besides (reports,
settlement, journal) is left out.
"""

import argparse
from collections.abc import Iterator
from statistics import median
from time import thread_time
from types import SimpleNamespace

import numpy as np
import zmq

from bench.books.engines import batches, market_open
from bench.books.workloads import PRODUCT_COUNT, Workload, market_steady
from cea_exchange.client.book import Level, MarketBooks, Message
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    BOOK_CHANGE_DTYPE,
    EVENT_DTYPE,
    MARKET_DATA_DTYPE,
    Side,
)
from cea_exchange.protocol.framing import (
    TOPIC_MARKET_DATA,
    StreamPlace,
    cut_header_decode,
    snapshot_header_decode,
)
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.venue.publication.market_data import MarketDataPublisher

BATCH = 256
COMMANDS_PER_SECOND = 300_000
LOG_ID = "0" * 32
INTERVALS_MS = {"nothing": None, "every batch": 0, "every 10 ms": 10}


class Steps:
    """A clock that stands still between batches."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def socket_pair(context: zmq.Context) -> tuple[zmq.Socket, zmq.Socket]:
    """A PUB with CURVE and a connected SUB, with room for everything."""
    venue, reader = CurveKeys.new(), CurveKeys.new()
    publisher = context.socket(zmq.PUB)
    publisher.curve_server, publisher.curve_secretkey = True, venue.secret.encode()
    publisher.sndhwm, publisher.linger = 0, 0
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    subscriber = client_socket(
        context, zmq.SUB, keys=reader, server_key=venue.public, high_water_mark=0
    )
    subscriber.subscribe(b"")
    subscriber.connect(f"tcp://127.0.0.1:{port}")
    while not subscriber.poll(10):
        publisher.send(b"is anybody there?")
    while subscriber.poll(50):
        subscriber.recv()
    return publisher, subscriber


def run(workload: Workload, interval_ms: int | None) -> tuple[list[float], list[float], int]:
    """Seconds a batch in the market and in the stream, and the messages that were sent."""
    market = market_open(CompiledMarket, "cea", workload.order_limit)
    names = [f"CEA{number}" for number in range(PRODUCT_COUNT)]
    machine = SimpleNamespace(
        core=market,
        product_names=names,
        profile=load_profile("cea"),
        biddings={},
        applications={},
    )
    events = np.ones(32 * BATCH, EVENT_DTYPE)
    context, clock, stream = zmq.Context(), Steps(), None
    if interval_ms is not None:
        publisher, subscriber = socket_pair(context)
        stream = MarketDataPublisher(
            machine,
            LOG_ID,
            publisher.send_multipart,
            interval_ms=interval_ms,
            now_s=clock,
            spent_s=thread_time,
        )
        snapshot = stream.snapshot()
    in_market, in_stream = [], []
    for batch in batches(workload.commands, BATCH):
        began = thread_time()
        consumed, produced = market.process(batch, events)
        matched = thread_time()
        assert consumed == len(batch)
        clock.now_s += BATCH / COMMANDS_PER_SECOND
        if stream is not None:
            stream.publish(events[:produced])
        in_stream.append(thread_time() - matched)
        in_market.append(matched - began)
    messages = 0
    if stream is not None:
        stream.cut()
        messages = books_confirmed(market, names, snapshot, subscriber, stream.seq)
    context.destroy(linger=0)
    return in_market, in_stream, messages


def received(subscriber: zmq.Socket, last_seq: int) -> Iterator[Message]:
    """Whole messages of the stream up to the last."""
    seq = -1
    while seq != last_seq:
        if not subscriber.poll(10_000):
            raise SystemExit(f"no figure: the stream ends at {seq}, the venue sent {last_seq}")
        topic, header, public, changes = subscriber.recv_multipart()
        assert topic == TOPIC_MARKET_DATA
        shown = cut_header_decode(header)
        assert shown.parts == 1
        rows = np.frombuffer(changes, BOOK_CHANGE_DTYPE).tolist()
        yield Message(shown, np.frombuffer(public, MARKET_DATA_DTYPE), rows)
        seq = shown.seq


def books_confirmed(
    market: CompiledMarket, names: list[str], snapshot: list, subscriber: zmq.Socket, last_seq: int
) -> int:
    """Hold what the subscriber has rebuilt to the market's books; how many messages it took."""
    books, count = MarketBooks(), 0
    for header, rows in snapshot:
        shown = snapshot_header_decode(header)
        books.take_heartbeat(StreamPlace(LOG_ID, shown.seq, shown.market_data_seq))
        books.take_snapshot(shown, np.frombuffer(rows, BOOK_CHANGE_DTYPE))
    for message in received(subscriber, last_seq):
        books.take(message)
        count += 1
    for product_index, name in enumerate(names):
        book = books.book(name)
        for side, rebuilt in ((Side.BUY, book.bids), (Side.SELL, book.asks)):
            expected = []
            for price, tonnes, orders in market.depth(product_index, side, 5):
                ids = market.orders_at(product_index, side, price)
                queue = tuple((i, market.order(i)["tonnes_open"]) for i in ids)
                expected.append(Level(price, tonnes, orders, queue))
            if list(rebuilt) != expected:
                raise SystemExit(f"no figure: the books of {name} differ")
    if books.gaps:
        raise SystemExit(f"no figure: {books.gaps} gaps")
    return count


def microseconds(seconds: list[float], share: float) -> float:
    """A quantile, in microseconds."""
    return 1e6 * float(np.quantile(seconds, share))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    workload = market_steady(1, options.scale)
    print(f"{len(workload.commands):,} commands in batches of {BATCH}, {options.rounds} rounds\n")
    print("| cut | market µs a batch | stream mean | p50 | p99 | market + stream | messages |")
    print("|---|---|---|---|---|---|---|")
    for name, interval_ms in INTERVALS_MS.items():
        rounds = [run(workload, interval_ms) for _ in range(options.rounds)]
        market = median(sum(one[0]) / len(one[0]) for one in rounds)
        stream = median(sum(one[1]) / len(one[1]) for one in rounds)
        p50, p99 = (median(microseconds(one[1], share) for one in rounds) for share in (0.5, 0.99))
        print(
            f"| {name} | {1e6 * market:.1f} | {1e6 * stream:.1f} | {p50:.1f} | {p99:.1f} "
            f"| {(market + stream) / market:.2f}x | {rounds[-1][2]:,} |"
        )


if __name__ == "__main__":
    main()
