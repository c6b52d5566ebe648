"""The market with all its rules in the sending process: no sockets, but every trading method."""

import select
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cea_exchange.client.reports import Report as Event
from cea_exchange.client.reports import reports_of
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    EventKind,
    Method,
    Reason,
    Side,
)
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.loadtest.targets.records import Ids, record_of
from cea_exchange.loadtest.targets.target import (
    Command,
    Outcome,
    Participants,
    Reconciliation,
    Report,
    Target,
    TargetError,
)
from cea_exchange.matching.market import Market

CASH_FEN_EACH = 10**14
TONNES_EACH = 10**9
BIDDING_TONNES = 1_000_000
EVENT_ROWS = 1 << 14
LEVELS_ALL = 1 << 20


class EmbeddedMarket(Target):
    """One `Market`, given its commands as records, as the venue gives them.

    Parameters
    ----------
    profile : str
        The rules.
    date : str
        The trading day.
    """

    def __init__(self, profile: str = "cea", date: str = "2025-01-02") -> None:
        self._profile, self._date = profile, date
        self._events = np.zeros(EVENT_ROWS, EVENT_DTYPE)
        self._reports: list[Report] = []
        self._ids = Ids()
        self._bids: set[int] = set()
        self._traded = 0

    def connect(self, participants: Participants) -> None:
        """Make a market, give everybody cash and allowances, and open it."""
        prices = dict(zip(participants.products, participants.prices, strict=True))
        shown = {name: price_format(price) for name, price in prices.items()}
        try:
            self._market = Market(self._profile, reference_prices=shown)
        except (ValueError, OSError) as error:
            raise TargetError(f"market: {error}") from error
        market = self._market
        for name in participants.names:
            market.declare_account(name)
            market.deposit(name, cash=cash_format(CASH_FEN_EACH))
            for product in participants.products:
                market.deposit(name, product=product, tonnes=TONNES_EACH)
        market.open_day(self._date)
        market.phase("listed_and_block")
        indexes = [market.account_index(name) for name in participants.names]
        self._ids.accounts = dict(enumerate(indexes))
        self._participants = {index: place for place, index in enumerate(indexes)}
        self._names = participants.products
        self._ids.products = [market.product_index(name) for name in participants.products]
        self._biddings_open(participants)
        self._trading_date = int(self._date.replace("-", ""))
        self._count = len(participants.names)

    def _biddings_open(self, participants: Participants) -> None:
        """Let a seller of each product apply for a bidding, which stays open."""
        books = self._market.state().books
        for product, name in enumerate(participants.products):
            sellers = [
                participant
                for participant, sides in enumerate(participants.sides)
                if sides[product] == Side.SELL
            ]
            if not sellers:
                continue
            self._market.bidding_open(
                participants.names[sellers[0]],
                name,
                bidding_id=name,
                tonnes=BIDDING_TONNES,
                pricing="uniform",
                floor=books[name].band_low,
            )
            self._ids.biddings[product] = self._market.bidding_record_id(name)

    def send(self, commands: Sequence[Command]) -> None:
        """Let the market process them, one after the other."""
        for command in commands:
            # A cancel may be of an order in the same batch, whose id is known once it is processed.
            record = record_of(
                command, self._ids, client_order_id=command.number, trading_date=self._trading_date
            )
            records = np.frombuffer(record, COMMAND_DTYPE).copy()
            records["account_index"] = self._ids.accounts[command.participant]
            self._process(records)

    def _process(self, records: NDArray[np.void]) -> None:
        consumed, produced = self._market.process(records, self._events)
        if not consumed:
            self._events = np.zeros(self._market.rows_needed, EVENT_DTYPE)
            consumed, produced = self._market.process(records, self._events)
        for event in reports_of(self._events[:produced].tobytes()):
            self._reports += self._translated(event)

    def _translated(self, event: Event) -> Iterator[Report]:
        """Yield what an event says in the harness's words; its own id is the command's number."""
        number = event.answers()
        kind = event.kind
        if kind == EventKind.ORDER_REJECTED:
            yield Report(Outcome.REJECTED, number, code=Reason(event.reason).name)
            return
        if number:
            is_entry = kind in (EventKind.ORDER_ACCEPTED, EventKind.BID_ACCEPTED)
            if is_entry:
                self._ids.entered(number, event.order_id)
            if kind == EventKind.BID_ACCEPTED:
                self._bids.add(event.order_id)
            yield Report(Outcome.ACCEPTED, number, event.tonnes if is_entry else 0)
        if kind == EventKind.TRADE:
            yield from self._trade(event)
        elif kind in (EventKind.ORDER_CANCELED, EventKind.ORDER_EXPIRED, EventKind.BID_CANCELED):
            self._bids.discard(event.order_id)
            yield Report(Outcome.ENDED, self._ids.ended(event.order_id))
        elif kind == EventKind.BLOCK_OFFERED and event.counter_account_index != ACCOUNT_NONE:
            asked = self._participants[event.counter_account_index]
            yield Report(
                Outcome.ASKED, participant=asked, block=event.order_id, tonnes=event.tonnes
            )

    def _trade(self, event: Event) -> Iterator[Report]:
        self._traded += 1
        sides = (
            (event.order_id, event.tonnes_open),
            (event.counter_order_id, event.counter_tonnes_open),
        )
        for order_id, tonnes_open in sides:
            number = 0
            if event.method == Method.LISTED:
                number = self._ids.traded(order_id, tonnes_open)
            yield Report(Outcome.TRADED, number, tonnes_open, trade=event.trade_id)

    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Return what came of the commands; where there is nothing, let the time pass."""
        if not self._reports and timeout_s > 0:
            select.select([], [], [], timeout_s)
        reports, self._reports = self._reports, []
        return reports

    def reconcile(self) -> Reconciliation:
        """Let the market check itself, and hold its open orders and all tonnes against ours."""
        market = self._market
        market.check()
        orders = len(self._ids.numbers) - len(self._bids)
        counts = {"orders": orders, "bids": len(self._bids), "trades": self._traded}
        found = Reconciliation(counts)
        resting = sum(
            orders
            for name in self._names
            for side in Side
            for _, _, orders in market.depth(name, side, LEVELS_ALL)
        )
        if resting != orders:
            found.differences.append(f"{orders} orders were open, the market has {resting}")
        held = [market.account(name).holdings for name in market.accounts]
        for name in self._names:
            total = sum(each[name].tonnes for each in held)
            if total != self._count * TONNES_EACH:
                found.differences.append(
                    f"{self._count * TONNES_EACH} t of {name} were given, {total} are held"
                )
        return found

    def close(self) -> None:
        """Drop the market."""
        self._ids = Ids()
