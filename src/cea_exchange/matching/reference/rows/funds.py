"""What the accounts of a `ReferenceMarket` hold, what of it is locked, and what a trade moves.

An order locks what it could need when it is accepted; so a trade can not fail for want of cash or
allowances. What an order locks follows from the order alone: to change one, free its lock, change
it, lock again.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, SupportsIndex

from sortedcontainers import SortedSet

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    PRODUCT_NONE,
    Method,
    Reason,
    Restriction,
    Side,
)
from cea_exchange.matching.reference.inputs import U64_MAX, int_taken
from cea_exchange.matching.reference.rows.book import Order

TOTAL_LIMIT = 1 << 62
"""all cash, and the tonnes of a product, stay below it"""
ALLOCATION_MAX = (1 << 62) - 1
RESTRICTION_ALL = sum(Restriction)
"""every bit of it"""
_RESTRICTION_OF = {Side.BUY: Restriction.PURCHASES, Side.SELL: Restriction.SALES}


@dataclass(slots=True)
class Holding:
    """An account's tonnes of one product."""

    tonnes: int = 0
    locked: int = 0
    """open sells"""
    bought_today: int = 0
    """part of `tonnes`; may not be sold or leave before the next opening"""


@dataclass(slots=True)
class Gap:
    """How long an account still waits before it trades on a side; trading days, 0 is not at all."""

    sale_days: int = 0
    purchase_days: int = 0

    def days(self, side: Side) -> int:
        """What is left until the account may trade on a side."""
        return self.purchase_days if side == Side.BUY else self.sale_days

    def day_begin(self) -> None:
        """Count a day down."""
        self.sale_days = max(self.sale_days - 1, 0)
        self.purchase_days = max(self.purchase_days - 1, 0)


@dataclass(slots=True)
class Account:
    """A trading account."""

    account_key: int
    group_index: int
    cash: int = 0
    """fen, what is locked included"""
    cash_locked: int = 0
    proceeds_today: int = 0
    """price x tonnes of today's sales"""
    suspended: bool = False
    restricted: int = 0
    """bits of `Restriction`"""
    allocation: int = 0
    """tonnes it may hold beside a joint limit"""
    report_seq: int = 0
    holdings: dict[int, Holding] = field(default_factory=dict)
    gaps: dict[int, Gap] = field(default_factory=dict)
    """by product; where the gap is of all products, the first one's"""
    client_order_ids: dict[int, int] = field(default_factory=dict)
    """last accepted id today, by operator"""
    order_ids: SortedSet = field(default_factory=SortedSet)

    @classmethod
    def declared(cls, account_key: SupportsIndex, group_index: SupportsIndex) -> "Account":
        """A new account, if it can be one."""
        return cls(
            int_taken("account_key", account_key, 0, U64_MAX),
            int_taken("group_index", group_index, 0, ACCOUNT_NONE),
        )

    def holding(self, product_index: int) -> Holding:
        """The account's tonnes of a product."""
        return self.holdings.setdefault(product_index, Holding())

    def day_begin(self) -> None:
        """Free what was bought or earned the day before, and take all command ids again.

        Notes
        -----
        Rules: CEA-FND-04, CEA-FND-05, CCER-FND-03.
        """
        self.proceeds_today = 0
        self.client_order_ids.clear()
        for holding in self.holdings.values():
            holding.bought_today = 0
        for gap in self.gaps.values():
            gap.day_begin()

    @property
    def waits(self) -> dict[int, Gap]:
        """The gaps that are not over, by product."""
        return {index: gap for index, gap in sorted(self.gaps.items()) if gap != Gap()}


@dataclass(frozen=True, slots=True)
class Bust:
    """A trade that is to be undone; accounts and product by index."""

    buyer: int
    seller: int
    product: int
    tonnes: int
    cash: int
    buy_fee: int
    sell_fee: int

    @property
    def fees(self) -> int:
        """What both sides paid to the exchange."""
        return self.buy_fee + self.sell_fee


