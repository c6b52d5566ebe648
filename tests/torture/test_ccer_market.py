"""The CCER market's days while the exchange and the CCER registry are killed, on both databases."""

import pytest

from torture.ccer_market import Market, MarketFailed

pytestmark = [pytest.mark.crash, pytest.mark.nightly]


def test_nothing_is_lost_or_doubled_whatever_is_killed(tmp_path, database_address):
    """CCER-STL-01, CCER-STL-02, CCER-LOT-04: what traders were told is what both sides have."""
    run = Market(tmp_path / "data", database_address, seed=7, days=2, kills=12)
    report = run.run()
    assert sum(report.kills.values()) >= 8
    assert report.trades >= report.orders // 2 > 0


def test_a_trade_that_is_missing_is_noticed(tmp_path, monkeypatch):
    """It can fail: a tonne that a trader was told of and nobody delivered."""
    run = Market(tmp_path / "data", None, seed=7, days=1, kills=0)
    honest = run.world.held
    monkeypatch.setattr(run.world, "held", lambda account: honest(account) - (account == "A"))
    with pytest.raises(MarketFailed, match="A at the registry"):
        run.run()
