"""Settlement records as a venue would publish them, made by hand; for tests of the registry."""

from pathlib import Path

import numpy as np

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Operation,
    Phase,
    Reason,
    Side,
)
from cea_exchange.institution.venue_link.holding_hash import holding_hash
from cea_exchange.registry.registry import Registry

LOG_ID = "log-1"
DATE = 2025_07_16
PRODUCT = "CEA24"
ALICE, BOB = 0, 1
ALICE_CASH, BOB_TONNES = 10_000_000, 1_000


def registry_prepare(data: Path, database: str | None = None) -> None:
    """Open accounts alice (with cash) and bob (with allowances), all on the way to the venue."""
    with Registry.open(data, database, admission="open") as registry, registry.transaction():
        registry.product_declare(PRODUCT, 9749)
        registry.account_open("alice")
        registry.account_open("bob")
        registry.pay_in("alice", ALICE_CASH)
        registry.issue("bob", PRODUCT, BOB_TONNES)
        registry.transfer_in("alice", None, ALICE_CASH)
        registry.transfer_in("bob", PRODUCT, BOB_TONNES)


class Venue:
    """Makes records with the next sequence, and keeps what the accounts then hold."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []
        self.trade_id = 0
        self.held: dict[tuple[str, str], int] = {}

    @property
    def records(self) -> np.ndarray:
        return np.concatenate(self.rows) if self.rows else np.zeros(0, EVENT_DTYPE)

    def _row(self, **fields: int) -> None:
        row = np.zeros(1, EVENT_DTYPE)
        row["product_index"], row["account_index"] = PRODUCT_NONE, ACCOUNT_NONE
        row["counter_account_index"] = ACCOUNT_NONE
        row["trading_date"], row["phase"] = DATE, Phase.LISTED
        row["seq"] = row["settlement_seq"] = len(self.rows) + 1
        for name, value in fields.items():
            row[name] = value
        self.rows.append(row)

    def _move(self, account_index: int, asset: str, amount: int) -> None:
        key = (("alice", "bob")[account_index], asset)
        self.held[key] = self.held.get(key, 0) + amount

    def deposited(self, account_index: int, transfer_seq: int, *, cash=0, tonnes=0) -> None:
        product = 0 if tonnes else PRODUCT_NONE
        self._row(
            kind=EventKind.DEPOSITED,
            account_index=account_index,
            product_index=product,
            client_order_id=transfer_seq,
            cash=cash,
            tonnes=tonnes,
        )
        self._move(account_index, PRODUCT if tonnes else CASH_NAME, tonnes or cash)

    def withdrawn(self, account_index: int, transfer_seq: int, *, cash: int) -> None:
        self._row(
            kind=EventKind.WITHDRAWN,
            account_index=account_index,
            client_order_id=transfer_seq,
            cash=cash,
        )
        self._move(account_index, CASH_NAME, -cash)

    def transfer_rejected(
        self, account_index: int, transfer_seq: int, operation: Operation, *, cash=0, tonnes=0
    ) -> None:
        self._row(
            kind=EventKind.TRANSFER_REJECTED,
            account_index=account_index,
            product_index=0 if tonnes else PRODUCT_NONE,
            client_order_id=transfer_seq,
            command=operation,
            reason=Reason.CASH_INSUFFICIENT,
            cash=cash,
            tonnes=tonnes,
        )

    def trade(
        self, tonnes: int, price: int = 100, *, buyer=ALICE, buy_fee=0, sell_fee=0, **odd: int
    ) -> None:
        """alice buys from bob, or the other way."""
        seller = ALICE + BOB - buyer
        self.trade_id += 1
        fields = {
            "kind": EventKind.TRADE,
            "side": Side.BUY,
            "method": Method.LISTED,
            "account_index": buyer,
            "counter_account_index": seller,
            "product_index": 0,
            "price": price,
            "tonnes": tonnes,
            "cash": price * tonnes,
            "buy_fee": buy_fee,
            "sell_fee": sell_fee,
            "trade_id": self.trade_id,
        }
        self._row(**(fields | odd))
        self._move(buyer, CASH_NAME, -price * tonnes - buy_fee)
        self._move(seller, CASH_NAME, price * tonnes - sell_fee)
        self._move(buyer, PRODUCT, tonnes)
        self._move(seller, PRODUCT, -tonnes)

    def busted(self, trade_id: int, reason: Reason = Reason.NONE, /, **odd: int) -> None:
        """The bust of a trade made here."""
        (trade,) = (
            row
            for row in self.rows
            if (row["kind"][0], row["trade_id"][0]) == (EventKind.TRADE, trade_id)
        )
        (figures,) = trade.tolist()
        fields = dict(zip(EVENT_DTYPE.names, figures, strict=True))
        for name in ("seq", "settlement_seq"):
            del fields[name]
        self._row(**(fields | {"kind": EventKind.TRADE_BUSTED, "reason": reason} | odd))
        if reason == Reason.NONE:
            tonnes, cash = fields["tonnes"], fields["cash"]
            self._move(ALICE, CASH_NAME, cash + fields["buy_fee"])
            self._move(BOB, CASH_NAME, fields["sell_fee"] - cash)
            self._move(ALICE, PRODUCT, -tonnes)
            self._move(BOB, PRODUCT, tonnes)

    def day_closed(self, *, volume: int, amount: int) -> None:
        self._row(kind=EventKind.DAY_CLOSED)
        row = self.rows[-1].view(DAY_CLOSED_DTYPE)
        row["product_index"] = 0
        for name in DAY_CLOSED_DTYPE.names:
            if name.startswith(("volume", "amount", "reserved")):
                row[name] = 0
        row["volume_listed"], row["amount_listed_low"] = volume, amount

    def checkpoint(self, phase: Phase = Phase.LISTED, *, off_by: int = 0) -> None:
        total = sum(holding_hash(*key, amount) for key, amount in self.held.items()) + off_by
        row = np.zeros(1, CHECKPOINT_DTYPE)
        row["kind"], row["holdings_hash"] = EventKind.CHECKPOINT, total % 2**64
        row["settlement_seq"] = row["seq"] = len(self.rows) + 1
        row["trading_date"], row["phase"] = DATE, phase
        self.rows.append(row.view(EVENT_DTYPE))


def venue_with_deposits() -> Venue:
    """Return a venue that has taken both transfers of `registry_prepare`."""
    venue = Venue()
    venue.deposited(ALICE, 4, cash=ALICE_CASH)
    venue.deposited(BOB, 5, tonnes=BOB_TONNES)
    return venue
