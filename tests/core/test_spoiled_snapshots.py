"""A snapshot with some bytes changed is refused, or is a sound book: it never is half of one."""

import random

import google_crc32c
import numpy as np
import pytest

from cea_exchange._book import OrderBook
from cea_exchange.domain.records import Side

pytestmark = pytest.mark.property

HEADER_BYTES, SLOT_BYTES = 72, 64
CHECKSUM_AT, CHECKED_FROM = 8, 12
SLOT_FIELDS = (
    (0, 8),
    (16, 8),
    (32, 8),
    (40, 8),
    (48, 4),
    (52, 2),
    (54, 1),
    (55, 1),
    (56, 4),
    (60, 4),
)
"""Where the fields of a slot lie, and their bytes; the last two link it to its neighbours."""


def book_of_orders(generator: random.Random) -> OrderBook:
    """A small book with free slots between its orders."""
    price_max = generator.choice((5, 100, 5_000))
    book = OrderBook(0, price_max, order_count_max=40)
    for number in range(generator.randint(2, 40)):
        order_id = number + generator.choice((0, 1 << 40))
        side, price = generator.choice((1, 2)), generator.randint(0, price_max)
        book.enter(order_id, side, price, generator.randint(1, 9), generator.randint(0, 3))
        if generator.random() < 0.2:
            book.cancel(generator.randint(0, number))
    return book


def spoil(data: bytearray, generator: random.Random) -> None:
    """Change a number of the header, or a field of an order to another's or to a small number."""
    slots = (len(data) - HEADER_BYTES) // SLOT_BYTES
    if not slots or generator.random() < 0.3:
        data[generator.randrange(CHECKED_FROM, HEADER_BYTES)] = generator.choice((0, 1, 2, 255))
        return
    start = HEADER_BYTES + SLOT_BYTES * generator.randrange(slots)
    offset, count = generator.choice(SLOT_FIELDS)
    other = HEADER_BYTES + SLOT_BYTES * generator.randrange(slots)
    value = bytes(data[other + offset : other + offset + count])
    if generator.random() < 0.5:
        value = generator.choice((0, 1, 2, 3, slots, slots + 1, 255)).to_bytes(count, "little")
    data[start + offset : start + offset + count] = value


def checksum_mend(data: bytearray) -> None:
    checksum = google_crc32c.value(bytes(data[CHECKED_FROM:]))
    data[CHECKSUM_AT:CHECKED_FROM] = checksum.to_bytes(4, "little")


@pytest.mark.parametrize("seed", range(8))
def test_a_spoiled_snapshot_is_refused_or_makes_a_sound_book(seed: int) -> None:
    """Whatever passes for a book goes on as one."""
    generator = random.Random(seed)
    refused = 0
    for _ in range(60):
        data = bytearray(book_of_orders(generator).snapshot())
        for _ in range(generator.choice((1, 1, 2, 3))):
            spoil(data, generator)
        checksum_mend(data)
        try:
            book = OrderBook.restore(bytes(data))
        except (ValueError, MemoryError):
            refused += 1
            continue
        book.check()
        top = min(book.price_max, book.price_min + 5_000)
        for number in range(60):
            side, price = generator.choice((1, 2)), generator.randint(book.price_min, top)
            book.enter((1 << 50) + number, side, price, generator.randint(1, 9), 1)
        book.check()
        assert OrderBook.restore(book.snapshot()).state_hash() == book.state_hash()
    assert 10 < refused < 50


def test_every_byte_of_a_snapshot_counts() -> None:
    """Without a mended checksum no change at all passes, and no byte may lack."""
    book = OrderBook(0, 9, order_count_max=4)
    book.enter(1, Side.BUY, 5, 1)
    data = book.snapshot()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ValueError):
            OrderBook.restore(bytes(changed))
        with pytest.raises(ValueError):
            OrderBook.restore(data[:place])
    with pytest.raises(ValueError):
        OrderBook.restore(data + b"\0")
    with pytest.raises(TypeError):
        OrderBook.restore(np.frombuffer(data, np.uint8))
