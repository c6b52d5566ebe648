"""Named command flows for the benchmarks, made from a seed."""

import numpy as np

from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, Side

REFERENCE_PRICE = 9_749
ACCOUNT_COUNT = 3_600
PRODUCT_COUNT = 6


def steady_mix(command_count: int, *, seed: int) -> np.ndarray:
    """Return COMMAND_DTYPE[command_count]: 65% new orders, 30% cancels, 5% amends.

    Prices lie a power-law distance from the reference, so that about a quarter of the new orders
    cross. Cancels and amends name one of the last 20,000 order ids: some are gone by then and are
    refused, as in life.
    """
    generator = np.random.default_rng(seed)
    commands = np.zeros(command_count, COMMAND_DTYPE)
    draw = generator.random(command_count)
    is_enter = draw < 0.65
    commands["kind"] = np.where(
        is_enter, CommandKind.ENTER, np.where(draw < 0.95, CommandKind.CANCEL, CommandKind.AMEND)
    )
    is_buy = generator.random(command_count) < 0.5
    distance = np.minimum(generator.pareto(1.5, command_count) * 12, 900).astype(np.int64) - 4
    commands["side"] = np.where(is_enter, np.where(is_buy, Side.BUY, Side.SELL), 0)
    commands["price"] = REFERENCE_PRICE + np.where(is_buy, -distance, distance)
    sizes = generator.lognormal(4, 1, command_count).astype(np.int64)
    commands["tonnes"] = np.minimum(sizes, 2_000) + 1
    order_count = np.maximum(np.cumsum(is_enter), 1)
    target = order_count - generator.integers(0, 20_000, command_count)
    commands["order_id"] = np.where(is_enter, 0, np.maximum(target, 1))
    entered_by = generator.integers(0, ACCOUNT_COUNT, command_count)
    owner_of_order = entered_by[np.flatnonzero(is_enter)]
    position = np.minimum(commands["order_id"].astype(np.int64), len(owner_of_order)) - 1
    owner = owner_of_order[position]
    commands["account_index"] = np.where(is_enter, entered_by, owner)
    commands["product_index"] = np.where(
        is_enter, generator.integers(0, PRODUCT_COUNT, command_count), 0
    )
    commands["client_order_id"] = np.arange(1, command_count + 1)
    return commands
