"""The operator's acts in a `ReferenceMarket`, and what the registry brings in and takes out.

None of them may fail for what it is asked: what can't be done is refused by an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Operation, Reason
from cea_exchange.matching.reference.products import PRICE_MAX

if TYPE_CHECKING:
    from cea_exchange.matching.reference.market import ReferenceMarket


def refuse(market: ReferenceMarket, operation: Operation, reason: Reason, **named: int) -> None:
    """Say why an act changes nothing."""
    market._emit(EventKind.ORDER_REJECTED, command=operation, reason=reason, **named)


# -- Transfers -------------------------------------------------------------------------------------


def transfer(
    market: ReferenceMarket,
    operation: Operation,
    account_index: int,
    product_index: int,
    amount: int,
    transfer_seq: int,
) -> None:
    """Bring cash or allowances into an account, or take them out."""
    market.transfer_seq = transfer_seq or market.transfer_seq
    is_cash = product_index == PRODUCT_NONE
    named = {
        "account_index": account_index,
        "product_index": product_index,
        "client_order_id": transfer_seq,
        "cash" if is_cash else "tonnes": amount,
    }
    reason = _transfer_refusal(market, operation, account_index, product_index, amount)
    if reason:
        market._emit(EventKind.TRANSFER_REJECTED, reason=reason, command=operation, **named)
        return
    account = market._accounts[account_index]
    change = amount if operation == Operation.DEPOSIT else -amount
    if is_cash:
        account.cash += change
    else:
        account.holding(product_index).tonnes += change
    deposited = operation == Operation.DEPOSIT
    market._emit(EventKind.DEPOSITED if deposited else EventKind.WITHDRAWN, **named)


def _transfer_refusal(
    market: ReferenceMarket,
    operation: Operation,
    account_index: int,
    product_index: int,
    amount: int,
) -> Reason:
    if product_index != PRODUCT_NONE and product_index >= len(market._products):
        return Reason.PRODUCT_UNKNOWN
    if account_index >= len(market._accounts):
        return Reason.ACCOUNT_UNKNOWN
    if operation == Operation.DEPOSIT:
        return market._funds.deposit_refusal(product_index, amount)
    return market._funds.withdrawal_refusal(account_index, product_index, amount)


# -- Halts -----------------------------------------------------------------------------------------


def halted_set(market: ReferenceMarket, operation: Operation, product_index: int) -> None:
    """Halt a product or the market, or lift that; what is so already changes nothing.

    Notes
    -----
    Rules: CEA-DAY-05.
    """
    halted = operation == Operation.HALT
    if product_index == PRODUCT_NONE:
        changes = market.market_halted != halted
        market.market_halted = halted
    elif product_index < len(market._products):
        product = market._products[product_index]
        changes = product.halted != halted
        product.halted = halted
    else:
        refuse(market, operation, Reason.PRODUCT_UNKNOWN, product_index=product_index)
        return
    if changes:
        kind = EventKind.HALTED if halted else EventKind.RESUMED
        market._emit(kind, product_index=product_index)


# -- Accounts --------------------------------------------------------------------------------------


def suspend(market: ReferenceMarket, account_index: int) -> None:
    """Let an account only receive, and end what it has open.

    Notes
    -----
    Rules: CEA-DAY-06.
    """
    if account_index >= len(market._accounts):
        reason = Reason.ACCOUNT_UNKNOWN
        refuse(market, Operation.SUSPEND, reason, account_index=account_index)
    elif not market._accounts[account_index].suspended:
        market._accounts[account_index].suspended = True
        market._emit(EventKind.ACCOUNT_SUSPENDED, account_index=account_index)
        market._listed.cancel_all_of(account_index, Reason.SUSPENDED)
        market._blocks.withdraw_all_of(account_index, Reason.SUSPENDED)
        market._biddings.end_all_of(account_index)


def restore(market: ReferenceMarket, account_index: int) -> None:
    """Let a suspended account trade again."""
    if account_index >= len(market._accounts):
        reason = Reason.ACCOUNT_UNKNOWN
        refuse(market, Operation.RESTORE, reason, account_index=account_index)
    elif market._accounts[account_index].suspended:
        market._accounts[account_index].suspended = False
        market._emit(EventKind.ACCOUNT_RESTORED, account_index=account_index)


# -- Products --------------------------------------------------------------------------------------


def product_list(market: ReferenceMarket, product_index: int, price: int) -> None:
    """Let a product be traded, its band measured from a price.

    Notes
    -----
    Rules: CEA-PRD-03.
    """
    named = {"product_index": product_index, "price": price}
    reason = _price_refusal(market, product_index, price)
    if reason:
        refuse(market, Operation.LIST, reason, **named)
        return
    product = market._products[product_index]
    if product.delisted:
        product.delisted, product.reference_price = False, price
        market._emit(EventKind.PRODUCT_LISTED, **named)


def product_delist(market: ReferenceMarket, product_index: int) -> None:
    """Let a product be traded no more, and end what is open of it.

    Notes
    -----
    Rules: CEA-PRD-03.
    """
    if product_index >= len(market._products):
        reason = Reason.PRODUCT_UNKNOWN
        refuse(market, Operation.DELIST, reason, product_index=product_index)
    elif not market._products[product_index].delisted:
        market._products[product_index].delisted = True
        market._emit(EventKind.PRODUCT_DELISTED, product_index=product_index)
        market._listed.cancel_all_in(product_index)
        market._blocks.withdraw_all_in(product_index)
        market._biddings.end_all_in(product_index)


def reference_price_set(market: ReferenceMarket, product_index: int, price: int) -> None:
    """Measure a product's band from another price.

    Notes
    -----
    Rules: CEA-PRC-05.
    """
    named = {"product_index": product_index, "price": price}
    reason = _price_refusal(market, product_index, price)
    if reason:
        refuse(market, Operation.REFERENCE_PRICE, reason, **named)
        return
    product = market._products[product_index]
    if price != product.reference_price:
        product.reference_price = price
        market._emit(EventKind.REFERENCE_PRICE_CHANGED, **named)


def _price_refusal(market: ReferenceMarket, product_index: int, price: int) -> Reason:
    """What stands against another price to measure a band from."""
    if product_index >= len(market._products):
        return Reason.PRODUCT_UNKNOWN
    if market.day_is_open and market.listed_started:
        return Reason.PHASE_CLOSED
    return Reason.AMOUNT_TOO_LARGE if price > PRICE_MAX else Reason.NONE
