"""The compiled replay against the one in plain Python: counts and the first difference's text."""

import random

import numpy as np
import pytest

from cea_exchange.matching.replay import FlowReplay
from differential.plain_replay import PlainReplay
from differential.recorded_flow import flow, row_of_depth

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
    return [slice(*pair) for pair in zip(cuts, cuts[1:], strict=False)]


def compiled(
    draw: random.Random, messages: list[Message], rows: list[Row] | None, depth: int
) -> tuple[dict[str, int], tuple[int, str] | None]:
    """Counts and difference of the compiled replay; its book is checked after each part."""
    replay = FlowReplay(depth)
    for part in parts(draw, len(messages)):
        some = np.array(messages[part], np.int64)
        shown = None if rows is None else np.array(rows[part], np.int64)
        replay.prepare(some, shown)
        replay.play(some, shown)
        replay.book.check()
        # The memory is the caller's again, to be filled anew.
        some[:] = -1
        if shown is not None:
            shown[:] = -1
    counts = replay.counts()
    del counts["tick"]
    return counts, replay.difference()


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
        counts, difference = compiled(draw, messages, shown, depth)
        assert plain.counts == counts
        assert plain.difference == difference
        if difference is not None:
            texts.add(difference[1])
    assert bool(texts) == (damage > 0) or depth == 0


def test_every_kind_of_difference_comes_up() -> None:
    """So the texts above are all compared."""
    kinds = {
        "is on the book already",
        "would trade on entry",
        "stands at",
        "nothing of unknown orders is left",
        " go",
        "were executed",
        "the record has",
    }
    found = set()
    for seed in range(300):
        draw = random.Random(seed)
        depth = draw.choice((1, 3, 10))
        messages, rows = flow(seed % 20, 60, before=40)
        shown = [row_of_depth(row, depth) for row in rows]
        for _ in range(2):
            spoil_row(draw, shown) if seed % 3 == 0 else spoil_message(draw, messages)
        shown += [list(shown[-1]) for _ in range(len(messages) - len(shown))]
        plain = PlainReplay(depth)
        plain.run(messages, shown)
        counts, difference = compiled(draw, messages, shown, depth)
        assert (plain.counts, plain.difference) == (counts, difference)
        if difference is not None:
            found |= {kind for kind in kinds if kind in difference[1]}
    assert kinds == found


@pytest.mark.parametrize("position", [1, 37, 149])
def test_a_planted_difference_is_named_at_its_message(position: int) -> None:
    """One size in one row."""
    messages, rows = flow(11, 150, before=60)
    shown = [row_of_depth(row, 5) for row in rows]
    shown[position][3] += 1
    counts, difference = compiled(random.Random(0), messages, shown, 5)
    assert difference is not None
    assert difference[0] == position + 1
    bid = shown[position]
    assert difference[1] == (
        f"bid 1: the record has {bid[3]} at {bid[2]}, the book {bid[3] - 1} at {bid[2]}"
    )
    assert counts["steps"] == 149


def test_a_level_out_of_order_is_not_learned() -> None:
    messages = [[1, 1, 1, 100, 1], [3, 9, 1, 90, 1], [5, 0, 1, 1, 1]]
    rows = [[200, 1, 100, 1, 210, 1, 90, 1], [200, 1, 100, 1, 210, 1, 110, 3]]
    rows.append(rows[0])
    plain = PlainReplay(2)
    plain.run(messages, rows)
    counts, difference = compiled(random.Random(0), messages, rows, 2)
    assert (plain.counts, plain.difference) == (counts, difference)
    assert difference == (2, "bid 2: the record has 110, which is not behind the level before")


def test_an_execution_that_meets_many_others_is_told_in_short() -> None:
    messages = [[1, order_id, 1, 100, 1] for order_id in range(1, 13)]
    messages.append([4, 12, 11, 100, 1])
    plain = PlainReplay(0)
    plain.run(messages, None)
    counts, difference = compiled(random.Random(0), messages, None, 0)
    assert (plain.counts, plain.difference) == (counts, difference)
    assert difference is not None
    assert difference[1].endswith("1 of order 7, 1 of order 8, more")


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
