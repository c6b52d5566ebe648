"""An embedded market: names and text in, named events out, around a core that knows numbers.

    market = Market("cea", reference_prices={"CEA23": "97.49"})
    market.deposit("alice", cash="1000000.00")
    market.open_day("2025-07-16")
    market.phase("listed")
    market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=100, order_id="a1")

What decides lies in the core alone, see `MarketCore`: this module finds indexes, keeps text ids and
the market's time, and turns event records into `matching.events`. Its core is compiled, unless the
plain-Python `ReferenceMarket` is to take its place.

Long, because it is one class, the market's whole vocabulary, a method a word, and most of its
lines say what each takes. What callers write is read in `arguments`, the state is put in words by
`state_naming`.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, SupportsIndex, TypeVar

import msgspec
import numpy as np

from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number, date_parse
from cea_exchange.domain.naming import id_check, name_key
from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    BiddingState,
    BlockFlag,
    CommandKind,
    EventKind,
    OrderFlag,
    Phase,
    Pricing,
    Restriction,
    Side,
    Tif,
)
from cea_exchange.domain.timetable import (
    Change,
    bidding_window,
    changes_due,
    day_start,
    time_parse,
    time_to_ns,
)
from cea_exchange.domain.units import boolean, price_format, price_parse
from cea_exchange.matching import events as named
from cea_exchange.matching.bidding_windows import windows_due
from cea_exchange.matching.first_listings import Listing, take_effect, waits
from cea_exchange.matching.market_core import MarketCore
from cea_exchange.matching.opening import day_open
from cea_exchange.matching.sealing import sealed, unsealed
from cea_exchange.matching.text.arguments import (
    int64_read,
    member_of,
    moment_read,
    reserve_read,
    transfer_asked,
)
from cea_exchange.matching.text.event_naming import events_named
from cea_exchange.matching.text.names import Asked, Names, text_check
from cea_exchange.matching.text.state_naming import StateNaming

ORDER_ID_IMPOSSIBLE = (1 << 64) - 1
"""Names no order: order ids are dense from 1."""
OPERATOR_INDEX = 0
"""Named commands are those of the account's first operator."""
BLOCK_ENTRIES = (EventKind.BLOCK_ENQUIRED, EventKind.BLOCK_OFFERED)
EVENT_ROWS = 64
SNAPSHOT_VERSION = 4

P = ParamSpec("P")
R = TypeVar("R")


def _alone(
    method: Callable[Concatenate["Market", P], R],
) -> Callable[Concatenate["Market", P], R]:
    """Refuse a second thread while one is inside: commands share the market's one record."""

    @wraps(method)
    def guarded(self: "Market", *args: P.args, **kwargs: P.kwargs) -> R:
        if not self._entrance.acquire(blocking=False):
            raise RuntimeError("another thread is inside this market")
        try:
            return method(self, *args, **kwargs)
        finally:
            self._entrance.release()

    return guarded


