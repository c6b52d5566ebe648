"""A day of the CCER market as processes: lots move, both confirm, whatever is killed."""

import pytest

from support.ccer.exchange_processes import PRICE_FEN, CcerExchange, P

pytestmark = pytest.mark.e2e


def test_a_day_is_traded_at_the_exchange_and_delivered_at_the_registry(tmp_path):
    """CCER-STL-01, CCER-STL-02, CCER-PRD-02, CCER-CSH-01, CCER-LOT-03: by real daemons."""
    with CcerExchange(tmp_path) as world:
        world.listed()
        world.day_begin()
        for buyer in ("A", "B"):
            world.pay_in(buyer)
        for buyer, tonnes in (("A", 1_000), ("B", 400)):
            world.order("SEAWIND", "sell", tonnes)
            world.order(buyer, "buy", tonnes)
            world.restart(world.ccer if buyer == "A" else world.venue)
        assert world.held("SEAWIND") == 50_000
        world.day_end()
        assert (world.held("A"), world.held("B"), world.held("SEAWIND")) == (1_000, 400, 48_600)
        shown = world.admin(op="cash_reconcile")
        assert shown["differences"] == []
        value = 1_400 * PRICE_FEN
        assert int(shown["fees"]) == 2 * value * 60 // 10_000
        seller = world.admin(op="position", account="SEAWIND")
        assert seller["cash"] == value - value * 60 // 10_000
        assert seller["holdings"][P]["tonnes"] == 48_600
        world.stop()
        assert [row[1:] for row in world.traded()] == [
            ("A", "SEAWIND", 1_000, "posted"),
            ("B", "SEAWIND", 400, "posted"),
        ]
        assert world.differences() == []
