"""Who of a `ReferenceMarket` has come to hold as much as large holders do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Side

if TYPE_CHECKING:
    from cea_exchange.matching.reference.market import ReferenceMarket


def tell_all(market: ReferenceMarket, threshold_before: int) -> None:
    """Tell who is a large holder by today's threshold and was none by the last one.

    Notes
    -----
    Rules: CEA-FND-08.
    """
    threshold = market.rules.large_holder_tonnes
    if not _tells_large(market) or threshold == threshold_before:
        return
    for account_index, account in enumerate(market._accounts):
        for product_index, held in sorted(account.holdings.items()):
            was_large = 0 < threshold_before <= held.tonnes
            if held.tonnes >= threshold and not was_large:
                _emit(market, account_index, product_index, held.tonnes)


def tell_gain(market: ReferenceMarket, kind: EventKind, fields: dict[str, int]) -> None:
    """See whether what an event has moved makes a large holder; balances have moved before."""
    taker, maker = fields.get("account_index"), fields.get("counter_account_index")
    buyer, seller = (taker, maker) if fields.get("side") == Side.BUY else (maker, taker)
    if kind == EventKind.DEPOSITED:
        _check(market, taker, fields)
    elif kind == EventKind.TRADE and buyer != seller:
        _check(market, buyer, fields)
    elif kind == EventKind.TRADE_BUSTED and not fields["reason"] and buyer != seller:
        _check(market, seller, fields)


def _check(market: ReferenceMarket, account_index: int, fields: dict[str, int]) -> None:
    """Tell of an account that has come to hold as much as large holders do.

    Notes
    -----
    Rules: CEA-FND-08.
    """
    threshold, product_index = market.rules.large_holder_tonnes, fields["product_index"]
    if product_index == PRODUCT_NONE or not _tells_large(market):
        return
    tonnes = market._accounts[account_index].holding(product_index).tonnes
    if tonnes - fields["tonnes"] < threshold <= tonnes:
        _emit(market, account_index, product_index, tonnes)


def _tells_large(market: ReferenceMarket) -> bool:
    """Whether it is told who becomes a large holder: where no balances are kept nobody holds."""
    return market.rules.holdings_checked and market.rules.large_holder_tonnes > 0


def _emit(market: ReferenceMarket, account_index: int, product_index: int, tonnes: int) -> None:
    market._emit(
        EventKind.LARGE_HOLDER,
        account_index=account_index,
        product_index=product_index,
        tonnes=tonnes,
    )