class Need(NamedTuple):
    """What an order, a block, a bidding or a bid must have behind it."""

    account_index: int
    product_index: int
    side: Side
    tonnes: int
    lock: int
    """fen of a buy, tonnes of a sell"""


class ReferenceFunds:
    """The accounts, and the arithmetic of their cash and allowances."""

    def __init__(self, rules: MarketRules) -> None:
        self.rules = rules
        self.accounts: list[Account] = []

    def buy_fee(self, amount: int, method: Method) -> int:
        """The fee due on a purchase that has come to `amount` fen in all.

        Notes
        -----
        Rules: CEA-FEE-01.
        """
        return self._fee(amount, self.rules.fee_bp_of(method, Side.BUY))

    def sell_fee(self, amount: int, method: Method) -> int:
        """The same of a sale, but never more than it brought."""
        return min(amount, self._fee(amount, self.rules.fee_bp_of(method, Side.SELL)))

    def _fee(self, amount: int, basis_points: int) -> int:
        """What is due on an amount; none where no cash is kept."""
        if amount == 0 or not self.rules.holdings_checked:
            return 0
        return max(self.rules.fee_min_fen, -(-amount * basis_points // 10_000))

    def gap(self, account_index: int, product_index: int) -> Gap:
        """What an account still has to wait with a product."""
        thing = 0 if self.rules.gap_scope == "product" else product_index
        return self.accounts[account_index].gaps.setdefault(thing, Gap())

    def gap_begin(self, account_index: int, product_index: int, side: Side) -> None:
        """Keep an account that has traded on a side from the other.

        Notes
        -----
        Rules: CCER-FND-03.
        """
        if not self.rules.gap_trading_days:
            return
        gap = self.gap(account_index, product_index)
        if side == Side.BUY:
            gap.sale_days = self.rules.gap_trading_days
        else:
            gap.purchase_days = self.rules.gap_trading_days

    def lock_of(self, order: Order) -> int:
        """What an order keeps locked: fen of a buy, tonnes of a sell.

        Notes
        -----
        Rules: CEA-FND-01 (of a buy also the fee that may still fall due).
        """
        if not self.rules.holdings_checked:
            return 0
        if order.side == Side.SELL:
            return order.tonnes_open
        amount_open = order.price * order.tonnes_open
        fee_at_last = self.buy_fee(order.amount_traded + amount_open, Method.LISTED)
        return amount_open + fee_at_last - self.buy_fee(order.amount_traded, Method.LISTED)

    def lock(self, order: Order) -> None:
        """Lock what the order, as it is now, may need."""
        self.hold(self.need_of(order))

    def unlock(self, order: Order) -> None:
        """Free what the order, as it is now, has locked."""
        self.release(self.need_of(order))

    def hold(self, need: Need, sign: int = 1) -> None:
        """Lock what a need comes to."""
        account = self.accounts[need.account_index]
        if need.side == Side.BUY:
            account.cash_locked += sign * need.lock
        elif need.lock:
            account.holding(need.product_index).locked += sign * need.lock

    def release(self, need: Need) -> None:
        """Free what a need has locked."""
        self.hold(need, -1)

    def need_of(self, order: Order) -> Need:
        """What an order, as it is, must have behind it."""
        where = order.account_index, order.product_index
        return Need(*where, order.side, order.tonnes_open, self.lock_of(order))

    def cover_refusal(
        self, need: Need, freed: int, tonnes_bid: int, stands: bool, elsewhere: int
    ) -> Reason:
        """Whether the account has what an order or a block would lock.

        Parameters
        ----------
        need : Need
            What it would lock.
        freed : int
            What of the account's locks goes as it does: of the order it replaces, or of the
            account's own side in the block.
        tonnes_bid : int
            What the account's other open buys and block purchases come to.
        stands : bool
            Whether it has something open on the other side, for which it would have to wait.
        elsewhere : int
            What else counts for a joint limit, less what was allocated; 0 where there is none.

        Notes
        -----
        Rules: CEA-FND-02 (allowances), CEA-FND-03 (cash), CEA-FND-04 (T+1), CEA-FND-06 (limit),
        CCER-FND-03 and CCER-FND-04 (gap), CEA-MSR-02 (measures), PLT-FND-01 (joint limit).
        """
        if not self.rules.holdings_checked:
            return Reason.NONE
        if self.accounts[need.account_index].restricted & _RESTRICTION_OF[need.side]:
            return Reason.RESTRICTED
        if self.rules.gap_trading_days:
            if self.gap(need.account_index, need.product_index).days(need.side):
                return Reason.WITHIN_GAP
            if stands:
                return Reason.OTHER_SIDE_OPEN
        account = self.accounts[need.account_index]
        held = account.holdings.get(need.product_index, Holding())
        if need.side == Side.BUY:
            limit = self.rules.holding_limit_tonnes
            if limit and held.tonnes + tonnes_bid + need.tonnes + elsewhere > limit:
                return Reason.HOLDING_LIMIT
            if need.lock > account.cash - account.cash_locked + freed:
                return Reason.CASH_INSUFFICIENT
            return Reason.NONE
        free = held.tonnes - held.locked + freed
        if need.lock > free:
            return Reason.ALLOWANCES_INSUFFICIENT
        if need.lock > free - held.bought_today:
            return Reason.ALLOWANCES_BOUGHT_TODAY
        return Reason.NONE

    def exchange(self, buy: Order, sell: Order, price: int, tonnes: int) -> tuple[int, int]:
        """Trade between two orders: their open tonnes, locks, cash, allowances and fees.

        Returns
        -------
        buy_fee, sell_fee : int
            What this trade adds to the fees of each.

        Notes
        -----
        Rules: CEA-FND-01 (a better price frees the difference), CEA-FEE-01 (fees accrue per order).
        """
        amount = price * tonnes
        buy_fee, sell_fee = self._fees(amount, buy.amount_traded, sell.amount_traded, Method.LISTED)
        for order in (buy, sell):
            self.unlock(order)
            order.tonnes_open -= tonnes
            order.amount_traded += amount
            self.lock(order)
        self._move(
            (buy.account_index, sell.account_index),
            buy.product_index,
            (amount + buy_fee, amount, amount - sell_fee),
            tonnes,
        )
        return buy_fee, sell_fee

    def deliver(
        self,
        parties: tuple[int, int],
        product_index: int,
        price: int,
        tonnes: int,
        method: Method,
        traded: tuple[int, int] = (0, 0),
    ) -> tuple[int, int]:
        """Trade a block, or a bid, whose locks are gone.

        Parameters
        ----------
        parties : (int, int)
            The buyer's and the seller's account.
        traded : (int, int)
            Fen that the buyer's and the seller's side has traded before, on which fees accrue.

        Returns
        -------
        buy_fee, sell_fee : int
            What each pays.

        Notes
        -----
        Rules: CEA-FEE-01.
        """
        amount = price * tonnes
        buy_fee, sell_fee = self._fees(amount, *traded, method)
        cash = amount + buy_fee, amount, amount - sell_fee
        self._move(parties, product_index, cash, tonnes)
        return buy_fee, sell_fee

    def _fees(self, amount: int, bought: int, sold: int, method: Method) -> tuple[int, int]:
        """What an amount adds to the fees of a purchase and of a sale that had come to so much."""
        return (
            self.buy_fee(bought + amount, method) - self.buy_fee(bought, method),
            self.sell_fee(sold + amount, method) - self.sell_fee(sold, method),
        )

    def _move(
        self,
        accounts: tuple[int, int],
        product_index: int,
        cash: tuple[int, int, int],
        tonnes: int,
    ) -> None:
        """Move both legs of a trade; `cash` is what is paid, the amount, and what is received."""
        if not self.rules.holdings_checked:
            return
        buyer, seller = (self.accounts[account_index] for account_index in accounts)
        paid, amount, received = cash
        buyer.cash -= paid
        buyer.holding(product_index).tonnes += tonnes
        buyer.holding(product_index).bought_today += tonnes
        seller.cash += received
        # Cash goes to and fro, and stays below this.
        seller.proceeds_today = min(seller.proceeds_today + amount, TOTAL_LIMIT)
        seller.holding(product_index).tonnes -= tonnes
        for account_index, side in zip(accounts, (Side.BUY, Side.SELL), strict=True):
            self.gap_begin(account_index, product_index, side)

    def bust_refusal(self, trade: Bust) -> Reason:
        """The first reason why a trade can not be undone: what it moved has moved on.

        Notes
        -----
        Rules: CEA-STL-04.
        """
        if not self.rules.holdings_checked:
            return Reason.NONE
        seller = self.accounts[trade.seller]
        held = self.accounts[trade.buyer].holding(trade.product)
        if sum(account.cash for account in self.accounts) + trade.fees >= TOTAL_LIMIT:
            return Reason.AMOUNT_TOO_LARGE
        if trade.cash - trade.sell_fee > seller.cash - seller.cash_locked:
            return Reason.CASH_INSUFFICIENT
        if trade.tonnes > held.tonnes - held.locked:
            return Reason.ALLOWANCES_INSUFFICIENT
        return Reason.NONE

    def exchange_back(self, trade: Bust, is_of_last_day: bool) -> None:
        """Move both legs of a trade back, fees included, and what they count for of their day.

        Notes
        -----
        Rules: CEA-STL-04.
        """
        if not self.rules.holdings_checked:
            return
        buyer, seller = self.accounts[trade.buyer], self.accounts[trade.seller]
        held = buyer.holding(trade.product)
        buyer.cash += trade.cash + trade.buy_fee
        seller.cash -= trade.cash - trade.sell_fee
        held.tonnes -= trade.tonnes
        seller.holding(trade.product).tonnes += trade.tonnes
        if is_of_last_day:
            held.bought_today = max(held.bought_today - trade.tonnes, 0)
            if seller.proceeds_today < TOTAL_LIMIT:
                seller.proceeds_today = max(seller.proceeds_today - trade.cash, 0)
        held.bought_today = min(held.bought_today, held.tonnes - held.locked)

    def deposit_refusal(self, product_index: int, amount: int) -> Reason:
        """The first reason against a deposit into a known account.

        Notes
        -----
        Rules: CEA-ORD-04 (totals).
        """
        if amount <= 0:
            return Reason.TONNES_NOT_POSITIVE
        if product_index == PRODUCT_NONE:
            total = sum(account.cash for account in self.accounts)
        else:
            holdings = (account.holdings.get(product_index) for account in self.accounts)
            total = sum(holding.tonnes for holding in holdings if holding)
        return Reason.AMOUNT_TOO_LARGE if total + amount >= TOTAL_LIMIT else Reason.NONE

    def withdrawal_refusal(self, account_index: int, product_index: int, amount: int) -> Reason:
        """The first reason against a withdrawal from a known account.

        Notes
        -----
        Rules: CEA-FND-04 (T+1), CEA-FND-05 (today's proceeds), CEA-FND-07 (what may leave),
        CEA-MSR-02 (measures).
        """
        account = self.accounts[account_index]
        if account.suspended:
            return Reason.ACCOUNT_SUSPENDED
        if amount <= 0:
            return Reason.TONNES_NOT_POSITIVE
        is_cash = product_index == PRODUCT_NONE
        if account.restricted & (Restriction.CASH_OUT if is_cash else Restriction.TONNES_OUT):
            return Reason.RESTRICTED
        if is_cash:
            available = account.cash - account.cash_locked
            if amount > available:
                return Reason.CASH_INSUFFICIENT
            if amount > available - account.proceeds_today:
                return Reason.PROCEEDS_OF_TODAY
            return Reason.NONE
        held = account.holdings.get(product_index, Holding())
        if amount > held.tonnes - held.locked:
            return Reason.ALLOWANCES_INSUFFICIENT
        if amount > held.tonnes - held.locked - held.bought_today:
            return Reason.ALLOWANCES_BOUGHT_TODAY
        return Reason.NONE
