"""Runs a workload through an engine, in batches, and gives the time spent in `process` alone.

Every round has a new engine. The rounds that are timed only count the trades; `play` with a tally
adds up all of them, which would disturb the caches. Buffers for results are touched beforehand.
"""

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np

from bench.books.ladder import BareLadder
from bench.books.tally import TRADE_DTYPE, Totals, TradeTally
from bench.books.workloads import (
    ACCOUNT_COUNT,
    LADDER,
    PRODUCT_COUNT,
    REFERENCE_PRICE,
    Workload,
)
from cea_exchange import OrderBook
from cea_exchange.domain.naming import name_key
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EVENT_DTYPE, PRODUCT_NONE, EventKind, Phase

BATCH = 4_096
EVENT_BATCH = 1_024
"""With the full event stream: a batch's events stay in the second-level cache."""

Play = Callable[[TradeTally | None], tuple[float, int]]
"""Runs all of a workload through a new engine: (seconds in `process`, trades or events)."""


def batches(commands: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Slices of `size` commands."""
    for start in range(0, len(commands), size):
        yield commands[start : start + size]


def play_ladder(workload: Workload, tally: TradeTally | None = None) -> tuple[float, int]:
    """The bare ladder."""
    ladder = BareLadder(
        order_limit=workload.order_limit, id_limit=workload.id_limit, price_min=LADDER[0]
    )
    trades = np.ones(workload.order_limit + 2 * BATCH, TRADE_DTYPE)
    seconds, count = 0.0, 0
    for batch in batches(workload.commands, BATCH):
        start = perf_counter()
        produced = ladder.process(batch, trades)
        seconds += perf_counter() - start
        count += produced
        if tally:
            rows = trades[:produced]
            tally.add(rows["maker"], rows["taker"], rows["price"], rows["tonnes"])
    return seconds, count


def book_open(workload: Workload, **options: bool) -> OrderBook:
    """A book with room for the workload."""
    return OrderBook(*LADDER, order_count_max=workload.order_limit, **options)


def play_book(
    workload: Workload, tally: TradeTally | None = None, *, trades_only: bool = True
) -> tuple[float, int]:
    """`OrderBook.process`, trades only or all events."""
    return play_events(book_open(workload), workload, tally, trades_only)


def play_market(workload: Workload, tally: TradeTally | None = None) -> tuple[float, int]:
    """`CompiledMarket.process`, all rules of the national market, all events."""
    from cea_exchange.core.market import CompiledMarket

    market = market_open(CompiledMarket, "cea", workload.order_limit)
    return play_events(market, workload, tally, False)


def play_events(
    engine: object, workload: Workload, tally: TradeTally | None, trades_only: bool
) -> tuple[float, int]:
    """Anything with our `process`; where the events don't fit it is called again."""
    size = BATCH if trades_only else EVENT_BATCH
    events = np.ones(4 * size, EVENT_DTYPE)
    seconds, count = 0.0, 0
    for batch in batches(workload.commands, size):
        while len(batch):
            start = perf_counter()
            consumed, produced = engine.process(batch, events, trades_only)
            seconds += perf_counter() - start
            count += produced
            batch = batch[consumed:]
            if tally:
                tally_events(tally, events[:produced])
            if consumed == 0:
                events = np.zeros(2 * engine.rows_needed, EVENT_DTYPE)
    return seconds, count


def tally_events(tally: TradeTally, events: np.ndarray) -> None:
    """Add the trades among events."""
    rows = events[events["kind"] == EventKind.TRADE]
    tally.add(rows["counter_order_id"], rows["order_id"], rows["price"], rows["tonnes"])


def market_open(market_class: type, profile: str, order_count_max: int) -> object:
    """A market in the listed phase, every account rich in cash and in each product."""
    market = market_class(load_profile(profile).rules, order_count_max)
    for number in range(PRODUCT_COUNT):
        market.product_declare(name_key(f"CEA{number}"), REFERENCE_PRICE)
    for number in range(ACCOUNT_COUNT):
        account = market.account_declare(name_key(f"P{number}"))
        if market.rules.holdings_checked:
            market.deposit(account, PRODUCT_NONE, 10**14)
            for product in range(PRODUCT_COUNT):
                market.deposit(account, product, 10**9)
    market.day_open(20241231)
    market.phase_set(Phase.LISTED)
    return market


def totals_of(play: Callable[..., tuple[float, int]], workload: Workload, **options) -> Totals:
    """What an engine gives for a workload."""
    tally = TradeTally()
    play(workload, tally, **options)
    return tally.totals()
