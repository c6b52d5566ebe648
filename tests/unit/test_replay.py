"""Recorded flow through a book: made-up flow whose true book is known, and the real sample."""

import json
import random
from pathlib import Path

import pytest

from cea_exchange.cli.main import run

SAMPLE = Path(__file__).resolve().parents[3] / "shared/data/flow/lobster_AAPL_L10_head"
TICK = 100
EMPTY = 9_999_999_999


class TrueBook:
    """A price-time book in the plainest form: (side, price) -> [[order id, size], ...]."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.queues: dict[tuple[int, int], list[list[int]]] = {}
        self.order_id = 100
        self.messages: list[list[int]] = []

    def levels(self, direction: int) -> list[tuple[int, int]]:
        """Best first: price, size."""
        found = [
            (price, sum(size for _, size in queue))
            for (side, price), queue in self.queues.items()
            if side == direction and queue
        ]
        return sorted(found, reverse=direction == 1)

    def row(self, depth: int) -> list[int]:
        """The book as LOBSTER writes it."""
        asks, bids = self.levels(-1), self.levels(1)
        row: list[int] = []
        for index in range(depth):
            row += asks[index] if index < len(asks) else (EMPTY, 0)
            row += bids[index] if index < len(bids) else (-EMPTY, 0)
        return row

    def enter(self) -> list[int]:
        """A new order that does not cross."""
        direction = self.random.choice((1, -1))
        opposite = self.levels(-direction)
        near = opposite[0][0] - direction * TICK if opposite else 1_000_000 - direction * TICK
        price = near - direction * TICK * self.random.randrange(12)
        self.order_id += 1
        size = self.random.randrange(1, 50)
        self.queues.setdefault((direction, price), []).append([self.order_id, size])
        return [1, self.order_id, size, price, direction]

    def some_order(self) -> tuple[int, int, list[list[int]], int]:
        """Side, price, queue and place of an order at random."""
        places = sorted(place for place, queue in self.queues.items() if queue)
        direction, price = self.random.choice(places)
        queue = self.queues[direction, price]
        return direction, price, queue, self.random.randrange(len(queue))

    def step(self) -> list[int]:
        """Something happens; return its message."""
        if sum(map(len, self.queues.values())) < 5 or self.random.random() < 0.5:
            return self.enter()
        if self.random.random() < 0.1:
            return [5, 0, 1, 1_000_000, 1]
        if self.random.random() < 0.4:
            direction = self.random.choice([side for side in (1, -1) if self.levels(side)])
            price = self.levels(direction)[0][0]
            queue = self.queues[direction, price]
            order_id, open_size = queue[0]
            size = self.random.choice((open_size, self.random.randrange(1, open_size + 1)))
            self.take(queue, 0, size)
            return [4, order_id, size, price, direction]
        direction, price, queue, place = self.some_order()
        order_id, open_size = queue[place]
        if open_size > 1 and self.random.random() < 0.3:
            size = self.random.randrange(1, open_size)
            self.take(queue, place, size)
            return [2, order_id, size, price, direction]
        queue.pop(place)
        return [3, order_id, open_size, price, direction]

    @staticmethod
    def take(queue: list[list[int]], place: int, size: int) -> None:
        """Less is open of an order, perhaps nothing."""
        queue[place][1] -= size
        if queue[place][1] == 0:
            queue.pop(place)


def flow(seed: int, count: int, before: int = 60) -> tuple[list[list[int]], TrueBook, list]:
    """Messages, and the true rows of 20 levels; some orders are from before."""
    book = TrueBook(seed)
    for _ in range(before):
        book.enter()
    messages, rows = [], []
    for _ in range(count):
        messages.append(book.step())
        rows.append(book.row(20))
    return messages, book, rows


def write(folder: Path, messages: list[list[int]], rows: list[list[int]], depth: int) -> Path:
    """The files as LOBSTER names them."""
    folder.mkdir(exist_ok=True)
    lines = [f"34200.{n:09d}," + ",".join(map(str, m)) for n, m in enumerate(messages)]
    (folder / f"X_2012-06-21_message_{depth}.csv").write_text("\n".join(lines) + "\n")
    lines = [",".join(map(str, row[: 4 * depth])) for row in rows]
    (folder / f"X_2012-06-21_orderbook_{depth}.csv").write_text("\n".join(lines) + "\n")
    return folder


def replay(folder: Path, capfd: pytest.CaptureFixture, *more: str) -> tuple[int, dict, str]:
    """Exit status, report, error."""
    status = run(["replay", str(folder), "--profile", "open", "--json", *more])
    output, errors = capfd.readouterr()
    return status, json.loads(output) if output else {}, errors


@pytest.mark.parametrize("depth", [1, 2, 5, 10, 20])
@pytest.mark.parametrize("seed", range(4))
def test_every_step_agrees(
    seed: int, depth: int, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """At any depth, with orders from before and levels that come and go."""
    messages, _, rows = flow(seed, 400)
    status, report, errors = replay(write(tmp_path / "flow", messages, rows, depth), capfd)
    assert errors == ""
    assert status == 0
    assert (report["messages"], report["steps"]) == (400, 399)
    assert report["steps_agreeing"] == 399
    assert (report["levels"], report["tick"]) == (depth, TICK)
    if depth < 5:
        assert report["levels_learned"] > 0


def test_a_thin_book_has_empty_levels(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Nothing is learned where the rows show that nothing is there."""
    messages, _, rows = flow(7, 200, before=2)
    status, report, _ = replay(write(tmp_path / "flow", messages, rows, 20), capfd)
    assert (status, report["steps_agreeing"]) == (0, 199)
    assert report["levels_learned"] == 0


