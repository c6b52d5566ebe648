"""A million commands in numpy arrays, matched without the GIL; the events are numpy arrays too.

    python examples/batch_process.py [commands]

Needs a plain install of cea-exchange. `process` writes into the caller's rows. When they are full
it stops before a command, never inside one, and is called again with what is left.
"""

import sys
import time
from collections.abc import Iterator

import numpy as np

from cea_exchange import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, EventKind, OrderBook, Side

PRICE_MIN, PRICE_MAX = 9_000, 11_000


def random_flow(count: int, seed: int = 1) -> np.ndarray:
    """Return two thirds new orders around one price, one third cancels of recent ones."""
    draw = np.random.default_rng(seed)
    commands = np.zeros(count, COMMAND_DTYPE)
    entering = draw.random(count) < 2 / 3
    entering[0] = True
    ids = np.cumsum(entering)
    commands["kind"] = np.where(entering, CommandKind.ENTER, CommandKind.CANCEL)
    commands["order_id"] = np.where(
        entering, ids, draw.integers(np.maximum(1, ids - 5_000), ids + 1)
    )
    commands["side"] = np.where(entering, draw.integers(Side.BUY, Side.SELL + 1, count), 0)
    away = draw.normal(40, 50, count).astype(np.int64)  # Behind the middle; below 0 across it.
    price = np.where(commands["side"] == Side.BUY, 10_000 - away, 10_000 + away)
    commands["price"] = np.where(entering, np.clip(price, PRICE_MIN, PRICE_MAX), 0)
    commands["tonnes"] = np.where(entering, draw.integers(1, 101, count), 0)
    commands["account_index"] = draw.integers(0, 1_000, count)
    return commands


def match(book: OrderBook, commands: np.ndarray, events: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the events, a buffer at a time; each is overwritten by the next."""
    done = 0
    while done < len(commands):
        consumed, produced = book.process(commands[done:], events)
        if consumed == 0:
            raise ValueError(f"the buffer: expected {book.rows_needed} rows, got {len(events)}")
        done += consumed
        yield events[:produced]


def main() -> None:
    commands = random_flow(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    book = OrderBook(PRICE_MIN, PRICE_MAX, order_count_max=len(commands))
    volume = np.zeros(PRICE_MAX - PRICE_MIN + 1, np.int64)
    counts = np.zeros(256, np.int64)
    seconds, start = 0.0, time.perf_counter()
    for events in match(book, commands, np.zeros(100_000, EVENT_DTYPE)):
        seconds += time.perf_counter() - start
        trades = events[events["kind"] == EventKind.TRADE]
        np.add.at(volume, trades["price"] - PRICE_MIN, trades["tonnes"])
        counts += np.bincount(events["kind"], minlength=256)
        start = time.perf_counter()
    book.check()
    entered = np.count_nonzero(commands["kind"] == CommandKind.ENTER)
    assert counts[EventKind.ORDER_ACCEPTED] == entered, "every order must be answered"
    for kind in np.flatnonzero(counts):
        print(f"{EventKind(int(kind)).name:16} {counts[kind]:>10,}")
    busiest = int(np.argmax(volume))
    print(f"most was traded at {busiest + PRICE_MIN}: {volume[busiest]:,} t of {volume.sum():,} t")
    print(f"{len(commands) / seconds:,.0f} commands a second, all events written")


if __name__ == "__main__":
    main()
