"""The market and its tables as one deterministic function of the journal.

Long, because it is the whole contract between journal and market, an act a method, in one page.
The daemon, `verify` and the tests all run the journal through `VenueStateMachine`. It reads no
clock and touches no file or socket: the same frames give the same events and the same hashes.
"""

from collections.abc import Callable, Container, Iterable
from typing import Any, Self

import msgspec
import numpy as np
from msgspec import Struct

from cea_exchange.domain.calendar import date_of_number, is_date_number
from cea_exchange.domain.naming import name_fault, name_key
from cea_exchange.domain.profile import Profile, ProfileError, profile_parse
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    EVENT_DTYPE,
    OPERATOR_ANY,
    PRODUCT_NONE,
    BiddingState,
    EventKind,
    Phase,
    Pricing,
    Reason,
    Side,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.timetable import bidding_window, time_from_ns
from cea_exchange.matching import first_listings
from cea_exchange.matching.opening import day_open, notices_late
from cea_exchange.protocol import control
from cea_exchange.venue.cases import case_files
from cea_exchange.venue.market import (
    adjustments,
    cash_book,
    exchange_cash,
    listings,
    measures,
    participants,
)
from cea_exchange.venue.market.adjustments import Adjustment
from cea_exchange.venue.market.adopted_market import adopted_core, groups_of
from cea_exchange.venue.market.application_states import (
    Application,
    application_refusal,
    applications_kept,
)
from cea_exchange.venue.market.measures import Measure
from cea_exchange.venue.market.seizures import PRODUCT_UNDECLARED, seized
from cea_exchange.venue.refusals import (
    ActRefusal,
    account_unknown,
    persons_refusal,
    reason_refusal,
    refused,
    refused_by_words,
)

BIDDING_UNANNOUNCED = (1 << 64) - 1
"""An id no bidding has: ids are dense from 1."""

_EVENTS_EMPTY = np.zeros(0, EVENT_DTYPE)
_EVENTS_EMPTY.setflags(write=False)


class StateDiverged(RuntimeError):
    """A journaled checkpoint differs from the state that replay came to."""


class KeyHolder(Struct, frozen=True):
    """For whom a key acts, and what it may do; see `control.KeyGranted`."""

    account_index: int
    operator_index: int
    role: str
    cancel_on_disconnect: bool = True

    @property
    def operator(self) -> tuple[int, int]:
        """The account's and the operator's index: whose orders these are (CEA-ORD-11)."""
        return self.account_index, self.operator_index


class MachineState(Struct, frozen=True, forbid_unknown_fields=True):
    """What a snapshot keeps of a `VenueStateMachine`, by the names of its attributes."""

    core: bytes
    product_names: list[str]
    account_names: list[str]
    account_groups: list[str]
    keys: dict[str, KeyHolder]
    feed_seq: int
    feed_last: control.FeedCommand | None
    confirmed_date: int
    confirmed_seq: int
    lag_level: control.LagLevel
    halted_for_lag: bool
    busted: set[int]
    time_ns: int
    settlement_base: int = 0
    report_bases: list[int] = []
    declared_prices: list[int] = []
    biddings: dict[str, int] = {}
    applications: dict[str, Application] = {}
    suspended_by_registry: dict[str, bool] = {}
    payments: dict[str, cash_book.Payment] = {}
    cash_flows: dict[str, cash_book.CashFlow] = {}
    corrections: dict[str, int] = {}
    listings: dict[str, first_listings.Listing] = {}
    holders: dict[str, control.Holder] = {}
    barred: dict[str, bool] = {}
    measures: list[Measure] = []
    suspended_by_measure: dict[str, bool] = {}
    cases: dict[str, list[control.CaseEntered]] = {}
    adjustment_accounts: list[str] = []
    adjustments: list[Adjustment] = []


STATE_NAMES = tuple(name for name in MachineState.__struct_fields__ if name != "core")
"""The attributes that decide what comes next, apart from the market itself."""
DERIVED_NAMES = ("_products", "_accounts", "_groups")
"""Those that follow from the others."""
FIXED_NAMES = ("profile", "core", "_rows", "_rows_lent", "_acts")
"""Those that are the same in every machine, or have a snapshot of their own."""
SHOWN_NAMES = ("checkpoint_event_seq", "checkpoint_hash")
"""Those that decide nothing: they are shown, and begin anew with each machine."""

_ADJUSTMENTS = (
    *(control.AdjustmentAccountNamed, control.MarketAdjusted, control.AdjustmentEnded),
    control.AllocationNoted,
)
"""What the authority does, and what is noted of an account: each by two persons."""
_TRANSFERS = (control.TransferIn, control.TransferOut)
"""Most of what a feed says; the market answers each with an event."""

_STATE_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_STATE_DECODER = msgspec.msgpack.Decoder(MachineState)


def compiled_market() -> type:
    """Return the compiled market core (imported when first needed)."""
    from cea_exchange.core.market import CompiledMarket

    return CompiledMarket


