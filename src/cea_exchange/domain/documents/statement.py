"""Activity statements: an account's day, from opening over movements to closing, to the fen.

    opening + movements = closing

Movements are trades, busts and transfers; what was locked meanwhile returns by the close. Three
sources give the same statement: named events, an account's own numbered reports, and what a venue
says to its operators. Money is fen, quantities tonnes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.documents.html_table import ROWS_SHOWN, Cell, html_table
from cea_exchange.domain.records import (
    PRODUCT_NONE,
    BlockFlag,
    EventKind,
    Method,
    Reason,
    Side,
)
from cea_exchange.domain.units import cash_format, cash_parse, price_format, price_parse

TRADE, BUST, DEPOSIT, WITHDRAWAL = "trade", "trade_busted", "deposited", "withdrawn"
_MOVES = frozenset({TRADE, BUST, DEPOSIT, WITHDRAWAL})

_LOCKS = {
    "order_accepted": "listed",
    "order_amended": "listed",
    "block_offered": "block",
    "block_countered": "block",
    "block_agreed": "block",
    "bid_accepted": "bid",
    "bidding_opened": "bidding",
}
"""Events with which an account locks something, or other terms of it, and for what.

A bid may have the name of the account's own bidding.
"""

_ENDS = {
    "order_canceled": "listed",
    "order_expired": "listed",
    "block_withdrawn": "block",
    "block_rejected": "block",
    "block_lapsed": "block",
    "bid_canceled": "bid",
    "bidding_closed": "bidding",
    "bidding_canceled": "bidding",
}
"""Events with which what is left of a lock returns."""
_METHODS = {"bid": "bidding"}
"""Of what is locked for something that is no method itself."""
_ENDS_WITH_REASON = frozenset(
    {"order_canceled", "block_withdrawn", "bid_canceled", "bidding_canceled"}
)
_SEEN = _MOVES | {*_LOCKS, *_ENDS}


class StatementError(ValueError):
    """What an account has does not follow from what it had and what moved."""


class Holding(Struct, frozen=True):
    """Tonnes of a product: all, what is locked, and what was bought today (not sellable yet)."""

    tonnes: int = 0
    locked: int = 0
    bought_today: int = 0

    @property
    def available(self) -> int:
        """Return what may be sold now."""
        return self.tonnes - self.locked - self.bought_today


class Position(Struct, frozen=True):
    """What an account has at the venue; products it has nothing of are left out."""

    cash: int = 0
    cash_locked: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict)

    @property
    def cash_available(self) -> int:
        """Return the cash that is not locked."""
        return self.cash - self.cash_locked

    def holding(self, product: str) -> Holding:
        """Return what there is of a product."""
        return self.holdings.get(product, Holding())


class Step(Struct, frozen=True, kw_only=True):
    """An event as one account sees it; `side` is the account's own.

    Of a trade in a bidding `is_bid` says that the account bid in it; else it applied for it. A bid
    without a price has the price 0.
    """

    seq: int
    event: str
    product: str | None = None
    method: str | None = None
    side: str | None = None
    price: int = 0
    tonnes: int = 0
    cash: int = 0
    fee: int = 0
    id: str = ""
    is_bid: bool = False
    trade_id: int = 0
    reason: str | None = None


class Movement(Struct, frozen=True, kw_only=True):
    """What moved cash or allowances.

    Attributes
    ----------
    kind
        ``trade``, ``trade_busted``, ``deposited`` or ``withdrawn``.
    amount, fee
        Price x tonnes or the transferred cash, and what was paid on it; both without a sign.
    cash_change, tonnes_change
        What it did to the account.
    """

    seq: int
    kind: str
    product: str | None
    method: str | None
    side: str | None
    id: str
    trade_id: int
    price: int
    tonnes: int
    amount: int
    fee: int
    cash_change: int
    tonnes_change: int


_HEADS = ("", "product", "id", "price", "tonnes", "fee", "cash")


def _movement_cells(movement: Movement) -> list[Cell]:
    return [
        f"{movement.kind} {movement.side or ''}".strip(),
        movement.product,
        movement.id,
        price_format(movement.price) if movement.price else "",
        f"{movement.tonnes_change:+,}" if movement.tonnes_change else "",
        cash_format(movement.fee) if movement.fee else "",
        cash_format(movement.cash_change) if movement.cash_change else "",
    ]


class Lock(Struct, frozen=True, kw_only=True):
    """What an order, offer or bid locked: tonnes of a sale, of a purchase their cash and the fee.

    Attributes
    ----------
    price, tonnes
        The last terms, and all tonnes it was for. A bid without a price has 0.
    traded
        Tonnes of it that traded; the rest returned.
    end
        The event with which it ended, ``filled``, ``closed`` (by the day), or ``open``.
    """

    method: str
    id: str
    product: str
    side: str
    price: int
    tonnes: int
    traded: int
    end: str


class Statement(Struct, frozen=True, kw_only=True):
    """A day of an account.

    Attributes
    ----------
    trading_date
        yyyymmdd.
    is_final
        Whether the day is closed; else it is the day so far.
    opening, closing
        Before what came after the last close, and at the end.

    Notes
    -----
    Rules: CEA-INF-03.
    """

    account: str
    trading_date: int
    is_final: bool
    opening: Position
    closing: Position
    movements: tuple[Movement, ...]
    locks: tuple[Lock, ...]

    def __repr__(self) -> str:
        ends = "closing" if self.is_final else "so far"
        return (
            f"<{type(self).__name__} {self.account} {date_of_number(self.trading_date)}:"
            f" cash opening {cash_format(self.opening.cash)}, {ends}"
            f" {cash_format(self.closing.cash)}, {len(self.movements)} movements>"
        )

    def _repr_html_(self) -> str:
        end = "closing" if self.is_final else "so far"
        positions = {"opening": self.opening, end: self.closing}
        rows: list[list[Cell]] = []
        for name, position in positions.items():
            if name != "opening":
                rows += [_movement_cells(each) for each in self.movements]
            held = ((product, position.holding(product).tonnes) for product in self.products)
            words = ", ".join(f"{product} {tonnes:,} t" for product, tonnes in held)
            rows.append([name, words, "", "", "", "", cash_format(position.cash)])
        # The movements are cut first, never the closing.
        return html_table(_HEADS, [*rows[:-1][: ROWS_SHOWN - 1], rows[-1]], caption=repr(self))

    def sum_of(self, name: str, **wanted: str) -> int:
        """Return the sum of a field of the movements of a `kind`, `method`, `side`, `product`."""
        return sum(
            getattr(each, name)
            for each in self.movements
            if all(getattr(each, field_name) == value for field_name, value in wanted.items())
        )

    @property
    def fees(self) -> int:
        """Return the fees paid, less those of busted trades."""
        return self.sum_of("fee", kind=TRADE) - self.sum_of("fee", kind=BUST)

    @property
    def products(self) -> list[str]:
        """Return the products that the account had, moved or has."""
        names = {*self.opening.holdings, *self.closing.holdings}
        names.update(each.product for each in self.movements if each.product is not None)
        return sorted(names)

    def check(self) -> None:
        """Raise StatementError where opening and movements do not give the closing.

        Notes
        -----
        Rules: CEA-INF-03.
        """
        opening, closing = self.opening, self.closing
        pairs = [("cash", opening.cash, self.sum_of("cash_change"), closing.cash)]
        for name in self.products:
            moved = self.sum_of("tonnes_change", product=name)
            pairs.append((name, opening.holding(name).tonnes, moved, closing.holding(name).tonnes))
        for name, had, moved, has in pairs:
            if had + moved != has or had < 0 or has < 0:
                raise StatementError(
                    f"{self.account}, {self.trading_date}, {name}: opening {had} and movements of "
                    f"{moved}: expected that they give the closing, none below 0, got {has}"
                )


class StatementBuilder:
    """Makes an account's statements, day after day.

    Parameters
    ----------
    account : str
        Whose.
    opening : Position, optional
        What it has before the first step; nothing, if left out.
    """

    def __init__(self, account: str, opening: Position | None = None) -> None:
        self._account = account
        self._opening = self._position = opening or Position()
        self._movements: list[Movement] = []
        self._locks: dict[tuple[str, str], Lock] = {}

    def take(self, step: Step) -> None:
        """Take in an event of the account, in order."""
        if step.event in _MOVES:
            movement = _movement(step)
            self._movements.append(movement)
            self._move(movement)
            if step.event == TRADE:
                self._traded(step)
        elif step.event in _LOCKS:
            self._lock(step)
        elif step.event in _ENDS:
            self._end(step)

    def close(self, trading_date: int, position: Position | None = None) -> Statement:
        """Return the statement of the day that closed; the next one goes on from its closing.

        Parameters
        ----------
        trading_date : int
            yyyymmdd.
        position : Position, optional
            What the market says the account has: compared.

        Raises
        ------
        StatementError
            If that is something else.
        """
        closed = {
            key: replace(lock, end="closed") if lock.end == "open" else lock
            for key, lock in self._locks.items()
        }
        statement = self._statement(trading_date, closed, is_final=True)
        if position is not None:
            statement = _held_against(statement, position)
        self._opening = self._position = _released(statement.closing)
        self._movements, self._locks = [], {}
        return statement

    def so_far(self, trading_date: int, position: Position) -> Statement:
        """Return the statement of a day that is open: what is locked now says `position`."""
        return _held_against(
            self._statement(trading_date, self._locks, is_final=False), position
        )

    def _statement(
        self, trading_date: int, locks: Mapping[Any, Lock], *, is_final: bool
    ) -> Statement:
        statement = Statement(
            account=self._account,
            trading_date=trading_date,
            is_final=is_final,
            opening=self._opening,
            closing=_without_empty(self._position),
            movements=tuple(self._movements),
            locks=tuple(locks.values()),
        )
        statement.check()
        return statement

    def _move(self, movement: Movement) -> None:
        position, product = self._position, movement.product
        holdings = dict(position.holdings)
        if product is not None:
            held = position.holding(product)
            holdings[product] = Holding(
                held.tonnes + movement.tonnes_change, 0, self._bought_today(held, movement)
            )
        self._position = Position(position.cash + movement.cash_change, 0, holdings)

    def _bought_today(self, held: Holding, movement: Movement) -> int:
        """Return what of a holding was bought today after a movement (CEA-FND-04, CEA-STL-04)."""
        bought = held.bought_today
        if movement.kind == TRADE and movement.side == "buy":
            return bought + movement.tonnes
        if movement.kind == BUST and movement.side == "buy":
            earlier = self._movements[:-1]
            if any(e.kind == TRADE and e.trade_id == movement.trade_id for e in earlier):
                bought = max(0, bought - movement.tonnes)
            return min(bought, held.tonnes + movement.tonnes_change)
        return bought

    def _lock(self, step: Step) -> None:
        key = _LOCKS[step.event], step.id
        known = self._locks.get(key)
        # What is open after an amendment comes on top of what has traded.
        traded = 0 if known is None else known.traded
        self._locks[key] = Lock(
            method=_METHODS.get(key[0], key[0]),
            id=step.id,
            product=step.product or "",
            side=step.side or "",
            price=step.price,
            tonnes=step.tonnes + traded,
            traded=traded,
            end="open",
        )

    def _traded(self, step: Step) -> None:
        key = "bid" if step.is_bid else step.method or "", step.id
        lock = self._locks.get(key)
        if lock is None:
            return
        traded = lock.traded + step.tonnes
        # A block trades whole: who accepts a counter-offer of more tonnes locks the rest of them
        # with that, and one of fewer has freed what was too much.
        tonnes = traded if step.method == "block" else lock.tonnes
        end = "filled" if traded == tonnes else lock.end
        self._locks[key] = replace(lock, tonnes=tonnes, traded=traded, end=end)

    def _end(self, step: Step) -> None:
        key = _ENDS[step.event], step.id
        # What was filled has nothing left to return.
        if key in self._locks and self._locks[key].end == "open":
            end = step.event if step.reason in (None, "NONE") else step.reason
            self._locks[key] = replace(self._locks[key], end=end)


def _movement(step: Step) -> Movement:
    direction = {"buy": -1, "sell": 1}
    if step.event in (TRADE, BUST):
        sign = direction[step.side or ""] * (1 if step.event == TRADE else -1)
        # A fee is paid either way, and comes back with a bust.
        fee = step.fee if step.event == TRADE else -step.fee
        cash_change, tonnes_change = sign * step.cash - fee, -sign * step.tonnes
    else:
        sign = 1 if step.event == DEPOSIT else -1
        cash_change, tonnes_change = sign * step.cash, sign * step.tonnes
    return Movement(
        seq=step.seq,
        kind=step.event,
        product=step.product,
        method=step.method,
        side=step.side,
        id=step.id,
        trade_id=step.trade_id,
        price=step.price,
        tonnes=step.tonnes,
        amount=step.cash,
        fee=step.fee,
        cash_change=cash_change,
        tonnes_change=tonnes_change,
    )


def _without_empty(position: Position) -> Position:
    kept = {name: held for name, held in position.holdings.items() if held != Holding()}
    return Position(position.cash, position.cash_locked, kept)


def _released(position: Position) -> Position:
    """Return a closing as the next day opens with it (CEA-FND-04)."""
    return Position(
        position.cash, 0, {name: Holding(held.tonnes) for name, held in position.holdings.items()}
    )


def _held_against(statement: Statement, position: Position) -> Statement:
    """Return a statement with the market's own closing, which must be the same totals."""
    held = replace(statement, closing=_without_empty(position))
    held.check()
    for product in held.products:
        expected = statement.closing.holding(product).bought_today
        got = position.holding(product).bought_today
        if got != expected and not any(each.kind == BUST for each in held.movements):
            raise StatementError(
                f"{held.account}, {held.trading_date}, {product}: {expected} t were bought that "
                f"day, the market says {got}"
            )
    return held


