"""Cases for a market: drawn rules, and batches of commands between acts of all other kinds.

As in book_flow.py, a case is a few small numbers; the commands of a batch are worked out from them
for all rows at once, and aimed at what lies on the books before it.
"""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, EventKind, Reason, Side
from cea_exchange.matching.reference import ReferenceMarket
from support.book.book_flow import MOOD_SHARES, MOODS, POLICIES, Segment
from support.market.market_flow import ACCOUNT_COUNT, REFERENCE_PRICES, Flow, Step, rules_make

CORES = (ReferenceMarket, CompiledMarket)
BLOCK_COMMANDS = [kind for kind in CommandKind if kind.name.startswith("BLOCK_")]
ROWS_MAX = (512, 512, 512, 512, 24, 4)
REASONS_ELSEWHERE = {
    Reason.THROTTLED,
    Reason.TRADING_DATE_MISMATCH,
}
"""Given by the gateway, never by the market core."""
REASONS_OF_BLOCKS = {
    Reason.PRODUCT_UNKNOWN,
    Reason.ACCOUNT_UNKNOWN,
    Reason.BLOCK_UNKNOWN,
    Reason.ORDER_ID_DUPLICATE,
    Reason.ACCOUNT_SUSPENDED,
    Reason.PHASE_CLOSED,
    Reason.PRODUCT_HALTED,
    Reason.COUNTERPARTY_MISMATCH,
    Reason.TERMS_FIXED,
    Reason.TONNES_NOT_POSITIVE,
    Reason.AMOUNT_TOO_LARGE,
    Reason.BLOCK_TONNES_TOO_SMALL,
    Reason.PRICE_OUT_OF_BAND,
    Reason.RESTRICTED,
    Reason.WITHIN_GAP,
    Reason.OTHER_SIDE_OPEN,
    Reason.HOLDING_LIMIT,
    Reason.CASH_INSUFFICIENT,
    Reason.ALLOWANCES_INSUFFICIENT,
    Reason.ALLOWANCES_BOUGHT_TODAY,
    Reason.CAPACITY,
}
"""Why a block command may be refused."""
LAID_OVER = (EventKind.DAY_CLOSED, EventKind.CHECKPOINT)
"""Their records have other things where `reason` is."""


class MarketCase(NamedTuple):
    """Rules and what happens under them."""

    rules: MarketRules
    seed: int
    segments: list[Segment]


market_cases = st.builds(
    MarketCase,
    rules=st.builds(
        rules_make,
        self_trade=st.sampled_from(POLICIES),
        levels_max=st.sampled_from((5, 1, 0)),
        pick_allowed=st.sampled_from((True, True, False)),
        listed_band_bp=st.one_of(st.sampled_from((1000, 0)), st.integers(1, 10_000)),
        band_rounding=st.sampled_from(("half_up", "inward")),
        block_tonnes_min=st.sampled_from((100_000, 0, 8)),
        block_band_bp=st.sampled_from((3000, 0, 10_000)),
        block_free_tonnes=st.sampled_from((0, 0, 9)),
        block_terms_fixed=st.sampled_from((False, False, True)),
        block_confirmed=st.sampled_from((False, False, True)),
        open_at_close=st.booleans(),
        close_with_blocks=st.booleans(),
        close_tonnes_over=st.sampled_from((0, 0, 12)),
        close_trades_last=st.sampled_from((0, 0, 1, 3, 32)),
        enquiries_open_max=st.sampled_from((1000, 0, 1, 2)),
        bidding_tonnes_min=st.sampled_from((100_000, 0, 6)),
        bidding_band_bp=st.sampled_from((1000, 0, 10_000)),
        bid_tonnes_min=st.sampled_from((1, 0, 3)),
        bids_open_max=st.sampled_from((1000, 0, 1, 2)),
        bidding_tie=st.sampled_from(("time", "random", "pro_rata")),
        bidding_undersubscription=st.sampled_from(("award_all", "cancel")),
        bidding_reserve=st.sampled_from(("exclude", "cancel")),
        bidder_cap_bp=st.sampled_from((0, 0, 4_000)),
        bidder_group_cap_bp=st.sampled_from((0, 0, 5_000)),
        noncompetitive_max_bp=st.sampled_from((0, 3_000, 10_000)),
        holdings_checked=st.sampled_from((True, True, False)),
        fee_bp=st.sampled_from((0, 37, 5_000)),
        fee_min_fen=st.sampled_from((0, 500)),
        gap_trading_days=st.sampled_from((0, 0, 1, 5)),
        gap_scope=st.sampled_from(("instrument", "product")),
        settlement_agent=st.sampled_from(("registry", "exchange")),
        listed_buy_fee_bp=st.sampled_from((None, None, 60)),
        block_sell_fee_bp=st.sampled_from((None, None, 400)),
        bidding_buy_fee_bp=st.sampled_from((None, None, 9)),
        holding_limit_tonnes=st.sampled_from((0, 0, 185)),
        holding_limit_joint=st.sampled_from((False, False, True)),
        large_holder_tonnes=st.sampled_from((0, 0, 90)),
        order_count_max=st.sampled_from((64, 64, 9)),
        orders_open_max=st.sampled_from((0, 0, 1, 3)),
        orders_kept_bp=st.sampled_from((0, 0, 1_250, 9_000)),
        orders_kept_each=st.sampled_from((0, 1, 2)),
    ),
    seed=st.integers(0, (1 << 32) - 1),
    segments=st.lists(
        st.builds(Segment, st.integers(0, (1 << 32) - 1), st.integers(12, 26)),
        min_size=5,
        max_size=8,
    ),
)