class VenueStateMachine:
    """All that the journal decides: the market core, names, keys, and the place in the feed.

    Parameters
    ----------
    profile
        The rules in force.
    core_class
        `CompiledMarket` (the default) or `ReferenceMarket`.

    Attributes
    ----------
    core
        The market. Only this class calls its changing methods.
    product_names, account_names : list of str
        Names by index.
    keys : dict
        Public key (z85 text) to `KeyHolder`; a revoked key is not in it.
    feed_seq : int
        The last item of the registry's feed that was applied; 0 is none.
    feed_last : control message or None
        What that item said.
    confirmed_date, confirmed_seq : int
        The last trading day the registry has confirmed, and the settlement sequence it gave.
    lag_level : str
        What the registry's lag calls for, see `LagLevelSet`.
    halted_for_lag : bool
        Whether the market is halted for that alone, and by no operator.
    busted : set of int
        Ids of the trades that were busted, whether anything moved or not.
    time_ns : int
        The journaled time of what was applied last.
    declared_prices : list of int
        The reference prices (fen) that products were declared with, by index: from the venue's
        first bulletins on every later one follows from the events.
    biddings : dict
        Ids of the biddings that were announced today, by their names.
    applications : dict
        Applications for biddings, by their names, until their day is over.
    suspended_by_registry : dict
        Names of the accounts that the registry has suspended: whether an operator has, too.
    payments, cash_flows, corrections : dict
        Where the exchange settles the cash: what was booked, by the bank's references; what moved,
        by accounts; and what two persons added, by accounts, where these did not agree.
    listings : dict
        First listings that wait for the exchange or for their day, by their products.
    holders : dict
        Who holds the accounts that no organisation does.
    barred : dict
        Names of the accounts whose holders may not trade: whether an operator has suspended them,
        too.
    measures : list
        All measures that were ever taken; the first has number 1.
    suspended_by_measure : dict
        Names of the accounts that a measure suspends: whether an operator has, too.
    cases : dict
        Case files by their names: the entries of each, oldest first.
    adjustment_accounts, adjustments : list
        Names of the accounts by which the authority adjusts the market, and all that it did.
    settlement_base, report_bases : int, list of int
        Which settlement records, and which reports by account index, another life gave out; 0 and
        empty but after an adoption.
    checkpoint_event_seq, checkpoint_hash : int
        After which event the last checkpoint was applied since this was made, and the hash there.
    """

    def __init__(self, profile: Profile, core_class: type | None = None) -> None:
        self.profile = profile
        self.core = (core_class or compiled_market())(profile.rules)
        self.product_names: list[str] = []
        self.account_names: list[str] = []
        self.account_groups: list[str] = []
        self.keys: dict[str, KeyHolder] = {}
        self.feed_seq = 0
        self.feed_last: control.FeedCommand | None = None
        self.confirmed_date = self.confirmed_seq = 0
        self.lag_level = "normal"
        self.halted_for_lag = False
        self.busted: set[int] = set()
        self.time_ns = 0
        self.settlement_base = 0
        self.report_bases: list[int] = []
        self.declared_prices: list[int] = []
        self.biddings: dict[str, int] = {}
        self.applications: dict[str, Application] = {}
        self.suspended_by_registry: dict[str, bool] = {}
        self.payments: dict[str, cash_book.Payment] = {}
        self.cash_flows: dict[str, cash_book.CashFlow] = {}
        self.corrections: dict[str, int] = {}
        self.listings: dict[str, first_listings.Listing] = {}
        self.holders: dict[str, control.Holder] = {}
        self.barred: dict[str, bool] = {}
        self.measures: list[Measure] = []
        self.suspended_by_measure: dict[str, bool] = {}
        self.cases: dict[str, list[control.CaseEntered]] = {}
        self.adjustment_accounts: list[str] = []
        self.adjustments: list[Adjustment] = []
        self.checkpoint_event_seq = self.checkpoint_hash = 0
        self._products: dict[str, int] = {}
        self._accounts: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._rows, self._rows_lent = np.zeros((2, 4096), EVENT_DTYPE)
        self._acts = self._acts_made()

    def _acts_made(self) -> dict[type[control.Control], Callable[[Any], Any]]:
        """Return what is done for each kind of message."""
        return {
            control.ProductDeclared: self._product_declared,
            control.AccountDeclared: self._account_declared,
            control.AccountSuspended: self._account_suspended,
            control.AccountRestored: self._account_restored,
            control.KeyGranted: self._key_granted,
            control.KeyRevoked: self._key_revoked,
            # Nothing comes of it: that it is in the journal is all.
            control.LedgerHead: lambda act: None,
            control.DayOpen: self._day_open,
            control.DayClose: lambda act: self.core.day_close(),
            control.PhaseSet: lambda act: self.core.phase_set(int(act.phase)),
            control.Halt: self._halt,
            control.Resume: self._resume,
            control.Suspend: self._suspend,
            control.Restore: self._restore,
            control.Kill: self._kill,
            control.MeasureTaken: self._measure_taken,
            control.MeasureLifted: self._measure_lifted,
            control.MeasuresKept: self._measures_kept,
            control.CaseEntered: self._case_entered,
            # It changes nothing but that everybody was notified.
            control.AnnouncementMade: lambda act: None,
            control.AdjustmentAccountNamed: lambda act: self.adjustment_accounts.append(
                act.account
            ),
            control.MarketAdjusted: self._market_adjusted,
            control.AllocationNoted: lambda act: self.core.allocation_note(
                self._accounts[act.account], act.tonnes
            ),
            control.AdjustmentEnded: self._adjustment_ended,
            control.TradeBust: self._trade_bust,
            **dict.fromkeys((control.CashPaidIn, control.CashPaidOut), self._cash_booked),
            control.CashCorrected: self._cash_corrected,
            control.SessionLost: self._session_lost,
            control.ReferencePriceSet: self._reference_price_set,
            control.ProductList: self._product_list,
            control.ProductDelist: self._product_delist,
            control.ListingConfirmed: self._listing_confirmed,
            control.BlockConfirmed: lambda act: self.core.block_confirm(act.block_id),
            control.BlockRefused: lambda act: self.core.block_refuse(act.block_id),
            control.BiddingApplied: self._bidding_applied,
            control.BiddingReviewed: self._bidding_reviewed,
            control.BiddingLapsed: lambda act: self._application_ends(act, "lapsed"),
            control.BiddingOpen: self._bidding_open,
            control.BiddingWindowOpen: lambda act: self.core.bidding_window_open(
                self.bidding_id(act.bidding)
            ),
            control.BiddingClose: lambda act: self.core.bidding_close(self.bidding_id(act.bidding)),
            control.BiddingCancel: lambda act: self.core.bidding_cancel(
                self.bidding_id(act.bidding)
            ),
            control.Adopt: self._adopt,
            control.ProfileChanged: self._profile_changed,
            control.Checkpoint: self._checkpoint,
            control.SettlementConfirmed: self._settlement_confirmed,
            control.LagLevelSet: self._lag_level_set,
        }

    # -- Snapshots ----------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Return the whole state; `restore` makes the same machine of it."""
        kept = {name: getattr(self, name) for name in STATE_NAMES}
        return _STATE_ENCODER.encode(MachineState(core=self.core.snapshot(), **kept))

    @classmethod
    def restore(cls, profile: Profile, data: bytes, core_class: type | None = None) -> Self:
        """Return the machine that a snapshot was taken of.

        Raises
        ------
        ValueError
            The bytes are no snapshot, or of no state that a machine could have.
        """
        try:
            state = _STATE_DECODER.decode(data)
        except control.DECODE_ERRORS as error:
            raise ValueError(f"data: expected the snapshot of a machine, got {error}") from error
        if len(state.declared_prices) != len(state.product_names):
            raise ValueError(
                f"data: expected declared_prices of {len(state.product_names)} products, "
                f"got {len(state.declared_prices)}"
            )
        core = (core_class or compiled_market()).from_snapshot(profile.rules, state.core)
        machine = cls(profile, core_class)
        machine.core = core
        for name in STATE_NAMES:
            setattr(machine, name, getattr(state, name))
        machine._products = {name: index for index, name in enumerate(machine.product_names)}
        machine._accounts = {name: index for index, name in enumerate(machine.account_names)}
        for group in filter(None, machine.account_groups):
            machine._groups.setdefault(group, len(machine._groups) + 1)
        return machine

    # -- Names --------------------------------------------------------------------------------

    def product_index(self, name: str) -> int:
        """Return a product's index; `PRODUCT_UNDECLARED` if there is none of that name."""
        return self._products.get(name, PRODUCT_UNDECLARED)

    def account_index(self, name: str) -> int:
        """Return an account's index; `ACCOUNT_NONE` if there is none of that name."""
        return self._accounts.get(name, ACCOUNT_NONE)

    def group_index(self, name: str) -> int:
        """Return a group's index; `ACCOUNT_NONE` if no account is of one of that name."""
        return self._groups.get(name, ACCOUNT_NONE)

    def bidding_id(self, name: str) -> int:
        """Return a bidding's id; `BIDDING_UNANNOUNCED` if there was none of that name today."""
        return self.biddings.get(name, BIDDING_UNANNOUNCED)

    def products_declared(self) -> list[tuple[str, int]]:
        """Return all products by index, with the reference prices (fen) they were declared with."""
        return list(zip(self.product_names, self.declared_prices, strict=True))

    def report_base(self, account_index: int) -> int:
        """Return up to which number an account's reports are another life's."""
        bases = self.report_bases
        return bases[account_index] if account_index < len(bases) else 0

    # -- What the journal holds ---------------------------------------------------------------

    def apply_records(
        self, records: np.ndarray, time_ns: int = 0, *, lend: bool = False
    ) -> np.ndarray:
        """Run a batch of trading commands through the market and return its events.

        Parameters
        ----------
        records
            Array of `COMMAND_DTYPE`, checked for shape and filled from the key by the gateway.
        time_ns
            The journaled time of the batch.
        lend
            Return the machine's own rows where they hold all events: the call after the next
            writes over them.
        """
        self.time_ns = max(self.time_ns, time_ns)
        parts = []
        if lend and len(self._rows) < 4 * len(records):
            self._rows = np.zeros(4 * len(records), EVENT_DTYPE)
        while len(records):
            consumed, produced = self.core.process(records, self._rows)
            if lend and not parts and consumed == len(records):
                lent, self._rows, self._rows_lent = self._rows, self._rows_lent, self._rows
                return self._entered(lent[:produced])
            parts.append(self._rows[:produced].copy())
            records = records[consumed:]
            if self.core.rows_needed > len(self._rows):
                self._rows = np.zeros(2 * self.core.rows_needed, EVENT_DTYPE)
        if len(parts) == 1:
            return self._entered(parts[0])
        return self._entered(np.concatenate(parts)) if parts else _EVENTS_EMPTY

    def _entered(self, events: np.ndarray) -> np.ndarray:
        """Enter what events moved in the exchange's cash book, where it keeps one."""
        if exchange_cash.settles_here(self.profile):
            cash_book.take(self.cash_flows, self.account_names, events)
        return events

    def cash_records(
        self,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, int], dict[str, int]]:
        """Return what must agree of the cash that the exchange settles; see `cash_book.shown`."""
        cash = (int(self.core.account(index)["cash"]) for index in range(len(self.account_names)))
        balances = dict(zip(self.account_names, cash, strict=True))
        return self.cash_flows, self.payments, self.corrections, balances

    def apply_control(self, message: control.Control) -> np.ndarray:
        """Apply one control message and return its events (none for names and keys).

        Raises
        ------
        FrameError
            It does not fit the state; nothing changed. `refusal` says so beforehand.
        StateDiverged
            A checkpoint names other hashes than the state has.
        """
        refusal = self.refusal(message)
        if refusal is not None:
            raise refusal
        self.time_ns = max(self.time_ns, message.at_ns)
        if isinstance(message, control.FeedItem):
            self.feed_seq, self.feed_last = message.transfer_seq, message.command
            return self._entered(self._apply(message.command, message.transfer_seq))
        return self._entered(self._apply(message, 0))

    def refusal(self, message: control.Control) -> ActRefusal:
        """Return why a control message can't be applied now; None if it can.

        What the market itself answers with an event (an unknown account in a transfer, a halt of
        an unknown product) is no refusal here.
        """
        core = self.core
        match message:
            case control.FeedItem():
                return self._feed_refusal(message)
            case control.ProductDeclared(product=name):
                fault = self.profile.product_fault(name)
                return _declaration_refusal("product", name, self._products, fault)
            case control.AccountDeclared(account=name):
                return _declaration_refusal("account", name, self._accounts, name_fault(name))
            case control.ListingConfirmed() | control.ProductList():
                return listings.refusal(self.listings, message)
            case control.KeyGranted(account=name) if name not in self._accounts:
                return account_unknown("key", name)
            case control.AccountSuspended(account=name) | control.AccountRestored(account=name) if (
                name not in self._accounts
            ):
                return account_unknown("account", name)
            case control.Restore(account=name):
                suspended = self.suspended_by_measure, self.suspended_by_registry
                known = self.holders, self.barred, *suspended
                return participants.reinstatement_refusal(name, *known)
            case control.CaseEntered():
                known = self.cases, self._accounts, core.event_seq
                return case_files.entry_refusal(*known, message)
            case control.MeasureTaken() | control.MeasureLifted() | control.MeasuresKept():
                known = self.measures, self._accounts, core.trading_date
                return measures.refusal(*known, message)
            case _ if isinstance(message, _ADJUSTMENTS):
                return self._adjustment_refusal(message)
            case control.SessionLost():
                for name in (message.account, *(other.account for other in message.others)):
                    if name not in self._accounts:
                        return account_unknown("session", name)
            case control.Kill(account=str() as name) if name not in self._accounts:
                return account_unknown("kill", name)
            case control.TradeBust():
                return self._bust_refusal(message)
            case control.CashPaidIn() | control.CashPaidOut() | control.CashCorrected():
                return self._cash_refusal(message)
            case control.BiddingApplied() | control.BiddingReviewed() | control.BiddingLapsed():
                known = self._accounts, self._products
                return application_refusal(self.applications, *known, core.trading_date, message)
            case control.Adopt():
                return self._adopt_refusal(message)
            case control.ProfileChanged():
                return self._profile_change_refusal(message)
            case control.DayOpen(date=date) | control.SettlementConfirmed(
                trading_date=date
            ) if not is_date_number(date):
                # Journaled, it would stop every start from then on.
                return refused(VenueRefusal.VALUE_UNSOUND, "day", "a date, yyyymmdd", date)
            case control.SettlementConfirmed(trading_date=date) if date > core.trading_date:
                code, expected = VenueRefusal.DATE_OUT_OF_RANGE, f"one up to {core.trading_date}"
                return refused(code, "confirmation of a day", expected, date)
            case control.DayOpen(date=date) if core.day_is_open:
                code, got = VenueRefusal.DAY_IS_OPEN, core.trading_date
                return refused(code, f"day {date}", "no open day", got)
            case control.DayOpen(date=date) if date <= core.trading_date:
                code, expected = VenueRefusal.DATE_OUT_OF_RANGE, f"after {core.trading_date}"
                return refused(code, "day", expected, date)
            case control.DayOpen(date=date, second="") if exchange_cash.settles_here(self.profile):
                for found in cash_book.differences(*self.cash_records()):
                    expected = "the exchange's cash to come out"
                    return refused(VenueRefusal.CASH_DIFFERS, f"day {date}", expected, found)
            case control.DayClose() | control.PhaseSet() if not core.day_is_open:
                return refused(VenueRefusal.NO_DAY_OPEN, "day", "an open trading day", "none")
        return None

    def _feed_refusal(self, item: control.FeedItem) -> ActRefusal:
        seq, command = item.transfer_seq, item.command
        if seq != self.feed_seq + 1:
            return refused(VenueRefusal.NOT_NEXT, "feed", f"item {self.feed_seq + 1}", seq)
        refusal = exchange_cash.feed_refusal(self.profile, command)
        if refusal is None and not isinstance(command, _TRANSFERS):
            refusal = self.refusal(command)
        if refusal is None:
            return None
        where = f"feed item {seq}: {refusal.where}"
        return refused(refusal.code, where, refusal.expected, refusal.got)

    def _cash_refusal(
        self, message: control.CashPaidIn | control.CashPaidOut | control.CashCorrected
    ) -> ActRefusal:
        if isinstance(message, control.CashCorrected):
            found = [each["account"] for each in cash_book.differences(*self.cash_records())]
            known = self.profile, self._accounts, found
            return exchange_cash.correction_refusal(*known, message)
        booked = self._accounts, self.payments
        return exchange_cash.booking_refusal(self.profile, self.core.phase, *booked, message)

    def checkpoint_now(self, at_ns: int = 0) -> control.Checkpoint:
        """Return the checkpoint message of the state as it is."""
        return control.Checkpoint(
            at_ns=at_ns,
            state_hash=self.core.state_hash(),
            holdings_hash=self.core.holdings_hash(),
            settlement_seq=self.core.settlement_seq,
        )

    # -- Acts ---------------------------------------------------------------------------------

    def _apply(self, message: control.Control, transfer_seq: int) -> np.ndarray:
        if isinstance(message, _TRANSFERS):
            act = self.core.deposit
            if isinstance(message, control.TransferOut):
                act = self.core.withdraw
            account, asset = self.account_index(message.account), self._asset(message.product)
            return act(account, asset, message.amount, transfer_seq)
        if isinstance(message, control.Seizure):
            account, asset = self.account_index(message.account), self._asset(message.product)
            return seized(self.core, account, asset, message.amount, transfer_seq)
        events = self._acts[type(message)](message)
        return _EVENTS_EMPTY if events is None else events

    def _asset(self, name: str | None) -> int:
        """Return a product's index; without a name that of cash, or of the whole market."""
        return PRODUCT_NONE if name is None else self.product_index(name)

    def _day_open(self, act: control.DayOpen) -> np.ndarray:
        self.biddings = {}
        self.applications = applications_kept(self.applications, act.date)
        day = date_of_number(act.date)
        events = day_open(self.core, self.profile, self.product_names, day)
        wanted = [name for name in self.listings if self.profile.is_listed(name, day)]
        due = first_listings.take_effect(self.core, self.listings, wanted, self._products, act.date)
        return np.concatenate([events, *due, *self._measures_take_effect()])

    def _product_declared(self, act: control.ProductDeclared) -> None:
        number = self.core.trading_date
        day = date_of_number(number) if number else None
        waits = first_listings.waits(self.profile, act.product)
        index = self.core.product_declare(
            name_key(act.product),
            act.reference_price,
            self.profile.composite_weight(act.product, day),
            self.profile.is_listed(act.product, day) and not waits,
        )
        self._products[act.product] = index
        self.product_names.append(act.product)
        self.declared_prices.append(act.reference_price)
        if waits:
            self.listings[act.product] = listings.declared(act)

    def _account_declared(self, act: control.AccountDeclared) -> np.ndarray:
        group_index = 0
        if act.group:
            group_index = self._groups.setdefault(act.group, len(self._groups) + 1)
        index = self.core.account_declare(name_key(act.account), group_index)
        self._accounts[act.account] = index
        self.account_names.append(act.account)
        self.account_groups.append(act.group)
        holder = participants.holder_of(act)
        if holder != "organisation":
            self.holders[act.account] = holder
        return np.concatenate([_EVENTS_EMPTY, *self._judged([act.account])])

    def _judged(self, accounts: Iterable[str]) -> list[np.ndarray]:
        indexes = {name: self._accounts[name] for name in accounts}
        reasons = self.barred, self.suspended_by_registry, self.suspended_by_measure
        return participants.judged(self.core, self.profile, indexes, self.holders, *reasons)

    def _account_suspended(self, act: control.AccountSuspended) -> np.ndarray:
        """Suspend, and remember whether an operator's suspension is to outlast the registry's.

        Rules: CEA-DAY-06, CEA-ACC-03.
        """
        index = self._accounts[act.account]
        suspended = bool(self.core.account(index)["suspended"])
        for others in (self.barred, self.suspended_by_measure):
            suspended = others.get(act.account, suspended)
        self.suspended_by_registry.setdefault(act.account, suspended)
        return self.core.suspend(index)

    def _account_restored(self, act: control.AccountRestored) -> np.ndarray | None:
        stays_suspended = self.suspended_by_registry.pop(act.account, True)
        if stays_suspended or act.account in self.barred:
            return None
        if act.account in self.suspended_by_measure:
            return None
        return self.core.restore(self._accounts[act.account])

    def _suspend(self, act: control.Suspend) -> np.ndarray:
        self._operator_suspends(act.account, True)
        return self.core.suspend(self.account_index(act.account))

    def _restore(self, act: control.Restore) -> np.ndarray | None:
        if any(act.account in others for others in self._suspended_by_others()):
            # The operator's suspension is lifted, the other is not.
            self._operator_suspends(act.account, False)
            return None
        return self.core.restore(self.account_index(act.account))

    def _operator_suspends(self, account: str, is_suspended: bool) -> None:
        for others in self._suspended_by_others():
            if account in others:
                others[account] = is_suspended

    def _suspended_by_others(self) -> tuple[dict[str, bool], ...]:
        return self.suspended_by_registry, self.barred, self.suspended_by_measure

    def _measure_taken(self, act: control.MeasureTaken) -> np.ndarray:
        """Take a measure; what it restricts counts from this act on.

        Rules: CEA-MSR-01, CEA-MSR-02, CEA-MSR-04.
        """
        self.measures.append(Measure(act))
        return np.concatenate([_EVENTS_EMPTY, *self._measures_take_effect()])

    def _measure_lifted(self, act: control.MeasureLifted) -> np.ndarray:
        place = act.measure - 1
        self.measures[place] = Measure(self.measures[place].taken, act)
        return np.concatenate([_EVENTS_EMPTY, *self._measures_take_effect()])

    def _measures_kept(self, act: control.MeasuresKept) -> np.ndarray:
        self.measures = [Measure(each.taken, each.lifted) for each in act.measures]
        return np.concatenate([_EVENTS_EMPTY, *self._measures_take_effect()])

    def _case_entered(self, act: control.CaseEntered) -> None:
        """Add an entry to a file; no other act touches one.

        Rules: CEA-CAS-01.
        """
        self.cases.setdefault(act.case, []).append(act)

    def _measures_take_effect(self) -> list[np.ndarray]:
        others = self.suspended_by_registry, self.barred
        known = self.measures, self._accounts, self.suspended_by_measure
        return measures.taken_effect(self.core, *known, others)

    def _adjustment_refusal(self, message: control.Control) -> ActRefusal:
        traded = [key.account_index for key in self.keys.values() if key.role != "reader"]
        named, known = self.adjustment_accounts, self._accounts
        match message:
            case control.AdjustmentAccountNamed():
                return adjustments.naming_refusal(known, named, traded, message)
            case control.MarketAdjusted():
                count = len(self.adjustments)
                return adjustments.acting_refusal(named, known, traded, count, message)
            case control.AdjustmentEnded():
                return adjustments.ending_refusal(self.adjustments, message)
            case control.AllocationNoted():
                return adjustments.allocation_refusal(known, message)
        return None

    def _market_adjusted(self, act: control.MarketAdjusted) -> np.ndarray:
        """Let the market have the order, block or bidding of the authority's.

        Rules: CEA-ADJ-02.
        """
        window = BiddingState.ENDED
        if act.method == "bidding":
            window = self._window_of(0, act.closes_at)
        account, product = self._accounts[act.account], self.product_index(act.product)
        events, kept = adjustments.acted(self.core, account, product, window, act)
        self.adjustments.append(kept)
        if act.method == "bidding" and kept.target:
            self.biddings[adjustments.bidding_name(act.adjustment)] = kept.target
        return events

    def _adjustment_ended(self, act: control.AdjustmentEnded) -> np.ndarray:
        place = act.adjustment - 1
        found = self.adjustments[place]
        self.adjustments[place] = msgspec.structs.replace(found, ended=act)
        return adjustments.ended(self.core, self._accounts[found.acted.account], found)

    def _window_of(self, opens_at: int, closes_at: int) -> BiddingState:
        """Return how a bidding's window stands at the journaled time.

        Rules: CEA-BID-03.
        """
        if not self.core.day_is_open:
            return BiddingState.ENDED
        times = (time_from_ns(ns) if ns else None for ns in (opens_at, closes_at))
        day, now = date_of_number(self.core.trading_date), time_from_ns(self.time_ns)
        return bidding_window(self.profile, day, now, *times)

    def _key_granted(self, act: control.KeyGranted) -> None:
        self.keys[act.key] = KeyHolder(
            self._accounts[act.account], act.operator_index, act.role, act.cancel_on_disconnect
        )

    def _key_revoked(self, act: control.KeyRevoked) -> np.ndarray | None:
        """Cancel here, not by the daemon: a crash in between would leave orders nobody follows.

        Rules: CEA-ORD-11.
        """
        holder = self.keys.pop(act.key, None)
        if holder is None or holder.role != "trader" or not holder.cancel_on_disconnect:
            return None
        for other in self.keys.values():
            if other.operator == holder.operator and other.role == "trader":
                return None
        return self.core.orders_cancel(*holder.operator, Reason.DISCONNECTED)

    def _kill(self, act: control.Kill) -> np.ndarray:
        """Cancel first, so that the orders say why they went: killed, not suspended.

        Rules: CEA-DAY-07.
        """
        if act.account is None:
            canceled = self.core.orders_cancel(ACCOUNT_NONE, OPERATOR_ANY, Reason.KILLED)
            self.halted_for_lag = False
            return np.concatenate((canceled, self.core.halt(PRODUCT_NONE)))
        account = self._accounts[act.account]
        self._operator_suspends(act.account, True)
        canceled = self.core.orders_cancel(account, OPERATOR_ANY, Reason.KILLED)
        return np.concatenate((canceled, self.core.suspend(account)))

    def _bust_refusal(self, act: control.TradeBust) -> ActRefusal:
        """Return why a bust may not be journaled: persons, record, or a bust before it.

        Rules: CEA-STL-04.
        """
        if (missing := persons_refusal("bust", act)) is not None:
            return missing
        (trade,) = np.frombuffer(act.trade, EVENT_DTYPE)
        if (seq := int(trade["settlement_seq"])) != act.settlement_seq:
            where = "bust: settlement_seq of the record"
            return refused(VenueRefusal.TRADE_UNKNOWN, where, str(act.settlement_seq), seq)
        if int(trade["trade_id"]) in self.busted:
            got = f"{trade['trade_id']}, which was busted already"
            return refused(VenueRefusal.TRADE_BUSTED, "bust", "a trade that stands", got)
        fault = self.core.trade_bust_fault(act.trade)
        if fault is not None:
            return refused_by_words(VenueRefusal.TRADE_UNKNOWN, f"bust: {fault}")
        return None

    def _trade_bust(self, act: control.TradeBust) -> np.ndarray:
        (trade,) = np.frombuffer(act.trade, EVENT_DTYPE)
        self.busted.add(int(trade["trade_id"]))
        return self.core.trade_bust(act.trade)

    def _cash_booked(self, act: control.CashPaidIn | control.CashPaidOut) -> np.ndarray:
        account = self._accounts[act.account]
        return exchange_cash.booked(self.core, account, self.payments, act)

    def _cash_corrected(self, act: control.CashCorrected) -> np.ndarray:
        """Let market and book agree; where the market refuses, nothing has changed."""
        index = self._accounts[act.account]
        before = int(self.core.account(index)["cash"])
        events = exchange_cash.corrected(self.core, index, act.cash)
        after = int(self.core.account(index)["cash"])
        if after == act.cash:
            book = self.cash_flows, self.payments, self.corrections
            cash_book.corrected(*book, act.account, after, moved=after - before)
        return events

    def _session_lost(self, act: control.SessionLost) -> np.ndarray:
        lost = (act, *act.others)
        return self.core.operators_cancel(
            [(self._accounts[one.account], one.operator_index) for one in lost],
            act.after_order_id,
            act.last_order_id,
            act.orders_max,
        )

    def _reference_price_set(self, act: control.ReferencePriceSet) -> np.ndarray:
        return self.core.reference_price_set(self.product_index(act.product), act.price)

    def _product_list(self, act: control.ProductList) -> np.ndarray:
        return self.core.product_list(self.product_index(act.product), act.price)

    def _listing_confirmed(self, act: control.ListingConfirmed) -> None:
        waiting = self.listings[act.product]
        day = self.core.trading_date
        self.listings[act.product] = listings.confirmed(waiting, day, self.time_ns)

    def _product_delist(self, act: control.ProductDelist) -> np.ndarray:
        return self.core.product_delist(self.product_index(act.product))

    def _bidding_open(self, act: control.BiddingOpen) -> np.ndarray:
        """Announce a bidding; how its window stands follows from the journaled time.

        Rules: CEA-BID-03.
        """
        window = self._window_of(act.opens_at, act.closes_at)
        events = self.core.bidding_open(
            name_key(act.bidding),
            self.account_index(act.account),
            self.product_index(act.product),
            side=Side[act.side.upper()],
            tonnes=act.tonnes,
            limit=act.limit,
            pricing=Pricing[act.pricing.upper()],
            opens_at=act.opens_at,
            closes_at=act.closes_at,
            window=window,
            reserve_price=act.reserve_price,
        )
        is_announced = events["kind"][0] == EventKind.BIDDING_OPENED
        if is_announced:
            self.biddings[act.bidding] = int(events["order_id"][0])
        waiting = self.applications.get(act.bidding)
        if waiting is not None and waiting.status == "approved":
            why = "" if is_announced else Reason(int(events["reason"][0])).name
            self._application_ends(act, "announced" if is_announced else "lapsed", why)
        return events

    def _bidding_applied(self, act: control.BiddingApplied) -> None:
        self.applications[act.bidding] = Application(act)

    def _bidding_reviewed(self, act: control.BiddingReviewed) -> None:
        """Note what an operator decided.

        Rules: CEA-BID-10.
        """
        self._application_ends(act, "approved" if act.approved else "refused")

    def _application_ends(
        self,
        act: control.BiddingReviewed | control.BiddingLapsed | control.BiddingOpen,
        status: str,
        why: str | None = None,
    ) -> None:
        before = self.applications[act.bidding]
        self.applications[act.bidding] = msgspec.structs.replace(
            before, status=status, why=act.why if why is None else why
        )

    def _adopt_refusal(self, act: control.Adopt) -> ActRefusal:
        """An adoption begins a life, and two persons answer for it.

        Rules: CEA-OPR-02.
        """
        if self.core.event_seq or self.core.command_seq or self.product_names or self.account_names:
            expected, got = "an empty journal", "one that was begun"
            return refused(VenueRefusal.NOT_NEXT, "adopt", expected, got)
        missing = persons_refusal("adopt", act) or reason_refusal("adopt", act)
        if missing is not None:
            return missing
        expected, got = "", ""
        if exchange_cash.settles_here(self.profile):
            expected, got = "cash that the registry settles", "the exchange's"
        elif self.profile.listing_confirmed:
            expected, got = "listings of the registry's", "those the exchange confirms"
        elif (who := self.profile.participants) != "any":
            expected, got = "a profile by which any holder may trade", who
        return refused(VenueRefusal.PROFILE_UNFIT, "adopt", expected, got) if expected else None

    def _adopt(self, act: control.Adopt) -> None:
        state = act.state
        names = [product.product for product in state.products]
        day = date_of_number(state.trading_date) if state.trading_date else None
        weights = [self.profile.composite_weight(name, day) for name in names]
        self.core = adopted_core(type(self.core), self.profile.rules, state, weights)
        self._products = {name: index for index, name in enumerate(names)}
        self.product_names = names
        self.declared_prices = [product.reference_price for product in state.products]
        self.account_names = [account.account for account in state.accounts]
        self.account_groups = [account.group for account in state.accounts]
        self._accounts = {name: index for index, name in enumerate(self.account_names)}
        self._groups = groups_of(self.account_groups)
        self.feed_seq, self.feed_last = state.feed_seq, state.feed_last
        # The two persons answer for the day that was lost; no registry will confirm it.
        self.confirmed_date, self.confirmed_seq = state.trading_date, state.settlement_seq
        self.settlement_base = state.settlement_seq
        self.report_bases = [account.report_seq for account in state.accounts]
        self.busted = {*state.busted}
        self.suspended_by_registry = {
            account.account: account.suspended
            for account in state.accounts
            if account.suspended_by_registry
        }

    def _profile_change_refusal(self, act: control.ProfileChanged) -> ActRefusal:
        """Rules change between two days, when nothing is locked under the old ones.

        Rules: CEA-OPR-03.
        """
        if self.core.day_is_open:
            day = self.core.trading_date
            return refused(VenueRefusal.DAY_IS_OPEN, "profile", "no open day", day)
        if len(act.text) > control.PROFILE_TEXT_MAX:
            expected = f"at most {control.PROFILE_TEXT_MAX} characters"
            return refused(VenueRefusal.PROFILE_UNFIT, "profile", expected, len(act.text))
        try:
            profile = profile_parse(act.text, "profile")
        except ProfileError as error:
            got = f"a fault: {str(error).removeprefix('profile: ')}"
            return refused(VenueRefusal.PROFILE_UNFIT, "profile", "a sound one", got)
        for what, expected, got in (
            ("profile_hash", profile.profile_hash(), act.profile_hash),
            ("previous_hash", self.profile.profile_hash(), act.previous_hash),
        ):
            if expected != got:
                return refused(VenueRefusal.PROFILE_UNFIT, f"profile: {what}", expected, got)
        for name in ("holdings_checked", "settlement_agent"):
            now, new = getattr(self.profile.rules, name), getattr(profile.rules, name)
            if new != now:
                where, expected = f"profile: {name}", f"{now}, or balances would mean nothing"
                return refused(VenueRefusal.PROFILE_UNFIT, where, expected, new)
        return None

    def _profile_changed(self, act: control.ProfileChanged) -> np.ndarray:
        before, self.profile = self.profile, profile_parse(act.text, "profile")
        rules = self.profile.rules
        self.core = type(self.core).from_snapshot(
            rules, self.core.snapshot(), order_count_max=rules.order_count_max
        )
        late = notices_late(self.core, before, self.profile, self.product_names)
        return np.concatenate([_EVENTS_EMPTY, *late, *self._judged(self.holders)])

    def _checkpoint(self, act: control.Checkpoint) -> np.ndarray:
        now = self.checkpoint_now()
        for field in ("settlement_seq", "state_hash", "holdings_hash"):
            expected, got = getattr(act, field), getattr(now, field)
            if expected != got:
                raise StateDiverged(
                    f"checkpoint after event {self.core.event_seq}: {field} in the journal is "
                    f"{expected}, replay came to {got}"
                )
        self.checkpoint_event_seq, self.checkpoint_hash = self.core.event_seq, now.state_hash
        return self.core.checkpoint()

    def _settlement_confirmed(self, act: control.SettlementConfirmed) -> None:
        self.confirmed_date = max(self.confirmed_date, act.trading_date)
        self.confirmed_seq = max(self.confirmed_seq, act.settlement_seq)

    def _halt(self, act: control.Halt) -> np.ndarray:
        if act.product is None:
            self.halted_for_lag = False
        return self.core.halt(self._asset(act.product))

    def _resume(self, act: control.Resume) -> np.ndarray | None:
        if act.product is None and self.lag_level == "halt":
            # The operator's halt is lifted, that for lag is not.
            self.halted_for_lag = True
            return None
        return self.core.resume(self._asset(act.product))

    def _lag_level_set(self, act: control.LagLevelSet) -> np.ndarray | None:
        """Keep the level; halt the market at the last one, and lift that halt only.

        Notes
        -----
        Rules: CEA-LAG-01.
        """
        self.lag_level = act.level
        if act.level == "halt":
            if self.core.market_halted:
                return None
            self.halted_for_lag = True
            return self.core.halt(PRODUCT_NONE)
        if not self.halted_for_lag:
            return None
        self.halted_for_lag = False
        return self.core.resume(PRODUCT_NONE)

    def summary(self) -> dict[str, Any]:
        """Return the state's outline and its hashes, as `venue status` shows them."""
        return {
            **self.outline(),
            "state_hash": f"{self.core.state_hash():016x}",
            "holdings_hash": f"{self.core.holdings_hash():016x}",
        }

    def outline(self) -> dict[str, Any]:
        """Return the same without the hashes."""
        core = self.core
        return {
            "trading_date": core.trading_date,
            "day_is_open": bool(core.day_is_open),
            "phase": Phase(core.phase).name.lower(),
            "halted": bool(core.market_halted),
            "halted_for_lag": self.halted_for_lag,
            "lag_level": self.lag_level,
            "products": len(self.product_names),
            "accounts": len(self.account_names),
            "orders_live": core.live_order_count,
            "command_seq": core.command_seq,
            "event_seq": core.event_seq,
            "settlement_seq": core.settlement_seq,
            "feed_seq": self.feed_seq,
            "confirmed_date": self.confirmed_date,
        }


def _declaration_refusal(
    what: str, name: str, declared: Container[str], fault: str | None
) -> ActRefusal:
    if name in declared:
        got = f"{name!r}, declared already"
        return refused(VenueRefusal.NAME_TAKEN, what, "a new name", got)
    return None if fault is None else refused_by_words(VenueRefusal.VALUE_UNSOUND, fault)