def opening_of(position: Position, steps: Iterable[Step]) -> Position:
    """Return what an account had before steps that led to `position`: nothing locked, T+1 over."""
    cash = position.cash
    tonnes = {name: held.tonnes for name, held in position.holdings.items()}
    for step in steps:
        if step.event in _MOVES:
            movement = _movement(step)
            cash -= movement.cash_change
            if movement.product is not None:
                tonnes.setdefault(movement.product, 0)
                tonnes[movement.product] -= movement.tonnes_change
    return _without_empty(Position(cash, 0, {name: Holding(t) for name, t in tonnes.items()}))


# -- From named events ----------------------------------------------------------------------------


class NamedBefore(Struct):
    """What named events said that later ones of a day leave out, by id of a bidding or block."""

    bidding_sides: dict[str, str] = field(default_factory=dict)
    """What the applicants do."""
    offerers: dict[str, str] = field(default_factory=dict)
    """Who offered the blocks."""


def steps_named(
    event: Mapping[str, Any], before: NamedBefore
) -> Iterator[tuple[str | None, Step]]:
    """Yield whom a named event concerns, and how each of them sees it.

    Parameters
    ----------
    event : mapping
        Of `matching.events`, or the dict that its JSON line decodes to.
    before : NamedBefore
        What the events before have said, and what this one does.

    Yields
    ------
    account, step : str or None, Step
        None is everybody who takes part in that block: its end names who offered it, not who
        countered.
    """
    name = event["event"]
    if name == TRADE:
        for side, whose in (("buy", "buyer"), ("sell", "seller")):
            price, tonnes = price_parse(event["price"]), event["tonnes"]
            yield event[whose], Step(
                seq=event["seq"],
                event=name,
                product=event["product"],
                method=event["method"],
                side=side,
                price=price,
                tonnes=tonnes,
                cash=price * tonnes,
                fee=_fen(event[f"{side}_fee"]),
                id=event[f"{side}_id"],
                is_bid=event["method"] == "bidding" and side == event["aggressor"],
                trade_id=event["trade_id"],
            )
    elif name in (DEPOSIT, WITHDRAWAL):
        yield event["account"], Step(
            seq=event["seq"],
            event=name,
            product=event["product"],
            tonnes=event["tonnes"] or 0,
            cash=cash_parse(event["cash"]) if event["cash"] else 0,
        )
    elif name in _LOCKS:
        side = _lock_side(event, before)
        bound = "ceiling" if side == "buy" else "floor"
        price = event[bound if name == "bidding_opened" else "price"]
        yield event["account"], Step(
            seq=event["seq"],
            event=name,
            product=event["product"],
            side=side,
            price=price_parse(price) if price else 0,
            tonnes=event["tonnes"],
            id=event["id"],
        )
    elif name in _ENDS:
        reason = event["reason"] if name in _ENDS_WITH_REASON else None
        account = None if _ENDS[name] == "block" else event["account"]
        yield account, Step(seq=event["seq"], event=name, id=event["id"], reason=reason)


