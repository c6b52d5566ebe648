"""How fast the registry settles, how fast it answers about the past, how far it lags a live venue.

    python -m bench.settlement                        alone: 2.5 million trades on SQLite, AS OF
    python -m bench.settlement --database postgresql  the same on a PostgreSQL server of its own
    python -m bench.settlement --part live            behind a live venue, 30,000 trades a second

Alone: 3,600 entities with 8 products hand settlement records of trades to `Settlement.apply` in
runs as long as a busy stream's, each run one transaction that is on disk when it returns: records,
trades, entries and all postings, both legs and the fees. After each 65,536 records the holdings
hash is computed too, as at a venue's checkpoint. The baseline of the same run inserts the trades'
rows alone into a table of their own, nothing checked and nothing posted, in transactions as long.

Checked before a figure is printed: every holding against sums made apart from the ledger, the
ledger's conservation, and each balance AS OF a past sequence against those sums up to there.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import zmq

from bench.measuring.calibration import calibrate
from bench.measuring.databases import KINDS, database
from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Method, Side
from cea_exchange.institution.venue_link.stream_settlement import RUN_COUNT_MAX
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.history import balance_as_of
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.holdings_hash import (
    Unposted,
    holdings_hash,
    holdings_hash_in_memory,
)
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore

ENTITIES, PRODUCTS = 3_600, 8
CASH_EACH, TONNES_EACH = 10**14, 10**10
CHECKPOINT_RECORDS = 65_536
TRADING_DATE = 20250716
LOG_ID = "bench"
AS_OF_QUESTIONS = 200
LAST_TRADES = 100_000
LIVE_RATE = 30_000
LIVE_S = 20.0
SLICE_S = 0.05
POLL_S = 0.002


@dataclass
class Made:
    """The trades of a run, kept as columns, so that every balance can be computed apart."""

    buyers: np.ndarray
    sellers: np.ndarray
    products: np.ndarray
    tonnes: np.ndarray
    cash: np.ndarray
    buy_fees: np.ndarray
    sell_fees: np.ndarray

    @classmethod
    def draw(cls, count: int, seed: int) -> "Made":
        """Draw so many trades between different entities."""
        draw = np.random.default_rng(seed)
        buyers = draw.integers(0, ENTITIES, count)
        tonnes = draw.integers(1, 1_000, count)
        cash = draw.integers(9_000, 10_000, count) * tonnes
        return cls(
            buyers,
            (buyers + draw.integers(1, ENTITIES, count)) % ENTITIES,
            draw.integers(0, PRODUCTS, count),
            tonnes,
            cash,
            cash // 10_000 + 1,
            cash // 10_000,
        )

    def records(self, first: int, end: int, settlement_seq: int) -> np.ndarray:
        """Return some of them as the venue would publish them."""
        rows = np.zeros(end - first, EVENT_DTYPE)
        part = slice(first, end)
        rows["kind"], rows["method"], rows["side"] = EventKind.TRADE, Method.LISTED, Side.BUY
        rows["settlement_seq"] = np.arange(settlement_seq, settlement_seq + len(rows))
        rows["trade_id"] = np.arange(first + 1, end + 1)
        rows["trading_date"] = TRADING_DATE
        rows["account_index"], rows["counter_account_index"] = self.buyers[part], self.sellers[part]
        rows["product_index"], rows["tonnes"] = self.products[part], self.tonnes[part]
        rows["cash"], rows["price"] = self.cash[part], self.cash[part] // self.tonnes[part]
        rows["buy_fee"], rows["sell_fee"] = self.buy_fees[part], self.sell_fees[part]
        return rows

    def balance(self, account: int, asset: int, count: int) -> int:
        """Return what the first `count` trades leave in a trading account."""
        buys, sells = self.buyers[:count] == account, self.sellers[:count] == account
        if asset == CASH_ASSET:
            paid = self.cash[:count][buys].sum() + self.buy_fees[:count][buys].sum()
            got = self.cash[:count][sells].sum() - self.sell_fees[:count][sells].sum()
            return CASH_EACH + int(got) - int(paid)
        ours = self.products[:count] == asset
        tonnes = self.tonnes[:count]
        return TONNES_EACH + int(tonnes[buys & ours].sum()) - int(tonnes[sells & ours].sum())


def funded(data: Path, database: str | None) -> tuple[Registry, int]:
    """A registry whose entities have everything in their trading accounts; its last sequence."""
    registry = Registry.open(data, database, admission="open")
    with registry.transaction():
        for product in range(PRODUCTS):
            registry.product_declare(f"CEA{product}", 9_500)
        for entity in range(ENTITIES):
            name = f"P{entity:04}"
            registry.account_open(name)
            registry.pay_in(name, CASH_EACH)
            registry.transfer_in(name, None, CASH_EACH)
            for product in range(PRODUCTS):
                registry.issue(name, f"CEA{product}", TONNES_EACH)
                registry.transfer_in(name, f"CEA{product}", TONNES_EACH)
    transfers = registry.store.execute(
        "SELECT transfer_seq, account_index, asset_index, amount FROM transfers ORDER BY 1"
    ).fetchall()
    rows = np.zeros(len(transfers), EVENT_DTYPE)
    seqs, accounts, assets, amounts = (np.array(column) for column in zip(*transfers, strict=True))
    rows["kind"], rows["trading_date"] = EventKind.DEPOSITED, TRADING_DATE
    rows["settlement_seq"] = np.arange(1, len(rows) + 1)
    rows["client_order_id"], rows["account_index"], rows["product_index"] = seqs, accounts, assets
    rows["cash"] = np.where(assets == CASH_ASSET, amounts, 0)
    rows["tonnes"] = np.where(assets == CASH_ASSET, 0, amounts)
    Settlement(registry.store).apply(LOG_ID, rows)
    return registry, len(rows)


def alone(trades: int, database: str | None, seed: int) -> None:
    """Settle so many trades as fast as it goes, and ask about the past."""
    made = Made.draw(trades, seed)
    with tempfile.TemporaryDirectory() as folder:
        registry, seq = funded(Path(folder), database)
        with registry:
            store, settlement = registry.store, Settlement(registry.store)
            unposted = Unposted(store)
            entries_before = store.entry_last
            run_s, hash_s, hashed = [], 0.0, 0
            firsts = range(0, trades, RUN_COUNT_MAX)
            cpu_begun = time.process_time()
            for first in firsts:
                end = min(first + RUN_COUNT_MAX, trades)
                records = made.records(first, end, seq + 1)
                begun = time.perf_counter()
                settlement.apply(LOG_ID, records)
                run_s.append(time.perf_counter() - begun)
                seq += len(records)
                if (end - hashed) >= CHECKPOINT_RECORDS:
                    hashed, begun = end, time.perf_counter()
                    holdings_hash_in_memory(store, unposted)
                    hash_s += time.perf_counter() - begun
            cpu_s = time.process_time() - cpu_begun
            checked(store, made, trades)
            _show("trades", f"{trades:,}, {store.entry_last - entries_before:,} entries")
            _show("settled a second", f"{trades / sum(run_s):,.0f}")
            late = next(n for n, first in enumerate(firsts) if first >= trades - LAST_TRADES)
            last_rate = (trades - firsts[late]) / sum(run_s[late:])
            _show("  in the last 100,000", f"{last_rate:,.0f}")
            _show("  with the hashes", f"{trades / (sum(run_s) + hash_s):,.0f}")
            bare = bare_rate(store, made, min(trades, 500_000))
            _show("bare rows a second", f"{bare:,.0f}   ratio {trades / sum(run_s) / bare:.2f}")
            _show("processor", f"{cpu_s / trades * 1e6:.1f} us a trade in this process")
            _show("database", f"{store.database.bytes_used() / trades:,.0f} bytes a trade")
            as_of(store, made, trades, entries_before, seed)


def checked(store: Store, made: Made, trades: int) -> None:
    """Every holding, the fees and conservation against sums made apart."""
    cash, tonnes = np.full(ENTITIES, CASH_EACH), np.full((ENTITIES, PRODUCTS), TONNES_EACH)
    np.subtract.at(cash, made.buyers, made.cash + made.buy_fees)
    np.add.at(cash, made.sellers, made.cash - made.sell_fees)
    np.add.at(tonnes, (made.buyers, made.products), made.tonnes)
    np.subtract.at(tonnes, (made.sellers, made.products), made.tonnes)
    rows = store.execute(
        "SELECT account_index, asset_index, amount FROM balances WHERE compartment = ?",
        (int(Compartment.TRADING),),
    ).fetchall()
    held = {(account, asset): amount for account, asset, amount in rows}
    due = {(entity, CASH_ASSET): int(cash[entity]) for entity in range(ENTITIES)}
    due |= {
        (entity, product): int(tonnes[entity, product])
        for entity in range(ENTITIES)
        for product in range(PRODUCTS)
    }
    assert held == due, "a balance is not what the trades make of it"
    fees = store.balance(Holding(Institution.FEES, CASH_ASSET, Compartment.REGISTRATION))
    assert fees == int(made.buy_fees.sum() + made.sell_fees.sum()), "fees differ"
    odd = store.execute(
        "SELECT asset_index FROM balances GROUP BY asset_index HAVING sum(amount) <> 0"
    ).fetchall()
    assert not odd, f"assets {odd} do not sum to zero"
    assert store.one("SELECT count(*) FROM trades WHERE state = 'settled'") == trades
    in_memory = holdings_hash_in_memory(store, Unposted(store))
    assert in_memory == holdings_hash(store), "the balances in memory are not the postings"


def bare_rate(store: Store, made: Made, count: int) -> float:
    """Rows of trades a second into a table of their own, nothing else done."""
    store.database.script(
        "CREATE TABLE bare (seq BIGINT PRIMARY KEY, buyer BIGINT NOT NULL, seller BIGINT NOT NULL,"
        " product BIGINT NOT NULL, tonnes BIGINT NOT NULL, cash BIGINT NOT NULL,"
        " buy_fee BIGINT NOT NULL, sell_fee BIGINT NOT NULL\n);"
    )
    columns = (
        np.arange(count), made.buyers, made.sellers, made.products,
        made.tonnes, made.cash, made.buy_fees, made.sell_fees,
    )  # fmt: skip
    begun = time.perf_counter()
    for first in range(0, count, RUN_COUNT_MAX):
        part = slice(first, min(first + RUN_COUNT_MAX, count))
        with store.transaction():
            store.insert("bare", zip(*(column[part].tolist() for column in columns), strict=True))
    return count / (time.perf_counter() - begun)


def as_of(store: Store, made: Made, trades: int, entries_before: int, seed: int) -> None:
    """Time balances at random past sequences, each held against the trades up to there."""
    draw = np.random.default_rng(seed + 1)
    took = []
    for question in range(AS_OF_QUESTIONS):
        count, account = int(draw.integers(0, trades + 1)), int(draw.integers(0, ENTITIES))
        asset = CASH_ASSET if question % 2 else int(draw.integers(0, PRODUCTS))
        holding = Holding(account, asset, Compartment.TRADING)
        begun = time.perf_counter()
        found = balance_as_of(store.database, holding, entries_before + count)
        took.append((time.perf_counter() - begun) * 1e3)
        assert found == made.balance(account, asset, count), f"{holding} as of {count} trades"
    took.sort()
    _show(
        "balance AS OF",
        f"median {median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms,"
        f" worst {took[-1]:.1f} ms, {store.one('SELECT count(*) FROM postings'):,} postings",
    )


def live(rate: int, seconds: float, database: str | None, seed: int) -> None:
    """Trade through a live venue's sockets at a rate, and see when each trade is committed."""
    from cea_exchange.loadtest.load_run import await_transfers
    from cea_exchange.loadtest.local_exchange import LocalExchange, prepare_process
    from cea_exchange.loadtest.population import population
    from soak.flow import FlowAccount, FlowConfig
    from soak.sender import FlowProcess

    prepare_process()
    prices = {f"CEA{22 + number}": 9749 for number in range(4)}
    members = population(64, prices, seed=seed, orders_each=4_000_000)
    with tempfile.TemporaryDirectory() as folder, LocalExchange(
        Path(folder), database=database
    ) as exchange:
        exchange.prepare(members, prices, start="2025-07-16T08:30:00+08:00")
        exchange.start()
        await_transfers(exchange)
        accounts = [
            FlowAccount(own.name, {name: side.name.lower() for name, side in own.sides.items()})
            for own in members
        ]
        config = FlowConfig(
            endpoint=exchange.endpoint("venue", "gateway"),
            server_key=exchange.keys("venue").public,
            keys=str(exchange.keys_directory),
            accounts=accounts,
            reference_prices=prices,
            seed=seed,
            take_share=0.7,
        )
        exchange.operate("clock", at="2025-07-16T09:30:00+08:00")
        flow = FlowProcess(Path(folder) / "sender", config)
        try:
            warm = flow.run(200_000, TRADING_DATE)
            per_trade = warm["sent"] / warm["trades"]
            monitor = LagMonitor(exchange, Path(folder))
            begun, before = time.monotonic(), warm["trades"]
            done = {"trades": before}
            slots = int(seconds / SLICE_S)
            for slot in range(slots):
                done = flow.run(round(rate * SLICE_S * per_trade), TRADING_DATE)
                monitor.until(begun + (slot + 1) * SLICE_S)
            took = time.monotonic() - begun
            monitor.finish(exchange)
        finally:
            flow.close()
        lags = np.sort(monitor.lags_ms())
        made = done["trades"] - before
        _show("trades", f"{made:,} in {took:.1f} s: {made / took:,.0f} a second")
        marks = {name: lags[int(len(lags) * part)] for name, part in
                 (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))}  # fmt: skip
        text = ", ".join(f"{name} {value:.0f}" for name, value in marks.items())
        _show("lag, ms", f"{text}, worst {lags[-1]:.0f}   ({len(lags):,} records)")


