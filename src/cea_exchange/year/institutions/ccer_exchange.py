"""The exchange of CCERs of a year, in this process: its market, and the cash that it keeps."""

from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.ccer.market.settlement import MarketSettlement
from cea_exchange.domain.profile import load_profile
from cea_exchange.in_process.settled_market import SettledMarket
from cea_exchange.protocol.control import CashPaidIn, ListingConfirmed
from cea_exchange.year.institutions.market import YearMarket
from cea_exchange.year.institutions.systems import CCER_OPERATORS, ExchangeCash, Seat

PROFILE = "ccer"


class CcerExchange(SettledMarket):
    """A market of CCERs, whose trades the CCER registry delivers after the close."""

    def __init__(self, ccer: CcerRegistry) -> None:
        super().__init__(ccer.store, load_profile(PROFILE), MarketSettlement(ccer.books))

    def settle(self) -> None:
        """Apply the settlement records made since the last time, and deliver what is due."""
        super().settle()
        while self.settlement.settle_batch():
            pass


class YearCcerMarket(YearMarket):
    """The market of CCERs in this process; see `CcerMarket`."""

    def __init__(self, ccer: CcerRegistry) -> None:
        super().__init__(CcerExchange(ccer), load_profile(PROFILE))

    def feed(self) -> None:
        """Bring what the CCER registry has done to the market, and settle its answers."""
        self._exchange.feed()

    def listing_confirm(self, instrument: str) -> None:
        """Confirm an instrument's first listing: it is traded from the next trading day on."""
        by, _ = CCER_OPERATORS
        self._apply(ListingConfirmed(product=instrument, by=by, why="first listing"))

    def paid_in(self, account: str, fen: int, reference: str) -> None:
        """Book what the exchange's bank took in for an account, once by the bank's reference."""
        by, second = CCER_OPERATORS
        self._apply(
            CashPaidIn(account=account, amount=fen, reference=reference, by=by, second=second)
        )

    def seat(self, account: str) -> Seat:
        """Return an account's seat at the market."""
        return Seat(account, self._exchange.machine.account_index(account))

    def cash(self) -> ExchangeCash:
        """Return the exchange's cash book."""
        flows, payments, _, balances = self._exchange.machine.cash_records()
        return ExchangeCash(
            booked=sum(fen for _, fen in payments.values()),
            fees=sum(flow.fees for flow in flows.values()),
            held={account: fen for account, fen in balances.items() if fen},
        )
