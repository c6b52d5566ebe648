"""The participants of a trading day: who is short of allowances, who has a surplus, what they do.

Everything is drawn from seeds, so that the same seed gives the same population and the same
intentions. What becomes of an intention depends on the market, which is the point of it.

A participant stands on one side only in each product, so it never meets itself, and nobody sells
what was bought today.
"""

import random
import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cea_exchange.client.reports import Report
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    OrderFlag,
    Side,
    Tif,
)

_CODES = {"|u1": "B", "<u2": "H", "<u4": "I", "<u8": "Q", "<i8": "q"}
_COMMAND = struct.Struct(
    "<" + "".join(_CODES[COMMAND_DTYPE.fields[name][0].str] for name in COMMAND_DTYPE.names)
)
assert _COMMAND.size == COMMAND_DTYPE.itemsize, "the command record must have no holes"

TONNES_TYPICAL = (10, 20, 30, 50, 50, 80, 100, 100, 150, 200)
LIVE_ORDERS_MAX = 24
"""A participant with more orders on the book takes one back rather than adding another."""

BLOCK_TONNES = (100_000, 100_000, 120_000, 150_000, 200_000)
BLOCKS_A_DAY = 1
"""Blocks that a participant offers or asks for in a day; with those it answers, four fifths of the
volume of a day of a hundred thousand orders, as in the real market."""
BLOCK_TONNES_GIVEN = 1_000_000
"""What a participant is given for its blocks, in all: tonnes, or their price."""
NOT_ORDERS = frozenset(
    {
        "cancel", "amend", "block_enquiry", "block_offer", "block_accept", "block_reject",
        "block_withdraw", "block_counter",
    }
)  # fmt: skip
"""Commands that enter no order of the listed book."""

_PATH_STEP_COMMANDS = 200
_PATH_STEP_NS = 200_000_000
_PATH_STEPS = 4096


@dataclass(frozen=True)
class Participant:
    """An account to be opened, with what it is given before the day.

    Attributes
    ----------
    name : str
        Of account and key.
    kind : str
        `short` (buys), `surplus` (sells), or `dealer` (buys one product and sells another).
    sides : dict
        Side by product name.
    cash : int
        Fen to pay in.
    holdings : dict
        Tonnes by product name.
    """

    name: str
    kind: str
    sides: dict[str, Side]
    cash: int
    holdings: dict[str, int]


@dataclass(frozen=True)
class Workload:
    """How often each intention occurs, as weights.

    `passive` rests away from the market, `aggressive` reaches across it; the others are named for
    the kind of order or command they make. Blocks are answered as they come.
    """

    passive: int
    aggressive: int
    ioc: int
    fok: int
    post_only: int
    pick: int
    amend: int
    cancel: int
    block_offer: int = 0
    block_enquiry: int = 0

    def names_and_weights(self) -> tuple[list[str], list[int]]:
        """Return the intentions and their weights in the same order."""
        names = list(self.__dataclass_fields__)
        return names, [getattr(self, name) for name in names]


WORKLOADS = {
    "trading_day": Workload(35, 28, 8, 2, 8, 1, 6, 10, 1, 1),
    "quotes": Workload(50, 4, 1, 0, 15, 0, 15, 15),
    "takers": Workload(35, 50, 10, 1, 0, 1, 1, 2),
    "cancel_heavy": Workload(45, 6, 1, 0, 4, 0, 4, 40),
}
"""The named workloads: an ordinary day; quoting with few trades; mostly trades; many cancels."""


def population(
    count: int, reference_prices: dict[str, int], *, seed: int, orders_each: int
) -> list[Participant]:
    """Draw the participants of a market.

    Parameters
    ----------
    count : int
        How many.
    reference_prices : dict
        Fen per tonne by product name.
    seed : int
        Decides everything.
    orders_each : int
        Orders that each will send at most; what it is given covers them.
    """
    draw = random.Random(f"population {seed}")
    products = list(reference_prices)
    tonnes_max = (orders_each + LIVE_ORDERS_MAX) * max(TONNES_TYPICAL)
    members = []
    for number in range(count):
        # The first three are one of each kind, so that a small population can trade too.
        kind = ("short", "surplus", "dealer")[number] if number < 3 else _kind(draw)
        offset = draw.randrange(2)
        sides = {name: _side(kind, index + offset) for index, name in enumerate(products)}
        price_max = max(reference_prices.values()) * 11 // 10
        buys = Side.BUY in sides.values()
        members.append(
            Participant(
                name=f"participant-{number:04d}",
                kind=kind,
                sides=sides,
                cash=(tonnes_max + BLOCK_TONNES_GIVEN) * price_max if buys else 1_000_000,
                holdings={
                    name: tonnes_max + BLOCK_TONNES_GIVEN + 10 * draw.randrange(100)
                    for name, side in sides.items()
                    if side is Side.SELL
                },
            )
        )
    return members


def _kind(draw: random.Random) -> str:
    return draw.choices(("short", "surplus", "dealer"), (45, 45, 10))[0]


