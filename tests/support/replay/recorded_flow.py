"""Made-up order flow in LOBSTER's form, whose true book is known."""

import random

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


def flow(seed: int, count: int, before: int = 60) -> tuple[list[list[int]], list]:
    """Messages, and the true rows of 20 levels; some orders are from before."""
    book = TrueBook(seed)
    for _ in range(before):
        book.enter()
    messages, rows = [], []
    for _ in range(count):
        messages.append(book.step())
        rows.append(book.row(20))
    return messages, rows


def row_of_depth(row: list[int], depth: int) -> list[int]:
    """The same row with fewer levels."""
    return row[: 4 * depth]