_OTHER_SIDE = {"buy": "sell", "sell": "buy"}


def _lock_side(event: Mapping[str, Any], before: NamedBefore) -> str:
    match event["event"]:
        case "bid_accepted":
            return _OTHER_SIDE[before.bidding_sides[event["bidding"]]]
        case "block_countered" | "block_agreed" if event["account"] != before.offerers[event["id"]]:
            return _OTHER_SIDE[event["side"]]  # the side in them is the offer's
        case "bidding_opened":
            before.bidding_sides[event["id"]] = event["side"]
        case "block_offered":
            before.offerers[event["id"]] = event["account"]
    return event["side"]


def _fen(text: str) -> int:
    return int(text.replace(".", ""))


# -- From an account's own reports ----------------------------------------------------------------


def steps_of_reports(
    rows: np.ndarray, account_index: int, products: Sequence[str]
) -> Iterator[Step]:
    """Yield how an account sees its own reports (rows of EVENT_DTYPE, in order)."""
    for row in rows:
        step = _step_of_report(row, account_index, products)
        if step is not None:
            yield step


def _step_of_report(row: np.void, account_index: int, products: Sequence[str]) -> Step | None:
    name = EventKind(int(row["kind"])).name.lower()
    if name not in _SEEN:
        return None
    is_own = int(row["account_index"]) == account_index
    product_index = int(row["product_index"])
    product = None if product_index == PRODUCT_NONE else products[product_index]
    seq, tonnes = int(row["seq"]), int(row["tonnes"])
    if name in (TRADE, BUST):
        if name == BUST and row["reason"] != Reason.NONE:
            return None  # nothing moved
        side = _own_side(row, is_own)
        return Step(
            seq=seq,
            event=name,
            product=product,
            method=Method(int(row["method"])).name.lower(),
            side=side,
            price=int(row["price"]),
            tonnes=tonnes,
            cash=int(row["cash"]),
            fee=int(row[f"{side}_fee"]),
            id=str(row["order_id"] if is_own else row["counter_order_id"]),
            is_bid=is_own and int(row["method"]) == Method.BIDDING,
            trade_id=int(row["trade_id"]),
        )
    if name in (DEPOSIT, WITHDRAWAL):
        cash = int(row["cash"]) if product is None else 0
        tonnes = 0 if product is None else tonnes
        return Step(seq=seq, event=name, product=product, tonnes=tonnes, cash=cash)
    if name in _LOCKS and is_own:
        # The side in an answer to an offer is the offer's.
        is_answer = name in ("block_countered", "block_agreed")
        is_other_side = bool(is_answer and row["flags"] & BlockFlag.BY_COUNTERPARTY)
        side = _side_name(int(row["side"]), is_other_side)
        # Where another event has the tonnes open, this one has the ceiling.
        is_ceiling = name == "bidding_opened" and side == "buy"
        return Step(
            seq=seq,
            event=name,
            product=product,
            side=side,
            price=int(row["tonnes_open" if is_ceiling else "price"]),
            tonnes=tonnes,
            id=str(row["order_id"]),
        )
    if name in _ENDS:
        reason = Reason(int(row["reason"])).name
        return Step(seq=seq, event=name, id=str(row["order_id"]), reason=reason)
    return None


