"""Sequences of acts on a market, for the differential and the property tests.

A `Step` is a handful of small numbers; `Flow` reads each against the state the market is in (the
n-th live order, a price at the edge of today's band), so that most acts mean something and every
refusal comes up. The same steps come from Hypothesis or from a seeded generator.

Long, because every act of the market is made here, each in a few lines.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from cea_exchange.domain.profile import MarketRules, RuleChange
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    OPERATOR_ANY,
    PRODUCT_NONE,
    BiddingState,
    BlockFlag,
    CommandKind,
    EventKind,
    OrderFlag,
    Phase,
    Reason,
    Side,
    Tif,
)

ACCOUNT_COUNT = 6
REFERENCE_PRICES = (100, 57, 9749)
COUNTERS = (
    "command_seq event_seq settlement_seq market_data_seq trade_id transfer_seq phase "
    "trading_date market_halted day_is_open live_order_count"
).split()


def rules_make(**changes: Any) -> MarketRules:
    """The rules of profile `cea` with some of them changed."""
    rules: dict[str, Any] = {
        "name": "test",
        "listed_band_bp": 1000,
        "band_rounding": "half_up",
        "block_tonnes_min": 100_000,
        "block_band_bp": 3000,
        "bidding_tonnes_min": 100_000,
        "bidding_band_bp": 1000,
        "bid_tonnes_min": 1,
        "bidding_tie": "time",
        "bidding_undersubscription": "award_all",
        "bidding_reserve": "exclude",
        "bidder_cap_bp": 0,
        "bidder_group_cap_bp": 0,
        "noncompetitive_max_bp": 0,
        "levels_max": 5,
        "pick_allowed": True,
        "self_trade": "reject",
        "holdings_checked": True,
        "fee_bp": 0,
        "fee_min_fen": 0,
        "holding_limit_tonnes": 0,
        "order_count_max": 64,
    }
    return MarketRules(**(rules | changes))


RULES = {
    "cea": rules_make(),
    "fees": rules_make(
        fee_bp=37,
        fee_min_fen=500,
        band_rounding="inward",
        levels_max=1,
        self_trade="cancel_both",
    ),
    "fees_own": rules_make(fee_bp=5000, fee_min_fen=7, self_trade="allow", levels_max=2),
    "narrow": rules_make(
        holding_limit_tonnes=185, order_count_max=9, fee_bp=1, self_trade="cancel_resting"
    ),
    "crowded": rules_make(
        order_count_max=16,
        orders_open_max=5,
        orders_kept_bp=3_750,
        orders_kept_each=2,
        self_trade="cancel_resting",
    ),
    "blocks": rules_make(
        name="blocks",
        block_tonnes_min=6,
        enquiries_open_max=2,
        fee_bp=37,
        fee_min_fen=500,
        holding_limit_tonnes=185,
        order_count_max=9,
    ),
    "confirmed": rules_make(
        name="confirmed",
        block_confirmed=True,
        block_tonnes_min=6,
        enquiries_open_max=2,
        fee_bp=37,
        holding_limit_tonnes=300,
        large_holder_tonnes=120,
        gap_trading_days=1,
        order_count_max=12,
        changes=(RuleChange(20250719, {"block_confirmed": False}),),
    ),
    "regional": rules_make(
        name="regional",
        block_tonnes_min=6,
        block_free_tonnes=9,
        open_at_close=True,
        close_with_blocks=True,
        close_tonnes_over=5,
        close_trades_last=3,
        holding_limit_tonnes=1_100,
        holding_limit_joint=True,
        changes=(
            RuleChange(20250717, {"block_terms_fixed": True, "close_trades_last": 0}),
            RuleChange(20250718, {"block_terms_fixed": False, "close_trades_last": 4}),
            RuleChange(20250719, {"close_with_blocks": False, "open_at_close": False}),
        ),
    ),
    "noticed": rules_make(
        large_holder_tonnes=120,
        changes=(
            RuleChange(20250717, {"listed_band_bp": 300, "fee_bp": 37, "large_holder_tonnes": 90}),
            RuleChange(20250718, {"block_tonnes_min": 6, "block_band_bp": 500, "fee_min_fen": 9}),
            RuleChange(20250719, {"holding_limit_tonnes": 185, "large_holder_tonnes": 0}),
            RuleChange(20250720, {"listed_tonnes_max": 4, "large_holder_tonnes": 60}),
        ),
    ),
    "biddings": rules_make(
        name="biddings",
        bidding_tonnes_min=6,
        bids_open_max=4,
        fee_bp=37,
        fee_min_fen=500,
        holding_limit_tonnes=300,
        order_count_max=12,
        bidding_tie="pro_rata",
        bidding_reserve="cancel",
        bidder_group_cap_bp=6_000,
        noncompetitive_max_bp=3_000,
    ),
    "auctions": rules_make(
        name="auctions",
        bidding_tonnes_min=6,
        bid_tonnes_min=2,
        bidding_tie="random",
        bidding_undersubscription="cancel",
        bidder_cap_bp=5_000,
        noncompetitive_max_bp=5_000,
        band_rounding="inward",
    ),
    "mixed": rules_make(name="mixed", block_tonnes_min=6, bidding_tonnes_min=6, fee_bp=37),
    "gap": rules_make(
        name="gap",
        gap_trading_days=2,
        block_tonnes_min=6,
        bidding_tonnes_min=6,
        fee_bp=60,
        listed_sell_fee_bp=0,
        block_buy_fee_bp=37,
        block_sell_fee_bp=400,
        bidding_buy_fee_bp=0,
        bidding_sell_fee_bp=11,
        self_trade="allow",
    ),
    "gap_of_all": rules_make(
        name="gap_of_all",
        settlement_agent="exchange",
        gap_trading_days=1,
        gap_scope="product",
        block_tonnes_min=6,
        bidding_tonnes_min=6,
        levels_max=1,
        fee_bp=60,
        fee_min_fen=7,
        holding_limit_tonnes=300,
        changes=(RuleChange(20250718, {"block_sell_fee_bp": 400, "listed_buy_fee_bp": 3}),),
    ),
    "all_levels": rules_make(levels_max=0, self_trade="cancel_incoming", pick_allowed=False),
    "open": rules_make(
        listed_band_bp=0,
        block_tonnes_min=0,
        block_band_bp=0,
        bidding_tonnes_min=0,
        bidding_band_bp=0,
        bid_tonnes_min=0,
        levels_max=0,
        self_trade="allow",
        holdings_checked=False,
        fee_bp=10,
        # Nobody holds anything there, whatever a notice says.
        changes=(RuleChange(20250717, {"large_holder_tonnes": 90, "holding_limit_tonnes": 185}),),
    ),
}


ACT_SHARES = {
    **{
        "blocks": (100, 0),
        "confirmed": (110, 0),
        "regional": (70, 8),
        "biddings": (0, 100),
        "auctions": (0, 100),
        "mixed": (50, 60),
    },
    **{"gap": (40, 50), "gap_of_all": (30, 30)},
}
"""Of 256 acts, how many are blocks' and biddings', by the rules' name."""

