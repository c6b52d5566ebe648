"""Plays a compliance year, day by day.

    each trading day:  enterprises file, or are verified --> allowances, on their day
                       --> surrender --> what is brought to the venue --> blocks, orders, bidding
                       --> close and settlement
    after the last:    who is short is acted against

Every day's numbers are drawn for it alone, from the seed: what came before a stop does not matter.
"""

import importlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.compliance.offsets import OffsetRules
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.institution.working_days import PACKAGED
from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.registry.control.requests.settlement.adjustment import OffsetShareSet
from cea_exchange.year import checkpoint
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.daemons.preparing import cleared, prepared
from cea_exchange.year.daemons.systems import DaemonSystems
from cea_exchange.year.firms import abusers
from cea_exchange.year.firms.draws import Draws
from cea_exchange.year.firms.firm import Day, Firm
from cea_exchange.year.institutions import (
    carryover,
    custody,
    enforcement,
    filing,
    programme,
    voluntary_market,
)
from cea_exchange.year.institutions.embedded import EmbeddedSystems
from cea_exchange.year.institutions.market import Market, YearFailed
from cea_exchange.year.institutions.supervision import YearSupervision
from cea_exchange.year.institutions.systems import AUTHORITY, Systems
from cea_exchange.year.nation.members import Member, enterprise_year, members, sizes_of
from cea_exchange.year.opening import banked, groups, opening_products
from cea_exchange.year.own_plan import own_plan
from cea_exchange.year.setting import POWER_ONLY_UNTIL, YearSetting, offset_share_check
from cea_exchange.year.shape import part_of, parts_of_rest, weights
from cea_exchange.year.timeline import Timeline, calendar_reaching, days_assumed, timeline

LOCK = ".playing"
"""A folder that is held while the year is played: the year's own is the venue's to hold."""
NOON_PARTS = 2
"""Half of a day's listed orders come before noon."""

Progress = Callable[[date, YearState, int], None]
"""Takes a day that is done, where the year stands, and how many days it has."""


