"""Platform, both registries, venue and settlement of a year: one process, one clock, no sockets."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.in_process.exchange import Exchange
from cea_exchange.institution.control.request import Request
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.double_entry import Holding
from cea_exchange.ledger.store import Store
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.links.signatures import SigningKey
from cea_exchange.registry.ccer_link.turns import CcerTurns
from cea_exchange.registry.platform_link.turns import PlatformTurns
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.institutions.bank import SettlementBank
from cea_exchange.year.institutions.ccer_exchange import YearCcerMarket
from cea_exchange.year.institutions.market import YearMarket
from cea_exchange.year.institutions.supervision import EmbeddedVenue
from cea_exchange.year.institutions.systems import Actor, System
from cea_exchange.year.institutions.venue_record import FOLDER as VENUE
from cea_exchange.year.institutions.venue_record import JournaledExchange

NOON_NS = 12 * 3_600 * 10**9
KEY_CHARACTERS = 40
SIGNING_SEED = b"a year that is played, not lived"
"""Of the CCER registry's signatures: there is nobody here from whom it would be kept."""


class YearClock:
    """Noon in Shanghai of a day that stands until the next is begun."""

    def __init__(self, day: date) -> None:
        self.day = day

    def __call__(self) -> int:
        return time_to_ns(day_start(self.day)) + NOON_NS


class EmbeddedSystems(AbstractContextManager["EmbeddedSystems"]):
    """The systems of a year on a data folder, in this process; see `Systems`.

    Attributes
    ----------
    clock : YearClock
        Of all of them.
    platform : Platform
    registry : Registry
    ccer : CcerRegistry
    exchange : Exchange
        The market, and the registry's settlement of its trades; with a `journal`, the words that
        its id follows from, it keeps a venue's folder.
    market, ccer_market, supervised
        See `Systems`.
    """

    def __init__(
        self,
        data: Path,
        profile: Profile,
        calendar: TradingCalendar,
        day: date,
        *,
        has_bank: bool,
        journal: str = "",
    ) -> None:
        self.clock = YearClock(day)
        with ExitStack() as opened:
            self.platform = Platform(PlatformStore.open(data), self.clock)
            opened.callback(self.platform.close)
            self.ccer = CcerRegistry.open(data, self.clock)
            opened.callback(self.ccer.close)
            self.ccer.proofs.signer = SigningKey(SIGNING_SEED)
            self.registry = Registry(RegistryStore.open(data), self.clock)
            opened.callback(self.registry.close)
            self.bank = SettlementBank(data, self.registry) if has_bank else None
            if self.bank is not None:
                opened.enter_context(self.bank)
            self._opened = opened.pop_all()
        # Terms of working days may end after the calendar that institutions have by themselves.
        for institution in (self.platform.record, self.ccer.books, self.registry.ledger):
            institution.calendar = calendar
        self.registry.platform_follow(acts_by_hand=False)
        self.registry.offsets.by_link_only = True
        journaled = None
        if journal:
            journaled = JournaledExchange(self.registry, profile, data / VENUE, journal)
            self._opened.callback(journaled.close)
        self.exchange = journaled or Exchange(self.registry, profile)
        self.market = YearMarket(self.exchange, profile)
        self.supervised = EmbeddedVenue(journaled, self.market) if journaled else None
        self.ccer_market = YearCcerMarket(self.ccer)
        self._platform_turns = PlatformTurns(self.registry.platform_stream)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def days_load(self, calendars: Iterable[tuple[str, str]]) -> None:
        """Let all institutions know later days, each calendar by its name as TOML, to keep them."""
        today = date_number(self.clock.day)
        for name, text in calendars:
            for institution in (self.platform.record, self.ccer.books, self.registry.ledger):
                institution.working_days.load(name, text.encode(), today)

    def day_begin(self, day: date) -> None:
        """Let it be noon of a day."""
        self.clock.day = day

    def ask(self, system: System, actor: Actor, request: Request) -> dict[str, Any]:
        """Let an institution do what is asked; return its answer."""
        if system == "platform":
            with self.platform.asked_by(person(actor)):
                return request.act(self.platform) or {}
        return request.act(self.registry if system == "registry" else self.ccer) or {}

    @contextmanager
    def together(self, system: System) -> Iterator[None]:
        """Let what is asked within be one transaction."""
        match system:
            case "platform":
                opened = self.platform.record.transaction()
            case "registry":
                opened = self.registry.transaction()
            case "ccer":
                opened = self.ccer.transaction()
        with opened:
            yield

    def talk(self) -> None:
        """Let registry and platform say to each other what is new."""
        turns, outbox = self._platform_turns, self.platform.outbox
        # Each answer is one transaction of the registry's; all together are one on disk.
        with self.registry.transaction(), self.platform.record.transaction():
            while turns.take(msgspec.msgpack.encode(outbox.answer(turns.question()))):
                pass
        # Heads of chains are said, and kept, once they are committed.
        turns.take(msgspec.msgpack.encode(outbox.answer(turns.question())))

    def proofs_talk(self) -> None:
        """Let both registries say to each other what is new of proofs."""
        turns, link = CcerTurns(self.registry.ccer_proofs), self.ccer.link
        while turns.take(msgspec.msgpack.encode(link.answer(turns.question()))):
            pass

    def feed(self) -> None:
        """Bring what the registry has done to the market, and settle its answers."""
        self.exchange.feed()

    def balances(self) -> Callable[[Holding], int]:
        """Return the ledger's balance of a holding."""
        return self.registry.store.balance

    @contextmanager
    def registry_read(self) -> Iterator[Store]:
        """Give what the registry keeps."""
        yield self.registry.store

    @contextmanager
    def ccer_read(self) -> Iterator[CcerStore]:
        """Give what the CCER registry keeps."""
        yield self.ccer.store


def person(actor: Actor) -> Person:
    """Return who acts, with a key that nobody needs here."""
    key = actor.person.ljust(KEY_CHARACTERS, "k")
    return Person(actor.person, key, actor.role, actor.body)
