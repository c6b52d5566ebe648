"""How fast a venue is back: commands replayed a second, and how long a snapshot stops it.

    python -m bench.recovery                        a million commands in frames of 256
    python -m bench.recovery --resting 1000000      the pause of a snapshot, at so many orders

The journal is written by a sequencer, without waiting for the disk, from the workload `market
steady`. What is timed is all that a start does: reading, checksums and the hash chain, the market,
comparing every event with the event store, the index. The baseline of the same run is the market
alone, on the same commands, already in memory: a ratio of 0.5 means that a start takes twice as
long as matching. The state hash is checked before a figure is printed.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import Self

import numpy as np

from bench.books.engines import ACCOUNT_COUNT, PRODUCT_COUNT, REFERENCE_PRICE, market_open
from bench.books.workloads import market_steady
from bench.measuring.calibration import calibrate
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, Phase, Side
from cea_exchange.journal import snapshot_paths
from cea_exchange.journal.storage import OsFile, OsStorage
from cea_exchange.protocol import control
from cea_exchange.venue.durability.recovery import COMMANDS_PER_BATCH
from cea_exchange.venue.durability.sequencer import Sequencer

PROFILE = load_profile("cea")
TRADING_DATE = 20241231
ROUNDS = 5


class HastyFile(OsFile):
    """Does not wait for the disk."""

    def sync(self) -> None:
        pass


class HastyStorage(OsStorage):
    """For making a journal quickly; what is measured then is only read."""

    def create(self, path: Path) -> HastyFile:
        return HastyFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640))

    def open(self, path: Path) -> HastyFile:
        return HastyFile(os.open(path, os.O_RDWR))

    def sync_directory(self, directory: Path) -> None:
        pass


def sequencer_open(data: Path) -> Sequencer:
    """A sequencer whose clock counts."""
    return Sequencer.open(data, PROFILE, now_ns=count(1_000).__next__, storage=HastyStorage())


def acts(accounts: int, products: int) -> Iterator[control.Control]:
    """What has to be journaled before trading: everybody rich in cash and in each product."""
    feed: list[control.FeedCommand] = [
        control.ProductDeclared(product=f"CEA{number}", reference_price=REFERENCE_PRICE)
        for number in range(products)
    ]
    for number in range(accounts):
        account = f"P{number}"
        feed.append(control.AccountDeclared(account=account))
        feed.append(control.TransferIn(account=account, amount=10**14))
        for product in range(products):
            feed.append(
                control.TransferIn(account=account, product=f"CEA{product}", amount=10**9)
            )
    for seq, command in enumerate(feed, 1):
        yield control.FeedItem(transfer_seq=seq, command=command)
    yield control.DayOpen(date=TRADING_DATE)
    yield control.PhaseSet(phase=Phase.LISTED)


def prepared(data: Path, accounts: int, products: int) -> Sequencer:
    """A sequencer in the listed phase."""
    sequencer = sequencer_open(data)
    _, refusals = sequencer.run_controls(acts(accounts, products))
    assert refusals and not any(refusals)
    return sequencer


def replay_measured(seed: int, scale: float, frame_commands: int) -> None:
    """Write a journal, replay it, and print what it took."""
    workload = market_steady(seed, scale)
    commands = workload.commands
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        sequencer = prepared(data, ACCOUNT_COUNT, PRODUCT_COUNT)
        begun = time.perf_counter()
        for first in range(0, len(commands), frame_commands):
            sequencer.run_records(commands[first : first + frame_commands])
        written_s = time.perf_counter() - begun
        expected = sequencer.machine.core.state_hash()
        sequencer.close()
        rates, baselines, cpu_ns = [], [], []
        for _ in range(ROUNDS):
            baselines.append(len(commands) / market_alone_s(commands))
            begun, cpu_begun = time.perf_counter(), time.process_time_ns()
            again = sequencer_open(data)
            rates.append(len(commands) / (time.perf_counter() - begun))
            cpu_ns.append((time.process_time_ns() - cpu_begun) / len(commands))
            assert again.machine.core.state_hash() == expected, "replay gives another state"
            again.close()
    rate, baseline = sorted(rates)[ROUNDS // 2], sorted(baselines)[ROUNDS // 2]
    print(f"commands                 {len(commands):,} in frames of {frame_commands:,}")
    print(f"replayed a second        {rate:,.0f}   (rounds {min(rates):,.0f} to {max(rates):,.0f})")
    print(f"the market alone         {baseline:,.0f}")
    print(f"ratio                    {rate / baseline:.2f}")
    print(f"processor time           {min(cpu_ns):,.0f} ns a command, all threads")
    print(f"journaled, no disk       {len(commands) / written_s:,.0f} a second")
    print(f"state hash               {expected:016x}, as journaled")
    print(f"machine, now             {calibrate()} ns")


def market_alone_s(commands: np.ndarray) -> float:
    """The commands through the market with all events, in batches of the same size as replay's."""
    market = market_open(CompiledMarket, "cea", PROFILE.rules.order_count_max)
    events = np.zeros(100_000, EVENT_DTYPE)
    begun = time.perf_counter()
    for first in range(0, len(commands), COMMANDS_PER_BATCH):
        market.process(commands[first : first + COMMANDS_PER_BATCH], events)
    return time.perf_counter() - begun


