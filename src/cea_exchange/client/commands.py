"""The commands of an order-entry session: each is made into a record and queued."""

from abc import ABC, abstractmethod
from typing import SupportsIndex, TypeVar

import numpy as np

from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    BlockFlag,
    CommandKind,
    OrderFlag,
    Side,
    Tif,
)
from cea_exchange.domain.units import boolean, int64_read, price_parse

E = TypeVar("E", Side, Tif)

_SIDES = {side.name.lower(): side for side in Side}
_TIFS = {tif.name.lower(): tif for tif in Tif}


class SessionCommands(ABC):
    """What a session can be asked to do, over what it knows of its venue."""

    trading_date: int
    """The venue's current one, yyyymmdd."""

    @abstractmethod
    def submit(self, commands: np.ndarray) -> list[int]:
        """Queue a batch of Command records and return their client_order_ids."""

    @abstractmethod
    def product_index(self, product: str) -> int:
        """Return the index of a product by name."""

    @abstractmethod
    def _logon_check(self) -> None:
        """Raise SessionError if there was no logon yet."""

    def enter(
        self,
        product: str,
        side: Side | str,
        *,
        price: str | None = None,
        price_fen: SupportsIndex | None = None,
        tonnes: SupportsIndex,
        tif: Tif | str = Tif.DAY,
        post_only: bool = False,
        pick: SupportsIndex = 0,
        trading_date: SupportsIndex | None = None,
    ) -> int:
        """Queue a listed order and return its client_order_id.

        Parameters
        ----------
        product : str
            Name of the product.
        side : Side or str
            `Side.BUY`, `Side.SELL`, or their names in small letters.
        price : str
            Limit in yuan per tonne with two decimals, "97.50".
        price_fen : int
            Instead of `price`: the limit in fen per tonne, 9750.
        tonnes : int
            How much to trade.
        tif : Tif or str
            How long it may wait: a `Tif`, or its name in small letters.
        post_only : bool
            Refuse it if it would trade on entry.
        pick : int
            Order id of the resting order to take; 0 is none.
        trading_date : int, optional
            The day it is meant for (yyyymmdd); by default the venue's current one.

        Raises
        ------
        SessionError
            If there was no logon yet.
        LookupError
            If the venue named no such product at the logon.
        TypeError, ValueError
            If a value has the wrong type or no such name.
        """
        self._logon_check()
        record = np.zeros(1, COMMAND_DTYPE)
        record["kind"] = CommandKind.ENTER
        record["side"] = _member(side, Side, _SIDES, "side")
        record["tif"] = _member(tif, Tif, _TIFS, "tif")
        record["flags"] = OrderFlag.POST_ONLY if boolean(post_only, "post_only") else 0
        record["product_index"] = self.product_index(product)
        record["pick_order_id"] = id_read(pick, "pick")
        record["price"] = _price(price, price_fen)
        record["tonnes"] = int64_read(tonnes, "tonnes")
        record["trading_date"] = self._date(trading_date)
        return self.submit(record)[0]

    def cancel(self, order_id: SupportsIndex, *, trading_date: SupportsIndex | None = None) -> int:
        """Queue the cancel of an order (by the venue's order id); return its client_order_id."""
        return self._aimed(CommandKind.CANCEL, order_id, "order_id", trading_date)

    def amend(
        self,
        order_id: SupportsIndex,
        *,
        tonnes: SupportsIndex,
        price: str | None = None,
        price_fen: SupportsIndex | None = None,
        trading_date: SupportsIndex | None = None,
    ) -> int:
        """Queue new terms of an order: price and its new open tonnes; return client_order_id."""
        terms = (_price(price, price_fen), int64_read(tonnes, "tonnes"))
        return self._aimed(CommandKind.AMEND, order_id, "order_id", trading_date, terms)

    def block_enquiry(
        self,
        product: str,
        side: Side | str,
        *,
        price: str | None = None,
        price_fen: SupportsIndex | None = None,
        tonnes: SupportsIndex | None = None,
        counterparty: SupportsIndex | None = None,
        to_group: SupportsIndex | None = None,
        trading_date: SupportsIndex | None = None,
    ) -> int:
        """Queue an enquiry for block offers and return its client_order_id.

        Parameters
        ----------
        product, side : str, Side or str
            What the asker would trade, and how.
        price, price_fen, tonnes : optional
            As in `enter`, where it says so.
        counterparty, to_group : int, optional
            Index of the account or of the group that may answer, not of both; `party` asks for it.
        trading_date : int, optional
            As in `enter`.
        """
        record = self._block(CommandKind.BLOCK_ENQUIRY, product, side, counterparty, to_group)
        if price is None and price_fen is None:
            record["flags"] |= np.uint8(BlockFlag.PRICE_OPEN)
        else:
            record["price"] = _price(price, price_fen)
        if tonnes is None:
            record["flags"] |= np.uint8(BlockFlag.TONNES_OPEN)
        else:
            record["tonnes"] = int64_read(tonnes, "tonnes")
        record["trading_date"] = self._date(trading_date)
        return self.submit(record)[0]

    def block_offer(
        self,
        product: str,
        side: Side | str,
        *,
        price: str | None = None,
        price_fen: SupportsIndex | None = None,
        tonnes: SupportsIndex,
        counterparty: SupportsIndex | None = None,
        to_group: SupportsIndex | None = None,
        enquiry: SupportsIndex = 0,
        trading_date: SupportsIndex | None = None,
    ) -> int:
        """Queue a block offer and return its client_order_id; see `block_enquiry`.

        `enquiry` is the id of the enquiry it answers; it is for who asked then, and needs no
        `counterparty`.
        """
        record = self._block(CommandKind.BLOCK_OFFER, product, side, counterparty, to_group)
        record["price"] = _price(price, price_fen)
        record["tonnes"] = int64_read(tonnes, "tonnes")
        record["order_id"] = id_read(enquiry, "enquiry")
        record["trading_date"] = self._date(trading_date)
        return self.submit(record)[0]

    def block_accept(
        self, block_id: SupportsIndex, *, trading_date: SupportsIndex | None = None
    ) -> int:
        """Queue the acceptance of the terms on the table; return its client_order_id."""
        return self._aimed(CommandKind.BLOCK_ACCEPT, block_id, "block_id", trading_date)

    def block_reject(
        self, block_id: SupportsIndex, *, trading_date: SupportsIndex | None = None
    ) -> int:
        """Queue the rejection of a directed offer; return its client_order_id."""
        return self._aimed(CommandKind.BLOCK_REJECT, block_id, "block_id", trading_date)

    def block_withdraw(
        self, block_id: SupportsIndex, *, trading_date: SupportsIndex | None = None
    ) -> int:
        """Queue the end of an own offer, enquiry or negotiation; return its client_order_id."""
        return self._aimed(CommandKind.BLOCK_WITHDRAW, block_id, "block_id", trading_date)

    def block_counter(
        self,
        block_id: SupportsIndex,
        *,
        tonnes: SupportsIndex,
        price: str | None = None,
        price_fen: SupportsIndex | None = None,
        trading_date: SupportsIndex | None = None,
    ) -> int:
        """Queue other terms for a directed offer; return the client_order_id."""
        terms = (_price(price, price_fen), int64_read(tonnes, "tonnes"))
        return self._aimed(CommandKind.BLOCK_COUNTER, block_id, "block_id", trading_date, terms)

    def bid(
        self,
        bidding_id: SupportsIndex,
        *,
        tonnes: SupportsIndex,
        price: str | None = None,
        price_fen: SupportsIndex | None = None,
        trading_date: SupportsIndex | None = None,
    ) -> int:
        """Queue a bid in an open bidding and return its client_order_id; see `enter`.

        Without a price it is a non-competitive one, where the venue's profile takes such.
        """
        is_competitive = price is not None or price_fen is not None
        price_limit = _price(price, price_fen) if is_competitive else 0
        terms = (price_limit, int64_read(tonnes, "tonnes"))
        return self._aimed(CommandKind.BID, bidding_id, "bidding_id", trading_date, terms)

    def bid_cancel(
        self, bid_id: SupportsIndex, *, trading_date: SupportsIndex | None = None
    ) -> int:
        """Queue the withdrawal of a bid; return its client_order_id."""
        return self._aimed(CommandKind.BID_CANCEL, bid_id, "bid_id", trading_date)

    def _block(
        self,
        kind: CommandKind,
        product: str,
        side: Side | str,
        counterparty: SupportsIndex | None,
        to_group: SupportsIndex | None,
    ) -> np.ndarray:
        if counterparty is not None and to_group is not None:
            raise ValueError("a block: expected a counterparty or a group, got both")
        self._logon_check()
        record = np.zeros(1, COMMAND_DTYPE)
        record["kind"] = kind
        record["side"] = _member(side, Side, _SIDES, "side")
        record["product_index"] = self.product_index(product)
        for index, flag, name in (
            (counterparty, BlockFlag.TO_ACCOUNT, "counterparty"),
            (to_group, BlockFlag.TO_GROUP, "to_group"),
        ):
            if index is not None:
                record["flags"] = flag
                record["pick_order_id"] = id_read(index, name)
        return record

    def _aimed(
        self,
        kind: CommandKind,
        target_id: SupportsIndex,
        name: str,
        trading_date: SupportsIndex | None,
        terms: tuple[int, int] = (0, 0),
    ) -> int:
        """Queue a command about something that has an id; `name` is what errors call that."""
        record = np.zeros(1, COMMAND_DTYPE)
        record["kind"] = kind
        record["order_id"] = id_read(target_id, name)
        record["price"], record["tonnes"] = terms
        record["trading_date"] = self._date(trading_date)
        return self.submit(record)[0]

    def _date(self, trading_date: SupportsIndex | None) -> int:
        if trading_date is None:
            return self.trading_date
        return int64_read(trading_date, "trading_date")


def _member(value: E | str, enum: type[E], names: dict[str, E], field: str) -> E:
    if isinstance(value, enum):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{field}: expected str or {enum.__name__}, got {type(value).__name__}")
    if value in names:
        return names[value]
    raise ValueError(f"{field}: expected one of {', '.join(names)}, got {value!r}")


def _price(price: str | None, price_fen: SupportsIndex | None) -> int:
    """Read a limit, which is given in yuan as text or in fen as an int, in fen."""
    if price is not None and price_fen is not None:
        raise ValueError(f"price: expected yuan or fen, got both: {price!r}, {price_fen!r}")
    if price_fen is not None:
        return int64_read(price_fen, "price_fen")
    if not isinstance(price, str):
        kind = type(price).__name__
        raise TypeError(f"price: expected str such as '97.50' (yuan), or price_fen int, got {kind}")
    return price_parse(price)


def id_read(value: SupportsIndex, field: str) -> int:
    """Read an id or another number from 0 on."""
    number = int64_read(value, field)
    if number < 0:
        raise ValueError(f"{field}: expected at least 0, got {number}")
    return number
