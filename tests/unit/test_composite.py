"""The composite closing price weighs the products as the date says (CEA-PRC-04)."""

import pytest

from cea_exchange import Market
from cea_exchange._market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.state_machine import VenueStateMachine

PRICES = {"CEA24": "80.00", "CEA25": "70.01"}


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket])
def test_weights_change_with_the_date_of_the_day_opened(core: type) -> None:
    market = Market("cea", reference_prices=PRICES, core=core)
    composites = []
    for date in ("2025-12-31", "2026-01-05"):
        market.open_day(date)
        composites.append(market.close_day()[-1].price)
    assert composites == ["75.01", "70.01"]


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket])
def test_where_those_that_weigh_are_delisted_all_others_weigh_alike(core: type) -> None:
    """CEA-PRC-04, CEA-PRD-03: on that day already, and in the bulletin as in the market."""
    prices = PRICES | {"CEA23": "60.00"}
    market = Market("cea", reference_prices=prices, core=core)
    bulletins = MarketBulletins(market)
    made, composites = [], []
    for date in ("2026-01-05", "2026-01-06"):
        events = market.open_day(date) + market.delist_product("CEA25")
        closing = market.close_day()
        composites += [each.price for each in closing if each.event == "composite_closed"]
        made += bulletins.take(events + closing)
    assert composites == ["70.00", "70.00"]
    assert [(bulletin.composite.open, bulletin.composite.close) for bulletin in made] == [
        (7_000, 7_000), (7_000, 7_000),
    ]  # fmt: skip
    market.delist_product("CEA23")
    market.open_day("2026-01-07")
    market.delist_product("CEA24")
    assert market.close_day()[-1].event == "day_closed"


def test_venue_weighs_by_the_date_too() -> None:
    machine = VenueStateMachine(load_profile("cea"))
    for name, fen in (("CEA24", 8000), ("CEA25", 7001)):
        machine.apply_control(control.ProductDeclared(product=name, reference_price=fen))
    composites = []
    for date in (20251231, 20260105):
        machine.apply_control(control.DayOpen(date=date))
        composites.append(int(machine.apply_control(control.DayClose())["price"][-1]))
    assert composites == [7501, 7001]
