"""Supervision of a year at a venue's daemon: cases and measures by its operators, and seats."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.domain.documents.cases import AlertTaken, CaseGain, Outcome
from cea_exchange.supervision.tape import SECOND_NS
from cea_exchange.venue.cases.case_files import CaseFile
from cea_exchange.venue.cases.case_log import case_files_read
from cea_exchange.year.daemons.timed_market import TimedMarket
from cea_exchange.year.daemons.venue_operator import VenueOperator
from cea_exchange.year.firms.firm import Firm, Order, Product
from cea_exchange.year.institutions.market import canceled
from cea_exchange.year.institutions.supervision import WHY


class DaemonVenue:
    """A venue's daemon as its supervisors and its abusers have it; see `SupervisedVenue`.

    What was answered by one that was killed is asked for again, as long as it is not there.
    """

    def __init__(self, venue: VenueOperator, market: TimedMarket, data: Path) -> None:
        self._venue = venue
        self.folder = data
        self.seat = DaemonSeat(venue, market)

    def files(self) -> Mapping[str, CaseFile]:
        """Return all case files by name, of the venue's journal."""
        return case_files_read(self.folder)

    def restricted(self) -> Collection[str]:
        """Return the accounts that measures were taken against."""
        return {measure["account"] for measure in self._venue.operate("measures")["measures"]}

    def case_open(self, case: str, title: str, alerts: Sequence[AlertTaken]) -> None:
        """Open a case of alerts."""
        taken = [msgspec.to_builtins(alert) for alert in alerts]
        self._venue.until(
            self._has(case, 1 + len(alerts)), "case_open", case=case, title=title, alerts=taken
        )

    def note(self, case: str, text: str) -> None:
        """Note something in a case."""
        self._venue.until(self._has_one_more(case), "case_note", case=case, text=text)

    def restrict(self, case: str, account: str) -> None:
        """Keep an account from buying and selling."""
        self._venue.until_by_two(
            lambda: account in self.restricted(),
            "measure_restrict",
            account=account,
            purchases=True,
            sales=True,
            case=case,
            why=WHY,
        )

    def penalty(self, case: str, gain: CaseGain) -> None:
        """Enter what the law says of manipulation with such a gain."""
        self._venue.until_by_two(
            self._has_one_more(case),
            "case_penalty",
            case=case,
            abuse="manipulation",
            gain=msgspec.to_builtins(gain),
        )

    def case_close(self, case: str, outcome: Outcome) -> None:
        """Close a case."""
        self._venue.until_by_two(
            self._has_one_more(case), "case_close", case=case, outcome=outcome, why=WHY
        )

    def _has_one_more(self, case: str) -> Callable[[], bool]:
        return self._has(case, self._entries(case) + 1)

    def _has(self, case: str, entries: int) -> Callable[[], bool]:
        return lambda: self._entries(case) >= entries

    def _entries(self, case: str) -> int:
        rows: list[dict[str, Any]] = self._venue.operate("cases")["cases"]
        return next((row["entries"] for row in rows if row["case"] == case), 0)


class DaemonSeat:
    """How abusers act at a venue's daemon; see `abusers.TradingSeat`."""

    def __init__(self, venue: VenueOperator, market: TimedMarket) -> None:
        self._venue, self._market = venue, market

    def enter(self, order: Order) -> None:
        """Enter an order a second after the act before it."""
        with self._market.time.paced(SECOND_NS):
            self._market.listed([order])

    def orders_of(self, firm: Firm) -> Sequence[int]:
        """Return the firm's open orders, by id."""
        orders: list[int] = self._venue.operate("position", account=firm.account)["orders"]
        return orders

    def cancel(self, firm: Firm, order_id: int) -> None:
        """Take an order away."""
        self._market.entered(firm.index, canceled(order_id))

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self._market.time.wait(seconds)

    def best_bid(self, firm: Firm, product: Product) -> int:
        """Return the best price that is bid, as a firm sees it; 0: nothing is."""
        return self._market.best_bid(firm, product)
