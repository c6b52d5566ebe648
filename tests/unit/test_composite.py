"""The composite closing price weighs the products as the date says (CEA-PRC-04)."""

import pytest

from cea_exchange import Market
from cea_exchange._market import CompiledMarket
from cea_exchange.domain.profile import load_profile
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


def test_venue_weighs_by_the_date_too() -> None:
    machine = VenueStateMachine(load_profile("cea"))
    for name, fen in (("CEA24", 8000), ("CEA25", 7001)):
        machine.apply_control(control.ProductDeclared(product=name, reference_price=fen))
    composites = []
    for date in (20251231, 20260105):
        machine.apply_control(control.DayOpen(date=date))
        composites.append(int(machine.apply_control(control.DayClose())["price"][-1]))
    assert composites == [7501, 7001]