class LagMonitor:
    """When each settlement record was published, and when the registry had committed it."""

    def __init__(self, exchange, data: Path):
        from cea_exchange.protocol.security import client_socket

        keys = exchange.keys("registry")
        self._context = zmq.Context()
        self._socket = client_socket(
            self._context, zmq.SUB, keys=keys, server_key=exchange.keys("venue").public
        )
        self._socket.setsockopt(zmq.SUBSCRIBE, b"S")
        self._socket.connect(exchange.endpoint("venue", "settlement"))
        self._store = RegistryStore.open_reader(data)
        self._published: list[tuple[int, int, float]] = []
        self._committed: list[tuple[int, float]] = [(0, 0.0)]

    def until(self, moment: float) -> None:
        """Watch until then."""
        while True:
            self._look()
            left = moment - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(POLL_S, left))

    def finish(self, exchange) -> None:
        """Watch until the registry has all."""
        last = exchange.operate("status")["settlement_seq"]
        while self._committed[-1][0] < last:
            self.until(time.monotonic() + POLL_S)
        self._store.close()
        self._socket.close()
        self._context.term()

    def _look(self) -> None:
        while self._socket.poll(0):
            _header, payload = self._socket.recv_multipart()[1:]
            now = time.monotonic()
            rows = np.frombuffer(payload, EVENT_DTYPE)
            if len(rows):
                seqs = rows["settlement_seq"]
                self._published.append((int(seqs[0]), int(seqs[-1]), now))
        last_seq = self._store.last_seq
        if last_seq != self._committed[-1][0]:
            self._committed.append((last_seq, time.monotonic()))

    def lags_ms(self) -> np.ndarray:
        """Return the milliseconds from publication to commit of each record."""
        seqs = np.array([seq for seq, _ in self._committed])
        times = np.array([moment for _, moment in self._committed])
        lags = [
            np.full(last - first + 1, times[np.searchsorted(seqs, last)] - moment)
            for first, last, moment in self._published
        ]
        return np.maximum(np.concatenate(lags), 0.0) * 1e3


def _show(what: str, text: str) -> None:
    print(f"{what:24} {text}", flush=True)


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.settlement", description=__doc__)
    parser.add_argument("--part", choices=("alone", "live"), default="alone")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--trades", type=int, default=2_500_000)
    parser.add_argument("--rate", type=int, default=LIVE_RATE)
    parser.add_argument("--seconds", type=float, default=LIVE_S)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps({"database": asked.database, **calibrate().__dict__}, default=str))
    with database(asked.database) as address:
        if asked.part == "alone":
            alone(asked.trades, address, asked.seed)
        else:
            live(asked.rate, asked.seconds, address, asked.seed)


if __name__ == "__main__":
    main()