class Market:
    """A market of listed and block trading and bidding with names, text ids and yuan.

    Methods by purpose. Declaring: `declare_product`, `declare_account`. Transfers: `deposit`,
    `withdraw`. Trading: `enter`, `cancel`, `amend`, in batches `process`. Blocks: `block_enquiry`,
    `block_offer`, `block_accept`, `block_reject`, `block_withdraw`, `block_counter`; the operator's
    `block_confirm`, `block_refuse`. Bidding: `bid`, `bid_cancel`; the operator's `bidding_open`,
    `bidding_close`, `bidding_cancel`. The day: `clock`, or `open_day`, `phase`, `close_day`. The
    operator: `halt`, `resume`, `suspend`, `restore_account`, `restrict`, `reference_price`,
    `list_product`, `confirm_listing`, `delist_product`. Looking: `state`, `account`, `depth`,
    `products`, `accounts`, `product_index`, `account_index`. The whole: `state_hash`, `check`,
    `snapshot`, `restore`, `copy`.

    A refused command is an answer: an event of it says why. Exceptions are for wrong types
    (TypeError) and misuse (ValueError); after one nothing has changed.

    Parameters
    ----------
    profile : Profile, str or Path
        The rules: a packaged profile's name, a profile file, or a profile.
    reference_prices : mapping of str to str, optional
        Products to declare, with the prices their first bands are measured from.
    core : type, optional
        The class that decides, by default the compiled one.

    Examples
    --------
    >>> market = Market("cea", reference_prices={"CEA23": "97.49"})
    >>> market.deposit("alice", cash="10000.00")[0].cash
    '10000.00'
    """

    # The market's own; `__dict__` is for what a user's class has beside them.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_calendar",
        "_command",
        "_core",
        "_entrance",
        "_events",
        "_listings",
        "_names",
        "_state_count",
        "_time",
        "profile",
    )

    def __init__(
        self,
        profile: Profile | str | Path = "cea",
        reference_prices: Mapping[str, str] | None = None,
        *,
        core: type[MarketCore] | None = None,
    ) -> None:
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        if not isinstance(reference_prices, Mapping | None):
            raise TypeError(
                "reference_prices: expected a mapping such as {'CEA23': '97.49'}, got "
                f"{type(reference_prices).__name__}"
            )
        self._core = _core_class(core)(self.profile.rules)
        self._names = Names()
        self._listings: dict[str, Listing] = {}
        self._time: datetime | None = None
        self._calendar: TradingCalendar | None = None
        self._state_count = 0
        self._buffers_make()
        for product, price in (reference_prices or {}).items():
            self.declare_product(product, price)

    def _buffers_make(self) -> None:
        self._command = np.zeros(1, COMMAND_DTYPE)
        self._events = np.zeros(EVENT_ROWS, EVENT_DTYPE)
        # Entered again by its own thread: `clock` closes days.
        self._entrance = threading.RLock()

    # -- Declaring --------------------------------------------------------------------------------

    @_alone
    def declare_product(self, product: str, reference_price: str) -> int:
        """Open a product for trading; return its index in records.

        It is listed at once, unless a notice of the profile lists it on a later day. Where the
        profile says `listing_confirmed`, the market begins with the products that are declared
        before its first day; one that is declared later waits for `confirm_listing`.

        Raises
        ------
        ValueError
            If it is declared already, or name or price are not valid in this market.

        Notes
        -----
        Rules: CCER-PRD-02.
        """
        price = price_parse(reference_price)
        self._names.product_check(product, self.profile.product_fault(product))
        day = self.trading_date
        weight = self.profile.composite_weight(product, day)
        is_waiting = day is not None and waits(self.profile, product)
        listed = self.profile.is_listed(product, day) and not is_waiting
        index = self._core.product_declare(name_key(product), price, weight, listed)
        self._names.product_add(product)
        if is_waiting:
            self._listings[product] = Listing(price)
        return index

    @_alone
    def declare_account(self, account: str, group: str | None = None) -> int:
        """Open a trading account, perhaps one of a group; return its index in records.

        Raises
        ------
        ValueError
            If it is declared already.
        """
        self._names.account_check(account)
        group_index = self._names.group_index(group)
        index = self._core.account_declare(name_key(account), group_index)
        self._names.account_add(account, group_index)
        return index

    # -- Transfers --------------------------------------------------------------------------------

    @_alone
    def deposit(
        self,
        account: str,
        *,
        cash: str | None = None,
        product: str | None = None,
        tonnes: SupportsIndex | None = None,
        open_account: bool = True,
    ) -> list[named.Event]:
        """Bring cash, or tonnes of a product, into a trading account.

        Parameters
        ----------
        account : str
            Whose.
        cash : str, optional
            Yuan.
        product, tonnes : str and int, optional
            Instead of cash: which allowances, how many.
        open_account : bool
            Declare an unknown account first, which stays declared if the deposit is then refused;
            otherwise the deposit is refused.
        """
        asked, amount = transfer_asked(account, cash, product, tonnes)
        if open_account and self._names.account_index(account) == ACCOUNT_NONE:
            self.declare_account(account)
        return self._named(self._core.deposit(*self._transfer_target(asked), amount), asked)

    @_alone
    def withdraw(
        self,
        account: str,
        *,
        cash: str | None = None,
        product: str | None = None,
        tonnes: SupportsIndex | None = None,
    ) -> list[named.Event]:
        """Take cash, or tonnes of a product, out of a trading account; see `deposit`."""
        asked, amount = transfer_asked(account, cash, product, tonnes)
        return self._named(self._core.withdraw(*self._transfer_target(asked), amount), asked)

    def _transfer_target(self, asked: Asked) -> tuple[int, int]:
        account_index = self._names.account_index(asked.account)
        if asked.product is None:
            return account_index, PRODUCT_NONE
        return account_index, self._product_or_unknown(asked.product)

    def _product_or_unknown(self, product: str) -> int:
        # Where PRODUCT_NONE means something (cash, the whole market), the next index to be
        # declared stands for a product that is not known.
        index = self._names.product_index(product)
        return len(self._names.products) if index == PRODUCT_NONE else index

    # -- Trading ----------------------------------------------------------------------------------

    @_alone
    def enter(
        self,
        account: str,
        product: str,
        side: Side | str,
        *,
        price: str,
        tonnes: SupportsIndex,
        order_id: str,
        tif: Tif | str = Tif.DAY,
        post_only: bool = False,
        pick: str | None = None,
    ) -> list[named.Event]:
        """Enter a listed order.

        Parameters
        ----------
        account, product : str
            Whose, of what.
        side : Side or str
            `Side.BUY` or "buy", `Side.SELL` or "sell".
        price : str
            The limit in yuan per tonne.
        tonnes : int
            How much.
        order_id : str
            The caller's own id: one of the account's on that trading day.
        tif : Tif or str
            How long it may wait: a `Tif`, or its name in small letters.
        post_only : bool
            Refuse it rather than let it trade on entry.
        pick : str, optional
            The id of the resting order to trade with, at the best opposite price.
        """
        side, tif = member_of(Side, side, "side"), member_of(Tif, tif, "tif")
        post_only = boolean(post_only, "post_only")
        price_fen = price_parse(price)
        tonnes = int64_read(tonnes, "tonnes")
        for text, what in ((account, "account"), (product, "product")):
            text_check(text, what)
        id_check(order_id, "order_id")
        account_index = self._names.account_index(account)
        is_used = (account_index, order_id) in self._names.order_ids
        command = self._command_begin(CommandKind.ENTER, account_index, is_used)
        command["side"], command["tif"] = side, tif
        command["flags"] = OrderFlag.POST_ONLY if post_only else 0
        command["product_index"] = self._names.product_index(product)
        command["price"], command["tonnes"] = price_fen, tonnes
        if pick is not None:
            text_check(pick, "pick")
            command["pick_order_id"] = self._pick_order_id(product, side, pick)
        return self._submit(Asked(order_id, account, product, pick))

    @_alone
    def cancel(self, account: str, order_id: str) -> list[named.Event]:
        """Cancel what is open of an order."""
        self._target_begin(CommandKind.CANCEL, account, order_id)
        return self._submit(Asked(order_id, account))

    @_alone
    def amend(
        self, account: str, order_id: str, *, price: str, tonnes: SupportsIndex
    ) -> list[named.Event]:
        """Change an order's price and open tonnes.

        Fewer tonnes at the same price keep its place; anything else is a new arrival.
        """
        price_fen = price_parse(price)
        tonnes = int64_read(tonnes, "tonnes")
        command = self._target_begin(CommandKind.AMEND, account, order_id)
        command["price"], command["tonnes"] = price_fen, tonnes
        return self._submit(Asked(order_id, account))

    @_alone
    def process(
        self, commands: np.ndarray, events: np.ndarray, trades_only: bool = False
    ) -> tuple[int, int]:
        """Run command records into the caller's buffer of event records, without the GIL.

        Returns
        -------
        consumed, produced : int
            If `events` can't hold those of the next command, processing stops before it and
            `rows_needed` says how many rows it needs.

        Raises
        ------
        TypeError
            If an array has another dtype.
        ValueError
            If a command record is malformed; none was processed then.
        RuntimeError
            If another thread is in this market.
        """
        return self._core.process(commands, events, trades_only)

    @property
    def rows_needed(self) -> int:
        """Return how many rows the command that stopped `process` needs, 0 if none did."""
        return self._core.rows_needed

    def _command_begin(self, kind: CommandKind, account_index: int, is_used: bool) -> np.void:
        last = 0
        if account_index != ACCOUNT_NONE:
            last = self._core.last_client_order_id(account_index, OPERATOR_INDEX)
        command = self._command[0]
        self._command.view("u1").fill(0)
        command["kind"] = kind
        command["account_index"] = account_index
        command["operator_index"] = OPERATOR_INDEX
        command["product_index"] = PRODUCT_NONE
        command["trading_date"] = self._core.trading_date
        # The core refuses an id at or below the last accepted one, so a text id of today sends one:
        # then the core refuses it in its own order of precedence.
        command["client_order_id"] = last if is_used else min(last + 1, ORDER_ID_IMPOSSIBLE)
        return command

    def _target_begin(self, kind: CommandKind, account: str, order_id: str) -> np.void:
        text_check(account, "account")
        text_check(order_id, "order_id")
        account_index = self._names.account_index(account)
        command = self._command_begin(kind, account_index, is_used=False)
        key = account_index, order_id
        command["order_id"] = self._names.order_ids.get(key, ORDER_ID_IMPOSSIBLE)
        return command

    def _pick_order_id(self, product: str, side: Side, pick: str) -> int:
        product_index = self._names.product_index(product)
        if product_index == PRODUCT_NONE:
            return ORDER_ID_IMPOSSIBLE
        opposite = Side.SELL if side == Side.BUY else Side.BUY
        best = self._core.best(product_index, opposite)
        if best == 0:
            return ORDER_ID_IMPOSSIBLE
        order_ids = self._core.orders_at(product_index, opposite, best)
        order_text = self._in_words().order_text
        found = [order_id for order_id in order_ids if order_text(order_id) == pick]
        return found[0] if len(found) == 1 else ORDER_ID_IMPOSSIBLE

    def _submit(self, asked: Asked) -> list[named.Event]:
        consumed, produced = self._core.process(self._command, self._events)
        if not consumed:
            self._events = np.zeros(self._core.rows_needed, EVENT_DTYPE)
            _, produced = self._core.process(self._command, self._events)
        rows = self._events[:produced]
        kind, order_id = rows[0]["kind"], int(rows[0]["order_id"])
        if kind == EventKind.ORDER_ACCEPTED:
            self._names.order_add(int(rows[0]["account_index"]), asked.id, order_id)
        elif kind in BLOCK_ENTRIES:
            self._names.block_add(asked.id, order_id)
        elif kind == EventKind.BID_ACCEPTED:
            self._names.bid_add(int(rows[0]["account_index"]), asked.id, order_id)
        return self._named(rows, asked)

    # -- Blocks -----------------------------------------------------------------------------------

    @_alone
    def block_enquiry(
        self,
        account: str,
        product: str,
        side: Side | str,
        *,
        block_id: str,
        price: str | None = None,
        tonnes: SupportsIndex | None = None,
        counterparty: str | None = None,
        to_group: str | None = None,
    ) -> list[named.Event]:
        """Ask for block offers: of one account, of a group, or of everybody. It locks nothing.

        Parameters
        ----------
        account, product : str
            Who asks, for what.
        side : Side or str
            What the asker would do.
        block_id : str
            The caller's own id: one of the whole market's on that trading day.
        price, tonnes : str and int, optional
            Yuan per tonne and how much, where it says so.
        counterparty, to_group : str, optional
            Who may answer; not both.
        """
        command = self._block_begin(
            CommandKind.BLOCK_ENQUIRY, (account, product, block_id), side, counterparty, to_group
        )
        if price is None:
            command["flags"] |= BlockFlag.PRICE_OPEN
        else:
            command["price"] = price_parse(price)
        if tonnes is None:
            command["flags"] |= BlockFlag.TONNES_OPEN
        else:
            tonnes = int64_read(tonnes, "tonnes")
            command["tonnes"] = tonnes
        return self._submit(Asked(block_id, account, product))

    @_alone
    def block_offer(
        self,
        account: str,
        product: str,
        side: Side | str,
        *,
        price: str,
        tonnes: SupportsIndex,
        block_id: str,
        counterparty: str | None = None,
        to_group: str | None = None,
        enquiry: str | None = None,
    ) -> list[named.Event]:
        """Offer a block to one account, to a group, or to everybody; see `block_enquiry`.

        `enquiry` is the id of the enquiry it answers, whose owner is the counterparty then: none
        need be named.
        """
        price_fen = price_parse(price)
        tonnes = int64_read(tonnes, "tonnes")
        command = self._block_begin(
            CommandKind.BLOCK_OFFER, (account, product, block_id), side, counterparty, to_group
        )
        command["price"], command["tonnes"] = price_fen, tonnes
        if enquiry is not None:
            text_check(enquiry, "enquiry")
            command["order_id"] = self._names.block_ids.get(enquiry, ORDER_ID_IMPOSSIBLE)
        return self._submit(Asked(block_id, account, product))

    @_alone
    def block_accept(self, account: str, block_id: str) -> list[named.Event]:
        """Trade a block at the terms on the table."""
        return self._block_answer(CommandKind.BLOCK_ACCEPT, account, block_id)

    @_alone
    def block_reject(self, account: str, block_id: str) -> list[named.Event]:
        """Decline a directed offer, or the counter-offer to it."""
        return self._block_answer(CommandKind.BLOCK_REJECT, account, block_id)

    @_alone
    def block_withdraw(self, account: str, block_id: str) -> list[named.Event]:
        """Take back an offer or an enquiry, or end a negotiation one has countered in."""
        return self._block_answer(CommandKind.BLOCK_WITHDRAW, account, block_id)

    @_alone
    def block_counter(
        self, account: str, block_id: str, *, price: str, tonnes: SupportsIndex
    ) -> list[named.Event]:
        """Answer a directed offer, or the counter-offer to it, with other terms."""
        price_fen = price_parse(price)
        tonnes = int64_read(tonnes, "tonnes")
        return self._block_answer(CommandKind.BLOCK_COUNTER, account, block_id, price_fen, tonnes)

    @_alone
    def block_confirm(self, block_id: str) -> list[named.Event]:
        """Let the exchange confirm a block that both sides agree on: it trades."""
        return self._block_judged(self._core.block_confirm, block_id)

    @_alone
    def block_refuse(self, block_id: str) -> list[named.Event]:
        """Let the exchange refuse a block that both sides agree on: it is over."""
        return self._block_judged(self._core.block_refuse, block_id)

    def _block_judged(
        self, word: Callable[[SupportsIndex], np.ndarray], block_id: str
    ) -> list[named.Event]:
        text_check(block_id, "block_id")
        rows = word(self._names.block_ids.get(block_id, ORDER_ID_IMPOSSIBLE))
        return self._named(rows, Asked(block_id))

    def _block_begin(
        self,
        kind: CommandKind,
        texts: tuple[str, str, str],
        side: Side | str,
        counterparty: str | None,
        to_group: str | None,
    ) -> np.void:
        """Begin the command of an enquiry or offer; `texts` are account, product and block id."""
        side = member_of(Side, side, "side")
        account, product, block_id = texts
        text_check(account, "account")
        text_check(product, "product")
        id_check(block_id, "block_id")
        if counterparty is not None and to_group is not None:
            raise ValueError("a block: expected a counterparty or a group, got both")
        is_used = block_id in self._names.block_ids
        command = self._command_begin(kind, self._names.account_index(account), is_used)
        command["side"] = side
        command["product_index"] = self._names.product_index(product)
        if counterparty is not None:
            text_check(counterparty, "counterparty")
            command["flags"] = BlockFlag.TO_ACCOUNT
            command["pick_order_id"] = self._names.account_index(counterparty)
        elif to_group is not None:
            text_check(to_group, "to_group")
            command["flags"] = BlockFlag.TO_GROUP
            command["pick_order_id"] = self._names.group_index_known(to_group)
        return command

    def _block_answer(
        self,
        kind: CommandKind,
        account: str,
        block_id: str,
        price_fen: int = 0,
        tonnes: int = 0,
    ) -> list[named.Event]:
        text_check(account, "account")
        text_check(block_id, "block_id")
        command = self._command_begin(kind, self._names.account_index(account), is_used=False)
        command["order_id"] = self._names.block_ids.get(block_id, ORDER_ID_IMPOSSIBLE)
        command["price"], command["tonnes"] = price_fen, tonnes
        return self._submit(Asked(block_id, account))

    # -- Bidding ----------------------------------------------------------------------------------

    @_alone
    def bidding_open(
        self,
        account: str,
        product: str,
        *,
        bidding_id: str,
        tonnes: SupportsIndex,
        pricing: Pricing | str,
        floor: str | None = None,
        ceiling: str | None = None,
        side: Side | str = Side.SELL,
        opens_at: datetime | str | None = None,
        closes_at: datetime | str | None = None,
        reserve_price: str | None = None,
    ) -> list[named.Event]:
        """Announce a bidding that the operator has approved.

        Parameters
        ----------
        account, product : str
            Who applied, for what.
        bidding_id : str
            One of the whole market's on that trading day.
        tonnes : int
            How much is offered, or wanted.
        pricing : Pricing or str
            "uniform" or "pay_as_bid".
        floor, ceiling : str
            The applicant's limit in yuan per tonne: a floor of a sale, a ceiling of a purchase.
        side : Side or str
            What the applicant does.
        opens_at, closes_at : datetime or str, optional
            Times with an offset: it opens at once, and is open until `bidding_close` or the day's
            close, without them.
        reserve_price : str, optional
            The worst price that the applicant takes, yuan per tonne, within the bids' range; shown
            to nobody.

        Raises
        ------
        ValueError
            If the limit is not that of its side.

        Notes
        -----
        Rules: CEA-BID-01 to CEA-BID-04, CEA-AWD-06.
        """
        side, pricing = member_of(Side, side, "side"), member_of(Pricing, pricing, "pricing")
        for text, what in ((account, "account"), (product, "product")):
            text_check(text, what)
        id_check(bidding_id, "bidding_id")
        tonnes = int64_read(tonnes, "tonnes")
        limits = {Side.SELL: ("floor", floor), Side.BUY: ("ceiling", ceiling)}
        (wanted, limit), (other, stray) = limits[side], limits[Side(3 - side)]
        if limit is None or stray is not None:
            got = f"{other} {stray!r}" if stray is not None else "none"
            raise ValueError(f"a {side.name.lower()} bidding: expected a {wanted}, got {got}")
        window, begin, end = self._window(opens_at, closes_at)
        rows = self._core.bidding_open(
            name_key(bidding_id),
            self._names.account_index(account),
            self._product_or_unknown(product),
            side=side,
            tonnes=tonnes,
            limit=price_parse(limit),
            pricing=pricing,
            opens_at=begin,
            closes_at=end,
            window=window,
            reserve_price=reserve_read(reserve_price),
        )
        if rows[0]["kind"] == EventKind.BIDDING_OPENED:
            self._names.bidding_add(bidding_id, int(rows[0]["order_id"]))
        return self._named(rows, Asked(bidding_id, account, product))

    def _window(
        self, opens_at: datetime | str | None, closes_at: datetime | str | None
    ) -> tuple[BiddingState, int, int]:
        """Return how a bidding would stand, and its window (ns since 1970, 0 for none)."""
        times = [None if at is None else moment_read(at) for at in (opens_at, closes_at)]
        window = BiddingState.ENDED
        if self._core.day_is_open:
            window = bidding_window(self.profile, self.trading_date, self._time, *times)
        if window == BiddingState.ENDED:
            # It may lie in a year of which records can't say the nanosecond.
            return window, 0, 0
        begin, end = (0 if at is None else time_to_ns(at) for at in times)
        return window, begin, end

    @_alone
    def bid(
        self,
        account: str,
        bidding_id: str,
        *,
        bid_id: str,
        tonnes: SupportsIndex,
        price: str | None = None,
    ) -> list[named.Event]:
        """Bid in an open bidding: to buy where its applicant sells, to sell where it buys.

        Parameters
        ----------
        account, bidding_id : str
            Whose bid, and where.
        bid_id : str
            The caller's own id: one of the account's bids on that trading day.
        tonnes : int
            How much, also more than is offered.
        price : str, optional
            Yuan per tonne, within the bidding's range; without one the bid is non-competitive.
        """
        price_fen = 0 if price is None else price_parse(price)
        tonnes = int64_read(tonnes, "tonnes")
        for text, what in ((account, "account"), (bidding_id, "bidding_id")):
            text_check(text, what)
        id_check(bid_id, "bid_id")
        account_index = self._names.account_index(account)
        is_used = (account_index, bid_id) in self._names.bid_ids
        command = self._command_begin(CommandKind.BID, account_index, is_used)
        command["order_id"] = self._names.bidding_ids.get(bidding_id, ORDER_ID_IMPOSSIBLE)
        command["price"], command["tonnes"] = price_fen, tonnes
        return self._submit(Asked(bid_id, account))

    @_alone
    def bid_cancel(self, account: str, bid_id: str) -> list[named.Event]:
        """Take back a bid while its bidding is open."""
        text_check(account, "account")
        text_check(bid_id, "bid_id")
        account_index = self._names.account_index(account)
        command = self._command_begin(CommandKind.BID_CANCEL, account_index, is_used=False)
        key = account_index, bid_id
        command["order_id"] = self._names.bid_ids.get(key, ORDER_ID_IMPOSSIBLE)
        return self._submit(Asked(bid_id, account))

    @_alone
    def bidding_close(self, bidding_id: str) -> list[named.Event]:
        """Award an open bidding; one that is halted is cancelled."""
        text_check(bidding_id, "bidding_id")
        rows = self._core.bidding_close(self._bidding_or_unknown(bidding_id))
        return self._named(rows, Asked(bidding_id))

    @_alone
    def bidding_cancel(self, bidding_id: str) -> list[named.Event]:
        """End a bidding without an award."""
        text_check(bidding_id, "bidding_id")
        rows = self._core.bidding_cancel(self._bidding_or_unknown(bidding_id))
        return self._named(rows, Asked(bidding_id))

    def _bidding_or_unknown(self, bidding_id: str) -> int:
        return self._names.bidding_ids.get(bidding_id, ORDER_ID_IMPOSSIBLE)

    # -- The day ----------------------------------------------------------------------------------

    @_alone
    def clock(self, at: datetime | str) -> list[named.Event]:
        """Move the market's time; what the timetable and the calendar make due happens in order.

        The first time opens its own date at most; later ones run every trading day in between.

        Parameters
        ----------
        at : datetime or str
            A time with an offset, not before the last.

        Raises
        ------
        ValueError
            If time would go back, or the calendar does not reach that far.

        Notes
        -----
        Rules: CEA-DAY-01, CEA-DAY-02, CEA-DAY-03, CEA-DAY-04, CEA-BID-03.
        """
        moment = moment_read(at)
        if self._calendar is None:
            self._calendar = TradingCalendar.load(self.profile.calendar)
        due = changes_due(
            self.profile,
            self._calendar,
            after=self._time,
            until=moment,
            day_open=self.trading_date if self._core.day_is_open else None,
            last_date=self.trading_date,
        )
        events = named.Events()
        for change in due:
            events += self._windows_run(change.at)
            events += self._change_apply(change)
        events += self._windows_run(moment)
        self._time = moment
        return events

    def _windows_run(self, until: datetime) -> list[named.Event]:
        """Open and close the biddings that are due."""
        events = named.Events()
        for change in windows_due(self._core, time_to_ns(until)):
            act = self._core.bidding_window_open if change.opens else self._core.bidding_close
            events += self._named(act(change.bidding_id), Asked())
        return events

    def _change_apply(self, change: Change) -> list[named.Event]:
        if change.act == "day_open":
            return self._day_open(change.trading_date)
        if change.act == "day_close":
            return self.close_day()
        return self.phase(change.phase)

    @_alone
    def open_day(self, trading_date: date | str) -> list[named.Event]:
        """Open a trading day without asking the calendar; time is that date's start.

        Raises
        ------
        ValueError
            If a day is open, or the date is not later than the last, or time would go back.
        """
        day = trading_date if type(trading_date) is date else date_parse(trading_date)
        start = day_start(day)
        if self._time is not None and start < self._time:
            raise ValueError(f"date: expected none before {self._time.isoformat()}, got {day}")
        events = self._day_open(day)
        self._time = start
        return events

    def _day_open(self, day: date) -> list[named.Event]:
        products = self._names.products
        rows = day_open(self._core, self.profile, products, day)
        wanted = [product for product in self._listings if self.profile.is_listed(product, day)]
        indexes = {product: self._names.product_index(product) for product in self._listings}
        due = take_effect(self._core, self._listings, wanted, indexes, date_number(day))
        self._names.orders_reset()
        return self._named(np.concatenate([rows, *due]), Asked())

    @_alone
    def close_day(self) -> list[named.Event]:
        """Close the day: orders expire, products close, closes become reference prices.

        Raises
        ------
        ValueError
            If no day is open.
        """
        self._day_needed("close_day")
        return self._named(self._core.day_close(), Asked())

    @_alone
    def phase(self, phase: Phase | str) -> list[named.Event]:
        """Set the phase of the open day; `closed` does not end it.

        Raises
        ------
        ValueError
            If no day is open, or there is no such phase.
        """
        wanted = member_of(Phase, phase, "phase")
        self._day_needed("phase")
        return self._named(self._core.phase_set(wanted), Asked())

    def _day_needed(self, what: str) -> None:
        if not self._core.day_is_open:
            raise ValueError(f"{what}: expected an open day, got none")

    # -- The operator -----------------------------------------------------------------------------

    @_alone
    def halt(self, product: str | None = None) -> list[named.Event]:
        """Halt a product, or the whole market."""
        return self._named(self._core.halt(self._halt_target(product)), Asked(product=product))

    @_alone
    def resume(self, product: str | None = None) -> list[named.Event]:
        """Lift the halt of a product, or of the market."""
        return self._named(self._core.resume(self._halt_target(product)), Asked(product=product))

    def _halt_target(self, product: str | None) -> int:
        if product is None:
            return PRODUCT_NONE
        text_check(product, "product")
        return self._product_or_unknown(product)

    @_alone
    def suspend(self, account: str) -> list[named.Event]:
        """Stop an account from trading and withdrawing; what it has open is cancelled."""
        text_check(account, "account")
        rows = self._core.suspend(self._names.account_index(account))
        return self._named(rows, Asked(account=account))

    @_alone
    def restore_account(self, account: str) -> list[named.Event]:
        """Let a suspended account trade again."""
        text_check(account, "account")
        rows = self._core.restore(self._names.account_index(account))
        return self._named(rows, Asked(account=account))

    @_alone
    def restrict(self, account: str, barred: Iterable[Restriction | str]) -> list[named.Event]:
        """Keep an account from new purchases or sales, or from taking tonnes or cash out.

        Parameters
        ----------
        account : str
            Whose.
        barred : iterable of Restriction or str
            All that it is kept from now on; none lifts what there was.
        """
        text_check(account, "account")
        bits = 0
        for each in barred:
            bits |= member_of(Restriction, each, "barred")
        rows = self._core.restrict(self._names.account_index(account), bits)
        return self._named(rows, Asked(account=account))

    @_alone
    def allocation(self, account: str, tonnes: SupportsIndex) -> list[named.Event]:
        """Note what an account was allocated: it may hold so much beside a joint limit.

        The only event is the refusal of an unknown account.

        Notes
        -----
        Rules: PLT-FND-01.
        """
        text_check(account, "account")
        rows = self._core.allocation_note(self._names.account_index(account), tonnes)
        return self._named(rows, Asked(account=account))

    @_alone
    def reference_price(self, product: str, price: str) -> list[named.Event]:
        """Measure a product's band from another price, before the day's first listed session."""
        price_fen = price_parse(price)
        text_check(product, "product")
        rows = self._core.reference_price_set(self._product_or_unknown(product), price_fen)
        return self._named(rows, Asked(product=product))

    @_alone
    def list_product(self, product: str, reference_price: str) -> list[named.Event]:
        """Let a product that was declared be traded again, from another reference price.

        Before the day's first listed session, or while no day is open.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        price_fen = price_parse(reference_price)
        text_check(product, "product")
        if product in self._listings:
            raise ValueError(f"list: expected a product that does not wait, got {product!r}")
        rows = self._core.product_list(self._product_or_unknown(product), price_fen)
        return self._named(rows, Asked(product=product))

    @_alone
    def confirm_listing(self, product: str) -> list[named.Event]:
        """Confirm the first listing of a product: the next day that opens lists it.

        The only event is that day's `product_listed`. The day of the confirmation is the market's
        date, or the last that was opened.

        Raises
        ------
        ValueError
            If no first listing of the product waits, or it was confirmed before.

        Notes
        -----
        Rules: CCER-PRD-02.
        """
        text_check(product, "product")
        waiting = self._listings.get(product)
        if waiting is None:
            raise ValueError(f"confirm_listing: expected a product that waits, got {product!r}")
        if waiting.confirmed_on:
            raise ValueError(
                f"confirm_listing: expected a listing that is not confirmed, {product!r} is"
                f" since {date_of_number(waiting.confirmed_on)}"
            )
        today = date_number(self._time.date()) if self._time is not None else 0
        self._listings[product] = waiting.confirmed(max(self._core.trading_date, today))
        return named.Events()

    @_alone
    def delist_product(self, product: str) -> list[named.Event]:
        """Let a product be traded no more: what is open of it ends, holdings stay.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        text_check(product, "product")
        rows = self._core.product_delist(self._product_or_unknown(product))
        return self._named(rows, Asked(product=product))

    # -- Looking ----------------------------------------------------------------------------------

    @property
    def trading_date(self) -> date | None:
        """Return the trading date, between days the last one; None before the first."""
        number = self._core.trading_date
        return date_of_number(number) if number else None

    @property
    def time(self) -> datetime | None:
        """Return the market's time in Shanghai, None before it has one."""
        return self._time

    @property
    def current_phase(self) -> Phase:
        """Return the phase the market is in."""
        return Phase(self._core.phase)

    @property
    def core(self) -> MarketCore:
        """Return the core, for queries by index."""
        return self._core

    @property
    def products(self) -> tuple[str, ...]:
        """Return the declared products, by index."""
        return tuple(self._names.products)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the declared accounts, by index."""
        return tuple(self._names.accounts)

    def product_index(self, product: str) -> int:
        """Return a product's index in records, `PRODUCT_NONE` for an unknown name."""
        return self._names.product_index(product)

    def account_index(self, account: str) -> int:
        """Return an account's index in records, `ACCOUNT_NONE` for an unknown name."""
        return self._names.account_index(account)

    def bidding_record_id(self, bidding_id: str) -> int:
        """Return a bidding's id in records, which a BID names; one that none has for an unknown."""
        return self._bidding_or_unknown(bidding_id)

    def events_named(self, events: np.ndarray) -> list[named.Event]:
        """Return named events of the rows that `process` wrote, to be called with all of them.

        An order that came as a record has the number that entered it for its id. Its amends and
        cancels have numbers of their own, so the id is noted where it is accepted.
        """
        entries = (EventKind.ORDER_ACCEPTED, EventKind.BID_ACCEPTED)
        for row in events[np.isin(events["kind"], entries)]:
            self._names.texts.setdefault(int(row["order_id"]), str(row["client_order_id"]))
        for block_id in events["order_id"][np.isin(events["kind"], BLOCK_ENTRIES)].tolist():
            self._names.block_ids.setdefault(self._names.block_text(block_id), block_id)
        return self._named(events, Asked())

    def account(self, account: str) -> named.AccountState:
        """Return what an account has.

        Raises
        ------
        LookupError
            If there is no such account.
        """
        index = self._names.account_index(account)
        if index == ACCOUNT_NONE:
            raise LookupError(f"account: expected a declared one, got {account!r}")
        return self._in_words().account(index)

    def depth(
        self, product: str, side: Side | str, levels: SupportsIndex = 5
    ) -> list[tuple[str, int, int]]:
        """Return the best price levels of a side: price, tonnes, orders.

        Raises
        ------
        LookupError
            If there is no such product.
        """
        index = self._names.product_index(product)
        if index == PRODUCT_NONE:
            known = ", ".join(self.products)
            raise LookupError(f"product: expected one of {known}, got {product!r}")
        found = self._core.depth(index, member_of(Side, side, "side"), levels)
        return [(price_format(price), tonnes, count) for price, tonnes, count in found]

    @property
    def event_seq(self) -> int:
        """The number of the last event that it has given; 0 before the first."""
        return self._core.event_seq + self._state_count

    @_alone
    def state(self) -> named.State:
        """Return the whole market as an event, with its hash."""
        self._state_count += 1
        return self._in_words().state(self.event_seq)

    def _in_words(self) -> StateNaming:
        return StateNaming(self._core, self._names)

    def _named(self, rows: np.ndarray, asked: Asked) -> list[named.Event]:
        return events_named(rows, self._names, asked, self._state_count)

    # -- The whole --------------------------------------------------------------------------------

    @_alone
    def state_hash(self) -> int:
        """Return the 64-bit hash of all that decides what comes next."""
        return self._core.state_hash()

    @_alone
    def holdings_hash(self) -> int:
        """Return the 64-bit hash of who holds what: what a registry can know too."""
        return self._core.holdings_hash()

    def check(self) -> None:
        """Raise AssertionError, naming it, if an invariant of the market is broken."""
        self._core.check()

    @_alone
    def snapshot(self) -> bytes:
        """Return the whole market, its rules and names included, as bytes for `restore`."""
        state = {
            "version": SNAPSHOT_VERSION,
            "profile": self.profile,
            "core": self._core.snapshot(),
            "names": self._names.to_builtins(),
            "time": None if self._time is None else self._time.isoformat(),
            "state_count": self._state_count,
            "listings": self._listings,
        }
        return sealed(msgspec.msgpack.encode(state))

    @classmethod
    def restore(cls, data: bytes, *, core: type[MarketCore] | None = None) -> Self:
        """Return the market that `snapshot` wrote down.

        Raises
        ------
        ValueError
            If these bytes are no such snapshot, or not all as they were written.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"data: expected bytes, got {type(data).__name__}")
        decides = _core_class(core)
        try:
            state = msgspec.msgpack.decode(unsealed(data))
            if not isinstance(state, dict) or state.get("version") != SNAPSHOT_VERSION:
                raise ValueError(f"snapshot: expected version {SNAPSHOT_VERSION}, got another")
            market = cls.__new__(cls)
            market.profile = msgspec.convert(state["profile"], Profile)
            market._core = decides.from_snapshot(market.profile.rules, state["core"])
            market._names = Names.from_builtins(state["names"])
            market._time = None if state["time"] is None else time_parse(state["time"])
            market._state_count = msgspec.convert(state["state_count"], int)
            # Snapshots of before have none: no product waited then.
            market._listings = msgspec.convert(state.get("listings", {}), dict[str, Listing])
        except (msgspec.MsgspecError, KeyError, IndexError, OverflowError, TypeError) as error:
            raise ValueError(f"snapshot: expected a whole one, got {error}") from error
        market._calendar = None
        market._buffers_make()
        return market

    @_alone
    def copy(self) -> Self:
        """Return an independent market in the same state.

        So do `copy.copy`, `copy.deepcopy` and pickle, with what a subclass has in its ``__dict__``.
        """
        other = type(self).__new__(type(self))
        other.profile = self.profile
        other._core = self._core.copy()
        other._names = Names.from_builtins(self._names.to_builtins())
        other._time = self._time
        other._listings = dict(self._listings)
        other._state_count = self._state_count
        other._calendar = self._calendar
        other._buffers_make()
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        restored = partial(type(self).restore, core=type(self._core))
        return restored, (self.snapshot(),), self.__dict__ or None

    def __repr__(self) -> str:
        day = self.trading_date or "no day yet"
        return (
            f"<{type(self).__name__} {self.profile.name}, {day} {self.current_phase.name.lower()}: "
            f"{len(self.products)} products, {len(self.accounts)} accounts, "
            f"{self._core.live_order_count} orders>"
        )

    @_alone
    def _repr_html_(self) -> str:
        return self._in_words().html(repr(self)[1:-1])


def _core_class(core: type[MarketCore] | None) -> type[MarketCore]:
    """Return the class that decides, the compiled one for None."""
    if core is None:
        # Imported late, so that the reference market needs nothing compiled.
        from cea_exchange.core.market import CompiledMarket

        return CompiledMarket
    if not isinstance(core, type) or not hasattr(core, "from_snapshot"):
        raise TypeError(f"core: expected a class such as ReferenceMarket, got {core!r}")
    return core