def _side(kind: str, index: int) -> Side:
    if kind == "dealer":
        return Side.BUY if index % 2 else Side.SELL
    return Side.BUY if kind == "short" else Side.SELL


class PricePath:
    """A seeded walk around the reference price that all processes of a run know alike."""

    def __init__(self, product: str, reference_price: int, *, seed: int):
        draw = random.Random(f"path {seed} {product}")
        width = reference_price * 4 // 100
        offset = 0
        self._prices = []
        for _ in range(_PATH_STEPS):
            offset += draw.randint(-6, 6) - offset // 64
            offset = max(-width, min(width, offset))
            self._prices.append(reference_price + offset)

    def at_times(self, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what the product is worth at these times, a step each fifth of a second."""
        return np.array(self._prices, np.int64)[times_ns // _PATH_STEP_NS % _PATH_STEPS]

    def price(self, command_count: int) -> int:
        """Return what the product is worth, in fen per tonne, after so many commands."""
        return self._prices[command_count // _PATH_STEP_COMMANDS % _PATH_STEPS]


@dataclass
class Trader:
    """What one participant knows and wants: its live orders, and its next command.

    Parameters
    ----------
    name : str
        Of the account.
    sides : dict
        Side by product index.
    paths : dict
        `PricePath` by product index.
    workload : Workload
    seed : int
    """

    name: str
    sides: dict[int, Side]
    paths: dict[int, PricePath]
    workload: Workload
    seed: int
    live: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._draw = random.Random(f"trader {self.seed} {self.name}")
        self._names, weights = self.workload.names_and_weights()
        self._weights_sum = [sum(weights[: index + 1]) for index in range(len(weights))]
        self._products = list(self.sides)
        self._block_tonnes_left = BLOCK_TONNES_GIVEN
        self._blocks_of: tuple[int, int] = (0, 0)

    def intention(self) -> str:
        """Draw what to do next."""
        if len(self.live) > LIVE_ORDERS_MAX:
            return "cancel"
        name = self._draw.choices(self._names, cum_weights=self._weights_sum)[0]
        if name in ("amend", "cancel") and not self.live:
            return "passive"
        return name

    def product(self) -> int:
        """Draw the index of the product to act in."""
        return self._draw.choice(self._products)

    def command(self, name: str, client_order_id: int, trading_date: int, count: int) -> bytes:
        """Return the Command record of an intention (`pick` has its own method).

        `count` is how many commands the whole market has sent: the paths' clock.
        """
        if name == "cancel":
            order_id = self._some_order()
            self.live.pop(order_id)
            return command_record(
                CommandKind.CANCEL, trading_date, client_order_id, order_id=order_id
            )
        if name == "amend":
            return self._amend(client_order_id, trading_date, count)
        product_index = self.product()
        side = self.sides[product_index]
        tif, flags = Tif.DAY, 0
        tonnes = self._draw.choice(TONNES_TYPICAL)
        if name == "passive":
            away = self._draw.randint(4, 60)
        elif name == "post_only":
            away, flags = self._draw.randint(70, 160), OrderFlag.POST_ONLY
        elif name == "fok":
            away, tif, tonnes = -60, Tif.FOK, min(tonnes, 30)
        else:
            away = -self._draw.randint(8, 45)
            tif = Tif.IOC if name == "ioc" else Tif.DAY
        return command_record(
            CommandKind.ENTER,
            trading_date,
            client_order_id,
            side=side,
            tif=tif,
            flags=flags,
            product_index=product_index,
            price=_away(self.paths[product_index].price(count), side, away),
            tonnes=tonnes,
        )

    def pick(
        self,
        product_index: int,
        client_order_id: int,
        trading_date: int,
        *,
        order_id: int,
        price: int,
        tonnes: int,
    ) -> bytes:
        """Return the record of an order that takes a resting one, or less of it."""
        return command_record(
            CommandKind.ENTER,
            trading_date,
            client_order_id,
            side=self.sides[product_index],
            product_index=product_index,
            pick_order_id=order_id,
            price=price,
            tonnes=min(tonnes, self._draw.choice(TONNES_TYPICAL)),
        )

    def begins_block(self, trading_date: int) -> bool:
        """Say whether to begin a block today, and count it."""
        date, begun = self._blocks_of
        begun = begun if date == trading_date else 0
        if begun == BLOCKS_A_DAY or self._block_tonnes_left < max(BLOCK_TONNES):
            return False
        self._blocks_of = (trading_date, begun + 1)
        return True

    def block(
        self,
        name: str,
        product_index: int,
        client_order_id: int,
        trading_date: int,
        *,
        counterparty: int,
        count: int,
        enquiry: int = 0,
    ) -> bytes:
        """Return the record of a block offer, or of an enquiry, directed at an account."""
        side = self.sides[product_index]
        price, tonnes = self._block_terms(product_index, side, count)
        is_enquiry = name == "block_enquiry"
        if not is_enquiry:
            self._block_tonnes_left -= tonnes
        open_terms = BlockFlag.PRICE_OPEN | BlockFlag.TONNES_OPEN
        return command_record(
            CommandKind.BLOCK_ENQUIRY if is_enquiry else CommandKind.BLOCK_OFFER,
            trading_date,
            client_order_id,
            side=side,
            flags=BlockFlag.TO_ACCOUNT | (open_terms if is_enquiry else 0),
            product_index=product_index,
            order_id=enquiry,
            pick_order_id=counterparty,
            price=0 if is_enquiry else price,
            tonnes=0 if is_enquiry else tonnes,
        )

    def block_answer(
        self, report: Report, client_order_id: int, trading_date: int, count: int
    ) -> tuple[str, bytes]:
        """Return what the participant answers to another's enquiry, offer or counter-offer."""
        if report.kind == EventKind.BLOCK_ENQUIRED:
            return "block_offer", self.block(
                "block_offer",
                report.product_index,
                client_order_id,
                trading_date,
                counterparty=report.account_index,
                count=count,
                enquiry=report.order_id,
            )
        is_counter = report.kind == EventKind.BLOCK_COUNTERED
        draw = self._draw.random()
        record = {"order_id": report.order_id}
        if self._block_tonnes_left < report.tonnes or draw < 0.1:
            # Who has countered may leave as well as decline.
            ends = "block_withdraw" if is_counter and draw < 0.05 else "block_reject"
            return ends, command_record(_BLOCK_KINDS[ends], trading_date, client_order_id, **record)
        name = "block_counter" if draw < (0.2 if is_counter else 0.4) else "block_accept"
        self._block_tonnes_left -= report.tonnes
        if name == "block_counter":
            side = self.sides[report.product_index]
            price, _ = self._block_terms(report.product_index, side, count)
            record |= {"price": price, "tonnes": report.tonnes}
        return name, command_record(_BLOCK_KINDS[name], trading_date, client_order_id, **record)

    def _block_terms(self, product_index: int, side: Side, count: int) -> tuple[int, int]:
        away = self._draw.randint(-40, 80)
        price = _away(self.paths[product_index].price(count), side, away)
        return price, self._draw.choice(BLOCK_TONNES)

    def take(self, report: Report, account_index: int) -> None:
        """Learn from an own report which orders are live and how much of them is open."""
        kind = report.kind
        if kind == EventKind.TRADE:
            if report.account_index == account_index:
                self._open(report.order_id, report.tonnes_open)
            else:
                self._open(report.counter_order_id, report.counter_tonnes_open)
        elif kind in (EventKind.ORDER_RESTED, EventKind.ORDER_AMENDED):
            # Only what rests can be amended or cancelled; an ORDER_ACCEPTED may still go at once.
            self.live[report.order_id] = [
                report.product_index,
                report.side,
                report.price,
                report.tonnes_open,
            ]
        elif kind in (EventKind.ORDER_CANCELED, EventKind.ORDER_EXPIRED):
            self.live.pop(report.order_id, None)

    def _open(self, order_id: int, tonnes: int) -> None:
        if tonnes == 0:
            self.live.pop(order_id, None)
        elif order_id in self.live:
            self.live[order_id][3] = tonnes

    def _some_order(self) -> int:
        """Draw a live order, one of those farthest from the market: least likely to be gone."""
        sample = self._draw.sample(list(self.live), min(3, len(self.live)))
        return min(sample, key=self._eagerness)

    def _eagerness(self, order_id: int) -> int:
        _, side, price, _ = self.live[order_id]
        return price if side == Side.BUY else -price

    def _amend(self, client_order_id: int, trading_date: int, count: int) -> bytes:
        order_id = self._some_order()
        product_index, side, price, tonnes = self.live[order_id]
        if tonnes > 10 and self._draw.random() < 0.5:
            tonnes = tonnes // 2
        else:
            price = _away(self.paths[product_index].price(count), side, self._draw.randint(5, 60))
        return command_record(
            CommandKind.AMEND,
            trading_date,
            client_order_id,
            order_id=order_id,
            price=price,
            tonnes=tonnes,
        )


_BLOCK_KINDS = {
    "block_accept": CommandKind.BLOCK_ACCEPT,
    "block_reject": CommandKind.BLOCK_REJECT,
    "block_withdraw": CommandKind.BLOCK_WITHDRAW,
    "block_counter": CommandKind.BLOCK_COUNTER,
}


def _away(price: int, side: int, fen: int) -> int:
    """Return the price so many fen behind the market; a negative number reaches across it."""
    return price - fen if side == Side.BUY else price + fen


def command_record(
    kind: int,
    trading_date: int,
    client_order_id: int,
    *,
    side: int = 0,
    tif: int = 0,
    flags: int = 0,
    product_index: int = 0,
    order_id: int = 0,
    pick_order_id: int = 0,
    price: int = 0,
    tonnes: int = 0,
) -> bytes:
    """Return the bytes of a Command record."""
    return _COMMAND.pack(
        kind, side, tif, flags, product_index, 0, 0, trading_date,
        client_order_id, order_id, pick_order_id, price, tonnes, 0,
    )  # fmt: skip