class YearRun:
    """A year in a folder.

    Parameters
    ----------
    folder
        New or empty, or of a year of the same setting that was stopped, which goes on.
    setting
        What is asked for.
    progress
        Called with each day that is done.
    goes_on
        Whether what there is after each month is kept, so that a year that was stopped goes on from
        there; without, it begins anew.

    Raises
    ------
    OtherYear
        The folder has something else in it.
    ValueError
        Its profile, its plan, its firms or their behaviour are none, or its share of CCERs is more
        than the rule's.
    """

    def __init__(
        self,
        folder: Path,
        setting: YearSetting,
        progress: Progress = lambda day, state, days: None,
        *,
        goes_on: bool = True,
    ) -> None:
        self.folder, self.setting = folder, setting
        self._goes_on = goes_on
        self._progress = progress
        self.profile = load_profile(setting.profile)
        self.calendar = calendar_reaching(self.profile.calendar, setting.year)
        self.days: Timeline = timeline(setting.year, self.calendar, setting.days)
        is_power_only = setting.year <= POWER_ONLY_UNTIL
        self.members = members(sizes_of(setting.entities, is_power_only=is_power_only))
        self.behaviour = firms_load(setting)
        with own_plan(setting):
            offset_share_check(setting.offset_share_bp)
        if checkpoint.is_failed_other(folder, setting):
            # It can't be completed, and all its files follow from its setting.
            cleared(folder)
            checkpoint.failed_replaced(folder, setting)
        checkpoint.setting_kept(folder, setting)
        self._weights = weights(self.days.trading_days)
        self._parts_ppm = parts_of_rest(self._weights)
        self.state = YearState()

    def run(self, *, stop_after: int | None = None) -> YearState:
        """Play the year, or what is left of it, to its end.

        Parameters
        ----------
        stop_after
            Stop after so many days of the year, as if it had been interrupted then.

        Raises
        ------
        FolderInUse
            Another process plays it.
        """
        with FolderLock(self.folder / LOCK), own_plan(self.setting):
            try:
                state = self._run(stop_after)
            except Exception as error:
                checkpoint.failed_note(self.folder, error)
                raise
            if checkpoint.ended(self.folder) is not None:
                # The lock's folder goes while it is held: nobody needs it for a finished year.
                shutil.rmtree(self.folder / LOCK)
            return state

    def _run(self, stop_after: int | None) -> YearState:
        if (ended := checkpoint.ended(self.folder)) is not None:
            self.state = ended
            return ended
        with self._systems() as systems:
            for number in range(self.state.days_done, len(self.days.trading_days)):
                if stop_after is not None and number >= stop_after:
                    return self.state
                self._day(systems, number)
                if self._is_last_of_month(number):
                    self._looked(systems)
                    self._save(systems)
            self._looked(systems)
            enforcement.acted_against(
                systems, self.setting.year, self.days.after, self.days.decided
            )
            if carryover.is_carried_over(self.setting.year):
                names = [name for name, _ in self.state.products]
                carryover.carried_over(systems, self.state.firms, names)
            self._keep(systems)
            self.state.ccer.cash = systems.ccer_market.cash()
        checkpoint.ended_save(self.folder, self.state)
        return self.state

    # -- beginning and going on -------------------------------------------------------------------

    @contextmanager
    def _systems(self) -> Iterator[Systems]:
        """Open the systems where the year stands, at its beginning or after some month."""
        if self.setting.mode == "daemons":
            # Nothing stops them together: what was stopped begins anew, and comes to the same.
            cleared(self.folder)
            with self._embedded(self.days.trading_days[0]) as beginning:
                self._begin(beginning)
                beginning.days_load(days_assumed(TradingCalendar.load(PACKAGED), self.setting.year))
                firms, first = self.state.firms, self.days.trading_days[0]
                keys = prepared(self.folder, self.setting, beginning.registry, firms, first)
            with DaemonSystems(
                *(self.folder, self.profile, firms, keys),
                has_bank=self.setting.has_bank,
                is_supervised=self.setting.supervised,
            ) as daemons:
                yield daemons
            return
        found = checkpoint.restored(self.folder)
        day = self.days.trading_days[0 if found is None else max(found.days_done - 1, 0)]
        with self._embedded(day) as systems:
            if found is None:
                self._begin(systems)
                self._save(systems)
            else:
                self.state = found
            state = self.state
            systems.market.resume(state.machine, state.bulletins, state.counts)
            ccer = state.ccer
            systems.ccer_market.resume(ccer.machine, ccer.bulletins, ccer.counts)
            yield systems

    def _embedded(self, day: date) -> EmbeddedSystems:
        setting = self.setting
        return EmbeddedSystems(
            self.folder,
            self.profile,
            self.calendar,
            day,
            has_bank=setting.has_bank,
            journal=f"{setting.year} {setting.seed}" if setting.supervised else "",
        )

    def _begin(self, systems: EmbeddedSystems) -> None:
        """Let there be enterprises, accounts and products: in a library's hands, before any day."""
        setting = self.setting
        decided_on = date_number(date(setting.year, 12, 20))
        filing.enterprises_listed(systems.platform, self.members, setting.year, decided_on)
        systems.talk()
        self.state.products = opening_products(setting)
        with systems.registry.transaction():
            for product, price in self.state.products:
                systems.registry.product_declare(product, price)
            self.state.firms = custody.accounts_opened(
                systems.registry, self.members, groups(setting.seed, self.members)
            )
            if systems.bank is not None:
                systems.bank.accounts_open(range(len(self.state.firms)))
            first, _ = self.state.products[0]
            custody.opening_held(systems.registry, first, banked(setting, self.members))
        if setting.offset_share_bp is not None:
            share = OffsetShareSet(
                year=setting.year, share_bp=setting.offset_share_bp, why="the year's setting"
            )
            systems.ask("registry", AUTHORITY, share)

    def _looked(self, systems: Systems) -> None:
        """Let the market's supervision look at what there is by now."""
        if systems.supervised is not None:
            YearSupervision(systems.supervised, self.state.firms, self.setting.year).look()

    def _save(self, systems: Systems) -> None:
        self._keep(systems)
        if isinstance(systems, EmbeddedSystems):
            self.state.machine = systems.market.snapshot()
            self.state.ccer.machine = systems.ccer_market.snapshot()
            if self._goes_on:
                checkpoint.saved(self.folder, self.state)

    def _keep(self, systems: Systems) -> None:
        self.state.bulletins, self.state.counts = systems.market.bulletins, systems.market.counts
        ccer, market = self.state.ccer, systems.ccer_market
        ccer.bulletins, ccer.counts = market.bulletins, market.counts

    # -- a day ------------------------------------------------------------------------------------

    def _day(self, systems: Systems, number: int) -> None:
        day, market = self.days.trading_days[number], systems.market
        systems.day_begin(day)
        self._platform_day(systems, number)
        market.day_open(day)
        custody.holdings_read(systems, self.state.firms)
        view = self._view(market, number)
        self._ccer_day(systems, view, day)
        self._surrenders(systems, view)
        self._brought(systems, view, day)
        custody.holdings_read(systems, self.state.firms)
        if self.setting.abusers and number == 0:
            abusers.chosen(self.state.firms)
        self._trade(systems, view)
        market.day_close()
        if systems.bank is not None:
            systems.bank.day_closed(day)
        self.state.days_done, self.state.counts = number + 1, market.counts
        self._progress(day, self.state, len(self.days.trading_days))

    def _platform_day(self, systems: Systems, number: int) -> None:
        days, year = self.days, self.setting.year
        by_place = self.state.firms
        for member in self._share(number, None, days.filed_until):
            filed = enterprise_year(self.setting.seed, member, year)
            filing.year_filed(systems, filed, year)
            emitted = self.state.emitted[member.name] = filed.emitted()
            firm = by_place[member.place - 1]
            # Until its allocation a firm counts on as much as it owes.
            firm.owed = firm.coming = int(sum(emitted.values()))
        for member in self._share(number, days.filed_until, days.verified_until):
            filing.year_verified(systems, member, self.state.emitted.pop(member.name), year, days)
        if number == self._given_number():
            provinces = sorted({member.province for member in self.members})
            filing.allowances_given(systems, provinces, year)
            systems.talk()
            custody.duties_read(systems, self.state.firms, year)
        elif number > self._given_number():
            systems.talk()

    def _share(self, number: int, after: date | None, until: date) -> Sequence[Member]:
        """Return the enterprises whose turn it is on a day, all of them between two days."""
        days = self.days.trading_days
        turns = [day for day in days if (after is None or day > after) and day <= until]
        if days[number] not in turns:
            return []
        return self.members[turns.index(days[number]) :: len(turns)]

    def _given_number(self) -> int:
        days = self.days.trading_days
        return next(number for number, day in enumerate(days) if day >= self.days.given_on)

    def _is_last_of_month(self, number: int) -> bool:
        days = self.days.trading_days
        return number + 1 < len(days) and days[number].month != days[number + 1].month

    def _view(self, market: Market, number: int) -> Day:
        setting, days, rules = self.setting, self.days.trading_days, self.profile.rules
        today = date_number(days[number])
        aim = setting.closes.get(today)
        names = [name for name, _ in self.state.products]
        return Day(
            date=today,
            days_left=len(days) - 1 - number,
            days=len(days),
            is_first_of_month=number == 0 or days[number].month != days[number - 1].month,
            is_owed=number >= self._given_number(),
            orders=part_of(setting.orders, self._weights, number),
            part_ppm=self._parts_ppm[number],
            block_tonnes=rules.block_tonnes_min,
            bidding_tonnes=rules.bidding_tonnes_min,
            listed_tonnes=rules.listed_tonnes_most,
            first_price=self.state.products[0][1],
            is_steered=aim is not None,
            products=market.products({} if aim is None else dict.fromkeys(names, aim)),
            draws=Draws(setting.seed, "day", today),
        )

    def _ccer_day(self, systems: Systems, view: Day, day: date) -> None:
        """Let the exchange of CCERs have its day, and take the voluntary programme's next step."""
        if not programme.is_open(day):
            return
        ccer, market = self.state.ccer, systems.ccer_market
        if ccer.programme.is_issued:
            market.day_open(day)
            voluntary_market.offset(systems, ccer.voluntary, self.setting.year)
            if wanted := self._ccers_wanted(view):
                self._ccers_bought(systems, view, wanted)
            else:
                market.day_close()
            return
        programme.programme_step(systems, ccer.programme, day, len(self.members))
        if ccer.programme.is_issued:
            voluntary_market.listed(systems)

    def _ccers_wanted(self, view: Day) -> list[tuple[Firm, int]]:
        """Return what firms want to buy on a month's first day, if they can still offset it."""
        if not (view.is_owed and view.is_first_of_month and view.days_left):
            return []
        cap = self._offset_rules().cap
        asked = [
            (firm, min(cap(firm.owed), self.behaviour.offset_wanted(view, firm)))
            for firm in self.state.firms
            # Of each obligation once: what is left of it then has no room under the cap.
            if firm.owed and "offset" not in firm.memory
        ]
        return [(firm, tonnes) for firm, tonnes in asked if tonnes > 0]

    def _ccers_bought(
        self, systems: Systems, view: Day, wanted: Sequence[tuple[Firm, int]]
    ) -> None:
        voluntary = self.state.ccer.voluntary
        by_account = {firm.account: firm for firm, _ in wanted}
        for each in voluntary_market.traded(systems, voluntary, view.date, wanted):
            firm = by_account[each.account]
            firm.memory["offset"] = firm.memory.get("offset", 0) + each.tonnes
            # It is cancelled and counted on the next day.
            firm.owed -= each.tonnes

    def _offset_rules(self) -> OffsetRules:
        """Return the rules of offset, with the share of CCERs that the authority has set."""
        rules, share_bp = ComplianceRules.load().offsets, self.setting.offset_share_bp
        if share_bp is None:
            return rules
        return replace(rules, cap_bp=replace(rules.cap_bp, value=share_bp))

    def _surrenders(self, systems: Systems, view: Day) -> None:
        if not view.is_owed:
            return
        owing = [firm for firm in self.state.firms if firm.owed]
        now = [firm for firm in owing if self.behaviour.surrenders(view, firm)]
        names = [name for name, _ in self.state.products]
        custody.surrendered(systems, now, self.setting.year, names)
        custody.holdings_read(systems, now)

    def _brought(self, systems: Systems, view: Day, day: date) -> None:
        cash: dict[int, int] = {}
        if view.is_first_of_month or view.date == date_number(self._given_on()):
            for firm in self.state.firms:
                wanted = self.behaviour.cash_wanted(view, firm) + abusers.cash_wanted(firm)
                fen = max(0, wanted - firm.cash)
                if fen:
                    cash[firm.index] = fen
        custody.paid_in(systems, self.state.firms, day, cash)
        custody.brought(systems, self.state.firms, cash)

    def _given_on(self) -> date:
        return self.days.trading_days[self._given_number()]

    def _trade(self, systems: Systems, view: Day) -> None:
        market, firms, behaviour = systems.market, self.state.firms, self.behaviour
        # What an abuser has may be gone by noon: it agrees on nothing that must be there.
        others = [firm for firm in firms if abusers.ROLE not in firm.memory]
        kept = [(dict(firm.at_venue), firm.cash) for firm in firms]
        # What blocks and a bidding need is kept out of what comes after them.
        blocks = behaviour.blocks(view, others)
        for block in blocks:
            block.seller.at_venue[block.product.name] -= block.tonnes
            block.buyer.cash -= block.price * block.tonnes
        offer = behaviour.bidding(view, others)
        if offer is not None:
            offer.seller.at_venue[offer.product.name] -= offer.tonnes
            for bid in offer.bids:
                bid.firm.cash -= bid.price * bid.tonnes
        entered = [*behaviour.listed(view, firms)]
        noon = len(entered) // NOON_PARTS
        market.phase(Phase.LISTED)
        self._abused(systems, view, abusers.in_the_morning)
        market.listed(entered[:noon])
        market.phase(Phase.BREAK)
        market.phase(Phase.LISTED_AND_BLOCK)
        self._abused(systems, view, abusers.in_the_afternoon)
        market.blocks(blocks)
        if offer is not None:
            market.bidding(offer)
        market.listed(entered[noon:])
        for firm, (stock, cash) in zip(firms, kept, strict=True):
            firm.at_venue, firm.cash = stock, cash

    def _abused(self, systems: Systems, view: Day, act: Callable[..., None]) -> None:
        if systems.supervised is not None:
            act(view, self.state.firms, systems.supervised.seat)


def firms_load(setting: YearSetting) -> Any:
    """Return the firms of the class that a setting names, made with its seed, with its behaviour.

    Raises
    ------
    ValueError
        There is none, or it has no such behaviour.
    """
    module, _, name = setting.firms.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
        if not isinstance(made, type):
            raise TypeError(f"it is a {type(made).__name__}")
        firms = made(setting.seed)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        text = f"firms: expected MODULE:CLASS, got {setting.firms!r}: {error}"
        raise ValueError(text) from error
    if setting.behaviour:
        shape = type(getattr(firms, "behaviour", None))
        try:
            firms.behaviour = msgspec.convert(setting.behaviour, shape, strict=True)
        except msgspec.ValidationError as error:
            known = ", ".join(getattr(shape, "__struct_fields__", ())) or "none"
            raise ValueError(
                f"behaviour of {setting.firms}: expected fields of {known},"
                f" got {setting.behaviour}: {error}"
            ) from error
    return firms


__all__ = ["YearFailed", "YearRun"]
