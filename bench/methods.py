"""Blocks and biddings through the compiled market: `python -m bench.methods`.

Blocks: directed offers of 100,000 t and more among 3,600 accounts in six products, each answered
when about a thousand have come after it: four fifths are accepted, the others rejected or taken
back. Bids: in one bidding, one in ten withdrawn again at once; then the award of all that are left.
All rules of the national market, all events.

Before a figure is printed the plain-Python market plays a tenth as many commands, and must give the
same events, byte for byte, the award's too. The whole award is held against what sorting the bids
gives.
"""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from bench.books.engines import batches, market_open
from bench.books.workloads import ACCOUNT_COUNT, PRODUCT_COUNT, REFERENCE_PRICE
from bench.measuring.calibration import calibrate
from bench.measuring.progress import say
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    Phase,
    Pricing,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket

BATCH = 1_024
DATE = 20241231
OFFERS_OPEN = 1_000
ORDER_COUNT_MAX = 1 << 18
OFFERED_TONNES = 20_000_000
LIMIT = 8_774
"""The reference price less a tenth, as a seller may ask for."""
APPLICANT, BIDDING_ID = 0, 1

Played = tuple[float, list[np.ndarray]]
"""Seconds in the market, and its events."""


def commands_of(rows: dict[str, Any], count: int) -> np.ndarray:
    """Commands of the day; ids ascend over all accounts."""
    records = np.zeros(count, COMMAND_DTYPE)
    records["trading_date"] = DATE
    records["client_order_id"] = np.arange(1, count + 1)
    for name, values in rows.items():
        records[name] = values
    return records


def blocks(count: int, seed: int) -> np.ndarray:
    """Offers and their answers; the ids of offers are 1, 2, 3, ... in this order."""
    rng = np.random.default_rng(seed)
    offers = count // 2
    maker = rng.integers(ACCOUNT_COUNT, size=offers)
    taker = (maker + rng.integers(1, ACCOUNT_COUNT, size=offers)) % ACCOUNT_COUNT
    made = commands_of(
        {
            "kind": CommandKind.BLOCK_OFFER,
            "side": rng.integers(Side.BUY, Side.SELL + 1, size=offers),
            "flags": BlockFlag.TO_ACCOUNT,
            "account_index": maker,
            "pick_order_id": taker,
            "product_index": rng.integers(PRODUCT_COUNT, size=offers),
            "price": REFERENCE_PRICE + rng.integers(-2_000, 2_001, size=offers),
            "tonnes": rng.integers(100_000, 110_001, size=offers),
        },
        offers,
    )
    kinds = (CommandKind.BLOCK_ACCEPT, CommandKind.BLOCK_REJECT, CommandKind.BLOCK_WITHDRAW)
    kind = rng.choice(kinds, p=(0.8, 0.1, 0.1), size=offers)
    answers = commands_of(
        {
            "kind": kind,
            "account_index": np.where(kind == CommandKind.BLOCK_WITHDRAW, maker, taker),
            "order_id": np.arange(1, offers + 1),
        },
        offers,
    )
    due = np.arange(offers) + rng.integers(1, 2 * OFFERS_OPEN, size=offers) + 0.5
    order = np.argsort(np.concatenate((np.arange(offers), due)), kind="stable")
    commands = np.concatenate((made, answers))[order]
    commands["client_order_id"] = np.arange(1, len(commands) + 1)
    return commands


def bids(count: int, seed: int) -> np.ndarray:
    """Bids in bidding 1, and now and then one taken back."""
    rng = np.random.default_rng(seed)
    withdrawn = rng.random(count) < 0.1
    entered = commands_of(
        {
            "kind": CommandKind.BID,
            "account_index": rng.integers(1, ACCOUNT_COUNT, size=count),
            "order_id": BIDDING_ID,
            "price": rng.integers(LIMIT, LIMIT + 1_500, size=count),
            "tonnes": rng.integers(1, 1_000, size=count),
        },
        count,
    )
    back = entered[withdrawn].copy()
    back["kind"] = CommandKind.BID_CANCEL
    back["price"] = back["tonnes"] = 0
    # The bidding has the first id, and a withdrawal takes none.
    back["order_id"] = BIDDING_ID + 1 + np.flatnonzero(withdrawn)
    place = np.concatenate((np.arange(count), np.flatnonzero(withdrawn) + 0.5))
    commands = np.concatenate((entered, back))[np.argsort(place)]
    commands["client_order_id"] = np.arange(1, len(commands) + 1)
    return commands