class MarketComparison(Flow):
    """The reference market and the compiled one, driven alike through a case.

    Attributes
    ----------
    command_count : int
        Trading commands both have taken.
    """

    def __init__(self, case: MarketCase) -> None:
        super().__init__(CORES, case.rules)
        self.case = case
        self.command_count = 0
        self.client_order_id = 1 << 20
        self.live: list[int] = []
        self.random = np.random.Generator(np.random.SFC64(case.seed))

    @property
    def seen(self) -> np.ndarray:
        """[3, 256]: how often each event kind came, each reason, and each one against a block."""
        events = self.events
        plain = events[~np.isin(events["kind"], LAID_OVER)]
        refused = plain[plain["kind"] == EventKind.ORDER_REJECTED]
        of_blocks = refused[np.isin(refused["command"], BLOCK_COMMANDS)]
        columns = events["kind"], plain["reason"], of_blocks["reason"]
        return np.array([np.bincount(column, minlength=256) for column in columns])

    def take_all(self) -> None:
        """Batch after batch, with another act before each; then all they show."""
        for place, segment in enumerate(self.case.segments):
            step = Step(205 + segment.digit(1, 51), *(segment.digit(n, 256) for n in range(2, 7)))
            if place:
                self.take(step)
            # What else would seldom come: products listed again, accounts under a measure.
            if segment.digit(4, 8) == 1:
                self._listed_anew(step, segment.digit(3, len(REFERENCE_PRICES)))
            if segment.digit(7, 8):
                self._revive_all(step, segment)
            if segment.digit(4, 4) == 3:
                self._measure(step, segment.digit(3, ACCOUNT_COUNT))
            self._agreements_take()
            self._batch(self._commands(segment), segment)
            if segment.digit(3, 4) == 0:
                self._go_on_with_another(segment.digit(4, 2))
        for core in self.cores:
            core.check()
        self._same_books_check()
        reference, compiled = (core.snapshot() for core in self.cores)
        assert reference == compiled

    def _agreements_take(self) -> None:
        """A few acts of block trading and bidding, answers to what is open among them."""
        for numbers in self.random.integers(0, 256, (10, len(Step._fields))).tolist():
            before = self.market.command_seq
            take = self._block if numbers[0] < 100 else self._bidding
            take(Step(*numbers))
            self.command_count += self.market.command_seq > before
        if self.rules.order_count_max < 16 and self.random.integers(8) == 0:
            self._crowd_take()

    def _crowd_take(self) -> None:
        """Enquiries, which lock nothing, until there is no room for another."""
        for numbers in self.random.integers(0, 256, (16, len(Step._fields))).tolist():
            before = self.market.command_seq
            step = Step(*numbers)
            self._block(step._replace(act=3, extra=4 * (step.extra // 8), price=step.price | 3))
            self.command_count += self.market.command_seq > before

    def _revive_all(self, step: Step, segment: Segment) -> None:
        """Lift what stops the trading, the suspended accounts every other time."""
        if not self.market.day_is_open and segment.digit(5, 2):
            self.do("reference_price_set", segment.digit(4, 3), 60 + segment.digit(3, 256))
        for price in range(3 + segment.digit(6, 2)):
            for who in range(ACCOUNT_COUNT):
                self._revive(step._replace(price=price, who=who))

    def _listed_anew(self, step: Step, product_index: int) -> None:
        """Between two days take a product off the list, and list it again."""
        if self.market.day_is_open:
            self.do("day_close")
        self.do("product_delist", product_index)
        self._list_again(step)

    def _batch(self, commands: np.ndarray, segment: Segment) -> None:
        rows = ROWS_MAX[segment.digit(2, len(ROWS_MAX))]
        trades_only = segment.digit(5, 8) == 0
        while len(commands):
            before = self.market.command_seq
            self.answer("process", commands, rows, trades_only)
            taken = self.market.command_seq - before
            self.command_count += taken
            commands = commands[taken:]
            rows = max(rows, self.market.rows_needed)
        self.same_hash_check()

    def same_state_check(self, act: Any) -> None:
        """After each batch only: the reference market's hash takes longer than a command."""

    def same_hash_check(self) -> None:
        """Both must be in the same state."""
        reference, compiled = (core.state_hash() for core in self.cores)
        assert reference == compiled

    def _go_on_with_another(self, restores: int) -> None:
        """The compiled market is a copy, or restored from what the reference wrote, from now on."""
        reference, compiled = self.cores
        if restores:
            other = CompiledMarket.from_snapshot(
                self.rules, reference.snapshot(), self.rules.order_count_max
            )
        else:
            other = compiled.copy()
        self.cores[1] = other
        if compiled.day_is_open:
            compiled.day_close()
        compiled.deposit(0, 0, 1)
        self.same_hash_check()

    def _same_books_check(self) -> None:
        for product_index in range(len(REFERENCE_PRICES)):
            for side in Side:
                first, second = (core.depth(product_index, side, 1000) for core in self.cores)
                assert first == second
                for price, _, _ in first:
                    queues = [core.orders_at(product_index, side, price) for core in self.cores]
                    assert queues[0] == queues[1]

    # -- The commands of a batch -------------------------------------------------------------------

    def _commands(self, segment: Segment) -> np.ndarray:
        """Commands of a segment as COMMAND_DTYPE; about one in six aims at nothing."""
        count, random = segment.count, self.random
        enter, cancel, _, ioc, fok, post_only, pick = MOOD_SHARES[
            MOODS[segment.digit(0, len(MOODS))]
        ]
        chance = random.random((6, count))
        commands = np.zeros(count, COMMAND_DTYPE)
        kind = 1 + (chance[0] > enter) + (chance[0] > enter + cancel)
        enters = kind == CommandKind.ENTER
        commands["kind"] = kind
        commands["side"] = np.where(enters, 1 + (chance[1] < 0.5), 0)
        commands["tif"] = np.where(enters, (chance[2] < ioc) + 2 * (chance[2] > 1 - fok), 0)
        commands["flags"] = enters & (chance[3] < post_only)
        # A product or an account in a hundred is none.
        numbers = random.integers(0, 1 << 30, (4, count))
        commands["product_index"] = np.where(numbers[0] % 100, numbers[0] % 3, 3)
        accounts = ACCOUNT_COUNT if self.case.seed % 2 else 2
        commands["account_index"] = np.where(numbers[1] % 100, numbers[1] % accounts, 6)
        commands["operator_index"] = np.where(numbers[2] % 100, numbers[2] % 2, 16)
        again = numbers[2] % 64 == 5
        commands["client_order_id"] = self.client_order_id + np.arange(count) - 200 * again
        self.client_order_id += count
        self._terms_put(commands, segment)
        picks = enters & (chance[4] < pick)
        self.live = [
            order_id for index in range(ACCOUNT_COUNT) for order_id in self.market.orders_of(index)
        ]
        for row in np.flatnonzero(picks | ~enters).tolist():
            self._aim(commands[row], int(numbers[3][row]))
        return commands

    def _terms_put(self, commands: np.ndarray, segment: Segment) -> None:
        """Prices about the middle of the band, the sides a little apart; edges and beyond."""
        count, random = len(commands), self.random
        products = [self.market.product(n) for n in range(len(REFERENCE_PRICES))]
        columns = [
            [product[name] for product in products] + [1]
            for name in ("reference_price", "band_low", "band_high")
        ]
        middle, low, high = np.array(columns, np.int64)[:, commands["product_index"]]
        spread = (1, 3, 8)[segment.digit(2, 3)]
        offset = (random.exponential(1.0, count) * spread).astype(np.int64)
        crosses = random.random(count) < (0.2, 0.5, 0.9)[segment.digit(6, 3)]
        away = np.where((commands["side"] == Side.SELL) != crosses, 1, -1)
        odd = random.random(count)
        which = np.arange(count) % 6
        beyond = np.array([0, -1, 10_000_000, 10_000_001, 2**63 - 1, -(2**63)], np.int64)[which]
        edge = np.choose(which % 4, [low - 1, low, high, high + 1])
        price = np.clip(middle + away * offset, low, high)
        commands["price"] = np.where(odd < 0.02, beyond, np.where(odd < 0.08, edge, price))
        tonnes = 1 + (random.exponential(1.0, count) * (6, 30)[segment.digit(4, 2)]).astype(
            np.int64
        )
        most = ((1 << 60) - 1) // np.maximum(commands["price"], 10)
        huge = np.choose(which, [0, -3, 99_999, 100_000, most, most + 1])
        huge[which == 0] = (2**63 - 1) * (segment.digit(5, 2))
        commands["tonnes"] = np.where(odd > 0.96, huge, tonnes)

    def _aim(self, command: np.void, number: int) -> None:
        """Name an order that is there: the best of the other side, or one to cancel or amend."""
        market = self.market
        command["pick_order_id" if command["kind"] == CommandKind.ENTER else "order_id"] = (
            number % 90
        )
        if number % 7 == 0:
            return
        if command["kind"] == CommandKind.ENTER:
            product_index = int(command["product_index"])
            if product_index >= len(REFERENCE_PRICES):
                return
            other = Side.SELL if command["side"] == Side.BUY else Side.BUY
            level = market.orders_at(product_index, other, market.best(product_index, other))
            if level:
                command["pick_order_id"] = level[number // 7 % len(level)]
            return
        if not self.live:
            return
        order = market.order(self.live[number // 7 % len(self.live)])
        command["order_id"], command["account_index"] = order["order_id"], order["account_index"]
        if number % 3 == 0:
            command["price"] = order["price"]
            command["tonnes"] = order["tonnes_open"] - number % 5 + 1
