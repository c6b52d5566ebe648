"""One product's market and its registry in one process: planned deals, a day at a time."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from cea_exchange.daily_replay.day_plan import Band, DayRules, Planned, day_rules
from cea_exchange.daily_replay.participants import Endowment, Parties
from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder
from cea_exchange.domain.documents.day_totals import day_amount, day_volume
from cea_exchange.domain.naming import name_key
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    PRODUCT_NONE,
    BiddingState,
    BlockFlag,
    CommandKind,
    EventKind,
    Method,
    Phase,
    Pricing,
    Reason,
    Side,
    Tif,
)
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.in_process.exchange import Exchange
from cea_exchange.institution.venue_link.stream_settlement import SettlementStopped
from cea_exchange.ledger.double_entry import CASH_ASSET
from cea_exchange.protocol.control import Control, DayClose, PhaseSet
from cea_exchange.registry.registry import Registry

PRODUCT = 0


class ReplayFailed(Exception):
    """What must hold after a day does not; the message says what, not which day."""


class Deal(NamedTuple):
    """A trade to be, and who trades."""

    trade: Planned
    parties: Parties
    buyer_first: bool
    """Whose order, or offer, comes first."""


class LocalMarket(AbstractContextManager["LocalMarket"]):
    """One product's market and its registry.

    Parameters
    ----------
    data
        A folder without a registry.
    profile
        The rules.
    product, reference
        Its name, and the price in fen from which its first band is measured.
    accounts
        How many participants there are.
    has
        What each begins with: issued, paid in, and brought to the market.

    Attributes
    ----------
    bulletins
        Of the days that were closed.
    """

    def __init__(
        self,
        data: Path,
        profile: Profile,
        *,
        product: str,
        reference: int,
        accounts: int,
        has: Endowment,
    ) -> None:
        self.accounts = accounts
        self.issued = {PRODUCT: accounts * has.tonnes, CASH_ASSET: accounts * has.cash}
        self.trades_settled = 0
        self.bulletins: list[Bulletin] = []
        self._bulletins = BulletinBuilder(profile)
        self._bulletins.declare(product, reference)
        self._rules = profile.rules
        self._exchange = Exchange(Registry.open(data, admission="open"), profile)
        self._machine = self._exchange.machine
        self._date = 0
        try:
            self._endow(product, reference, has)
        except BaseException:
            self._exchange.registry.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exchange.registry.close()

    def _endow(self, product: str, reference: int, has: Endowment) -> None:
        registry = self._exchange.registry
        with registry.transaction():
            registry.product_declare(product, reference)
            for index in range(self.accounts):
                account = f"P{index + 1:03}"
                registry.account_open(account)
                registry.issue(account, product, has.tonnes)
                registry.pay_in(account, has.cash)
                registry.transfer_in(account, product, has.tonnes)
                registry.transfer_in(account, None, has.cash)
        self._exchange.feed()

    # -- The day ----------------------------------------------------------------------------------

    @property
    def previous_close(self) -> int:
        """Return the price that the next day's, or the open day's, bands are measured from."""
        return self._machine.core.product(PRODUCT)["reference_price"]

    def day_open(self, figures: DailyFigures) -> DayRules:
        """Open a day and return what is allowed on it."""
        self._date = date_number(figures.trading_date)
        self._exchange.open_day(str(figures.trading_date))
        product = self._machine.core.product(PRODUCT)
        rules = day_rules(self._rules, product["reference_price"])
        bands = (
            Band(product["band_low"], product["band_high"]),
            Band(product["block_band_low"], product["block_band_high"]),
        )
        if bands != (rules.listed, rules.block):
            raise ReplayFailed(f"bands: expected {rules.listed}, {rules.block}, got {bands}")
        return rules

    def phase(self, phase: Phase) -> None:
        """Begin a phase of the day."""
        self._apply(PhaseSet(phase=phase))

    def trade_listed(self, deals: Sequence[Deal], band: Band) -> None:
        """Trade each deal by two listed orders: one rests, the other takes it."""
        commands = np.zeros(2 * len(deals), COMMAND_DTYPE)
        for command, (deal, is_first) in zip(
            commands, ((deal, first) for deal in deals for first in (True, False)), strict=True
        ):
            is_buy = deal.buyer_first == is_first
            self._command(command, CommandKind.ENTER, _index(deal.parties, is_buy))
            command["side"] = Side.BUY if is_buy else Side.SELL
            command["tif"] = Tif.DAY if is_first else Tif.IOC
            command["price"], command["tonnes"] = deal.trade
        self._traded(self._submit(commands), deals, Method.LISTED, band)

    def trade_blocks(self, deals: Sequence[Deal], band: Band) -> None:
        """Trade each deal as a block, offered to the other party and accepted by it."""
        for deal in deals:
            command = np.zeros(1, COMMAND_DTYPE)
            self._command(
                command[0], CommandKind.BLOCK_OFFER, _index(deal.parties, deal.buyer_first)
            )
            command["side"] = Side.BUY if deal.buyer_first else Side.SELL
            command["price"], command["tonnes"] = deal.trade
            other = _index(deal.parties, not deal.buyer_first)
            command["flags"], command["pick_order_id"] = BlockFlag.TO_ACCOUNT, other
            offered = self._submit(command)[0]
            command[:] = 0
            self._command(command[0], CommandKind.BLOCK_ACCEPT, other)
            command["product_index"], command["order_id"] = PRODUCT_NONE, offered["order_id"]
            self._traded(self._submit(command), [deal], Method.BLOCK, band)

    def trade_bidding(self, deals: Sequence[Deal], rules: DayRules) -> None:
        """Let one seller's offer be bid for, and award it: all deals have the same seller.

        What is offered may be more than is awarded. It is one price for all where all bid the same,
        else each pays its bid. The floor is the previous close, or where a bid lies below it the
        lowest there may be.
        """
        if not deals:
            return
        core, prices = self._machine.core, [deal.trade.price for deal in deals]
        offered = max(sum(deal.trade.tonnes for deal in deals), rules.bidding_tonnes_min)
        is_above = min(prices) >= self.previous_close
        (opened,) = self._noted_by_all(
            core.bidding_open(
                name_key(f"bidding-{self._date}"),
                deals[0].parties.seller,
                PRODUCT,
                side=Side.SELL,
                tonnes=offered,
                limit=self.previous_close if is_above else rules.bidding.low,
                pricing=Pricing.UNIFORM if len({*prices}) == 1 else Pricing.PAY_AS_BID,
                window=BiddingState.OPEN,
            )
        )
        if opened["kind"] != EventKind.BIDDING_OPENED:
            raise ReplayFailed(f"bidding: expected it open, got {Reason(opened['reason']).name}")
        bids = np.zeros(len(deals), COMMAND_DTYPE)
        for bid, deal in zip(bids, deals, strict=True):
            self._command(bid, CommandKind.BID, deal.parties.buyer)
            bid["product_index"], bid["order_id"] = PRODUCT_NONE, opened["order_id"]
            bid["price"], bid["tonnes"] = deal.trade
        self._submit(bids)
        awarded = self._noted_by_all(core.bidding_close(int(opened["order_id"])))
        self._traded(awarded, deals, Method.BIDDING, rules.bidding)

    def day_close(self) -> DailyFigures:
        """Close the day, settle it, let both sides compare, and return our figures of it.

        Raises
        ------
        ReplayFailed
            Something is not conserved, not settled, or differs between market and registry.
        """
        events = self._apply(DayClose())
        (row,) = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
        self._apply(self._machine.checkpoint_now())
        try:
            self._exchange.settle()
        except SettlementStopped as error:
            raise ReplayFailed(str(error)) from error
        self._conserved_check()
        self._settled_check()
        return _figures(row)

    # -- What must hold ---------------------------------------------------------------------------

    def held(self) -> tuple[list[int], list[int]]:
        """Return each account's cash and allowances at the market."""
        accounts = [self._machine.core.account(index) for index in range(self.accounts)]
        holdings = [account["holdings"].get(PRODUCT, (0,))[0] for account in accounts]
        return [account["cash"] for account in accounts], holdings

    def _conserved_check(self) -> None:
        """Allowances and cash are what they were: at the market, and in the registry."""
        self._machine.core.check()
        cash, tonnes = self.held()
        at_market = {CASH_ASSET: sum(cash), PRODUCT: sum(tonnes)}
        rows = self._exchange.registry.store.execute(
            "SELECT asset_index, sum(amount),"
            " sum(CASE WHEN account_index >= 0 THEN amount ELSE 0 END)"
            " FROM balances GROUP BY asset_index"
        ).fetchall()
        in_registry = {asset: held for asset, _, held in rows}
        for place, held in (("market", at_market), ("registry", in_registry)):
            if held != self.issued:
                raise ReplayFailed(f"{place} must hold {self.issued}, holds {held}")
        odd = [(asset, total) for asset, total, _ in rows if total != 0]
        if odd:
            raise ReplayFailed(f"balances of an asset: expected a sum of zero, got {odd}")

    def _settled_check(self) -> None:
        store = self._exchange.registry.store
        count, settled = store.one(
            "SELECT count(*), coalesce(sum(CASE state WHEN 'settled' THEN 1 ELSE 0 END), 0)"
            " FROM trades WHERE trade_id > ?",
            (self.trades_settled,),
        )
        traded = self._machine.core.trade_id - self.trades_settled
        if not count == settled == traded:
            raise ReplayFailed(f"{traded} trades must be settled, {settled} of {count} are")
        if store.confirmed_date != self._date:
            raise ReplayFailed(f"the day must be confirmed, confirmed is {store.confirmed_date}")
        self.trades_settled += traded

    # -- In common --------------------------------------------------------------------------------

    def _apply(self, message: Control) -> np.ndarray:
        return self._noted(self._exchange.apply(message))

    def _submit(self, commands: np.ndarray) -> np.ndarray:
        events = self._noted(self._exchange.submit(commands))
        refused = events[events["kind"] == EventKind.ORDER_REJECTED]
        if len(refused):
            raise ReplayFailed(
                f"no order must be refused, one was: {Reason(refused[0]['reason']).name}"
            )
        return events

    def _noted_by_all(self, events: np.ndarray) -> np.ndarray:
        return self._noted(self._exchange.noted(events))

    def _noted(self, events: np.ndarray) -> np.ndarray:
        self.bulletins += self._bulletins.take_records(events)
        return events

    def _command(self, command: np.void, kind: CommandKind, account_index: int) -> None:
        command["kind"], command["account_index"] = kind, account_index
        command["product_index"], command["trading_date"] = PRODUCT, self._date
        command["client_order_id"] = self._exchange.next_id()

    def _traded(
        self, events: np.ndarray, deals: Sequence[Deal], method: Method, band: Band
    ) -> None:
        """Every deal was made as planned, and inside its band."""
        trades = events[events["kind"] == EventKind.TRADE]
        is_buy = trades["side"] == Side.BUY
        buyers = np.where(is_buy, trades["account_index"], trades["counter_account_index"])
        sellers = np.where(is_buy, trades["counter_account_index"], trades["account_index"])
        columns = (trades["price"], trades["tonnes"], buyers, sellers)
        made = list(zip(*(column.tolist() for column in columns), strict=True))
        planned = [(*deal.trade, *deal.parties) for deal in deals]
        if made != planned or (trades["method"] != method).any():
            raise ReplayFailed(f"{method.name.lower()} trades: expected {planned}, got {made}")
        if any(not band.holds(price) for price, *_ in made):
            raise ReplayFailed(f"{method.name.lower()} deals: expected within {band}, got {made}")


def _index(parties: Parties, is_buyer: bool) -> int:
    return parties.buyer if is_buyer else parties.seller


def _figures(row: np.void) -> DailyFigures:
    """Return the market's own statistics of a day in the form of the published ones."""
    number = int(row["trading_date"])
    return DailyFigures(
        trading_date=date_of_number(number),
        open=int(row["open"]),
        high=int(row["high"]),
        low=int(row["low"]),
        close=int(row["close"]),
        listed_volume=day_volume(row, Method.LISTED),
        listed_amount=day_amount(row, Method.LISTED),
        block_volume=day_volume(row, Method.BLOCK),
        block_amount=day_amount(row, Method.BLOCK),
        bidding_volume=day_volume(row, Method.BIDDING),
        bidding_amount=day_amount(row, Method.BIDDING),
    )