def market_of(market_class: type) -> Any:
    """A market in which blocks are traded, every account rich."""
    market = market_open(market_class, "cea", ORDER_COUNT_MAX)
    market.phase_set(Phase.LISTED_AND_BLOCK)
    return market


def process(market: Any, commands: np.ndarray) -> Played:
    """Run commands; each has one event, or an acceptance's two at most."""
    took_s, kept = 0.0, []
    rows = np.ones(4 * BATCH, EVENT_DTYPE)
    for batch in batches(commands, BATCH):
        began_s = perf_counter()
        consumed, produced = market.process(batch, rows)
        took_s += perf_counter() - began_s
        assert consumed == len(batch)
        kept.append(rows[:produced].copy())
    return took_s, kept


def play_blocks(market_class: type, commands: np.ndarray) -> list[Played]:
    """All of them."""
    return [process(market_of(market_class), commands)]


def play_bidding(market_class: type, commands: np.ndarray) -> list[Played]:
    """The bids, then the award."""
    market = market_of(market_class)
    opened = market.bidding_open(
        1, APPLICANT, 0, side=Side.SELL, tonnes=OFFERED_TONNES, limit=LIMIT,
        pricing=Pricing.UNIFORM,
    )
    assert opened["kind"] == EventKind.BIDDING_OPENED
    entered = process(market, commands)
    began_s = perf_counter()
    awarded = market.bidding_close(BIDDING_ID)
    return [entered, (perf_counter() - began_s, [awarded])]


def confirm(play: Callable[[type, np.ndarray], list[Played]], commands: np.ndarray) -> list[int]:
    """Hold the compiled market's events to the plain one's; how many trades each part has."""
    trades = []
    played = zip(play(CompiledMarket, commands), play(ReferenceMarket, commands), strict=True)
    for (_, compiled), (_, plain) in played:
        ours, theirs = np.concatenate(compiled), np.concatenate(plain)
        if ours.tobytes() != theirs.tobytes():
            raise SystemExit("no figure: the plain market gives other events")
        if (ours["kind"] == EventKind.ORDER_REJECTED).any():
            reasons = set(ours["reason"][ours["kind"] == EventKind.ORDER_REJECTED].tolist())
            raise SystemExit(f"no figure: commands were refused: {reasons}")
        trades.append(int((ours["kind"] == EventKind.TRADE).sum()))
    return trades


def award_confirm(commands: np.ndarray, awarded: np.ndarray) -> int:
    """Hold an award to the sorted bids: who wins how much, at which price; how many trades."""
    back = commands["order_id"][commands["kind"] == CommandKind.BID_CANCEL]
    bids = commands[commands["kind"] == CommandKind.BID]
    ids = BIDDING_ID + 1 + np.arange(len(bids))
    left = ~np.isin(ids, back)
    bids, ids = bids[left], ids[left]
    order = np.lexsort((ids, -bids["price"]))
    before = np.cumsum(bids["tonnes"][order]) - bids["tonnes"][order]
    tonnes = np.minimum(bids["tonnes"][order], np.maximum(OFFERED_TONNES - before, 0))
    wins = tonnes > 0
    trades = awarded[awarded["kind"] == EventKind.TRADE]
    expected = sorted(zip(ids[order][wins].tolist(), tonnes[wins].tolist(), strict=True))
    found = zip(trades["order_id"].tolist(), trades["tonnes"].tolist(), strict=True)
    if sorted(found) != expected or set(trades["price"]) != {bids["price"][order][wins].min()}:
        raise SystemExit("no figure: the award is not what the sorted bids give")
    return len(trades)


def main() -> None:
    """Confirm, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.methods", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="blocks, and bids")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print(f"{calibrate()}\n")
    print("| what | median round | fastest | slowest |\n|---|---|---|---|")
    for name, play, make, count in (
        ("block commands a second", play_blocks, blocks, 2 * options.count),
        ("bids and withdrawals a second", play_bidding, bids, options.count),
    ):
        say(name)
        confirm(play, make(count // 10, 1))
        commands = make(count, 2)
        rounds = [play(CompiledMarket, commands) for _ in range(options.rounds)]
        rates = sorted(len(commands) / one[0][0] for one in rounds)
        print(f"| {name} | {median(rates):,.0f} | {rates[-1]:,.0f} | {rates[0]:,.0f} |")
    trades = award_confirm(commands, rounds[-1][1][1][0])
    awards = sorted(1e3 * one[1][0] for one in rounds)
    print(
        f"| the award, {trades:,} trades, ms | {median(awards):.1f} | {awards[0]:.1f} | "
        f"{awards[-1]:.1f} |"
    )


if __name__ == "__main__":
    main()
