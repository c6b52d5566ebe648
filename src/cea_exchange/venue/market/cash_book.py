"""The exchange's cash book: what each account's cash is made of, where the exchange settles it.

Three records must agree for each account: the bank's references that were booked, what the market's
events say moved, and the balance. The fees are the exchange's own; they are the book's one balance
that no account has. Where they do not agree two persons say what is right: a correction beside the
bank's references makes up for what those do not explain.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Reason, Side

Payment = tuple[str, int]
"""Whose it is, and the fen that came in; negative, what went out."""


class CashFlow(Struct):
    """What an account's events moved since the market began, in fen.

    Attributes
    ----------
    booked
        Paid in, less what was paid out.
    traded
        What its sales brought, less what its purchases cost, without fees.
    fees
        Of both.
    """

    booked: int = 0
    traded: int = 0
    fees: int = 0

    @property
    def balance(self) -> int:
        """Return the cash that is left."""
        return self.booked + self.traded - self.fees


def take(flows: dict[str, CashFlow], accounts: Sequence[str], events: np.ndarray) -> None:
    """Enter what events moved; a trade that was undone is entered the other way.

    Notes
    -----
    Rules: CCER-STL-01, CCER-CSH-01, CCER-FEE-01.
    """
    kinds = events["kind"]
    is_payment = (kinds == EventKind.DEPOSITED) | (kinds == EventKind.WITHDRAWN)
    for row in events[is_payment & (events["product_index"] == PRODUCT_NONE)]:
        sign = 1 if row["kind"] == EventKind.DEPOSITED else -1
        _flow(flows, accounts[row["account_index"]]).booked += sign * int(row["cash"])
    is_undone = (kinds == EventKind.TRADE_BUSTED) & (events["reason"] == Reason.NONE)
    for row in events[(kinds == EventKind.TRADE) | is_undone]:
        sign = 1 if row["kind"] == EventKind.TRADE else -1
        sides = [accounts[row["account_index"]], accounts[row["counter_account_index"]]]
        buyer, seller = sides if row["side"] == Side.BUY else reversed(sides)
        cash = sign * int(row["cash"])
        for account, traded, fee in ((buyer, -cash, "buy_fee"), (seller, cash, "sell_fee")):
            flow = _flow(flows, account)
            flow.traded += traded
            flow.fees += sign * int(row[fee])


def _flow(flows: dict[str, CashFlow], account: str) -> CashFlow:
    return flows.setdefault(account, CashFlow())


def differences(
    flows: Mapping[str, CashFlow],
    payments: Mapping[str, Payment],
    corrections: Mapping[str, int],
    balances: Mapping[str, int],
) -> Iterator[dict[str, Any]]:
    """Find the accounts whose three records do not agree.

    Parameters
    ----------
    payments
        By the bank's reference.
    corrections
        By account, in fen, what was added to what the bank's references say.
    balances
        The market's cash, in fen, of all accounts.

    Notes
    -----
    Rules: CCER-STL-02.
    """
    by_reference = {account: corrections.get(account, 0) for account in balances}
    for account, fen in payments.values():
        by_reference[account] += fen
    for account, cash in balances.items():
        flow = flows.get(account, CashFlow())
        if by_reference[account] != flow.booked or flow.balance != cash:
            yield {
                "account": account,
                "by_reference": by_reference[account],
                "booked": flow.booked,
                "by_events": flow.balance,
                "cash": cash,
            }


def corrected(
    flows: dict[str, CashFlow],
    payments: Mapping[str, Payment],
    corrections: dict[str, int],
    account: str,
    cash: int,
    *,
    moved: int,
) -> None:
    """Let the book say that an account has so much cash; what trades moved stays as it is.

    Parameters
    ----------
    moved
        What of it an event says, in fen, that is still to be taken.

    Notes
    -----
    Rules: CCER-STL-03.
    """
    flow = _flow(flows, account)
    flow.booked += cash - flow.balance
    by_bank = sum(fen for of, fen in payments.values() if of == account)
    corrections[account] = flow.booked - by_bank
    if not corrections[account]:
        del corrections[account]
    flow.booked -= moved


def shown(
    flows: Mapping[str, CashFlow],
    payments: Mapping[str, Payment],
    corrections: Mapping[str, int],
    balances: Mapping[str, int],
) -> dict[str, Any]:
    """Return the book's totals and its differences, as operators see them."""
    return {
        "payments": len(payments),
        "booked": str(sum(fen for _account, fen in payments.values())),
        "corrections": {account: str(fen) for account, fen in corrections.items()},
        "held": str(sum(balances.values())),
        "fees": str(sum(flow.fees for flow in flows.values())),
        "differences": [
            {key: value if key == "account" else str(value) for key, value in each.items()}
            for each in differences(flows, payments, corrections, balances)
        ],
    }
