"""The adapter for the public benchmark: what it reports is what a book in plain Python gives."""

import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from bench.flash1.__main__ import build
from bench.measuring.native import compiler
from support.patience import patience

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
NEW, CANCEL, MODIFY = range(3)
ORDER_ACK, TRADE, CANCEL_ACK, MODIFY_ACK, CANCEL_REJECT, MODIFY_REJECT = range(6)
BUY, SELL = 0, 1
NO_BID, NO_ASK = -(1 << 63), (1 << 63) - 1


class PlainBook:
    """Orders by id, oldest at their price first; what it says is the benchmark's reports."""

    def __init__(self):
        self.orders, self.said = {}, []

    def enter(self, seq, order_id, side, price, quantity, ioc):
        self.said.append((seq, ORDER_ACK, side, order_id, price, quantity, 0, 0))
        rest = self._matched(seq, order_id, side, price, quantity)
        if rest and ioc:
            self.said.append((seq, CANCEL_ACK, side, order_id, price, rest, 0, 0))
        elif rest:
            self.orders[order_id] = [side, price, rest]

    def cancel(self, seq, order_id):
        order = self.orders.pop(order_id, None)
        if order is None:
            self.said.append((seq, CANCEL_REJECT, 0, order_id, 0, 0, 0, 0))
        else:
            self.said.append((seq, CANCEL_ACK, order[0], order_id, order[1], order[2], 0, 0))

    def modify(self, seq, order_id, price, quantity):
        order = self.orders.pop(order_id, None)
        if order is None:
            self.said.append((seq, MODIFY_REJECT, 0, order_id, 0, 0, 0, 0))
            return
        rest = self._matched(seq, order_id, order[0], price, quantity)
        if rest:
            self.orders[order_id] = [order[0], price, rest]
        self.said.append((seq, MODIFY_ACK, order[0], order_id, price, quantity, 0, 0))

    def best(self):
        bids = [price for side, price, _ in self.orders.values() if side == BUY]
        asks = [price for side, price, _ in self.orders.values() if side == SELL]
        at = [0, 0]
        for side, price, quantity in self.orders.values():
            at[side] += quantity * (price == 100)
        return (max(bids, default=NO_BID), min(asks, default=NO_ASK), *at)

    def _matched(self, seq, taker, side, price, quantity):
        def worse(maker):
            return -self.orders[maker][1] if side == SELL else self.orders[maker][1]

        makers = [each for each, order in self.orders.items() if order[0] != side]
        for maker in sorted(makers, key=worse):
            at, has = self.orders[maker][1:]
            if not quantity or (at > price if side == BUY else at < price):
                break
            traded = min(has, quantity)
            quantity -= traded
            self.said.append((seq, TRADE, 0, 0, at, traded, maker, taker))
            self.orders[maker][2] -= traded
            if not self.orders[maker][2]:
                del self.orders[maker]
        return quantity


def flow(seed, count):
    """Draw messages, and give what a plain book says to them."""
    draw, book, messages, looks = random.Random(seed), PlainBook(), [], []
    ids = draw.sample(range(1, 200_000), count) if seed % 2 else list(range(1, count + 1))
    for seq in range(count):
        known = draw.choice([*book.orders, ids[seq - 1], 7])
        price, quantity = draw.randint(90, 110), draw.randint(1, 100)
        match draw.choices((NEW, CANCEL, MODIFY), (50, 35, 15))[0]:
            case 0:
                side, ioc = draw.randrange(2), draw.random() < 0.15
                messages.append(pack(NEW, "QQqIBBxx", ids[seq], seq, price, quantity, side, ioc))
                book.enter(seq, ids[seq], side, price, quantity, ioc)
            case 1:
                messages.append(pack(CANCEL, "QQ16x", known, seq))
                book.cancel(seq, known)
            case _:
                side, price, had = book.orders.get(known, (0, price, 0))
                price += draw.choice((0, 0, 1, -1))
                fields = known, seq, price, had + quantity, side
                messages.append(pack(MODIFY, "QQqIBxxx", *fields))
                book.modify(seq, known, price, had + quantity)
        looks.append(book.best())
    return b"".join(messages), book.said, looks


def pack(kind, layout, *fields):
    """Return the bytes of a message."""
    return struct.pack(f"<B7x{layout}", kind, *fields)


@pytest.fixture(scope="module", params=[True, False], ids=["own queue", "its queue"])
def clone(request, tmp_path_factory):
    """A folder that looks like a clone of the benchmark, with the adapter and a harness in it."""
    place = tmp_path_factory.mktemp("benchmark")
    (place / "api").mkdir()
    shutil.copy(HERE / "matching_engine_api.h", place / "api")
    build(place, own_queue=request.param)
    source = HERE / "flash1_harness.c"
    command = [compiler(), "-pthread", "-o", place / "harness", "-I", place / "api", source, "-ldl"]
    subprocess.run(command, check=True)
    return place


@pytest.mark.parametrize("seed", [1, 2])
def test_the_adapter_reports_what_a_plain_book_does(clone, seed):
    messages, said, looks = flow(seed, 3_000)
    path = clone / f"messages_{seed}"
    path.write_bytes(messages)
    command = [clone / "harness", clone / "cea_exchange_adapter.so", path]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60 * patience()
    )
    lines = done.stdout.splitlines()
    reports = [tuple(map(int, line.split())) for line in lines if line[0] != "b"]
    found = [tuple(map(int, line.split()[1:])) for line in lines if line[0] == "b"]
    # Acknowledgements and trades of one message come in any order, as the benchmark sorts them.
    assert sorted(reports, key=lambda row: row[:2]) == sorted(said, key=lambda row: row[:2])
    assert found == looks
    kinds = {row[1] for row in reports}
    assert kinds == {ORDER_ACK, TRADE, CANCEL_ACK, MODIFY_ACK, CANCEL_REJECT, MODIFY_REJECT}


def test_a_folder_that_is_no_clone_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="expected a clone of the benchmark"):
        build(tmp_path)
