"""The market of a year at a venue's daemon: each firm trades over a session of its own.

What one firm enters is answered before the next one enters anything: so the order in which it
reaches the market is the same again, and the same as where there are no sockets.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
import zmq

from cea_exchange.client.order_entry import Client
from cea_exchange.client.reports import Report
from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EventKind, Phase, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.publication.bulletins import FOLDER, bulletin_read
from cea_exchange.year.daemons.preparing import SILENCE_S_MAX
from cea_exchange.year.daemons.venue_operator import VenueOperator
from cea_exchange.year.firms.firm import Block, Firm, Offer, Order, Product
from cea_exchange.year.institutions.market import (
    Counts,
    YearFailed,
    bidding_name,
    bids_made,
    block_accepted,
    block_offered,
    entered,
    products_quoted,
)

T = TypeVar("T")

LOGON_S_MAX = 60.0
ANSWER_S = 2.0
ANSWERS_MAX = 150
"""So often an answer is waited for; in between, who has ended is started again."""


class DaemonMarket:
    """The market of a year at a venue's daemon; see `Market`.

    Parameters
    ----------
    data
        The venue's data folder.
    profile
        The market's.
    keys
        Index of an account -> the keys that it trades with.
    """

    def __init__(
        self,
        venue: VenueOperator,
        data: Path,
        profile: Profile,
        keys: dict[int, CurveKeys],
    ) -> None:
        self._venue, self._data, self._rules = venue, data, profile.rules
        self._keys = keys
        self._context = zmq.Context()
        self._context.max_sockets = self._context.get(zmq.SOCKET_LIMIT)
        self._clients: dict[int, Client] = {}
        self._date = 0
        self._products: dict[str, int] = {}
        self.bulletins: list[Bulletin] = []
        self.counts = Counts()

    def close(self) -> None:
        """Drop all sessions; the firms' orders ended with their days."""
        for client in self._clients.values():
            client.close()
        self._context.destroy(linger=0)

    # -- the day ----------------------------------------------------------------------------------

    def day_open(self, day: date) -> None:
        """Open a day; what the registry has done before reaches the market first."""
        self._venue.feed()
        self._date = date_number(day)
        self._venue.operate("open_day", date=str(day))

    def products(self, centres: Mapping[str, int]) -> tuple[Product, ...]:
        """Return the open day's products by index, with what they may be traded at."""
        rows = self._venue.operate("statistics")["products"]
        self._products = {name: index for index, name in enumerate(rows)}
        return products_quoted(self._rules, rows.items(), centres)

    def phase(self, phase: Phase) -> None:
        """Begin a phase of the day."""
        self._venue.operate("phase", phase=phase.name.lower())

    def listed(self, orders: Iterable[Order]) -> None:
        """Enter listed orders; those of one firm that follow each other together."""
        for firm_index, run in groupby(orders, key=lambda order: order.firm.index):
            answers = self.entered(firm_index, entered(list(run), self._index))
            self.counts.orders += len(answers)
            self.counts.refused += sum(
                answer.kind == EventKind.ORDER_REJECTED for answer in answers
            )

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Trade each block: the seller offers it to the buyer, who accepts."""
        for block in blocks:
            (offered,) = self.entered(block.seller.index, block_offered(block, self._index))
            self._must(offered, EventKind.BLOCK_OFFERED)
            (traded,) = self.entered(block.buyer.index, block_accepted(offered.order_id))
            self._must(traded, EventKind.TRADE)

    def bidding(self, offer: Offer) -> None:
        """Award what is offered to those who bid best, each at its own price."""
        name = bidding_name(offer, self._date)
        self._venue.once_by_two(
            {VenueRefusal.BIDDING_TAKEN},
            "bidding_open",
            bidding=name,
            account=offer.seller.account,
            product=offer.product.name,
            tonnes=offer.tonnes,
            limit=offer.price,
            pricing="pay_as_bid",
        )
        shown = self._venue.operate("biddings")["biddings"]
        (number,) = (each["bidding_id"] for each in shown if each["bidding"] == name)
        for bid in offer.bids:
            self.entered(bid.firm.index, bids_made([bid], number))
        self._venue.once({VenueRefusal.BIDDING_STATE}, "bidding_close", bidding=name)

    def day_close(self) -> None:
        """Close the day, and wait until all of it is settled, confirmed and published."""
        self._venue.operate("close_day")
        wait = self._venue.processes.wait
        wait(self._is_confirmed, f"{self._venue.name}: its registry has confirmed {self._date}")
        self._venue.feed()
        bulletin = self._data / FOLDER / f"{date_of_number(self._date)}.json"
        wait(bulletin.exists, f"{self._venue.name} has published {self._date}")
        self.bulletins.append(bulletin_read(bulletin))
        with self._venue.read() as registry:
            self.counts.trades = registry.one("SELECT count(*) FROM trades")

    # -- in common --------------------------------------------------------------------------------

    def _is_confirmed(self) -> bool:
        with self._venue.read() as registry:
            if not registry.state.startswith("ok"):
                raise YearFailed(
                    f"{self._venue.name}: expected ok of its registry, got {registry.state}"
                )
            return bool(registry.confirmed_date >= self._date)

    def entered(self, firm_index: int, commands: np.ndarray) -> list[Report]:
        """Enter a firm's commands; return the answer to each."""
        client = self._client(firm_index)
        commands["trading_date"] = self._date
        answers = [self._answer(client, number) for number in client.submit(commands)]
        # What else came is of no use to anybody.
        client.poll()
        return answers

    def best_bid(self, firm: Firm, product: Product) -> int:
        """Return the best price that is bid, as a firm sees it; 0: nothing is."""
        bids = self._asked(lambda: self._client(firm.index).book(product.name, timeout_s=ANSWER_S))
        return bids["bids"][0]["price"] if bids["bids"] else 0

    def _client(self, firm_index: int) -> Client:
        if firm_index not in self._clients:
            self._clients[firm_index] = Client.connect(
                self._gateway,
                self._keys[firm_index],
                self._venue.processes.endpoints(self._venue.name)["public_key"],
                timeout_s=LOGON_S_MAX,
                context=self._context,
                silence_s_max=SILENCE_S_MAX,
            )
        return self._clients[firm_index]

    def _gateway(self) -> str:
        address: str = self._venue.processes.endpoints(self._venue.name)["gateway"]
        return address

    def _answer(self, client: Client, client_order_id: int) -> Report:
        return self._asked(lambda: client.answer(client_order_id, timeout_s=ANSWER_S))

    def _asked(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer; who has ended in between is started again."""
        for _ in range(ANSWERS_MAX):
            try:
                return ask()
            except TimeoutError:
                self._venue.processes.look()
        raise YearFailed(f"{self._venue.name}: expected an answer on {self._date}, got none")

    def _must(self, answer: Report, kind: EventKind) -> None:
        if answer.kind != kind:
            got = f"{EventKind(answer.kind).name} {Reason(answer.reason).name}"
            raise YearFailed(f"{kind.name}: expected on {self._date}, got {got}")

    def _index(self, product: Product) -> int:
        return self._products[product.name]