def damaged(kind: str) -> tuple[list[list[int]], list[list[int]], int]:
    """A flow with one thing wrong; the line where it shows."""
    messages, _, rows = flow(3, 400)
    if kind == "a size in a row":
        rows[200][1] += 1
        return messages, rows, 201
    if kind == "a price in a row":
        rows[200][2] -= 1
        return messages, rows, 201
    if kind == "a message left out":
        shown = (n for n in range(200, 400) if seen(rows[n - 1], messages[n]))
        line = next(n for n in shown if messages[n][0] == 3)
        messages[line] = [5, 0, 1, 1_000_000, 1]
        return messages, rows, line + 1
    # An execution names the second order of its level, and both are known.
    for line in range(50, 400):
        type_, order_id, size, price, direction = messages[line]
        if type_ != 4:
            continue
        later = next_in_queue(messages[:line], order_id, price, direction)
        if later is not None:
            messages[line] = [4, later, size, price, direction]
            return messages, rows, line + 1
    raise AssertionError("the flow has no such execution")


def seen(row: list[int], message: list[int]) -> bool:
    """Whether the price of a message is among the best ten of its side."""
    prices = row[0:40:4] if message[4] == -1 else row[2:40:4]
    return message[3] in prices


def next_in_queue(past: list[list[int]], order_id: int, price: int, direction: int) -> int | None:
    """An order that came to the same level after `order_id`, and is whole."""
    touched = {message[1] for message in past if message[0] != 1}
    entered = [m[1] for m in past if m[0] == 1 and m[3:] == [price, direction]]
    if order_id not in entered:
        return None
    later = entered[entered.index(order_id) + 1 :]
    return next((other for other in later if other not in touched), None)


@pytest.mark.parametrize(
    "kind", ["a size in a row", "a price in a row", "a message left out", "another order hit"]
)
def test_what_is_wrong_is_found_where_it_is(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Exit status 1, the line, and the other steps still judged by themselves."""
    messages, rows, line = damaged(kind)
    status, report, errors = replay(write(tmp_path / "flow", messages, rows, 10), capfd)
    assert status == 1
    assert report["difference"]["message"] == line
    assert f"message_10.csv:{line}: " in errors
    assert errors.count("\n") == 1
    assert report["steps_agreeing"] >= 390


def test_files_can_be_named_and_the_recorded_book_can_lack(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Without a recorded book the messages are played alone."""
    messages, _, rows = flow(5, 100)
    folder = write(tmp_path / "flow", messages, rows, 5)
    message_file = folder / "X_2012-06-21_message_5.csv"
    book_file = folder / "X_2012-06-21_orderbook_5.csv"
    assert replay(message_file, capfd)[1]["steps"] == 99
    elsewhere = book_file.rename(tmp_path / "book.csv")
    assert replay(message_file, capfd, str(elsewhere))[1]["steps"] == 99
    status, report, _ = replay(message_file, capfd)
    assert (status, report["messages"], report["steps"]) == (0, 100, 0)


BAD_FILES = {
    "empty": ("", "1,1,1,1\n"),
    "no numbers": ("time,type,id,size,price,direction\n", "1,1,1,1\n"),
    "too few columns": ("34200.1,1,1\n", "1,1,1,1\n"),
    "unknown type": ("34200.1,9,1,1,100,1\n", "100,1,0,0\n"),
    "no size": ("34200.1,1,1,0,100,1\n", "100,1,0,0\n"),
    "no direction": ("34200.1,1,1,1,100,0\n", "100,1,0,0\n"),
    "a price with a point": ("34200.1,1,1,1,100.5,1\n", "100,1,0,0\n"),
    "odd columns": ("34200.1,1,1,1,100,1\n", "100,1,99\n"),
    "rows missing": ("34200.1,1,1,1,100,1\n34200.2,1,2,1,100,1\n", "200,1,100,1\n"),
    "ragged rows": ("34200.1,1,1,1,100,1\n34200.2,1,2,1,100,1\n", "200,1,100,1\n200,1\n"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Exit status 2 and one line."""
    messages, rows = BAD_FILES[name]
    (tmp_path / "message.csv").write_text(messages)
    (tmp_path / "orderbook.csv").write_text(rows)
    status, report, errors = replay(tmp_path, capfd)
    assert (status, report) == (2, {})
    assert errors.count("\n") == 1
    assert str(tmp_path) in errors


def test_other_profiles_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Bands and five levels would judge foreign flow by foreign rules."""
    messages, _, rows = flow(5, 10)
    folder = write(tmp_path / "flow", messages, rows, 5)
    assert run(["replay", str(folder), "--profile", "cea"]) == 2
    assert "'open'" in capfd.readouterr().err


@pytest.mark.skipif(not SAMPLE.exists(), reason="the LOBSTER sample is not there")
def test_the_real_sample(capfd: pytest.CaptureFixture) -> None:
    """998 of 998 steps."""
    status, report, errors = replay(SAMPLE, capfd)
    assert (status, errors) == (0, "")
    assert report["messages"] == 999
    assert report["steps"] == report["steps_agreeing"] == 998
