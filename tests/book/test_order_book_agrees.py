"""The compiled order book does what a plain one does: event for event, by calls and by batches."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from cea_exchange.domain.records import EventKind, Reason, Side
from support.book.book_flow import (
    ID_FAMILIES,
    KINDS_OF_A_BOOK,
    MOODS,
    POLICIES,
    REASONS_OF_A_BOOK,
    BookCase,
    Comparison,
    Segment,
    book_cases,
)
from support.book.plain_book import ENTER, TRADE, WHY, PlainBook, Row

pytestmark = pytest.mark.property


@settings(
    max_examples=500,
    derandomize=True,
    database=None,
)
@given(book_cases)
def test_books_agree_on_any_flow(case: BookCase) -> None:
    """Any band, ids, policy and kind of order; batches, calls, copies and restored books."""
    Comparison(case).run()


def case_of(place: int, policy: str, **changes: object) -> BookCase:
    """A case with a thousand commands, its flow worked out from the place."""
    case = BookCase(
        policy=policy,
        levels_max=(None, 5, 1)[place % 3],
        pick_allowed=place % 4 > 0,
        order_count_max=(2_000, 40)[place % 2],
        band=(0, 2_000),
        ids=ID_FAMILIES[place % len(ID_FAMILIES)],
        seed=1_000 + place,
        segments=[Segment(31 * place + number, 200) for number in range(5)],
    )
    return case._replace(**changes)


@pytest.mark.parametrize("policy", POLICIES)
def test_books_agree_on_longer_flows_and_all_reasons_come(policy: str) -> None:
    """Deeper books than Hypothesis draws: several hundred orders rest."""
    seen = np.zeros((2, 256), np.int64)
    for place in range(12):
        comparison = Comparison(case_of(place, policy))
        comparison.run()
        seen += comparison.seen
    of_policy = {Reason.SELF_TRADE: "reject", Reason.SELF_TRADE_PREVENTED: "cancel"}
    reasons = {r for r in REASONS_OF_A_BOOK if policy.startswith(of_policy.get(r, ""))}
    assert set(np.flatnonzero(seen[0])) == KINDS_OF_A_BOOK
    assert set(np.flatnonzero(seen[1])) == reasons


def shape_of(mood: str) -> int:
    """The first shape of a mood whose orders seldom cross."""
    return next(
        shape
        for shape in range(1_000)
        if MOODS[Segment(shape, 0).digit(0, len(MOODS))] == mood
        and Segment(shape, 0).digit(2, 5) == 4
        and Segment(shape, 0).digit(3, 3) == 0
    )


@pytest.mark.parametrize("ids", ID_FAMILIES)
def test_books_agree_while_the_index_of_ids_grows_and_empties(ids: str) -> None:
    """Thousands of orders rest, then most are cancelled, then they come again."""
    segments = [
        Segment(shape_of("build"), 3_000),
        Segment(shape_of("cancel"), 3_000),
        Segment(shape_of("build"), 1_500),
    ]
    case = case_of(0, "allow", ids=ids, order_count_max=4_000, segments=segments)
    comparison = Comparison(case)
    comparison.run()
    assert len(comparison.plain) > 500


# -- Canaries --------------------------------------------------------------------------------------


class KeepsPlaceOfMore(PlainBook):
    """Wrong on purpose: an amend to just as many tonnes keeps its place."""

    def _amend(self, row, order):
        if (row.price, row.tonnes) == (order.price, order.tonnes):
            order.tonnes += 1
        return super()._amend(row, order)


class ForgetsOwnOrders(PlainBook):
    """Wrong on purpose: post-only does not mind an own order that would be cancelled."""

    def _meet_own(self, walk, maker):
        met_before = walk.meets_any
        super()._meet_own(walk, maker)
        walk.meets_any = met_before


class LevelsOfOthersOnly(PlainBook):
    """Wrong on purpose: a level is not counted once the walk has reached the last one allowed."""

    def _walk(self, taker, pick_order_id):
        walk = super()._walk(taker, pick_order_id)
        if walk.end == WHY["LEVELS_EXHAUSTED"]:
            walk.end = 0
        return walk


class NewestFirst(PlainBook):
    """Wrong on purpose: of a level that an amend came back to, the newest trades first."""

    def _put_on(self, order):
        super()._put_on(order)
        level = self.levels[order.side][order.price]
        if len(level) > 2:
            level[order.order_id] = level.pop(order.order_id)
            first = next(iter(level))
            level[first] = level.pop(first)


@pytest.mark.parametrize(
    "make_wrong", [KeepsPlaceOfMore, ForgetsOwnOrders, LevelsOfOthersOnly, NewestFirst]
)
def test_a_wrong_book_is_found(make_wrong: Callable[..., PlainBook]) -> None:
    """The canaries: were these thought to agree, the tests above would prove nothing."""
    with pytest.raises(AssertionError):
        for place in range(12):
            Comparison(case_of(place, "cancel_resting"), make_wrong).run()


def test_the_plain_book_is_right_about_a_sweep_worked_by_hand() -> None:
    """What the comparisons rest on: three asks, one of them the buyer's own."""
    book = PlainBook(0, 100, order_count_max=9, self_trade="cancel_resting")
    for order_id, (price, owner) in enumerate([(51, 7), (50, 8), (50, 7)], start=1):
        book.apply(
            Row(ENTER, Side.SELL, account_index=owner, order_id=order_id, price=price, tonnes=5)
        )
    events = book.apply(Row(ENTER, Side.BUY, account_index=8, order_id=9, price=51, tonnes=8))
    shown = [(event[0], event[8], event[9], event[10], event[11], event[12]) for event in events]
    assert [
        (EventKind.ORDER_ACCEPTED, 9, 0, 51, 8, 8),
        (EventKind.ORDER_CANCELED, 2, 0, 50, 5, 0),
        (TRADE, 9, 3, 50, 5, 3),
        (TRADE, 9, 1, 51, 3, 0),
    ] == shown
    assert ([], [(51, 2, 1)]) == book.depth()
