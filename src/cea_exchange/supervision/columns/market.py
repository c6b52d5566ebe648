"""A market's events as columns by subject, each made when it is first asked for."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from cea_exchange.domain.records import EventKind, Method, Operation, Reason, Side
from cea_exchange.supervision.columns.sums import RunningSums, running_sums
from cea_exchange.supervision.tape import Tape, control_groups

TRADE_DTYPE = np.dtype(
    [
        *(("row", np.int64), ("time_ns", np.int64), ("day", np.int64), ("product", np.int64)),
        *(("method", np.int64), ("price", np.int64), ("tonnes", np.int64), ("amount", np.int64)),
        *(("buyer", np.int64), ("seller", np.int64), ("buy_order", np.int64)),
        *(("sell_order", np.int64), ("side", np.int64), ("trade_id", np.int64)),
        *(("phase", np.int64), ("seq", np.int64)),
    ]
)
"""`side` is the aggressor's."""

ORDER_DTYPE = np.dtype(
    [
        *(("order_id", np.int64), ("row", np.int64), ("time_ns", np.int64), ("day", np.int64)),
        *(("product", np.int64), ("account", np.int64), ("side", np.int64), ("price", np.int64)),
        *(("tonnes", np.int64), ("canceled", np.int64), ("end_row", np.int64)),
        *(("end_time_ns", np.int64), ("is_canceled", bool), ("seq", np.int64)),
    ]
)
"""`canceled` is what its owner took away; `end_row` of an order that lives on is the last row."""

STEP_DTYPE = np.dtype(
    [
        *(("row", np.int64), ("day", np.int64), ("product", np.int64), ("side", np.int64)),
        *(("account", np.int64), ("price", np.int64), ("tonnes", np.int64)),
    ]
)
"""One step of what is open at a price: so many tonnes more, or less."""

_BOOK_KINDS = (
    EventKind.ORDER_RESTED,
    EventKind.ORDER_AMENDED,
    EventKind.ORDER_CANCELED,
    EventKind.ORDER_EXPIRED,
)

_BY_ITSELF = (Reason.LEVELS_EXHAUSTED, Reason.SELF_TRADE_PREVENTED)
"""Why a command's own order is cancelled when it has traded."""


