"""Platform, both registries, venue and settlement of a year: one process, one clock, no sockets."""

from contextlib import AbstractContextManager, ExitStack
from datetime import date
from pathlib import Path
from types import TracebackType

import msgspec

from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.in_process.exchange import Exchange
from cea_exchange.institution.persons import Person
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore
from cea_exchange.registry.platform_link.turns import PlatformTurns
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.institutions.bank import SettlementBank
from cea_exchange.year.institutions.venue_record import FOLDER as VENUE
from cea_exchange.year.institutions.venue_record import JournaledExchange

NOON_NS = 12 * 3_600 * 10**9


class YearClock:
    """Noon in Shanghai of a day that stands until the next is begun."""

    def __init__(self, day: date) -> None:
        self.day = day

    def __call__(self) -> int:
        return time_to_ns(day_start(self.day)) + NOON_NS


class Systems(AbstractContextManager["Systems"]):
    """The systems of a year on a data folder.

    Attributes
    ----------
    clock : YearClock
        Of all of them.
    platform : Platform
    registry : Registry
    ccer : CcerRegistry
    bank : SettlementBank or None
        None: cash is booked as it is said to be paid in.
    exchange : Exchange
        The market, and the registry's settlement of its trades; with a `journal`, the words that
        its id follows from, it keeps a venue's folder.
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
        self.exchange = Exchange(self.registry, profile)
        if journal:
            journaled = JournaledExchange(self.registry, profile, data / VENUE, journal)
            self._opened.callback(journaled.close)
            self.exchange = journaled
        self._platform_turns = PlatformTurns(self.registry.platform_stream)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def talk(self) -> None:
        """Let registry and platform say to each other what is new."""
        turns, outbox = self._platform_turns, self.platform.outbox
        # Each answer is one transaction of the registry's; all together are one on disk.
        with self.registry.transaction(), self.platform.record.transaction():
            while turns.take(msgspec.msgpack.encode(outbox.answer(turns.question()))):
                pass


def person(role: str, body: str = "") -> Person:
    """Return who acts in a role; each role is a person of its own."""
    return Person(role, role.ljust(40, "k"), role, body or role)
