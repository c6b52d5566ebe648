"""The compiled replay against the one in plain Python: counts and every difference's text."""

import itertools
import random

import numpy as np
import pytest

from cea_exchange.matching.flow.replay import DifferenceKind, FlowReplay
from support.replay.plain_replay import PlainReplay
from support.replay.recorded_flow import flow, row_of_depth

pytestmark = pytest.mark.differential


Message = list[int]
Row = list[int]


def spoil_message(draw: random.Random, messages: list[Message]) -> None:
    """Change one message into another that makes sense."""
    place = draw.randrange(len(messages))
    message = messages[place]
    what = draw.randrange(7)
    if what == 0:
        messages.insert(place, list(message))
    elif what == 1 and message[0] <= 4:
        message[0] = draw.randrange(1, 5)
    elif what == 2:
        message[1] = draw.choice(messages)[1]
    elif what == 3:
        message[2] = max(1, message[2] + draw.choice((-1, 1, 3, 500)))
    elif what == 4:
        message[3] = max(1, message[3] + draw.choice((-200, -100, -1, 1, 100, 200)))
    elif what == 5:
        message[4] = -message[4]
    else:
        message[:] = [5, 0, 1, 1_000_000, 1]


def spoil_row(draw: random.Random, rows: list[Row]) -> None:
    """Change one row into another that can be read."""
    row = rows[draw.randrange(len(rows))]
    place = draw.randrange(0, len(row), 2)
    what = draw.randrange(5)
    if what == 0:
        row[place + 1] = max(0, row[place + 1] + draw.choice((-1, 1, 40)))
    elif what == 1 and 0 < row[place] < 9_999_999_999:
        row[place] = max(1, row[place] + draw.choice((-100, 100, 7, -3_000)))
    elif what == 2:
        row[place + 1] = 0
    elif what == 3:
        other = draw.randrange(0, len(row), 2)
        if 0 < row[other] < 9_999_999_999 and 0 < row[place] < 9_999_999_999:
            row[place], row[other] = row[other], row[place]
    else:
        row[place : place + 2] = [9_999_999_999 if place % 4 == 0 else -9_999_999_999, 0]


def parts(draw: random.Random, count: int) -> list[slice]:
    """Cut a flow into parts at random."""
    most = draw.choice((1, 3, 50, count))
    cuts = [0]
    while cuts[-1] < count:
        cuts.append(min(count, cuts[-1] + draw.randrange(1, most + 1)))
    return [slice(*pair) for pair in itertools.pairwise(cuts)]


def compiled(
    draw: random.Random, messages: list[Message], rows: list[Row] | None, depth: int
) -> tuple[dict[str, int], list[tuple[int, str, str]]]:
    """Counts and differences of the compiled replay; its book is checked after each part."""
    replay = FlowReplay(depth)
    differences = []
    for part in parts(draw, len(messages)):
        some = np.array(messages[part], np.int64)
        shown = None if rows is None else np.array(rows[part], np.int64)
        replay.prepare(some, shown)
        differences += replay.play(some, shown)
        replay.book.check()
        # The memory is the caller's again, to be filled anew.
        some[:] = -1
        if shown is not None:
            shown[:] = -1
    counts = replay.counts()
    del counts["tick"]
    assert replay.difference() == (differences[0] if differences else None)
    return counts, differences


@pytest.mark.parametrize("damage", [0, 1, 6])
@pytest.mark.parametrize("depth", [0, 1, 2, 5, 12])
def test_both_come_to_the_same(depth: int, damage: int) -> None:
    texts = set()
    for seed in range(8):
        draw = random.Random(f"{seed} {depth} {damage}")
        messages, rows = flow(seed, 150, before=draw.choice((0, 3, 60)))
        shown = [row_of_depth(row, depth) for row in rows] if depth else None
        for _ in range(damage):
            if shown is not None and draw.random() < 0.4:
                spoil_row(draw, shown)
            else:
                spoil_message(draw, messages)
        if shown is not None:
            # A message put in twice has its row twice, and one row is the beginning.
            shown += [list(shown[-1]) for _ in range(len(messages) - len(shown))]
        plain = PlainReplay(depth)
        plain.run(messages, shown)
        counts, differences = compiled(draw, messages, shown, depth)
        assert plain.differences == differences
        assert plain.counts == counts
        texts |= {text for _, _, text in differences}
    assert bool(texts) == (damage > 0) or depth == 0


def judged(
    messages: list[Message], rows: list[Row] | None, depth: int
) -> list[tuple[int, str, str]]:
    """The differences, once both have found the same ones."""
    plain = PlainReplay(depth)
    plain.run(messages, rows)
    counts, differences = compiled(random.Random(0), messages, rows, depth)
    assert (plain.differences, plain.counts) == (differences, counts)
    return differences


