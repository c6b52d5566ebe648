"""A registry with a venue's state machine beside it: the feed one way, records the other way.

The venue is the real one without its sockets and journal; the registry has a clock of its own.
"""

import datetime
from pathlib import Path

import numpy as np

from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Phase,
    Side,
)
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.protocol import control
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.failures import FailureOf
from cea_exchange.registry.settlement.settlement import Settlement, SettlementMode
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.market.state_machine import VenueStateMachine

LOG_ID = "log-1"
NOON = datetime.datetime(2026, 7, 15, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))


class RegistryAndVenue:
    """Both sides; nothing passes between them but by `feed` and `settle`.

    Parameters
    ----------
    data, address
        Where the registry is kept.
    profile
        Of the market.
    mode, failure_of
        Of the settlement.
    """

    def __init__(
        self,
        data: Path,
        address: str | None,
        profile: Profile | None = None,
        mode: SettlementMode = "realtime",
        failure_of: FailureOf | None = None,
    ) -> None:
        self.data, self.address = data, address
        self.mode, self.failure_of = mode, failure_of
        self.day = NOON
        self.venue = VenueStateMachine(profile or load_profile("cea"))
        self.records: list[np.ndarray] = []
        self.client_order_id = 0
        self.open()

    def open(self) -> None:
        self.registry = Registry(
            RegistryStore.open(self.data, self.address),
            lambda: int(self.day.timestamp()) * 10**9,
            admission="open",
        )
        self.settlement = Settlement(
            self.registry.store, failure_of=self.failure_of, mode=self.mode
        )

    def restart(self) -> None:
        """End the registry and begin it again on what it has on disk."""
        self.registry.close()
        self.open()

    @property
    def date(self) -> int:
        return int(self.day.strftime("%Y%m%d"))

    def held(self, account: str, product: str | None, *compartments: Compartment) -> int:
        index, asset = self.registry.account(account), self.registry.asset(product)
        store = self.registry.store
        return sum(store.balance(Holding(index, asset, each)) for each in compartments)

    # -- between the two ----------------------------------------------------------------------

    def keep(self, events: np.ndarray) -> None:
        rows = events[events["settlement_seq"] != 0]
        if len(rows):
            self.records.append(rows.copy())

    def feed(self, count: int = 1_000) -> None:
        """Let the venue take items of the registry's feed."""
        first = self.venue.feed_seq + 1
        for item in feed_items(self.registry.store, first, count):
            self.keep(self.venue.apply_control(control.control_decode(item)))

    def settle(self, count: int | None = None) -> None:
        """Let the registry take records of the venue, all or the next few."""
        records = np.concatenate(self.records) if self.records else np.zeros(0, EVENT_DTYPE)
        last = self.registry.store.last_seq
        self.settlement.apply(LOG_ID, records[last : None if count is None else last + count])
        while self.settlement.settle_batch():
            pass

    def meet(self) -> None:
        """Let all pass that either side has for the other."""
        while True:
            before = self.venue.feed_seq, self.registry.store.last_seq
            self.feed()
            self.settle()
            if before == (self.venue.feed_seq, self.registry.store.last_seq):
                return

    # -- the market ---------------------------------------------------------------------------

    def endow(self, account: str, product: str | None, amount: int) -> None:
        """Give somebody something, at the venue."""
        if product is None:
            self.registry.pay_in(account, amount)
        else:
            self.registry.issue(account, product, amount)
        self.registry.transfer_in(account, product, amount)

    def day_open(self) -> None:
        self.keep(self.venue.apply_control(control.DayOpen(date=self.date)))

    def listed(self) -> None:
        self.keep(self.venue.apply_control(control.PhaseSet(phase=Phase.LISTED)))

    def day_close(self) -> None:
        self.keep(self.venue.apply_control(control.DayClose()))
        self.checkpoint()

    def checkpoint(self) -> None:
        self.keep(self.venue.core.checkpoint())

    def next_day(self) -> None:
        """Close the day that is open, and open the next up to its listed phase."""
        self.day_close()
        self.meet()
        self.next_day_open()

    def next_day_open(self) -> None:
        """Open the day after one that is over, up to its listed phase."""
        self.day += datetime.timedelta(days=1)
        self.registry.enforcement.expire()
        self.day_open()
        self.meet()
        self.listed()

    def enter(self, account: str, side: str, product: str, price: int, tonnes: int) -> None:
        command = np.zeros(1, COMMAND_DTYPE)
        self.client_order_id += 1
        command["kind"], command["side"] = CommandKind.ENTER, Side[side.upper()]
        command["account_index"] = self.venue.account_index(account)
        command["product_index"] = self.venue.product_index(product)
        command["client_order_id"], command["trading_date"] = self.client_order_id, self.date
        command["price"], command["tonnes"] = price, tonnes
        self.keep(self.venue.apply_records(command))

    def trade(self, seller: str, buyer: str, product: str, tonnes: int, price: int = 9749) -> None:
        self.enter(seller, "sell", product, price, tonnes)
        self.enter(buyer, "buy", product, price, tonnes)

    def records_of_trade(self, trade_id: int) -> np.ndarray:
        """Return a trade's record, an array of one."""
        records = np.concatenate(self.records)
        is_it = (records["kind"] == EventKind.TRADE) & (records["trade_id"] == trade_id)
        return records[is_it]

    def bust(self, trade: np.ndarray) -> None:
        seq = int(trade["settlement_seq"][0])
        two = {"by": "an", "second": "bo"}
        self.keep(
            self.venue.apply_control(
                control.TradeBust(settlement_seq=seq, trade=trade.tobytes(), **two)
            )
        )

    def agree(self) -> bool:
        """Tell whether both hold the same, once everything has passed."""
        self.checkpoint()
        self.settle()
        return self.registry.store.state == "ok"

    def close(self) -> None:
        self.registry.close()