def resting_orders(total: int, accounts: int, products: int) -> np.ndarray:
    """Orders that meet nobody: each account buys in half of the products, sells in the others."""
    number = np.arange(total)
    orders = np.zeros(total, COMMAND_DTYPE)
    orders["kind"] = CommandKind.ENTER
    orders["side"] = np.where(number % 2, Side.BUY, Side.SELL)
    orders["account_index"] = number % accounts
    orders["product_index"] = number // 2 % products
    orders["client_order_id"] = number // accounts + 1
    away = 1 + number * 7919 % 900
    orders["price"] = REFERENCE_PRICE + np.where(number % 2, -away, away)
    orders["tonnes"] = 10 + number % 7
    orders["trading_date"] = TRADING_DATE
    return orders


def pause_measured(total: int) -> None:
    """Rest many orders, take a snapshot, and print how long the venue stood still."""
    accounts, products = 4_000, 8
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        sequencer = Sequencer.open(
            data, PROFILE, now_ns=count(1_000).__next__, storage=HastyStorage(),
            core_class=RoomyMarket, snapshot_commands=1 << 60, archive=data / "archive",
        )
        sequencer.run_controls(acts(accounts, products))
        orders = resting_orders(total, accounts, products)
        for first in range(0, total, 4_096):
            sequencer.run_records(orders[first : first + 4_096])
        resident_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cancels = orders.copy()
        for name in ("side", "price", "tonnes"):
            cancels[name] = 0
        cancels["kind"] = CommandKind.CANCEL
        cancels["order_id"] = np.arange(1, total + 1)
        cancels["client_order_id"] += total // accounts + 1
        batches = iter(np.split(cancels[: total // 256 * 256], total // 256))
        usual = [batch_s(sequencer, batch) for _, batch in zip(range(300), batches, strict=False)]
        assert sequencer.machine.core.live_order_count == total - 300 * 256
        sequencer.run_controls([control.PhaseSet(phase=Phase.BREAK)])
        sequencer._snapshots.day_closed()
        begun = time.perf_counter()
        sequencer.turn()
        pause_s = time.perf_counter() - begun
        after = [batch_s(sequencer, batch) for _, batch in zip(range(300), batches, strict=False)]
        sequencer.close()
        (path,) = snapshot_paths(data / "snapshots")
        snapshot_mib = path.stat().st_size / (1 << 20)
    print(f"resting orders           {total:,}, {accounts:,} accounts, {products} products")
    print(f"resident, with orders    {resident_mib:.0f} MiB")
    print(f"snapshot                 {snapshot_mib:.0f} MiB")
    print(f"the venue stood still    {1e3 * pause_s:.1f} ms")
    print(f"256 cancels, median      {1e3 * median(usual):.2f} ms before, "
          f"{1e3 * median(after):.2f} ms while the child writes")


def batch_s(sequencer: Sequencer, batch: np.ndarray) -> float:
    begun = time.perf_counter()
    sequencer.run_records(batch)
    return time.perf_counter() - begun


class RoomyMarket(CompiledMarket):
    """The market with room for two million orders."""

    def __new__(cls, rules: object, order_count_max: int | None = None) -> Self:
        return CompiledMarket.__new__(cls, rules, order_count_max or 1 << 21)


def options_parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of a million commands")
    parser.add_argument("--resting", type=int, help="measure a snapshot of so many orders")
    parser.add_argument("--frame", type=int, default=256, help="commands in a frame")
    return parser.parse_args()


if __name__ == "__main__":
    options = options_parsed()
    if options.resting:
        pause_measured(options.resting)
    else:
        replay_measured(options.seed, options.scale, options.frame)