def test_every_kind_of_difference_comes_up() -> None:
    """So the texts above are all compared."""
    found = set()
    for seed in range(400):
        draw = random.Random(seed)
        depth = draw.choice((1, 3, 10))
        messages, rows = flow(seed % 20, 60, before=40)
        shown = [row_of_depth(row, depth) for row in rows]
        for _ in range(4):
            spoil_row(draw, shown) if seed % 3 == 0 else spoil_message(draw, messages)
        shown += [list(shown[-1]) for _ in range(len(messages) - len(shown))]
        found |= {kind for _, kind, _ in judged(messages, shown, depth)}
    assert found == set(DifferenceKind)


@pytest.mark.parametrize("position", [1, 37, 149])
def test_a_planted_difference_is_named_at_its_message(position: int) -> None:
    """One size in one row."""
    messages, rows = flow(11, 150, before=60)
    shown = [row_of_depth(row, 5) for row in rows]
    shown[position][3] += 1
    bid = shown[position]
    assert judged(messages, shown, 5)[0] == (
        position + 1,
        "level",
        f"bid 1: the record has {bid[3]} at {bid[2]}, the book {bid[3] - 1} at {bid[2]}",
    )


def test_a_level_out_of_order_is_not_learned() -> None:
    messages = [[1, 1, 1, 100, 1], [3, 9, 1, 90, 1], [5, 0, 1, 1, 1]]
    rows = [[200, 1, 100, 1, 210, 1, 90, 1], [200, 1, 100, 1, 210, 1, 110, 3]]
    rows.append(rows[0])
    text = "bid 2: the record has 110, which is not behind the level before"
    assert judged(messages, rows, 2) == [(2, "row_unordered", text)]


def test_an_execution_that_meets_many_others_is_told_in_short() -> None:
    messages = [[1, order_id, 1, 100, 1] for order_id in range(1, 13)]
    messages.append([4, 12, 11, 100, 1])
    (difference,) = judged(messages, None, 0)
    assert difference[2].endswith("1 of order 7, 1 of order 8, more")


QUEUE = [[1, order_id, 5, 100, 1] for order_id in (1, 2, 3)]
"""Three orders at a price, one after the other."""


@pytest.mark.parametrize("depth", [0, 1])
def test_orders_executed_from_behind_differ_one_by_one(depth: int) -> None:
    """The size goes off the order named, so the queue stays what the messages made it."""
    messages = [*QUEUE, [4, 3, 5, 100, 1], [4, 2, 5, 100, 1], [4, 1, 5, 100, 1]]
    rows = [[110, 9, 100, size] for size in (5, 10, 15, 10, 5)] + [[110, 9, 0, 0]]
    assert judged(messages, rows if depth else None, depth) == [
        (
            4,
            "other_trades",
            "5 of order 3 at 100 were executed, the book trades 5 of order 1",
        ),
        (
            5,
            "other_trades",
            "5 of order 2 at 100 were executed, the book trades 5 of order 1",
        ),
    ]


def test_a_difference_leaves_the_other_levels_queues_alone() -> None:
    """On its side and on the other: executions of the wrong order there are still noticed."""
    messages = [
        *QUEUE,
        [1, 4, 5, 90, 1],
        [1, 5, 5, 90, 1],
        [1, 6, 5, 110, -1],
        [1, 7, 5, 110, -1],
        [5, 0, 1, 1, 1],
        [4, 7, 5, 110, -1],
        [3, 1, 5, 100, 1],
        [3, 2, 5, 100, 1],
        [3, 3, 6, 100, 1],
        [4, 5, 5, 90, 1],
    ]
    sizes = [(0, 5, 0), (0, 10, 0), (0, 15, 0), (0, 15, 5), (0, 15, 10), (5, 15, 10)]
    sizes += [(10, 15, 10), (10, 16, 10), (5, 16, 10), (5, 11, 10), (5, 6, 10), (5, 0, 10)]
    rows = [row(*each) for each in sizes] + [row(5, 0, 5)]
    kinds = [(message, kind) for message, kind, _ in judged(messages, rows, 2)]
    assert kinds == [(8, "level"), (9, "other_trades"), (13, "other_trades")]


def row(ask: int, bid: int, bid_behind: int) -> Row:
    """A row of two levels with sizes at 110, 100 and 90."""
    bids = [(price, size) for price, size in ((100, bid), (90, bid_behind)) if size]
    bids += [(-9_999_999_999, 0)] * (2 - len(bids))
    best_ask = [110, ask] if ask else [9_999_999_999, 0]
    return [*best_ask, *bids[0], 9_999_999_999, 0, *bids[1]]


def test_a_message_said_twice_is_one_difference_where_the_row_stays() -> None:
    """The row says that nothing more went, so nothing more goes."""
    messages = [*QUEUE, [2, 1, 4, 100, 1], [2, 1, 4, 100, 1], [4, 1, 1, 100, 1], [4, 3, 5, 100, 1]]
    rows = [[110, 9, 100, size] for size in (5, 10, 15, 11, 11, 10, 5)]
    assert judged(messages, rows, 1) == [
        (5, "too_little", "order 1 has 1 open, 4 go"),
        (
            7,
            "other_trades",
            "5 of order 3 at 100 were executed, the book trades 5 of order 2",
        ),
    ]


