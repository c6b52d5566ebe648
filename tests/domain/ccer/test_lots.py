"""Serial numbers: split, moved, cancelled, and never in two places."""

from hypothesis import given
from hypothesis import strategies as st

from cea_exchange.domain.ccer.false_credits import Restitution, restitution
from cea_exchange.domain.ccer.lots import Lot, named, oldest, overlaps, serials_of, without
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from support.refusing import refuses


def refused(code: str):
    return refuses(code, ProgrammeError)


def taken_from(lots: list[Lot], parts: list[Lot]) -> list[Lot]:
    """Return what is left of lots when parts of them have left."""
    left = []
    for lot in lots:
        rest = [lot]
        for part in parts:
            rest = [
                each
                for piece in rest
                for each in (
                    without(piece, part)
                    if piece.batch == part.batch and piece.first <= part.first <= piece.last
                    else [piece]
                )
            ]
        left += rest
    return left


def test_a_batch_is_numbered_from_1_on_by_years():
    """CCER-LOT-01."""
    assert serials_of(3, {2022: 4_000, 2021: 6_000}) == {
        2021: Lot(3, 1, 6_000),
        2022: Lot(3, 6_001, 10_000),
    }


def test_a_lot_is_split_and_its_lowest_serials_move_first():
    """CCER-LOT-02, CCER-LOT-03 (RB3, example 1)."""
    held_by_a = [Lot(1, 1, 10_000)]
    to_b = oldest(held_by_a, 4_000)
    held_by_a = taken_from(held_by_a, to_b)
    assert (to_b, held_by_a) == ([Lot(1, 1, 4_000)], [Lot(1, 4_001, 10_000)])
    cancelled = oldest(to_b, 1_500)
    held_by_b = taken_from(to_b, cancelled)
    assert cancelled == [Lot(1, 1, 1_500)]
    assert [sum(lot.tonnes for lot in lots) for lots in (held_by_a, held_by_b, cancelled)] == [
        *(6_000, 2_500, 1_500)
    ]
    with refused("SERIALS_NOT_HELD: serials: expected 1400 to 1600 to be there whole, got none"):
        named(held_by_b, Lot(1, 1_400, 1_600))


def test_the_oldest_batch_goes_first():
    """CCER-LOT-03 (RB3, example 2)."""
    held = [Lot(2, 501, 1_200), Lot(1, 1, 300)]
    taken = oldest(held, 450)
    assert taken == [Lot(1, 1, 300), Lot(2, 501, 650)]
    assert sum(lot.tonnes for lot in taken_from(held, taken)) == 550


def test_more_than_is_held_is_refused_whole():
    """CCER-LOT-03."""
    with refused("CCERS_NOT_HELD: tonnes: expected at most the 10 t there are, got 11"):
        oldest([Lot(1, 1, 4), Lot(2, 1, 6)], 11)
    with refused("CCERS_NOT_HELD: tonnes: expected 1 t or more, got 0"):
        oldest([Lot(1, 1, 4)], 0)


def test_a_named_range_may_lie_in_several_pieces():
    """CCER-LOT-03."""
    held = [Lot(1, 5, 8), Lot(1, 1, 4), Lot(2, 9, 20), Lot(1, 10, 12)]
    assert named(held, Lot(1, 3, 7)) == [Lot(1, 3, 4), Lot(1, 5, 7)]
    with refused("SERIALS_NOT_HELD: .*got none from 9 on"):
        named(held, Lot(1, 3, 10))
    for first, last in ((0, 3), (4, 3)):
        with refused("SERIALS_UNSOUND: serials: expected first to last from 1 on"):
            named(held, Lot(1, first, last))


moves = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 60)), max_size=40
)


@given(st.dictionaries(st.integers(1, 3), st.integers(1, 100), min_size=1), moves)
def test_no_serial_is_lost_or_doubled_by_any_moves(batches, moves):
    """CCER-LOT-04: after any moves all lots together are what was issued, without an overlap."""
    held = {holder: [] for holder in range(4)}
    held[0] = [Lot(batch, 1, tonnes) for batch, tonnes in batches.items()]
    for giver, taker, tonnes in moves:
        try:
            parts = oldest(held[giver], tonnes)
        except ProgrammeError:
            assert sum(lot.tonnes for lot in held[giver]) < tonnes
            continue
        assert sum(lot.tonnes for lot in parts) == tonnes
        held[giver] = taken_from(held[giver], parts)
        held[taker] = [*held[taker], *parts]
    together = [lot for lots in held.values() for lot in lots]
    assert overlaps(together) == []
    assert {
        batch: sum(lot.tonnes for lot in together if lot.batch == batch) for batch in batches
    } == batches


def test_an_overlap_is_noticed():
    """CCER-LOT-04."""
    assert overlaps([Lot(1, 5, 9), Lot(1, 1, 5)]) == [(Lot(1, 1, 5), Lot(1, 5, 9))]
    assert overlaps([Lot(1, 5, 9), Lot(2, 1, 5)]) == []


def test_an_owner_of_false_ccers_returns_as_many():
    """CCER-REV-01 (RB3, example 15)."""
    assert restitution(30_000, 20_000) == Restitution(cancelled=20_000, to_return=10_000)
    assert restitution(30_000, 15_000, cancelled_before=20_000) == Restitution(10_000, 0)
    assert restitution(30_000, 5, cancelled_before=40_000) == Restitution(0, 0)
