"""One process that sends as many commands as it can for a dozen accounts, without a loop over them.

    python -m soak.flow CONFIG

The parent writes a `FlowTask` as a line to its standard input; when all commands are answered it
gets back what happened so far, as a JSON object a line. With 0 commands it is told once every
report is in. A batch is drawn, packed and answered as arrays. Each account has one batch under way
at a time, and as many orders on the book as `LIVE_ORDERS`, and bids in a bidding as `LIVE_BIDS`:
what is new replaces what was cancelled, traded, or expired.

Nothing may be missing: an account's reports must be numbered on and on, and every command must be
answered once, or the process ends with an error.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import zmq

from cea_exchange.client.order_entry import order_socket
from cea_exchange.client.session import OrderSession, SessionState
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    Method,
    Phase,
    Reason,
    Side,
    Tif,
)
from cea_exchange.loadtest.population import TONNES_TYPICAL, PricePath
from cea_exchange.protocol.security import CurveKeys

BATCH_COMMANDS = 512
LIVE_ORDERS = 400
"""What an account keeps on the book."""

AMEND_SHARE = 0.06
TAKE_SHARE = 0.05
BLOCK_SHARE = 0.01
"""Of a batch in the block session: answers to what is offered to the account, then new offers."""
BLOCK_TONNES = 100_000
BID_SHARE = 0.01
"""Of a batch while a bidding is open, of who buys its product: bids, and withdrawals of bids."""
LIVE_BIDS = 200
BLOCK_ANSWERS = (
    CommandKind.BLOCK_REJECT,
    CommandKind.BLOCK_REJECT,
    CommandKind.BLOCK_REJECT,
    CommandKind.BLOCK_COUNTER,
    CommandKind.BLOCK_COUNTER,
    CommandKind.BLOCK_ACCEPT,
)
BLOCK_KINDS = [kind for kind in EventKind if kind.name.startswith("BLOCK_")]
BLOCK_TALK = (EventKind.BLOCK_OFFERED, EventKind.BLOCK_COUNTERED)
AWAY_MAX = 60
REACH_MAX = 45
HEARTBEAT_INTERVAL_S = 2.0
ANSWER_S_MAX = 60.0
LOGON_S_MAX = 60.0

_TONNES = np.array(TONNES_TYPICAL)


class FlowAccount(msgspec.Struct, forbid_unknown_fields=True):
    """An account: its name, and its side (`buy`, `sell`) by product."""

    name: str
    sides: dict[str, str]


class FlowConfig(msgspec.Struct, forbid_unknown_fields=True):
    """What the process is given; `reference_prices` in the order of the products' indexes.

    `first_id` is the first command's id: one that takes another's place goes on above it.
    `take_share` of what is sent takes what rests. `has_blocks`: whether the market trades blocks.
    """

    endpoint: str
    server_key: str
    keys: str
    accounts: list[FlowAccount]
    reference_prices: dict[str, int]
    seed: int
    first_id: int = 1
    take_share: float = TAKE_SHARE
    has_blocks: bool = True


class FlowBidding(msgspec.Struct, forbid_unknown_fields=True):
    """A bidding that is open: its number, and from which to which price is bid."""

    bidding_id: int
    product_index: int
    price_min: int
    price_max: int


class FlowTask(msgspec.Struct, forbid_unknown_fields=True):
    """What the process is asked for: so many commands on a day, some of them bids."""

    count: int
    trading_date: int
    bidding: FlowBidding | None = None


class FlowError(Exception):
    """A report is missing, or a command without an answer."""


class Account:
    """One session, the orders it has on the book, and the batch it waits for.

    Attributes
    ----------
    live : ndarray of u64
        Ids of its orders on the book, oldest first.
    unanswered : int
        Commands of the batch under way.
    numbered : int
        Its last report by what the venue said last.
    counterparties : dict
        By product index, who stands on the other side: blocks are offered to them.
    bids : ndarray of u64
        Ids of its bids in the bidding that is open, oldest first.
    """

    def __init__(
        self, config: FlowConfig, place: int, account: FlowAccount, context: zmq.Context
    ):
        self.name = account.name
        self.session = OrderSession()
        self.live = np.zeros(0, np.uint64)
        self.unanswered = 0
        self.numbered = 0
        self.counterparties: dict[int, list[int]] = {}
        self.bids = np.zeros(0, np.uint64)
        self._asked: dict[int, tuple[int, int]] = {}
        self.socket = order_socket(
            context, CurveKeys.load(Path(config.keys), account.name), config.server_key
        )
        # Where there is no venue any more, a send would wait for ever.
        self.socket.sndtimeo = int(ANSWER_S_MAX * 1000)
        self.socket.connect(config.endpoint)
        self.session.connected()
        names = list(config.reference_prices)
        self._products = np.array([names.index(name) for name in account.sides])
        self._sides = np.array([Side[side.upper()] for side in account.sides.values()])
        self.sides = dict(zip(self._products.tolist(), self._sides.tolist(), strict=True))
        self._draw = np.random.default_rng([config.seed, place])
        self._next_id = config.first_id
        self._take_share = config.take_share

    def send(self, count: int, prices: np.ndarray, bidding: FlowBidding | None) -> None:
        """Draw and send the next batch of `count` commands."""
        rows = np.zeros(count, COMMAND_DTYPE)
        takes = int(count * self._take_share)
        # As many cancels as leave LIVE_ORDERS when all the rest is entered.
        surplus = (count - takes + len(self.live) - LIVE_ORDERS) // 2
        cancels = min(max(surplus, 0), len(self.live), count - takes)
        amends = min(int(count * AMEND_SHARE), len(self.live) - cancels, count - takes - cancels)
        is_block_session = self.session.phase is Phase.LISTED_AND_BLOCK and self.counterparties
        blocks = int(count * BLOCK_SHARE) if is_block_session else 0
        bids = int(count * BID_SHARE) if self._is_bidder(bidding) else 0
        self._cancels(rows[:cancels])
        self._amends(rows[cancels : cancels + amends], prices)
        self._enters(rows[cancels + amends : count - blocks - bids], takes, prices)
        self._blocks(rows[count - blocks - bids : count - bids], prices)
        self._bids(rows[count - bids :], bidding)
        rows["client_order_id"] = np.arange(self._next_id, self._next_id + count)
        rows["trading_date"] = self.session.trading_date
        self._next_id += count
        self.unanswered = count
        self.socket.send_multipart([b"C", rows.tobytes()])

    def take(self, frames: list[bytes], counts: Counter) -> None:
        """Take in one message; of reports, learn which orders are on the book."""
        if frames[0] != b"R":
            self.session.receive(frames)
            message = self.session.messages.pop()
            if message["op"] == "refused":
                raise FlowError(f"{self.name}: the venue refused a message: {message}")
            self.numbered = message.get("report_seq", self.numbered)
            return
        rows = np.frombuffer(frames[1], EVENT_DTYPE)
        self._follow(rows)
        kind = rows["kind"]
        made = rows["account_index"] == ACCOUNT_NONE
        refused = kind == EventKind.ORDER_REJECTED
        asked = rows["reason"] == Reason.REQUESTED
        answers = refused | (kind == EventKind.ORDER_ACCEPTED) | (kind == EventKind.ORDER_AMENDED)
        answers |= np.isin(kind, (EventKind.ORDER_CANCELED, EventKind.BID_CANCELED)) & asked
        answers |= kind == EventKind.BID_ACCEPTED
        of_block = np.isin(kind, BLOCK_KINDS)
        if of_block.any():
            self._hear(rows[of_block])
        # What ends a block without a command of the account's own has another reason, or no id.
        own = rows["account_index"] == self.session.account_index
        answers |= of_block & own & (asked | (rows["reason"] == 0)) & (rows["client_order_id"] > 0)
        answers &= kind != EventKind.BLOCK_LAPSED
        answers |= (kind == EventKind.TRADE) & (rows["method"] == Method.BLOCK) & ~made
        self.unanswered -= int(np.count_nonzero(answers))
        if self.unanswered < 0:
            raise FlowError(f"{self.name}: more answers came than commands went")
        trades = kind == EventKind.TRADE
        counts["reports"] += len(rows)
        counts["trades"] += int(np.count_nonzero(trades & made))
        counts["refused"] += int(np.count_nonzero(refused))
        counts["blocks"] += int(np.count_nonzero(trades & made & (rows["method"] == Method.BLOCK)))
        counts["bids"] += int(np.count_nonzero(kind == EventKind.BID_ACCEPTED))
        by_bidding = trades & made & (rows["method"] == Method.BIDDING)
        counts["bidding_trades"] += int(np.count_nonzero(by_bidding))
        self._book(rows, kind, trades, made)
        self.bids = np.union1d(self.bids, rows["order_id"][kind == EventKind.BID_ACCEPTED])

    def _cancels(self, rows: np.ndarray) -> None:
        rows["kind"] = CommandKind.CANCEL
        rows["order_id"], self.live = self.live[: len(rows)], self.live[len(rows) :]

    def _amends(self, rows: np.ndarray, prices: np.ndarray) -> None:
        if not len(rows):
            return
        product = self._draw.integers(len(self._products), size=len(rows))
        rows["kind"] = CommandKind.AMEND
        rows["order_id"] = self._draw.choice(self.live, len(rows))
        rows["price"] = self._away(product, prices, self._draw.integers(5, AWAY_MAX, len(rows)))
        rows["tonnes"] = self._draw.choice(_TONNES, len(rows))

    def _enters(self, rows: np.ndarray, takes: int, prices: np.ndarray) -> None:
        count = len(rows)
        product = self._draw.integers(len(self._products), size=count)
        away = self._draw.integers(5, AWAY_MAX, count)
        away[:takes] = -self._draw.integers(5, REACH_MAX, takes)
        rows["kind"] = CommandKind.ENTER
        rows["tif"][:takes] = Tif.IOC
        rows["side"] = self._sides[product]
        rows["product_index"] = self._products[product]
        rows["price"] = self._away(product, prices, away)
        rows["tonnes"] = self._draw.choice(_TONNES, count)
        rows[:] = rows[self._draw.permutation(count)]

    def _blocks(self, rows: np.ndarray, prices: np.ndarray) -> None:
        """Answer what is offered to the account, and offer blocks itself with what is left."""
        asked = list(self._asked)[: len(rows)]
        for row, block_id in zip(rows, asked, strict=False):
            price, tonnes = self._asked.pop(block_id)
            row["kind"], row["order_id"] = self._draw.choice(BLOCK_ANSWERS), block_id
            if row["kind"] == CommandKind.BLOCK_COUNTER:
                row["price"], row["tonnes"] = price + self._draw.integers(-20, 21), tonnes
        for row in rows[len(asked) :]:
            place = self._draw.integers(len(self._products))
            product_index = int(self._products[place])
            row["kind"], row["flags"] = CommandKind.BLOCK_OFFER, BlockFlag.TO_ACCOUNT
            row["side"], row["product_index"] = self._sides[place], product_index
            row["pick_order_id"] = self._draw.choice(self.counterparties[product_index])
            row["price"], row["tonnes"] = prices[product_index], BLOCK_TONNES

    def _is_bidder(self, bidding: FlowBidding | None) -> bool:
        return bidding is not None and self.sides.get(bidding.product_index) == Side.BUY

    def _bids(self, rows: np.ndarray, bidding: FlowBidding | None) -> None:
        """Bid, and withdraw the oldest bids, so that about LIVE_BIDS are left."""
        if bidding is None or not len(rows):
            return
        surplus = (len(rows) + len(self.bids) - LIVE_BIDS) // 2
        ends = min(max(surplus, 0), len(self.bids), len(rows))
        rows["kind"], rows["kind"][:ends] = CommandKind.BID, CommandKind.BID_CANCEL
        rows["order_id"] = bidding.bidding_id
        rows["order_id"][:ends], self.bids = self.bids[:ends], self.bids[ends:]
        new = rows[ends:]
        new["price"] = self._draw.integers(bidding.price_min, bidding.price_max + 1, len(new))
        new["tonnes"] = self._draw.choice(_TONNES, len(new))

    def _hear(self, rows: np.ndarray) -> None:
        """Note what another asks of the account, and that it is asked no longer."""
        for row in rows:
            self._asked.pop(int(row["order_id"]), None)
            if row["kind"] in BLOCK_TALK and row["account_index"] != self.session.account_index:
                self._asked[int(row["order_id"])] = (int(row["price"]), int(row["tonnes"]))

    def _away(self, product: np.ndarray, prices: np.ndarray, away: np.ndarray) -> np.ndarray:
        buys = self._sides[product] == Side.BUY
        return prices[self._products[product]] + np.where(buys, -away, away)

    def _follow(self, rows: np.ndarray) -> None:
        """Every report must be the next one."""
        seqs = np.where(rows["report_seq"] == 0, rows["counter_report_seq"], rows["report_seq"])
        seqs = seqs[seqs > 0]
        first = self.session.report_seq + 1
        expected = np.arange(first, first + len(seqs))
        odd = np.flatnonzero(seqs != expected.astype(np.uint64))
        if len(odd):
            raise FlowError(
                f"{self.name}: report {expected[odd[0]]} must come next, got {seqs[odd[0]]}"
            )
        self.session.report_seq += len(seqs)

    def _book(
        self, rows: np.ndarray, kind: np.ndarray, trades: np.ndarray, made: np.ndarray
    ) -> None:
        rested = rows["order_id"][kind == EventKind.ORDER_RESTED]
        off = (kind == EventKind.ORDER_CANCELED) | (kind == EventKind.ORDER_EXPIRED)
        off |= trades & ~made & (rows["tonnes_open"] == 0)
        gone = rows["order_id"][off]
        filled = rows["counter_order_id"][trades & made & (rows["counter_tonnes_open"] == 0)]
        # Ids grow, so sorted is oldest first.
        self.live = np.setdiff1d(np.union1d(self.live, rested), np.concatenate((gone, filled)))


class Flow:
    """All accounts at their sockets, in one thread."""

    def __init__(self, config: FlowConfig):
        self._context = zmq.Context(io_threads=1)
        self._accounts = [
            Account(config, place, each, self._context)
            for place, each in enumerate(config.accounts)
        ]
        self._by_socket = {account.socket: account for account in self._accounts}
        self._poller = zmq.Poller()
        for account in self._accounts:
            self._poller.register(account.socket, zmq.POLLIN)
        self._paths = [
            PricePath(name, price, seed=config.seed)
            for name, price in config.reference_prices.items()
        ]
        self._has_blocks = config.has_blocks
        self._sent = 0
        self._counts: Counter = Counter()
        self._beaten_at = 0.0
        self._bidding: FlowBidding | None = None

    def logon(self) -> None:
        """Wait until every account is logged on."""
        deadline = time.monotonic() + LOGON_S_MAX
        while any(each.session.state is not SessionState.READY for each in self._accounts):
            if time.monotonic() > deadline:
                raise FlowError("not every account could log on")
            self._flush()
            self._read()
        if self._has_blocks:
            for account in self._accounts:
                account.counterparties = self._others(account)

    def _others(self, account: Account) -> dict[int, list[int]]:
        """Return who stands on the other side of an account, by product; none if nobody in one."""
        others = {
            product_index: [
                other.session.account_index
                for other in self._accounts
                if other.sides[product_index] != side
            ]
            for product_index, side in account.sides.items()
        }
        return others if all(others.values()) else {}

    def run(self, task: FlowTask) -> dict:
        """Send so many commands on a day and wait for all answers; return what happened so far."""
        if task.count == 0:
            self._catch_up()
        else:
            self._await_session(task.trading_date)
        self._bid_in(task.bidding)
        started, goal = time.monotonic(), self._sent + task.count
        # Of few commands everybody has a part, too.
        each = min(BATCH_COMMANDS, -(-task.count // len(self._accounts)))
        heard_at = started
        while self._sent < goal or any(each.unanswered for each in self._accounts):
            prices = np.array([path.price(self._sent) for path in self._paths])
            for account in self._accounts:
                if account.unanswered == 0 and self._sent < goal:
                    batch = min(each, goal - self._sent)
                    account.send(batch, prices, self._bidding)
                    self._sent += batch
            self._beat()
            if self._read():
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > ANSWER_S_MAX:
                raise FlowError(f"no answer came for {ANSWER_S_MAX:.0f} s")
        return {
            "sent": self._sent,
            "orders_live_max": sum(len(each.live) for each in self._accounts),
            "seconds": time.monotonic() - started,
            **self._counts,
        }

    def _bid_in(self, bidding: FlowBidding | None) -> None:
        """Of another bidding than before nobody has bids yet."""
        if bidding != self._bidding:
            for account in self._accounts:
                account.bids = account.bids[:0]
        self._bidding = bidding

    def _await_session(self, trading_date: int) -> None:
        deadline = time.monotonic() + LOGON_S_MAX
        sessions = [account.session for account in self._accounts]
        while any(
            each.trading_date != trading_date
            or each.phase not in (Phase.LISTED, Phase.LISTED_AND_BLOCK)
            for each in sessions
        ):
            if time.monotonic() > deadline:
                raise FlowError(f"{trading_date} is not open for every account")
            self.idle()

    def _catch_up(self) -> None:
        """Wait until every account has all reports that the venue has numbered for it."""
        deadline = time.monotonic() + ANSWER_S_MAX
        for account in self._accounts:
            account.numbered = -1
        self._beaten_at = 0.0
        while any(each.numbered != each.session.report_seq for each in self._accounts):
            if time.monotonic() > deadline:
                raise FlowError("not every account has all its reports")
            self.idle()

    def _read(self) -> bool:
        ready = self._poller.poll(20)
        for socket, _ in ready:
            account = self._by_socket[socket]
            while True:
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                account.take(frames, self._counts)
        return bool(ready)

    def _beat(self) -> None:
        """Keep the sessions alive; the answer to it tells the phase and the date."""
        if time.monotonic() - self._beaten_at > HEARTBEAT_INTERVAL_S:
            self._beaten_at = time.monotonic()
            for account in self._accounts:
                account.session.heartbeat()
            self._flush()

    def _flush(self) -> None:
        for account in self._accounts:
            for message in account.session.outgoing():
                account.socket.send_multipart(message)

    def idle(self) -> None:
        """Between two runs: read what comes, stay logged on."""
        self._beat()
        self._read()


def main(path: str) -> None:
    """Serve the parent until it closes standard input."""
    flow = Flow(msgspec.json.decode(Path(path).read_bytes(), type=FlowConfig))
    flow.logon()
    print(json.dumps({"ready": True}), flush=True)
    stdin = zmq.Poller()
    stdin.register(sys.stdin.fileno(), zmq.POLLIN)
    while True:
        flow.idle()
        if not stdin.poll(0):
            continue
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(flow.run(msgspec.json.decode(line, type=FlowTask))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