BUSTED_FIELDS = (
    "kind side method product_index account_index counter_account_index trade_id settlement_seq "
    "seq tonnes cash sell_fee trading_date"
).split()


class Step(NamedTuple):
    """Numbers an act is read from; each from 0 to 255."""

    act: int
    who: int
    what: int
    price: int
    tonnes: int
    extra: int


def steps_seeded(seed: int, count: int) -> list[Step]:
    """The same steps for the same seed."""
    source = random.Random(seed)
    return [Step(*(source.randrange(256) for _ in Step._fields)) for _ in range(count)]


class Flow:
    """Acts on one market, or on several that must answer alike.

    Parameters
    ----------
    make_cores : sequence of callables
        Each makes a market from rules.
    rules : MarketRules
        The rules of them all.

    Notes
    -----
    `acts` keeps what was done, for doing it again; `events` what came of it, as one array.
    """

    def __init__(self, make_cores: Iterable[Callable[[MarketRules], Any]], rules: MarketRules):
        self.rules = rules
        self.cores = [make(rules) for make in make_cores]
        self.acts: list[tuple[str, tuple]] = []
        self.events_all: list[np.ndarray] = []
        self.trades: list[bytes] = []
        self.date = 20250716
        for key, price in enumerate(REFERENCE_PRICES, start=1001):
            self.answer("product_declare", key * 0x9E3779B97F4A7C15 % 2**64, price, key - 1000)
        for key in range(ACCOUNT_COUNT):
            self.answer("account_declare", 2**64 - 1 - key, key % 2)
        for account_index in range(ACCOUNT_COUNT):
            cash = 300_000 + 1_000 * account_index
            self.answer("deposit", account_index, PRODUCT_NONE, cash, 0)
            for product_index in range(len(REFERENCE_PRICES)):
                self.answer("deposit", account_index, product_index, 150, 0)
        self.do("day_open", self.date)
        self.do("phase_set", int(Phase.LISTED))

    @property
    def market(self) -> Any:
        """The market that steps are read against."""
        return self.cores[0]

    @property
    def events(self) -> np.ndarray:
        """All events so far."""
        return np.frombuffer(bytearray().join(self.events_all), EVENT_DTYPE)

    # -- Doing -------------------------------------------------------------------------------------

    def do(self, name: str, *arguments: Any) -> None:
        """Do one act on every market; they must answer alike and be in the same state."""
        self.answer(name, *arguments)
        self.same_state_check((name, arguments))

    def answer(self, name: str, *arguments: Any) -> None:
        """Do one act on every market; they must answer alike."""
        answers = [act_do(core, name, arguments) for core in self.cores]
        self.acts.append((name, arguments))
        first = answers[0]
        for answer in answers[1:]:
            same_answer_check(first, answer, (name, arguments))
        if isinstance(first[1], np.ndarray):
            self.events_all.append(first[1])
            self.trades += [row.tobytes() for row in first[1][first[1]["kind"] == EventKind.TRADE]]

    def process(
        self, command: np.ndarray, *, rows_max: int = 64, trades_only: bool = False
    ) -> None:
        """Process one command, again with a larger buffer if the first was too small."""
        self.do("process", command, rows_max, trades_only)
        if self.market.rows_needed:
            self.do("process", command, self.market.rows_needed, trades_only)

    def same_state_check(self, act: Any) -> None:
        """All markets must hash alike and stand at the same numbers."""
        first = self.cores[0]
        for core in self.cores[1:]:
            for name in COUNTERS:
                assert getattr(first, name) == getattr(core, name), (name, act)
            assert first.holdings_hash() == core.holdings_hash(), act
            assert first.state_hash() == core.state_hash(), act

    def same_view_check(self) -> None:
        """All markets must show alike, and find their own state in order."""
        views = [view_of(core) for core in self.cores]
        for core, view in zip(self.cores, views, strict=True):
            core.check()
            assert views[0] == view

    # -- Reading steps -----------------------------------------------------------------------------

    def run(self, steps: Iterable[Step]) -> None:
        """Take steps one after the other."""
        for count, step in enumerate(steps, start=1):
            self.take(step)
            if count % 16 == 0:
                self.same_view_check()
        self.same_view_check()

    def take(self, step: Step) -> None:
        """Read a step and do what it says."""
        self._revive(step)
        block_acts, bidding_acts = ACT_SHARES.get(self.rules.name, (8, 8))
        if step.act < block_acts:
            self._block(step)
        elif step.act < block_acts + bidding_acts:
            self._bidding(step)
        elif step.act < 150:
            self._enter(step)
        elif step.act < 175:
            self._change(step, CommandKind.CANCEL)
        elif step.act < 205:
            self._change(step, CommandKind.AMEND)
        elif step.act < 225:
            self._transfer(step)
        else:
            self._operate(step)

    def _revive(self, step: Step) -> None:
        """Lift what stops the trading before long: a sequence of refusals finds little."""
        market = self.market
        if not market.day_is_open:
            self._list_again(step)
            if step.price % 4:
                self._day_next()
        elif market.phase not in (Phase.LISTED, Phase.LISTED_AND_BLOCK) and step.price % 4 == 0:
            self.do("phase_set", int(Phase.LISTED_AND_BLOCK))
        if market.market_halted and step.price % 4 == 1:
            self.do("resume", PRODUCT_NONE)
        product_index = step.what % len(REFERENCE_PRICES)
        if market.product(product_index)["halted"] and step.price % 4 == 2:
            self.do("resume", product_index)
        account_index = step.who % ACCOUNT_COUNT
        if market.account(account_index)["suspended"] and step.price % 4 == 3:
            self.do("restore", account_index)
        if market.account(account_index)["restricted"] and step.price % 4 == 2:
            self.do("restrict", account_index, 0)

    def _list_again(self, step: Step) -> None:
        """List what is delisted, most of the time."""
        if self.market.day_is_open or step.tonnes % 4 == 0:
            return
        for product_index in range(len(REFERENCE_PRICES)):
            if not self.market.product(product_index)["listed"]:
                self.do("product_list", product_index, 50 + step.extra)

    def _day_next(self) -> None:
        self.date += 1 if self.date % 100 < 28 else 73
        self.do("day_open", self.date, (self.date % 3, 1, 5))
        self.do("phase_set", int(Phase.LISTED))

    def _account_of(self, step: Step) -> int:
        # One in 256 is no account.
        return 4_000_000_000 if step.who == 255 else step.who % ACCOUNT_COUNT

    def _signed(self, step: Step, kind: CommandKind, account_index: int) -> np.ndarray:
        """A command of an account with an id of its own, most of the time."""
        command = np.zeros(1, COMMAND_DTYPE)
        operator_index = 16 if step.extra == 77 else step.who % 2
        command["kind"] = kind
        command["account_index"] = account_index
        command["operator_index"] = operator_index
        if account_index < ACCOUNT_COUNT and operator_index < 16:
            last = self.market.last_client_order_id(account_index, operator_index)
            command["client_order_id"] = last + (0 if step.extra % 64 == 5 else 1 + step.what % 3)
        return command

    def _price_of(self, step: Step, product_index: int) -> int:
        """A price near the middle, or at an edge of the band, or beyond."""
        if step.price >= 250:
            return (0, -1, 10_000_000, 10_000_001, 2**63 - 1, -(2**63))[step.price - 250]
        product = self.market.product(product_index)
        if step.price >= 230:
            low, high = product["band_low"], product["band_high"]
            return (low - 1, low, high, high + 1)[step.price % 4]
        return max(product["reference_price"] + step.price % 15 - 7, 1)

    @staticmethod
    def _tonnes_of(step: Step, price: int) -> int:
        if step.tonnes >= 248:
            # The last two of them: just below an amount of 2^60 fen, and at or above it.
            most = ((1 << 60) - 1) // max(price, 10)
            return (0, -3, 99_999, 100_000, 2**63 - 1, 150, most, most + 1)[step.tonnes - 248]
        return 1 + step.tonnes % (60 if step.tonnes % 4 == 0 else 8)

    def _enter(self, step: Step) -> None:
        product_index = step.what % 8 % len(REFERENCE_PRICES)
        command = self._signed(step, CommandKind.ENTER, self._account_of(step))
        side = Side.BUY if step.what & 16 else Side.SELL
        command["side"] = side
        command["product_index"] = 7 if step.what == 255 else product_index
        price = self._price_of(step, product_index)
        if step.price < 230:
            # The sides lie apart, so that levels pile up, and now and then one sweeps them.
            inwards = 1 if side == Side.BUY else -1
            price += inwards * (6 if step.tonnes % 4 == 0 else -2)
        kind = step.extra % 16
        command["tif"] = {10: Tif.IOC, 11: Tif.IOC, 12: Tif.FOK}.get(kind, Tif.DAY)
        command["flags"] = OrderFlag.POST_ONLY if step.extra % 9 == 0 else 0
        if kind in (13, 14, 15):
            command["tif"] = step.extra // 16 % 3
            command["pick_order_id"] = self._pick_of(step, product_index, side)
            price = self._price_through(product_index, side) if step.tonnes % 2 else price
        command["price"] = price
        command["tonnes"] = self._tonnes_of(step, price)
        self.process(command, rows_max=step.extra % 8 or 64, trades_only=step.act % 8 == 0)

    def _price_through(self, product_index: int, side: Side) -> int:
        """The price that reaches every order of the other side."""
        product = self.market.product(product_index)
        return product["band_high"] if side == Side.BUY else product["band_low"]

    def _pick_of(self, step: Step, product_index: int, side: Side) -> int:
        """Most often an order at the best opposite price, else one behind it, or any number."""
        other = Side.SELL if side == Side.BUY else Side.BUY
        levels = self.market.depth(product_index, other, 2)
        if not levels or step.price % 8 == 0:
            return 1 + step.price % 64
        price = levels[-1 if step.price % 8 == 1 else 0][0]
        level = self.market.orders_at(product_index, other, price)
        return level[step.tonnes % len(level)]

    def _change(self, step: Step, kind: CommandKind) -> None:
        market = self.market
        live = [order_id for index in range(ACCOUNT_COUNT) for order_id in market.orders_of(index)]
        account_index, order_id = self._account_of(step), 1 + step.what
        if live and step.extra % 16:
            order_id = live[step.tonnes % len(live)]
            if step.extra % 16 > 1:
                account_index = market.order(order_id)["account_index"]
        command = self._signed(step, kind, account_index)
        command["product_index"] = PRODUCT_NONE
        command["order_id"] = order_id
        if kind == CommandKind.AMEND:
            order = self.market.order(order_id)
            price = self._price_of(step, order["product_index"] if order else 0)
            tonnes = self._tonnes_of(step, price)
            if order and step.extra % 3 == 0:
                price, tonnes = order["price"], order["tonnes_open"] + step.what % 5 - 3
            elif order and step.extra % 3 == 1:
                price = self._price_through(order["product_index"], Side(order["side"]))
            command["price"], command["tonnes"] = price, tonnes
        self.process(command, rows_max=step.extra % 4 or 64)

    def _block(self, step: Step) -> None:
        """An enquiry or an offer a third of the time, else an answer to one that is there."""
        market = self.market
        if market.day_is_open and market.phase != Phase.LISTED_AND_BLOCK and step.price % 4:
            self.do("phase_set", int(Phase.LISTED_AND_BLOCK))
        block_ids = market.block_ids()
        if step.act % 3 == 0 or not block_ids:
            self._block_enter(step, block_ids)
            return
        block = market.block(block_ids[step.what % len(block_ids)])
        if step.tonnes % 4 if block["agreed"] else step.extra % 32 == 5:
            act = "block_confirm" if step.tonnes % 3 else "block_refuse"
            self.do(act, block["block_id"] + (step.extra % 16 == 9))
            return
        kind = CommandKind(CommandKind.BLOCK_ACCEPT + (0, 0, 1, 2, 3, 3, 3)[step.tonnes % 7])
        account_index = self._account_of(step)
        if step.extra % 8 and block["flags"] & BlockFlag.TO_ACCOUNT:
            # Whose turn it is, most often.
            parties = [block["account_index"], block["counterparty_index"]]
            account_index = parties[not block["flags"] & BlockFlag.BY_COUNTERPARTY]
        command = self._signed(step, kind, account_index)
        command["product_index"] = PRODUCT_NONE
        command["order_id"] = block["block_id"] + (step.extra % 16 == 9)
        if kind == CommandKind.BLOCK_COUNTER:
            command["price"] = self._block_price(step, block["product_index"])
            command["tonnes"] = self._block_tonnes(step, int(command["price"][0]))
        self.process(command, rows_max=step.extra % 3, trades_only=step.act % 8 == 0)

    def _block_enter(self, step: Step, block_ids: list[int]) -> None:
        product_index = step.what % 8 % len(REFERENCE_PRICES)
        asks = step.extra % 4 == 0
        kind = CommandKind.BLOCK_ENQUIRY if asks else CommandKind.BLOCK_OFFER
        account_index, free = self._account_of(step), 0
        if not asks and step.price % 8 == 3:
            account_index, free = self._bought_today(account_index, product_index)
        command = self._signed(step, kind, account_index)
        command["side"] = 1 + step.what // 16 % 2
        command["product_index"] = 7 if step.what == 255 else product_index
        flags = (BlockFlag.TO_ACCOUNT, BlockFlag.TO_ACCOUNT, BlockFlag.TO_GROUP, 0)[step.tonnes % 4]
        command["flags"] = flags
        if flags == BlockFlag.TO_ACCOUNT:
            command["pick_order_id"] = step.tonnes // 4 % (ACCOUNT_COUNT + step.extra % 16 // 15)
        elif flags == BlockFlag.TO_GROUP:
            command["pick_order_id"] = (1, 1, 1, 1, 0, 2, 1 << 32 - 1, 1)[step.tonnes // 4 % 8]
        price = self._block_price(step, product_index)
        command["price"], command["tonnes"] = price, self._block_tonnes(step, price)
        if free:
            command["side"], command["tonnes"] = Side.SELL, free
        if asks:
            for bit, flag, name in (
                (1, BlockFlag.PRICE_OPEN, "price"),
                (2, BlockFlag.TONNES_OPEN, "tonnes"),
            ):
                if step.price & bit:
                    command["flags"] |= np.uint8(flag)
                    command[name] = 0
        elif block_ids and step.extra % 4 == 1:
            self._answer_put(step, command, block_ids)
        self.process(command, rows_max=step.extra % 3, trades_only=step.act % 8 == 0)

    def _answer_put(self, step: Step, command: np.ndarray, block_ids: list[int]) -> None:
        """Have an offer answer an enquiry, or an offer now and then; most often as it should."""
        enquiry = self.market.block(block_ids[step.tonnes // 8 % len(block_ids)])
        command["order_id"] = enquiry["block_id"]
        if step.extra % 16 > 1:
            command["product_index"] = enquiry["product_index"]
            command["side"] = 3 - enquiry["side"]
            # Now and then nobody is named, which is who asked.
            is_named = step.extra % 16 < 13
            command["flags"] = BlockFlag.TO_ACCOUNT if is_named else 0
            command["pick_order_id"] = enquiry["account_index"] if is_named else 0

    def _block_price(self, step: Step, product_index: int) -> int:
        if step.price >= 230:
            product = self.market.product(product_index)
            low, high = product["block_band_low"], product["block_band_high"]
            if step.price < 250:
                return (low - 1, low, high, high + 1)[step.price % 4]
        return self._price_of(step, product_index)

    def _bought_today(self, account_index: int, product_index: int) -> tuple[int, int]:
        """Return who could sell all it has free but for what it bought today, and how much."""
        for index in range(ACCOUNT_COUNT):
            held = self.market.account(index)["holdings"].get(product_index)
            if held and held[2]:
                return index, max(held[0] - held[1], 0)
        return account_index, 0

    def _block_tonnes(self, step: Step, price: int) -> int:
        if step.tonnes >= 248:
            return self._tonnes_of(step, price)
        return 5 + step.tonnes % 36

    def _bidding(self, step: Step) -> None:
        """Announce a bidding or end one now and then; else bid in one, or take a bid back."""
        market = self.market
        ids = market.bidding_ids()
        live = [id for id in ids if market.bidding(id)["state"] != BiddingState.ENDED]
        choice = step.extra % 12
        if not live or choice == 0:
            self._bidding_announce(step)
        elif choice < 3:
            self._bidding_end(step, ids if step.tonnes % 4 == 0 else live)
        elif choice == 3:
            self._bid_cancel(step, live)
        else:
            self._bid(step, ids if step.tonnes % 16 == 0 else live)

    def _bidding_announce(self, step: Step) -> None:
        product_index = 7 if step.what == 255 else step.what % 8 % len(REFERENCE_PRICES)
        side = Side.BUY if step.what & 16 else Side.SELL
        product = self.market.product(product_index % len(REFERENCE_PRICES))
        limit = product["reference_price"]
        if step.price % 4 == 0:
            limit = product["band_low" if side == Side.SELL else "band_high"]
        if step.price >= 240:
            limit = (0, -1, 1, limit + 1, 10_000_001, 2**63 - 1, -(2**63), 10_000_000)[
                step.price % 8
            ]
        # A name in eight is one that was there before.
        name = len(self.acts) if step.tonnes % 8 else len(self.market.bidding_ids())
        window = BiddingState.ENDED if step.who % 32 == 9 else BiddingState.OPEN
        if step.who % 4 == 3:
            window = BiddingState.ANNOUNCED
        terms = {
            "side": int(side),
            "tonnes": self._bidding_tonnes(step, limit),
            "limit": limit,
            "pricing": 1 + step.what // 32 % 2,
            "opens_at": step.price,
            "closes_at": step.extra,
            "window": int(window),
            "reserve_price": self._reserve_of(step, limit, side),
        }
        self.do("bidding_open", name, self._account_of(step), product_index, terms)

    def _bidding_tonnes(self, step: Step, limit: int) -> int:
        return self._tonnes_of(step, limit) if step.tonnes >= 248 else 5 + step.tonnes % 90

    @staticmethod
    def _reserve_of(step: Step, limit: int, side: Side) -> int:
        """None, at the applicant's limit, better than it, or now and then beyond it."""
        better = 3 if side == Side.SELL else -3
        reserve = (0, 0, limit, limit + better, limit - better if step.who == 7 else 0)
        return max(0, min(reserve[step.extra // 12 % 5], 2**32 - 1))

    def _bidding_end(self, step: Step, ids: list[int]) -> None:
        bidding_id = ids[step.what % len(ids)] + (step.price == 255)
        act = ("bidding_close", "bidding_window_open", "bidding_close", "bidding_cancel")
        self.do(act[step.price % 4], bidding_id)

    def _bid(self, step: Step, ids: list[int]) -> None:
        bidding = self.market.bidding(ids[step.what % len(ids)])
        command = self._signed(step, CommandKind.BID, self._account_of(step))
        command["order_id"] = bidding["bidding_id"] + (step.price % 64 == 9)
        low, high = bidding["floor"], bidding["ceiling"]
        # Few prices, so that many bids are equal.
        price = low + (high - low) * (step.price % 5) // 4
        if step.price >= 240:
            price = (low - 1, high + 1, 10_000_001, -1)[step.price % 4]
        elif step.price % 7 == 6:
            price = 0
        command["price"], command["tonnes"] = price, self._tonnes_of(step, price)
        self.process(command, rows_max=step.extra % 3, trades_only=step.act % 8 == 0)

    def _bid_cancel(self, step: Step, live: list[int]) -> None:
        bids = self.market.bids(live[step.what % len(live)])
        command = self._signed(step, CommandKind.BID_CANCEL, self._account_of(step))
        command["order_id"] = 1 + step.what
        if bids:
            bid = bids[step.tonnes % len(bids)]
            command["order_id"] = bid["bid_id"]
            if step.price % 8:
                command["account_index"] = bid["account_index"]
                command["client_order_id"] = 1 << 40 | self.market.command_seq
        self.process(command, rows_max=step.extra % 3, trades_only=step.act % 8 == 0)

    def _transfer(self, step: Step) -> None:
        product_index = (PRODUCT_NONE, PRODUCT_NONE, PRODUCT_NONE, 0, 1, 2, 0, 9)[step.what % 8]
        account_index = self._account_of(step)
        amount = step.tonnes * 900 if product_index == PRODUCT_NONE else step.tonnes % 60
        accounts = [self.market.account(index) for index in range(ACCOUNT_COUNT)]
        if product_index == PRODUCT_NONE and step.extra % 4 == 0:
            # Who sold today asks for all that is free: its proceeds may not leave.
            account_index = max(range(ACCOUNT_COUNT), key=lambda i: accounts[i]["proceeds_today"])
            account = accounts[account_index]
            amount = max(account["cash"] - account["cash_locked"], 1)
        account = accounts[account_index % ACCOUNT_COUNT]
        if product_index < len(REFERENCE_PRICES) and step.extra % 4 == 0:
            tonnes, locked, _ = account["holdings"].get(product_index, (1, 0, 0))
            amount = tonnes - locked
        if step.price >= 250:
            amount = (2**62, -1, 0, 2**63 - 1, -(2**63), 2**62 - 1)[step.price - 250]
        act = "deposit" if step.price % 5 < 3 or step.price == 255 else "withdraw"
        transfer_seq = self.market.transfer_seq + 1 if step.extra % 2 else 0
        self.do(act, account_index, product_index, amount, transfer_seq)

    def _operate(self, step: Step) -> None:
        product_index = (0, 1, 2, PRODUCT_NONE, 5)[step.what % 5]
        account_index = 9 if step.who == 255 else step.who % (ACCOUNT_COUNT + 1)
        act = step.act - 225
        if act < 3:
            self.do("phase_set", step.price % len(Phase))
        elif act < 5:
            self._day_over(step)
        elif act < 10:
            self.do("halt", product_index)
        elif act < 18:
            self.do("resume", product_index if step.price % 4 else PRODUCT_NONE)
        elif act < 20:
            self.do("suspend", account_index)
        elif act < 22:
            self.do("restore", account_index if step.what % 8 else 9)
        elif act < 24:
            self._measure(step, account_index if step.what % 4 else 9)
        elif act in (24, 30):
            self._bust(step)
        elif act < 26:
            self._orders_cancel(step)
        elif act < 28:
            price = 10_000_001 if step.price % 8 == 0 else 50 + step.price
            self.do("reference_price_set", product_index, price)
        elif act == 28:
            self._listing(step, product_index)
        else:
            self.do("checkpoint")

    def _measure(self, step: Step, account_index: int) -> None:
        """A measure against an account; or what it was allocated."""
        if self.rules.holding_limit_joint and step.extra % 2:
            self.do("allocation_note", account_index, step.price)
        else:
            self.do("restrict", account_index, step.price % 16)

    def _listing(self, step: Step, product_index: int) -> None:
        price = 10_000_001 if step.price % 8 == 0 else 50 + step.price
        if step.price % 3:
            self.do("product_delist", product_index)
        else:
            self.do("product_list", product_index, price)

    def _orders_cancel(self, step: Step) -> None:
        """A lost session, most of the time; or the kill switch on an account, or on everybody."""
        account_index = step.who % ACCOUNT_COUNT
        if step.price % 8 == 1:
            # Many at once: this account's and those before it.
            operators = [(index, step.what % 2) for index in range(account_index + 1)]
            orders_max = (0, 0, 1, 3)[step.extra % 4]
            self.do("operators_cancel", operators, step.tonnes % 40, step.extra % 90, orders_max)
        elif step.price % 4:
            self.do("orders_cancel", account_index, step.what % 2, int(Reason.DISCONNECTED))
        elif step.price % 3:
            self.do("orders_cancel", account_index, OPERATOR_ANY, int(Reason.KILLED))
        else:
            self.do("orders_cancel", ACCOUNT_NONE, OPERATOR_ANY, int(Reason.KILLED))

    def _bust(self, step: Step) -> None:
        """A trade of today or of long ago, again and again too; now and then one that never was."""
        if not self.trades:
            return
        recent = self.trades[-8:] if step.tonnes % 4 else self.trades
        trade = bytearray(recent[step.what % len(recent)])
        if step.extra % 8 == 0:
            row, field = np.frombuffer(trade, EVENT_DTYPE), BUSTED_FIELDS[step.price % 13]
            row[field] += 1 + 99 * (step.tonnes % 3)
        self.do("trade_bust", bytes(trade))

    def _day_over(self, step: Step) -> None:
        """Close the day; sometimes change a reference price before the next one trades."""
        self.do("day_close")
        self._list_again(step)
        if step.who % 2:
            return
        if step.price % 2:
            self.do("reference_price_set", step.what % 3, 60 + step.price)
        self.date += 1 if self.date % 100 < 28 else 73
        self.do("day_open", self.date)
        if step.extra % 2:
            self.do("reference_price_set", step.what % 3, 60 + step.extra)
        self.do("phase_set", int(Phase.LISTED))


def act_do(core: Any, name: str, arguments: tuple) -> tuple[Any, np.ndarray | None]:
    """Do one act on one market.

    Returns
    -------
    answer, events
        What it returned (of an exception the type), and the events, where there are some.
    """
    if name == "process":
        commands, rows_max, trades_only = arguments
        events = np.zeros(rows_max, EVENT_DTYPE)
        consumed, produced = core.process(commands, events, trades_only)
        assert not events[produced:].view("u1").any(), "rows beyond the produced must stay as is"
        return (consumed, produced, core.rows_needed), events[:produced].copy()
    terms: dict[str, int] = {}
    if name == "bidding_open":
        *arguments, terms = arguments
    try:
        answer = getattr(core, name)(*arguments, **terms)
    except ValueError:
        return ValueError, None
    return (None, answer) if isinstance(answer, np.ndarray) else (answer, None)


def same_answer_check(first: tuple, second: tuple, act: Any) -> None:
    """Two answers to one act must be equal, events byte for byte."""
    assert first[0] == second[0], act
    assert (first[1] is None) == (second[1] is None), act
    if first[1] is None:
        return
    assert len(first[1]) == len(second[1]), (act, first[1], second[1])
    if first[1].tobytes() == second[1].tobytes():
        return
    for row, (expected, actual) in enumerate(zip(first[1], second[1], strict=True)):
        differing = {
            name: (expected[name], actual[name])
            for name in EVENT_DTYPE.names
            if expected[name] != actual[name]
        }
        assert not differing, (act, row, differing)


def view_of(core: Any) -> dict[str, Any]:
    """Everything a market shows."""
    products = range(len(REFERENCE_PRICES))
    orders_of = [core.orders_of(account_index) for account_index in range(ACCOUNT_COUNT)]
    return {
        "products": [core.product(product_index) for product_index in products],
        "accounts": [core.account(account_index) for account_index in range(ACCOUNT_COUNT)],
        "reports": [core.report_seq(account_index) for account_index in range(ACCOUNT_COUNT)],
        "ids": [
            core.last_client_order_id(account_index, operator_index)
            for account_index in range(ACCOUNT_COUNT)
            for operator_index in range(16)
        ],
        "orders_of": orders_of,
        "orders": [core.order(order_id) for own in orders_of for order_id in own],
        "best": [core.best(product_index, side) for product_index in products for side in Side],
        "depth": [
            core.depth(product_index, side, levels)
            for product_index in products
            for side in Side
            for levels in (5, 1000)
        ],
        "queues": [
            core.orders_at(product_index, side, price)
            for product_index in products
            for side in Side
            for price, _, _ in core.depth(product_index, side, 1000)
        ],
        "no_order": core.order(0),
        "blocks": [core.block(block_id) for block_id in core.block_ids()],
        "no_block": core.block(0),
        "biddings": [core.bidding(bidding_id) for bidding_id in core.bidding_ids()],
        "no_bidding": core.bidding(0),
        "bids": [core.bids(bidding_id) for bidding_id in core.bidding_ids()],
    }
