"""The CCER registry as a machine: messages and the time come in, what is to be said goes out.

persons' requests                   --->  service  ---> replies
the allowance registry's questions  --->  link     ---> LinkAnswered
the exchange's records, questions   --->  venue    ---> RecordsAsked, FeedAnswered, ...
"""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.control.service import CcerService
from cea_exchange.ccer.market.settlement import MarketSettlement
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.machine import LinkMachine
from cea_exchange.institution.persons import Person
from cea_exchange.institution.venue_link.feed import VENUE
from cea_exchange.institution.venue_link.turns import VenueTurns
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.partners import REGISTRY
from cea_exchange.protocol.links.ccer import LinkAnswer

log = structlog.get_logger("ccer")


class CcerMachine(LinkMachine):
    """A CCER registry without its sockets; see `LinkMachine`.

    Attributes
    ----------
    ccer : CcerRegistry
        What is acted upon.
    venue : VenueTurns
        What passes between it and the exchange, where there is one.
    """

    def __init__(
        self,
        store: CcerStore,
        clock: InstitutionClock,
        config: CcerConfig,
        operators: dict[str, Person],
        *,
        settlement_class: Callable[[Books], MarketSettlement] = MarketSettlement,
        place: Callable[[], dict[str, Any]] = dict,
        fatal: tuple[type[Exception], ...] = (),
    ) -> None:
        self._store = store
        self.ccer = CcerRegistry(store, clock)
        self.ccer.persons.operators = operators
        service = CcerService(
            self.ccer,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self.place,
        )
        super().__init__(service, clock, place=place, fatal=fatal)
        self._odd = ""
        if self.ccer.proofs.last_claim_seq():
            store.partners.await_word(REGISTRY)
        settlement = settlement_class(self.ccer.books)
        self.venue = VenueTurns(store, clock, settlement)
        settlement.reconsider()
        self._balances_check()

    def _balances_check(self) -> None:
        """Check whether the ledger contradicts itself: if so, the link stays silent."""
        odd = accounts_differing(self._store)
        if odd:
            self._odd = f"balances are not the sum of the postings: {', '.join(odd[:10])}"
            log.error("ledger_odd", accounts=odd[:10])
            self.venue.stop_line(self._odd)

    def resume(self) -> None:
        """Go on with what a database that was lost has; DatabaseError if it is away again."""
        self._balances_check()
        self.venue.resume()

    @property
    def state(self) -> str:
        """``ok``, ``diverged: ...`` (links are silent then, persons can look), ``stopped: ...``."""
        return f"diverged: {self._odd}" if self._odd else self.venue.state

    @property
    def has_work(self) -> bool:
        """Whether a turn would do something though nothing has come."""
        return self.venue.is_settling

    def own_place(self) -> dict[str, Any]:
        """Return how far it is behind the exchange, and how far its chain is anchored."""
        return {
            "lag_records": self.venue.lag_records,
            "anchors": {REGISTRY: self.ccer.link.anchoring.shown()},
        }

    def turn(self, now_ns: int) -> None:
        """Do what is due: what is to be delivered, the exchange's questions."""
        noted = self.troubles.noted
        with noted("batch_settlement", now_ns):
            self.venue.settle_batch()
        with noted("replay", now_ns):
            self.venue.missing_ask(now_ns)
        with noted("feed_answer", now_ns):
            self.venue.feed_answer(now_ns)

    def day_log(self) -> None:
        """Tell the log which decisions of the registry are overdue."""
        for due in self.ccer.decisions_due():
            if due["is_overdue"]:
                log.warning("decision_overdue", **due)

    # -- the allowance registry ---------------------------------------------------------------

    def link_answer(self, payload: bytes) -> LinkAnswer | None:
        """Return the answer to the allowance registry; None where the ledger is not reliable."""
        if self._odd or VENUE in self._store.partners.lacking:
            return None
        answer = self.ccer.link.answer(payload)
        if answer.code:
            log.error("link_refused", code=answer.code, words=answer.words)
        for each in answer.answers:
            if each.code:
                # A proof used twice, or none: an error, however often it happens (CCER-LNK-02).
                log.error("claim_refused", **msgspec.structs.asdict(each))
        return answer