def _own_side(row: np.void, is_taker: bool) -> str:
    return _side_name(int(row["side"]), not is_taker)


def _side_name(side: int, flip: bool) -> str:
    return "buy" if (side == Side.BUY) != flip else "sell"


def statement_of_reports(
    account: str,
    account_index: int,
    products: Sequence[str],
    rows: np.ndarray,
    *,
    trading_date: int,
    last_seq: int | None,
    position: Position,
) -> Statement:
    """Return the statement of a day from an account's reports and what it has now.

    Parameters
    ----------
    account, account_index, products : str, int, sequence of str
        Whose reports they are, and the names by product index.
    rows : ndarray of EVENT_DTYPE
        All reports from behind the close before that day up to now.
    trading_date : int
        yyyymmdd.
    last_seq : int or None
        The event with which the day closed; None while it is open.
    position : Position
        What the account has now.

    Raises
    ------
    StatementError
        If what it has now does not follow from these reports.
    """
    steps = list(steps_of_reports(rows, account_index, products))
    builder = StatementBuilder(account, opening_of(position, steps))
    if last_seq is None:
        for step in steps:
            builder.take(step)
        return builder.so_far(trading_date, position)
    for step in steps:
        if step.seq <= last_seq:
            builder.take(step)
    return builder.close(trading_date)
