"""The registry as a state machine: messages and the time go in, messages to send come out.

    venue's records, and its questions     --->  venue       ---> RecordsAsked, FeedAnswered, ...
    what the bank has said                 --->  bank        ---> Errand
    persons' requests                      --->  service     ---> replies
    what platform and CCER registry answer --->  links       ---> LinkAsked, LinkDropped

It knows no socket, thread or clock; all that it keeps is in the database. Times called `now_ns` are
of a clock that never goes back; the time and day of acts are those of the registry's own clock.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import structlog

from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.links.turns import LinkAsked, LinkDropped, LinkTurns
from cea_exchange.institution.machine import InstitutionMachine
from cea_exchange.institution.persons import Person
from cea_exchange.institution.venue_link.turns import Measured, VenueOutput, VenueTurns
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.store import Store
from cea_exchange.registry.bank.errands import Brought, Errand, Errands
from cea_exchange.registry.bank.payments import BATCH_COUNT_MAX
from cea_exchange.registry.bank.schedule import StatementSchedule
from cea_exchange.registry.bank.service import BankService
from cea_exchange.registry.ccer_link.turns import CcerTurns
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.service import RegistryService
from cea_exchange.registry.platform_link.turns import PlatformTurns
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement

BANK_LOOK_NS = 500_000_000
BANK_RETRY_NS = 10_000_000_000
WAITING_LOOK_NS = 1_000_000_000

log = structlog.get_logger()

Output = VenueOutput | LinkAsked | LinkDropped | Errand


class RegistryMachine(InstitutionMachine):
    """A registry without its sockets.

    Parameters
    ----------
    store
        Open for writing; the caller's to close.
    clock
        The time and day of acts.
    config
        The settings.
    operators
        The registry's own persons and the regulators, by public key.
    settlement_class
        For tests that put a faulty one in its place.
    measured
        See `Measured`.
    place
        Tells what only the daemon knows, for `Status`.
    fatal
        What no part of a turn may go on from, see `Troubles`.

    Attributes
    ----------
    registry : Registry
        What is acted upon.
    links : dict of str to LinkTurns
        What is asked of other institutions and what comes, by their names.
    venue : VenueTurns
        What passes between it and the venue.
    """

    def __init__(
        self,
        store: Store,
        clock: InstitutionClock,
        config: RegistryConfig,
        operators: dict[str, Person],
        *,
        settlement_class: Callable[..., Settlement] = Settlement,
        measured: Measured = lambda records: nullcontext(),
        place: Callable[[], dict[str, Any]] = dict,
        fatal: tuple[type[Exception], ...] = (),
    ) -> None:
        self._store = store
        clock.follow(store.confirmed_date)
        self.registry = Registry(store, clock=clock, admission=config.admission)
        self.registry.persons.operators = operators
        self.registry.bank.setting = config.bank
        self.links: dict[str, LinkTurns] = {
            "platform": PlatformTurns(self.registry.platform_stream),
            "ccer": CcerTurns(self.registry.ccer_proofs),
        }
        for name, link in self.links.items():
            link.is_paused = partial(self._is_stopped_by_others, name)
        self._linked = {
            *(["platform"] if config.platform is not None else []),
            *(["ccer"] if config.ccer is not None else []),
        }
        if config.platform is not None:
            self.registry.platform_follow(acts_by_hand=config.platform.acts_by_hand)
        self.registry.offsets.by_link_only = config.ccer is not None
        if config.ccer is not None:
            self.registry.ccer_proofs.signing_key = config.ccer.signing_key
        settlement = settlement_class(
            store,
            mode=config.settlement_mode,
            **({} if config.bank is None else {"is_ready": self.registry.bank.is_ready}),
        )
        self._errands = self._errands_made(config)
        self.venue = VenueTurns(store, clock, settlement, measured=measured)
        self._bank_at_ns = self._retry_at_ns = 0
        self._waiting_at_ns, self._retried_date = 0, store.confirmed_date
        self._outputs: list[Output] = []
        service = RegistryService(
            self.registry,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self.place,
        )
        super().__init__(service, clock, place=place, fatal=fatal)
        settlement.reconsider()
        self._balances_check()

    def _errands_made(self, config: RegistryConfig) -> Errands | None:
        """Return what is under way to the bank; None where files are carried by hand."""
        if config.bank is None or config.bank.data is None:
            return None
        schedule = StatementSchedule(
            self._store, config.bank.statement_time(), self.registry.context.working_days
        )
        self.registry.bank.schedule = schedule
        return Errands()

    def _balances_check(self) -> None:
        """Stop the line on a ledger that contradicts itself: it must not be settled upon."""
        odd = accounts_differing(self._store)
        if odd:
            self.venue.stop_line(f"balances are not the sum of the postings: {', '.join(odd[:10])}")

    def resume(self) -> None:
        """Go on with what a database that was lost has; DatabaseError if it is away again."""
        self._balances_check()
        self.venue.resume()

    def _is_stopped_by_others(self, partner: str) -> bool:
        """Whether what a partner says can't be acted upon, for another reason than its word."""
        return bool(self._store.partners.stopped(but=partner))

    # -- how it stands ------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``ok``, ``diverged: ...`` or ``stopped: ...``: whether the line moves."""
        return self.venue.state

    @property
    def has_work(self) -> bool:
        """Whether a turn would do something though nothing has come."""
        return self.venue.is_settling

    def own_place(self) -> dict[str, Any]:
        """Return how far it is behind the venue, what is to be fetched, how far it is anchored."""
        schedule = self.registry.bank.schedule
        awaited = [] if schedule is None else schedule.awaited
        anchored = {
            "platform": self.registry.platform_stream.anchoring,
            "ccer": self.registry.ccer_proofs.anchoring,
        }
        return {
            "lag_records": self.venue.lag_records,
            "statements_awaited": awaited,
            "anchors": {name: anchored[name].shown() for name in sorted(self._linked)},
        }

    def log_fields(self) -> dict[str, Any]:
        """Return what the log says of it as it begins and ends, without the database."""
        return {"last_seq": self.venue.last_seq}

    def troubles_shown(self) -> dict[str, str]:
        """Return by part what keeps it from being done now."""
        schedule = self.registry.bank.schedule
        statement = "" if schedule is None else schedule.trouble
        others = {"bank_statement": statement}
        others |= {name: link.stopped for name, link in self.links.items()}
        return self.troubles.shown() | {part: text for part, text in others.items() if text}

    # -- its turn -----------------------------------------------------------------------------

    def outputs(self) -> list[Output]:
        """Return what is to be said since the last time, in order."""
        said, self._outputs = [*self.venue.outputs(), *self._outputs], []
        if self._errands is not None:
            said += self._errands.taken_out()
        return said

    def turn(self, now_ns: int) -> None:
        """Do what is due: the bank, what waits, the venue's questions."""
        noted = self.troubles.noted
        self._bank_turn(now_ns)
        with noted("batch_settlement", now_ns):
            self.venue.settle_batch()
        with noted("waiting", now_ns):
            self._waiting_look(now_ns)
        with noted("replay", now_ns):
            self.venue.missing_ask(now_ns)
        with noted("feed_answer", now_ns):
            self.venue.feed_answer(now_ns)
        for name, link in self.links.items():
            with noted(name, now_ns):
                self._outputs += link.turn(now_ns)

    def day_log(self) -> None:
        """Tell the log which duties are overdue."""
        for duty in self.registry.duties.open():
            if duty.is_overdue:
                log.warning("duty_overdue", **duty._asdict())

    # -- what waits ---------------------------------------------------------------------------

    def _waiting_look(self, now_ns: int) -> None:
        """Try again what waits, once a day is confirmed: it may have waited for its trades."""
        if now_ns < self._waiting_at_ns or self._store.partners.stopped():
            return
        self._waiting_at_ns = now_ns + WAITING_LOOK_NS
        date = self._store.confirmed_date
        if date != self._retried_date:
            self.registry.defaults.retry()
            self._retried_date = date

    # -- the bank -----------------------------------------------------------------------------

    def brought_back(self, brought: Brought) -> None:
        """Take what came of an errand to the bank; what is in it is read in a turn."""
        if self._errands is not None:
            self._errands.brought_back(brought)

    def _bank_turn(self, now_ns: int) -> None:
        """Make the bank's instructions, let them be carried, and take its answers."""
        if self._errands is None or now_ns < self._bank_at_ns or self._store.partners.stopped():
            return
        if not self._clock.is_known:
            # The bank's instructions, and what comes of them, are of a day.
            return
        self._bank_at_ns = now_ns + BANK_LOOK_NS
        with self.troubles.noted("bank", now_ns):
            if self._bank_instruct(self._errands, now_ns):
                self._bank_at_ns = now_ns
        with self.troubles.noted("bank_answers", now_ns):
            self._bank_answers_take(self._errands, now_ns)
        with self.troubles.noted("bank_statements", now_ns):
            self._bank_statements_take(self._errands, self.registry.bank, now_ns)
        self.venue.is_settling = True

    def _bank_instruct(self, errands: Errands, now_ns: int) -> bool:
        """Make instructions and let batches be carried; say whether there is more to make."""
        bank = self.registry.bank
        is_more = bank.instruct()
        busy = errands.busy(now_ns)
        room = BATCH_COUNT_MAX - errands.count
        for batch in bank.batches(room, but=busy):
            errands.carry(batch, now_ns, is_sent=False)
        for batch in bank.batches_pending(room, but=busy):
            errands.carry(batch, now_ns, is_sent=True)
        return is_more

    def _bank_answers_take(self, errands: Errands, now_ns: int) -> None:
        """Take each answer by itself: what one can't be taken for, another may."""
        for batch, content in errands.answers():
            with self.troubles.noted("bank_answer", now_ns):
                self.registry.bank.reports.answer_take(batch, content)
        if now_ns >= self._retry_at_ns:
            self._retry_at_ns = now_ns + BANK_RETRY_NS
            self.registry.bank.reports.retry_some()

    def _bank_statements_take(self, errands: Errands, bank: BankService, now_ns: int) -> None:
        """Let the statement that is due be fetched, and read what came, whole or not at all."""
        schedule = bank.schedule
        assert schedule is not None
        for asked, content in errands.statements():
            why = content if isinstance(content, str) else bank.statement_take(asked, content)
            bank.statement_end(asked, why)
            if why:
                log.warning("bank_statement_refused", **asked._asdict(), error=why)
            else:
                log.info("bank_statement", **asked._asdict())
        due = schedule.due(self.registry.now_ns())
        if due is not None:
            errands.fetch(due, now_ns)

    # -- the feed -----------------------------------------------------------------------------