def test_a_price_that_is_wrong_in_a_message_leaves_the_order_known() -> None:
    messages = [*QUEUE, [2, 2, 1, 90, 1], [4, 1, 5, 100, 1], [4, 2, 4, 100, 1]]
    rows = [[110, 9, 100, size] for size in (5, 10, 15, 14, 9, 5)]
    assert judged(messages, rows, 1) == [
        (4, "elsewhere", "order 2 stands at 100 (buy), the message says 90 (buy)")
    ]


def test_an_order_that_trades_ahead_of_unknown_ones_is_a_kind_of_its_own() -> None:
    """Their places are not recorded, so nobody says that they were older."""
    messages = [[5, 0, 1, 1, 1], [1, 7, 5, 100, 1], [4, 7, 3, 100, 1], [4, 99, 9, 100, 1]]
    rows = [[110, 9, 100, size] for size in (10, 15, 12, 3)]
    assert judged(messages, rows, 1) == [
        (
            3,
            "unknown_ahead",
            "3 of order 7 at 100 were executed, though 10 of unknown orders are taken to stand "
            "before it",
        )
    ]


def test_a_crossed_first_row_is_blamed_on_its_own_message() -> None:
    """The next row is the beginning then."""
    messages = [[5, 0, 1, 1, 1], [1, 7, 5, 100, 1], [4, 7, 5, 100, 1], [4, 99, 1, 100, 1]]
    rows = [[100, 9, 100, 2], [110, 9, 100, 7], [110, 9, 100, 2], [110, 9, 100, 1]]
    assert judged(messages, rows, 1) == [
        (1, "row_crossed", "the record is crossed: bid 1 at 100, ask 1 at 100"),
        (
            3,
            "unknown_ahead",
            "5 of order 7 at 100 were executed, though 2 of unknown orders are taken to stand "
            "before it",
        ),
    ]


def test_a_crossed_row_later_on_is_not_believed() -> None:
    messages = [*QUEUE, [5, 0, 1, 1, 1], [4, 3, 5, 100, 1]]
    rows = [[110, 9, 100, 5], [110, 9, 100, 10], [110, 9, 100, 15], [100, 9, 100, 15]]
    rows.append([110, 9, 100, 10])
    kinds = [(message, kind) for message, kind, _ in judged(messages, rows, 1)]
    assert kinds == [(4, "row_crossed"), (5, "other_trades")]


def test_the_order_of_the_first_message_is_known() -> None:
    """It stands behind what else the first row has at its price."""
    messages = [[1, 1, 5, 100, 1], [1, 2, 5, 100, 1], [4, 2, 5, 100, 1]]
    rows = [[110, 9, 100, size] for size in (8, 13, 8)]
    (difference,) = judged(messages, rows, 1)
    assert difference[2].endswith("the book trades 3 of unknown orders, 2 of order 1")


def test_finer_and_farther_prices_get_a_finer_and_wider_book() -> None:
    """Orders keep their places when the book is exchanged."""
    replay = FlowReplay(0)
    for place, price in enumerate((1_000_000, 999_900, 5, 9_999_999_998, 123_457)):
        for order_id in (10 * place + 1, 10 * place + 2):
            message = np.array([[1, order_id, 7, price, 1 if price < 2_000_000 else -1]], np.int64)
            replay.prepare(message)
            replay.play(message)
            replay.book.check()
    assert replay.counts()["tick"] == 1
    assert replay.counts()["orders_resting"] == 10
    assert replay.book.orders(1, 1_000_000) == [1, 2]
    assert replay.book.orders(2, 9_999_999_998) == [31, 32]
    assert replay.difference() is None


def test_misuse_is_refused() -> None:
    replay = FlowReplay(1)
    messages = np.array([[1, 1, 1, 100, 1]], np.int64)
    rows = np.array([[200, 1, 100, 1]], np.int64)
    with pytest.raises(ValueError, match="prepared last"):
        replay.play(messages, rows)
    for wrong in (None, rows[:, :2], np.zeros((2, 4), np.int64), rows.astype(np.int32), [[1]]):
        with pytest.raises(TypeError):
            replay.prepare(messages, wrong)
    with pytest.raises(TypeError):
        replay.prepare(messages[:, :4], rows)
    replay.prepare(messages, rows)
    with pytest.raises(ValueError, match="prepared last"):
        replay.play(messages.copy(), rows)
    replay.play(messages, rows)
    with pytest.raises(ValueError, match="prepared last"):
        replay.play(messages, rows)
    assert replay.counts()["messages"] == 1
    with pytest.raises(ValueError):
        FlowReplay(-1)
