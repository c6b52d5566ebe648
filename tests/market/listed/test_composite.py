"""The composite closing price weighs the products as the date says (CEA-PRC-04)."""

import pytest

from cea_exchange import Market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market import public_maps
from cea_exchange.venue.market.state_machine import VenueStateMachine

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


def composites(*parts: list) -> list[str]:
    """The composite closes that events tell."""
    return [each.price for events in parts for each in events if each.event == "composite_closed"]


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket])
def test_a_product_listed_on_an_open_day_weighs_on_that_day(core: type) -> None:
    """CEA-PRC-04, CEA-PRD-03: what is listed at the close counts, since when does not matter."""
    market = Market("cea", reference_prices={"A": "10.00", "B": "20.00"}, core=core)
    market.delist_product("B")
    bulletins = MarketBulletins(market)
    events = market.open_day("2025-07-16") + market.list_product("B", "30.00")
    closing = market.close_day()
    assert composites(closing) == ["20.00"]
    (bulletin,) = bulletins.take(events + closing)
    assert (bulletin.composite.open, bulletin.composite.close) == (2_000, 2_000)


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket])
def test_a_product_declared_on_an_open_day_weighs_on_that_day(core: type) -> None:
    """CEA-PRC-04: CEA25 alone in 2026, though the day opened without it."""
    market = Market("cea", reference_prices={"CEA23": "20.00"}, core=core)
    market.open_day("2026-01-05")
    market.declare_product("CEA25", "25.00")
    market.declare_product("CEA26", "90.00")
    assert composites(market.close_day()) == ["25.00"]
    market = Market("cea", reference_prices={"CEA23": "20.00", "CEA25": "25.00"}, core=core)
    market.delist_product("CEA25")
    market.open_day("2026-01-05")
    market.list_product("CEA25", "26.00")
    market.delist_product("CEA23")
    assert composites(market.close_day()) == ["26.00"]
    # Between two days, before the first one too.
    market = Market("cea", reference_prices={"CEA23": "20.00"}, core=core)
    market.open_day("2025-12-31")
    market.close_day()
    market.declare_product("CEA25", "25.00")
    market.open_day("2026-01-05")
    assert composites(market.close_day()) == ["25.00"]


def test_the_venue_weighs_what_is_listed_or_declared_on_an_open_day() -> None:
    """CEA-PRC-04: the close is what was told as the composite so far."""
    machine = VenueStateMachine(load_profile("cea"))
    machine.apply_control(control.ProductDeclared(product="CEA24", reference_price=2_000))
    machine.apply_control(control.ProductDeclared(product="CEA25", reference_price=2_500))
    machine.apply_control(control.ProductDelist(product="CEA25", why="late", by="otto"))
    machine.apply_control(control.DayOpen(date=20260105))
    act = control.ProductList(product="CEA25", price=2_600, why="ready", by="otto")
    machine.apply_control(act)
    machine.apply_control(control.ProductDeclared(product="CEA26", reference_price=9_000))
    so_far = public_maps.market(machine)["composite"]["close"]
    closed = machine.apply_control(control.DayClose())
    assert (so_far, int(closed["price"][-1])) == (2_600, 2_600)
