"""What a book takes of the machine's memory, and when; and whom it lets in meanwhile."""

import contextlib
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cea_exchange import OrderBook
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, ORDER_DTYPE, CommandKind, Side

PAGE_BYTES = 4_096
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the resident set is read from /proc, which is Linux's"
)


def huge_pages():
    """When the system gives huge pages: `always`, to who asks (`madvise`), or `never`."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return re.findall(r"\[(\w+)\]", setting.read_text("ascii"))[0] if setting.exists() else "never"


def resident_bytes():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


def huge_bytes():
    """For how much of its memory the process has asked for huge pages, got or not."""
    mappings = Path("/proc/self/smaps").read_text(encoding="ascii")
    sizes = re.findall(r"^Size: +(\d+) kB$", mappings, re.MULTILINE)
    flags = re.findall(r"^VmFlags: (.*)$", mappings, re.MULTILINE)
    return sum(
        1_024 * int(size) for size, of in zip(sizes, flags, strict=True) if "hg" in of.split()
    )


def buys(count, prices, ids):
    commands = np.zeros(count, COMMAND_DTYPE)
    commands["kind"], commands["side"], commands["tonnes"] = CommandKind.ENTER, Side.BUY, 1
    commands["price"], commands["order_id"] = prices, ids
    return commands


@on_linux
def test_a_wide_book_takes_memory_only_where_orders_are():
    before = resident_bytes()
    book = OrderBook(0, 100_000_000, order_count_max=10_000)
    count = 2_000
    book.process(
        buys(count, np.arange(count) * 50_000, np.arange(count)), np.zeros(2 * count, EVENT_DTYPE)
    )
    assert count == len(book)
    # A page of levels and one of the bitmap for each lone price, out of 3.2 GB.
    assert 20_000 * count > resident_bytes() - before


@on_linux
@pytest.mark.parametrize("first_id", [1, 1 << 40])
def test_touched_memory_is_there_before_the_first_order(first_id):
    count = 50_000
    commands = buys(count, np.arange(count) % 5_000 + 1, first_id + 7 * np.arange(count))
    events = np.zeros(1, EVENT_DTYPE)
    before = resident_bytes()
    book = OrderBook(1, 5_000, order_count_max=count, touch_memory=True)
    touched = resident_bytes()
    # 3.2 MB of orders are two huge pages.
    orders = 64 * count if huge_pages() == "never" else 4 << 20
    tables, levels = (256 << 20) + 16 * count, 32 * 5_000
    expected = orders + tables + levels
    assert abs(touched - before - expected) < 2 * count
    assert (count, 0) == book.process(commands, events, True)
    assert 1 << 19 > resident_bytes() - touched
    book.check()
    # The same again: each id is known.
    assert (count, 0) == book.process(commands, events, True)
    assert count == len(book)
    assert first_id in book and first_id + 7 * (count - 1) in book


@on_linux
@pytest.mark.skipif(huge_pages() == "always", reason="each page that is touched is a huge one here")
@pytest.mark.parametrize("apart", [1 << 11, 1 << 12, 1 << 14])
@pytest.mark.parametrize("first_id", [1, 1 << 20])
def test_ids_that_are_far_apart_take_a_page_each_and_no_huge_one(first_id, apart):
    count = 3_000
    commands = buys(count, 1, first_id + apart * np.arange(count))
    events = np.zeros(1, EVENT_DTYPE)
    book = OrderBook(1, 5_000, order_count_max=20_000)
    before = resident_bytes()
    assert (count, 0) == book.process(commands, events, True)
    # A huge page for orders, and one at most for ids, of which each takes a page.
    assert (4 << 20) + PAGE_BYTES * (count + 200) > resident_bytes() - before


@on_linux
@pytest.mark.skipif(huge_pages() == "never", reason="the system gives no huge pages")
def test_ids_that_come_in_order_have_huge_pages():
    count, most = 1_300_000, 20_000
    commands = np.zeros(2 * count, COMMAND_DTYPE)
    commands[::2] = buys(count, 1, 1 + np.arange(count))
    commands["kind"][1::2], commands["order_id"][1::2] = CommandKind.CANCEL, 1 + np.arange(count)
    book = OrderBook(1, 5_000, order_count_max=most)
    events = np.zeros(1, EVENT_DTYPE)
    before = huge_bytes()
    assert before > 0
    assert (2 * count, 0) == book.process(commands, events, True)
    # The book has asked for its orders and the first 524,288 ids; now for those that follow, twice.
    assert 2 * (2 << 20) == huge_bytes() - before


@pytest.mark.parametrize("act", ["state_hash", "snapshot", "orders_into"])
def test_nobody_comes_in_while_a_book_is_read_whole(act):
    count = 300_000
    book = OrderBook(1, 5_000, order_count_max=count + 1)
    book.process(
        buys(count, np.arange(count) % 5_000 + 1, np.arange(count)), np.zeros(1, EVENT_DTYPE), True
    )
    orders = np.zeros(count, ORDER_DTYPE)
    refused, done = [], threading.Event()

    def read():
        while not done.is_set():
            with contextlib.suppress(RuntimeError):
                book.orders_into(orders) if act == "orders_into" else getattr(book, act)()

    worker = threading.Thread(target=read)
    worker.start()
    for _ in range(2_000_000):
        try:
            book.cancel(1 << 50)
        except RuntimeError as error:
            refused.append(str(error))
            break
    done.set()
    worker.join()
    assert ["another thread is inside this book"] == refused