class Columns:
    """The columns of a tape.

    Parameters
    ----------
    tape
        The events.
    links
        Pairs of accounts that one will controls, beside those of a declared group.

    Attributes
    ----------
    will
        Of each account a number, the same for all that one will controls (CEA-SVL-02).
    days
        The trading dates, ascending; in columns a day is its index here.
    """

    def __init__(self, tape: Tape, links: Iterable[tuple[str, str]] = ()) -> None:
        self.tape = tape
        self.events, self.time_ns = tape.events, tape.time_ns
        self.will = control_groups(tape.accounts, tape.groups, links)
        dates = self.events["trading_date"]
        self.days = np.unique(dates[dates > 0])
        self._kinds = self.events["kind"]
        self._rows_of_kind = {
            int(kind): np.flatnonzero(self._kinds == kind) for kind in np.unique(self._kinds)
        }

    @property
    def account_count(self) -> int:
        """How many accounts there are."""
        return max(len(self.tape.accounts), 1)

    @property
    def product_count(self) -> int:
        """How many products there are."""
        return max(len(self.tape.products), 1)

    def rows(self, *kinds: int) -> np.ndarray:
        """Return the rows of events of some kinds, ascending."""
        parts = [self._rows_of_kind[k] for k in map(int, kinds) if k in self._rows_of_kind]
        if not parts:
            return np.zeros(0, np.int64)
        return parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))

    def seq(self, row: int) -> int:
        """Return the sequence number of the event at a row."""
        return int(self.events["seq"][row])

    def names(self, accounts: Iterable[int]) -> tuple[str, ...]:
        """Return the sorted names of accounts."""
        return tuple(sorted(self.tape.accounts[int(account)] for account in accounts))

    @cached_property
    def day_of_row(self) -> np.ndarray:
        """Of each row its day; of one between days the later one's, or the last's."""
        if not len(self.days):
            return np.zeros(len(self.events), np.int64)
        found = np.searchsorted(self.days, self.events["trading_date"])
        return np.minimum(found, len(self.days) - 1)

    @cached_property
    def trades(self) -> np.ndarray:
        """All trades that were not undone, of every method: `TRADE_DTYPE`."""
        events = self.events
        busted = self.rows(EventKind.TRADE_BUSTED)
        undone = events["trade_id"][busted][events["reason"][busted] == Reason.NONE]
        rows = self.rows(EventKind.TRADE)
        if len(undone):
            rows = rows[~np.isin(events["trade_id"][rows], undone)]
        found = events[rows]
        buys = found["side"] == Side.BUY
        trades = np.zeros(len(rows), TRADE_DTYPE)
        trades["row"], trades["time_ns"] = rows, self.time_ns[rows]
        trades["day"] = self.day_of_row[rows]
        for mine, theirs in (
            *(("product", "product_index"), ("method", "method"), ("price", "price")),
            *(("tonnes", "tonnes"), ("amount", "cash"), ("side", "side")),
            *(("trade_id", "trade_id"), ("phase", "phase"), ("seq", "seq")),
        ):
            trades[mine] = found[theirs]
        taker, maker = found["account_index"], found["counter_account_index"]
        trades["buyer"], trades["seller"] = np.where(buys, (taker, maker), (maker, taker))
        orders = found["order_id"], found["counter_order_id"]
        trades["buy_order"], trades["sell_order"] = np.where(buys, orders, orders[::-1])
        return trades

    @cached_property
    def listed(self) -> np.ndarray:
        """The listed trades among them."""
        return self.trades[self.trades["method"] == Method.LISTED]

    @cached_property
    def blocks(self) -> np.ndarray:
        """The block trades among them."""
        return self.trades[self.trades["method"] == Method.BLOCK]

    @cached_property
    def orders(self) -> np.ndarray:
        """All listed orders that were accepted, by id: `ORDER_DTYPE`."""
        events = self.events
        rows = self.rows(EventKind.ORDER_ACCEPTED)
        found = events[rows]
        orders = np.zeros(len(rows), ORDER_DTYPE)
        orders["order_id"], orders["row"], orders["time_ns"] = (
            found["order_id"],
            rows,
            self.time_ns[rows],
        )
        orders["day"] = self.day_of_row[rows]
        for mine, theirs in (
            *(("product", "product_index"), ("account", "account_index"), ("side", "side")),
            *(("price", "price"), ("tonnes", "tonnes"), ("seq", "seq")),
        ):
            orders[mine] = found[theirs]
        orders["end_row"] = max(len(events) - 1, 0)
        orders["end_time_ns"] = self.time_ns[-1] if len(events) else 0
        self._ends_take(orders)
        return orders

    def _ends_take(self, orders: np.ndarray) -> None:
        """Enter how orders ended: cancelled, expired, or traded whole."""
        events = self.events
        ended = self.rows(EventKind.ORDER_CANCELED, EventKind.ORDER_EXPIRED)
        place = self._places(orders, events["order_id"][ended])
        ended, place = ended[place >= 0], place[place >= 0]
        orders["end_row"][place], orders["end_time_ns"][place] = ended, self.time_ns[ended]
        is_own = (events["kind"][ended] == EventKind.ORDER_CANCELED) & (
            events["reason"][ended] == Reason.REQUESTED
        )
        orders["is_canceled"][place] = is_own
        orders["canceled"][place] = np.where(is_own, events["tonnes"][ended], 0)
        trades = self.rows(EventKind.TRADE)
        for order, is_left in (
            ("order_id", "tonnes_open"),
            ("counter_order_id", "counter_tonnes_open"),
        ):
            whole = trades[
                (events[is_left][trades] == 0) & (events["method"][trades] == Method.LISTED)
            ]
            place = self._places(orders, events[order][whole])
            whole, place = whole[place >= 0], place[place >= 0]
            orders["end_row"][place], orders["end_time_ns"][place] = whole, self.time_ns[whole]

    @staticmethod
    def _places(orders: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return where orders of some ids are; -1 where one is none of these."""
        known = orders["order_id"]
        if not len(known):
            return np.full(len(ids), -1)
        ids = ids.astype(np.int64)
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[place] == ids, place, -1)

    def order_places(self, ids: np.ndarray) -> np.ndarray:
        """Return where in `orders` some ids are; -1 where one is none of them."""
        return self._places(self.orders, ids)

    @cached_property
    def steps(self) -> np.ndarray:
        """Every change of what is open on the books, in order: `STEP_DTYPE`.

        After each event of an order it is known what is open of it and at which price; a step is
        the difference to before.
        """
        events = self.events
        rows = self.rows(*_BOOK_KINDS)
        makers = self.rows(EventKind.TRADE)
        makers = makers[events["method"][makers] == Method.LISTED]
        ids = np.concatenate((events["order_id"][rows], events["counter_order_id"][makers]))
        left = np.concatenate(
            (
                np.where(events["kind"][rows] == EventKind.ORDER_RESTED, events["tonnes"][rows], 0),
                events["counter_tonnes_open"][makers],
            )
        )
        is_kept = self._keeps_place(rows)
        left[: len(rows)][is_kept] = events["tonnes"][rows][is_kept]
        prices = np.concatenate((events["price"][rows], events["price"][makers]))
        all_rows = np.concatenate((rows, makers))
        place = self._places(self.orders, ids)
        known = place >= 0
        ids, left, prices, all_rows = ids[known], left[known], prices[known], all_rows[known]
        place = place[known]
        order = np.lexsort((all_rows, ids))
        ids, left, prices = ids[order], left[order].astype(np.int64), prices[order]
        all_rows, place = all_rows[order], place[order]
        is_first = np.concatenate(([True], ids[1:] != ids[:-1])) if len(ids) else ids == ids
        before = np.concatenate(([0], left[:-1])) if len(ids) else left
        before = np.where(is_first, 0, before)
        # A rest is at a price of its own; whatever takes away is at the one it rested at.
        rests = np.flatnonzero(self._kinds[all_rows] == EventKind.ORDER_RESTED)
        source = np.zeros(len(ids), np.int64)
        source[rests] = rests
        source = np.maximum.accumulate(source)
        steps = np.zeros(len(ids), STEP_DTYPE)
        owners = self.orders[place]
        steps["row"], steps["day"] = all_rows, self.day_of_row[all_rows]
        for name in ("product", "side", "account"):
            steps[name] = owners[name]
        steps["price"] = prices[source]
        steps["tonnes"] = left - before
        steps = steps[steps["tonnes"] != 0]
        return steps[np.argsort(steps["row"], kind="stable")]

    def _keeps_place(self, rows: np.ndarray) -> np.ndarray:
        """Tell which amendments leave their order where it is: fewer tonnes, nothing else."""
        events = self.events
        is_amended = events["kind"][rows] == EventKind.ORDER_AMENDED
        following = np.minimum(rows + 1, len(events) - 1)
        is_own = events["order_id"][following] == events["order_id"][rows]
        kind, reason = events["kind"][following], events["reason"][following]
        goes_on = np.isin(kind, (EventKind.ORDER_RESTED, EventKind.TRADE))
        goes_on |= (kind == EventKind.ORDER_CANCELED) & np.isin(reason, _BY_ITSELF)
        return is_amended & ~(is_own & goes_on)

    @cached_property
    def open_by_account(self) -> RunningSums:
        """What each account has open on a side of a product: keys by `side_key`."""
        steps = self.steps
        return running_sums(self.side_key(steps), steps["row"], steps["tonnes"])

    def side_key(self, rows: np.ndarray) -> np.ndarray:
        """Return one number for account, product and side of each row."""
        key = rows["account"] * self.product_count + rows["product"]
        return key * 2 + (rows["side"] == Side.SELL)

    @cached_property
    def messages(self) -> np.ndarray:
        """The rows that answer a participant's command: accepted, amended, cancelled, refused."""
        events = self.events
        rows = self.rows(
            EventKind.ORDER_ACCEPTED, EventKind.ORDER_AMENDED, EventKind.ORDER_REJECTED
        )
        canceled = self.rows(EventKind.ORDER_CANCELED)
        canceled = canceled[events["reason"][canceled] == Reason.REQUESTED]
        rows = rows[events["command"][rows] <= Operation.BID_CANCEL]
        return np.sort(np.concatenate((rows, canceled)))

    @cached_property
    def closes(self) -> np.ndarray:
        """Close in fen by day and product; a day that is not closed has its listed mean so far.

        Where a product has none of a day, it is the one before, and before all days its first.
        """
        closes = np.zeros((len(self.days), self.product_count), np.int64)
        for day, product, close in self._closes_so_far():
            closes[day, product] = close
        declared = np.zeros(self.product_count, np.int64)
        declared[: len(self.tape.declared_prices)] = self.tape.declared_prices
        before = declared
        for day in range(len(self.days)):
            missing = closes[day] == 0
            closes[day][missing] = before[missing]
            before = closes[day]
        return closes

    def _closes_so_far(self) -> Iterable[tuple[int, int, int]]:
        listed = self.listed
        keys = listed["day"] * self.product_count + listed["product"]
        found, places = np.unique(keys, return_inverse=True)
        tonnes, amounts = np.zeros((2, len(found)), np.int64)
        np.add.at(tonnes, places, listed["tonnes"])
        np.add.at(amounts, places, listed["amount"])
        for key, amount, total in zip(found, amounts, tonnes, strict=True):
            mean = (2 * int(amount) + int(total)) // (2 * int(total))
            yield int(key) // self.product_count, int(key) % self.product_count, mean

    def reference(self, day: int, product: int) -> int:
        """Return a product's close before a day, or the price it was declared with."""
        if day > 0:
            return int(self.closes[day - 1, product])
        declared = self.tape.declared_prices
        return declared[product] if product < len(declared) else 0

    @cached_property
    def closing_ns(self) -> np.ndarray:
        """Of each day when its last trading phase ends; of one still open, the last time so far."""
        events = self.events
        ends = np.zeros(len(self.days), np.int64)
        np.maximum.at(ends, self.day_of_row, self.time_ns) if len(self.days) else None
        for row in self.rows(EventKind.DAY_CLOSED)[::-1]:
            ends[self.day_of_row[row]] = self.time_ns[row]
        listed = self.rows(EventKind.PHASE_CHANGED)
        for row in listed[events["phase"][listed] == 0]:
            day = self.day_of_row[row]
            ends[day] = min(ends[day], self.time_ns[row])
        return ends
