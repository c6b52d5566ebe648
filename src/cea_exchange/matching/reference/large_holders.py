"""Finds who in a reference market has come to hold as much as large holders do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Side
from cea_exchange.matching.reference.rows.funds import Account


def are_reported(rules: MarketRules) -> bool:
    """Whether large holders are reported: where no balances are kept nobody holds."""
    return rules.holdings_checked and rules.large_holder_tonnes > 0


def made_by_rules(
    rules: MarketRules, accounts: Sequence[Account], threshold_before: int
) -> Iterator[dict[str, int]]:
    """Who is a large holder by today's threshold and was none by the last one.

    Notes
    -----
    Rules: CEA-FND-08.
    """
    threshold = rules.large_holder_tonnes
    if not are_reported(rules) or threshold == threshold_before:
        return
    for account_index, account in enumerate(accounts):
        for product_index, held in sorted(account.holdings.items()):
            was_large = 0 < threshold_before <= held.tonnes
            if held.tonnes >= threshold and not was_large:
                yield _large(account_index, product_index, held.tonnes)


def made_by(
    rules: MarketRules, accounts: Sequence[Account], kind: EventKind, fields: dict[str, int]
) -> Iterator[dict[str, int]]:
    """Who has become a large holder by what an event tells; balances have moved before.

    Notes
    -----
    Rules: CEA-FND-08.
    """
    receiver = _receiver(kind, fields)
    if receiver is None or fields["product_index"] == PRODUCT_NONE or not are_reported(rules):
        return
    tonnes = accounts[receiver].holding(fields["product_index"]).tonnes
    if tonnes - fields["tonnes"] < rules.large_holder_tonnes <= tonnes:
        yield _large(receiver, fields["product_index"], tonnes)


def _receiver(kind: EventKind, fields: dict[str, int]) -> int | None:
    """The account to which an event has brought allowances."""
    if kind == EventKind.DEPOSITED:
        return fields["account_index"]
    moved = kind == EventKind.TRADE or (kind == EventKind.TRADE_BUSTED and not fields["reason"])
    if not moved or fields["account_index"] == fields["counter_account_index"]:
        return None
    taker_receives = (fields["side"] == Side.BUY) == (kind == EventKind.TRADE)
    return fields["account_index" if taker_receives else "counter_account_index"]


def _large(account_index: int, product_index: int, tonnes: int) -> dict[str, int]:
    return {"account_index": account_index, "product_index": product_index, "tonnes": tonnes}
