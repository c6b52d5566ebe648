"""A CCER registry with an exchange's state machine beside it: the feed one way, records the other.

The exchange is the real one without its sockets and journal, under the profile `ccer`.
"""

import numpy as np

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.market.settlement import MarketSettlement
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
)
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.ccer.programme import (
    DayClock,
    accounts_opened,
    batch_issued,
    project_registered,
    registry_open,
)

LOG_ID = "log-1"
P = "WIND-1-2022"
TWO = {"by": "an", "second": "bo"}


class CcerAndExchange:
    """Both sides; nothing passes between them but by `feed` and `settle`.

    SEAWIND has 10,000 t of `P`, numbered 1 to 10,000; A and B are traders. The days of the market
    are those of the CCER registry's clock.
    """

    def __init__(self, folder, address=None):
        self.folder, self.address = folder, address
        self.clock = DayClock()
        self.ccer = registry_open(folder, self.clock, address)
        accounts_opened(self.ccer)
        project_registered(self.ccer, self.clock)
        batch_issued(self.ccer, self.clock, {2022: 10_000})
        self.venue = VenueStateMachine(load_profile("ccer"))
        self.records: list[np.ndarray] = []
        self.client_order_id = self.payments = 0
        self.settlement = MarketSettlement(self.ccer.books)

    def begin_anew(self, at_point=lambda name: None):
        """Let the CCER registry end and begin on what it has on disk."""
        self.ccer.close()
        self.ccer = registry_open(self.folder, self.clock, self.address)
        self.settlement = MarketSettlement(self.ccer.books, at_point)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.ccer.close()

    # -- between the two ----------------------------------------------------------------------

    def keep(self, events):
        rows = events[events["settlement_seq"] != 0]
        if len(rows):
            self.records.append(rows.copy())
        return events

    def act(self, message):
        return self.keep(self.venue.apply_control(message))

    def feed(self):
        """Let the exchange take the items of the registry's feed."""
        for item in feed_items(self.ccer.store, self.venue.feed_seq + 1, 1_000):
            self.act(control.control_decode(item))

    def settle(self, count=None):
        """Let the registry take records of the exchange, all or the next few; nothing is due."""
        records = np.concatenate(self.records) if self.records else np.zeros(0, EVENT_DTYPE)
        last = self.ccer.store.last_seq
        self.settlement.apply(LOG_ID, records[last : None if count is None else last + count])

    def deliver(self):
        while self.settlement.settle_batch(3):
            pass

    def meet(self):
        """Let all pass that either side has for the other."""
        while True:
            before = self.venue.feed_seq, self.ccer.store.last_seq, self.ccer.store.link
            self.feed()
            self.settle()
            self.deliver()
            if before == (self.venue.feed_seq, self.ccer.store.last_seq, self.ccer.store.link):
                return

    # -- the market ---------------------------------------------------------------------------

    def listed(self, tonnes=5_000, price_fen=8_000):
        """Bring SEAWIND's CCERs to the exchange, which confirms the listing; open the next day."""
        self.ccer.market_transfers.to_market("SEAWIND", P, tonnes, price_fen=price_fen)
        self.meet()
        self.act(control.ListingConfirmed(product=P, by="an", why="in order"))
        self.day_open()
        return self

    def day_open(self):
        self.clock.working_days_on(1)
        self.act(control.DayOpen(date=self.clock.day))
        self.act(control.PhaseSet(phase=int(Phase.LISTED_AND_BLOCK)))

    def day_close(self):
        self.act(control.DayClose())
        self.keep(self.venue.core.checkpoint())

    def next_day(self):
        """Close the day, let both confirm it, and open the next."""
        self.day_close()
        self.meet()
        self.confirmed()
        self.day_open()
        self.meet()

    def confirmed(self):
        """Tell the exchange up to which day the registry has confirmed."""
        date, seq = self.ccer.store.confirmed_date, self.ccer.store.last_seq
        self.act(control.SettlementConfirmed(settlement_seq=seq, trading_date=date))

    def pay_in(self, account, fen):
        self.payments += 1
        reference = f"BK{self.payments}"
        self.act(control.CashPaidIn(account=account, amount=fen, reference=reference, **TWO))

    def enter(self, account, side, tonnes, price_fen=8_000):
        """Enter an order; return its events."""
        self.client_order_id += 1
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["side"] = CommandKind.ENTER, side
        command["account_index"] = self.venue.account_index(account)
        command["product_index"] = self.venue.product_index(P)
        command["trading_date"] = self.venue.core.trading_date
        command["client_order_id"] = self.client_order_id
        command["price"], command["tonnes"] = price_fen, tonnes
        return self.keep(self.venue.apply_records(command))

    def trade(self, seller, buyer, tonnes, price_fen=8_000):
        """Let one sell to another; return the trade's event."""
        self.enter(seller, Side.SELL, tonnes, price_fen)
        events = self.enter(buyer, Side.BUY, tonnes, price_fen)
        (trade,) = events[events["kind"] == EventKind.TRADE]
        return trade

    def bust(self, trade):
        """Undo a trade; return why nothing moved, NONE if it did."""
        seq = int(trade["settlement_seq"])
        events = self.act(control.TradeBust(settlement_seq=seq, trade=trade.tobytes(), **TWO))
        return Reason(int(events[0]["reason"]))

    # -- looking ------------------------------------------------------------------------------

    def lots(self, account, compartment):
        """Where an account's serials are: first and last of each range in a compartment."""
        return [
            (lot["serial_first"], lot["serial_last"])
            for lot in self.ccer.accounts.lots(account)
            if lot["compartment"] == compartment
        ]

    def tonnes_at_venue(self, account):
        held = self.venue.core.account(self.venue.account_index(account))["holdings"]
        return held.get(self.venue.product_index(P), (0, 0, 0))[0]

    def differences(self):
        store = self.ccer.store
        with store.view():
            return store_check(store, checks()).differences
