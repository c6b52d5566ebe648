"""The named workloads: seeded, the same bytes on every machine. See README.md for what each is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bench.books.flow import OWNER_COUNT, Flow, FlowMix
from bench.books.tally import id_mixed
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind

ACCOUNT_COUNT = OWNER_COUNT
PRODUCT_COUNT = 6
REFERENCE_PRICE = 9_749
LADDER = (8_749, 10_749)
"""2,001 ticks."""
BAND = (8_774, 10_724)
"""Ten percent around the reference price: the rules' listed band."""

OPENING = FlowMix(enters=1_000, cancels=0, crossing=0)
STEADY = FlowMix()


@dataclass(frozen=True)
class Workload:
    """A command array and what one needs to know to run it."""

    name: str
    commands: np.ndarray
    order_limit: int
    """Orders that rest at once, at most."""
    opening: int = 0
    """How many of the first commands fill the book; they are timed like the others."""
    arbitrary_ids: bool = False

    @property
    def id_limit(self) -> int | None:
        """All ids lie below it; None: they may be any."""
        return None if self.arbitrary_ids else int(self.commands["order_id"].max()) + 1


def flow_of(seed: int, count: int, order_limit: int) -> Flow:
    """A flow over the usual ladder, with room for `count` commands."""
    return Flow(
        seed, price_min=LADDER[0], price_max=LADDER[1], order_limit=order_limit, id_limit=count
    )


def mixed_after(
    name: str, seed: int, resting: int, count: int, mix: FlowMix, opening: FlowMix = OPENING
) -> Workload:
    """`resting` new orders that don't cross, then `count` commands of a mix."""
    order_limit = max(resting, mix.live_target) * 3 // 2 + 2_000
    flow = flow_of(seed, resting + count, order_limit)
    commands = np.concatenate([flow.draw(resting, opening), flow.draw(count, mix)])
    return Workload(name, commands, order_limit, resting)


def steady(seed: int, scale: float) -> Workload:
    """The mix of the issue with about 17,000 live orders."""
    return mixed_after("steady", seed, 17_000, int(2_000_000 * scale), STEADY)


def deep(seed: int, scale: float) -> Workload:
    """The same mix over a book that starts with 200,000 orders and keeps about 177,000."""
    mix = replace(STEADY, live_target=int(177_000 * scale))
    return mixed_after("deep", seed, int(200_000 * scale), int(2_000_000 * scale), mix)


def cancel_storm(seed: int, scale: float) -> Workload:
    """Again and again: the book fills up, then nine tenths of the commands are cancels."""
    size = int(100_000 * scale)
    fill = FlowMix(enters=1_000, cancels=0, crossing=20, live_target=2 * size)
    storm = FlowMix(enters=100, cancels=900, crossing=500)
    flow = flow_of(seed, 10 * size, 6 * size)
    drawn = [flow.draw(size, mix) for _ in range(5) for mix in (fill, storm)]
    return Workload("cancel storm", np.concatenate(drawn), 6 * size)


def sweep(seed: int, scale: float) -> Workload:
    """One order in thirty is forty times as large and takes all it meets within 400 ticks."""
    mix = FlowMix(enters=970, cancels=0, crossing=33, crossing_size=40_000, through=400)
    return mixed_after("sweep", seed, 17_000, int(1_000_000 * scale), mix)


def opening_burst(seed: int, scale: float) -> Workload:
    """New orders only, into an empty book: the first seconds of a day."""
    count = int(1_000_000 * scale)
    mix = FlowMix(enters=1_000, cancels=0, live_target=count)
    return mixed_after("opening burst", seed, 0, count, mix)


def one_deep_level(seed: int, scale: float) -> Workload:
    """All orders at one price a side, 20,000 in two queues; cancels from their middle."""
    mix = replace(STEADY, distance_max=0, through=0, live_target=20_000)
    opening = replace(OPENING, distance_max=0)
    return mixed_after("one deep level", seed, 20_000, int(1_000_000 * scale), mix, opening)


BOOK_WORKLOADS: dict[str, Callable[[int, float], Workload]] = {
    "steady": steady,
    "deep": deep,
    "cancel storm": cancel_storm,
    "sweep": sweep,
    "opening burst": opening_burst,
    "one deep level": one_deep_level,
}


def with_arbitrary_ids(workload: Workload) -> Workload:
    """The same workload, every order id replaced by an arbitrary 64-bit one."""
    commands = workload.commands.copy()
    commands["order_id"] = id_mixed(commands["order_id"])
    return replace(workload, commands=commands, arbitrary_ids=True)


def market_steady(seed: int, scale: float) -> Workload:
    """The steady mix of six products, 17,000 live orders over all, for a market of all rules.

    Every account buys in three products and sells in the other three, so that no order is refused
    as a self-trade and the ids that the market will give (1, 2, ... over accepted orders) are
    known beforehand; the check itself runs all the same. Takers reach five levels.
    """
    share = int((17_000 + 1_000_000 * scale) / PRODUCT_COUNT)
    parts = [product_flow(seed + product, product, share) for product in range(PRODUCT_COUNT)]
    generator = np.random.Generator(np.random.PCG64(seed))
    product = generator.permutation(np.repeat(np.arange(PRODUCT_COUNT), share))
    commands = np.zeros(len(product), COMMAND_DTYPE)
    for index, part in enumerate(parts):
        commands[product == index] = part
    enters = commands["kind"] == CommandKind.ENTER
    ids = np.zeros((PRODUCT_COUNT, share + 2), np.uint64)
    ids[product[enters], commands["order_id"][enters]] = np.arange(1, enters.sum() + 1)
    commands["order_id"] = ids[product, commands["order_id"]]
    commands["order_id"][enters] = 0
    commands["client_order_id"] = np.arange(1, len(commands) + 1)
    commands["product_index"] = np.where(enters, product, 0)
    return Workload("market steady", commands, 100_000, 17_000)


def product_flow(seed: int, product: int, count: int) -> np.ndarray:
    """One product's share, with accounts whose parity fits their side."""
    flow = Flow(
        seed, price_min=BAND[0], price_max=BAND[1], order_limit=30_000, id_limit=count,
        levels_per_taker=5,
    )
    resting = 17_000 // PRODUCT_COUNT
    mix = replace(STEADY, live_target=resting)
    commands = np.concatenate([flow.draw(resting, OPENING), flow.draw(count - resting, mix)])
    side = np.zeros(count + 2, np.uint8)
    enters = commands["kind"] == CommandKind.ENTER
    side[commands["order_id"][enters]] = commands["side"][enters]
    parity = (side[commands["order_id"]] + product) % 2
    commands["account_index"] = commands["account_index"] // 2 * 2 + parity
    return commands
