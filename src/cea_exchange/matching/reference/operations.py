"""What the operator does to a `ReferenceMarket`, and what the registry brings in and takes out.

None of them may fail for what it is asked: what can't be done is refused by an event.
"""

from __future__ import annotations

from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Operation, Reason
from cea_exchange.matching.reference.rows.products import PRICE_MAX
from cea_exchange.matching.reference.state import MarketState
from cea_exchange.matching.reference.trading.methods import TradingMethods

# -- Transfers -------------------------------------------------------------------------------------


def transfer(
    state: MarketState,
    operation: Operation,
    account_index: int,
    product_index: int,
    amount: int,
    transfer_seq: int,
) -> None:
    """Bring cash or allowances into an account, or take them out."""
    state.transfer_seq = transfer_seq or state.transfer_seq
    is_cash = product_index == PRODUCT_NONE
    named = {
        "account_index": account_index,
        "product_index": product_index,
        "client_order_id": transfer_seq,
        "cash" if is_cash else "tonnes": amount,
    }
    reason = _transfer_refusal(state, operation, account_index, product_index, amount)
    if reason:
        state.emit(EventKind.TRANSFER_REJECTED, reason=reason, command=operation, **named)
        return
    account = state.accounts[account_index]
    change = amount if operation == Operation.DEPOSIT else -amount
    if is_cash:
        account.cash += change
    else:
        account.holding(product_index).tonnes += change
    deposited = operation == Operation.DEPOSIT
    state.emit(EventKind.DEPOSITED if deposited else EventKind.WITHDRAWN, **named)


def _transfer_refusal(
    state: MarketState,
    operation: Operation,
    account_index: int,
    product_index: int,
    amount: int,
) -> Reason:
    if product_index != PRODUCT_NONE and product_index >= len(state.products):
        return Reason.PRODUCT_UNKNOWN
    if account_index >= len(state.accounts):
        return Reason.ACCOUNT_UNKNOWN
    if operation == Operation.DEPOSIT:
        return state.funds.deposit_refusal(product_index, amount)
    return state.funds.withdrawal_refusal(account_index, product_index, amount)


# -- Halts -----------------------------------------------------------------------------------------


def halted_set(state: MarketState, operation: Operation, product_index: int) -> None:
    """Halt a product or the market, or lift that; what is so already changes nothing.

    Notes
    -----
    Rules: CEA-DAY-05.
    """
    halted = operation == Operation.HALT
    if product_index == PRODUCT_NONE:
        changes = state.market_halted != halted
        state.market_halted = halted
    elif product_index < len(state.products):
        product = state.products[product_index]
        changes = product.halted != halted
        product.halted = halted
    else:
        state.refuse(operation, Reason.PRODUCT_UNKNOWN, product_index=product_index)
        return
    if changes:
        kind = EventKind.HALTED if halted else EventKind.RESUMED
        state.emit(kind, product_index=product_index)


# -- Accounts --------------------------------------------------------------------------------------


def suspend(state: MarketState, methods: TradingMethods, account_index: int) -> None:
    """Let an account only receive, and end what it has open.

    Notes
    -----
    Rules: CEA-DAY-06.
    """
    if account_index >= len(state.accounts):
        reason = Reason.ACCOUNT_UNKNOWN
        state.refuse(Operation.SUSPEND, reason, account_index=account_index)
    elif not state.accounts[account_index].suspended:
        state.accounts[account_index].suspended = True
        state.emit(EventKind.ACCOUNT_SUSPENDED, account_index=account_index)
        methods.listed.cancel_all_of(account_index, Reason.SUSPENDED)
        methods.blocks.withdraw_all_of(account_index, Reason.SUSPENDED)
        methods.biddings.end_all_of(account_index)


def restore(state: MarketState, account_index: int) -> None:
    """Let a suspended account trade again."""
    if account_index >= len(state.accounts):
        reason = Reason.ACCOUNT_UNKNOWN
        state.refuse(Operation.RESTORE, reason, account_index=account_index)
    elif state.accounts[account_index].suspended:
        state.accounts[account_index].suspended = False
        state.emit(EventKind.ACCOUNT_RESTORED, account_index=account_index)


def restrict(state: MarketState, account_index: int, restricted: int) -> None:
    """Keep an account from what a measure says (bits of `Restriction`); what it has open stays.

    Notes
    -----
    Rules: CEA-MSR-02.
    """
    if account_index >= len(state.accounts):
        reason = Reason.ACCOUNT_UNKNOWN
        state.refuse(Operation.RESTRICT, reason, account_index=account_index)
    elif state.accounts[account_index].restricted != restricted:
        state.accounts[account_index].restricted = restricted
        state.emit(EventKind.ACCOUNT_RESTRICTED, account_index=account_index, flags=restricted)


def allocation_note(state: MarketState, account_index: int, tonnes: int) -> None:
    """Note what an account was allocated; this gives no event.

    Notes
    -----
    Rules: PLT-FND-01.
    """
    if account_index >= len(state.accounts):
        reason = Reason.ACCOUNT_UNKNOWN
        state.refuse(Operation.ALLOCATION, reason, account_index=account_index)
    else:
        state.accounts[account_index].allocation = tonnes


# -- Products --------------------------------------------------------------------------------------


def product_list(state: MarketState, product_index: int, price: int) -> None:
    """Let a product be traded, its band measured from a price.

    Notes
    -----
    Rules: CEA-PRD-03.
    """
    named = {"product_index": product_index, "price": price}
    reason = _price_refusal(state, product_index, price)
    if reason:
        state.refuse(Operation.LIST, reason, **named)
        return
    product = state.products[product_index]
    if product.delisted:
        product.delisted, product.reference_price = False, price
        state.emit(EventKind.PRODUCT_LISTED, **named)


def product_delist(state: MarketState, methods: TradingMethods, product_index: int) -> None:
    """Let a product be traded no more, and end what is open of it.

    Notes
    -----
    Rules: CEA-PRD-03.
    """
    if product_index >= len(state.products):
        reason = Reason.PRODUCT_UNKNOWN
        state.refuse(Operation.DELIST, reason, product_index=product_index)
    elif not state.products[product_index].delisted:
        state.products[product_index].delisted = True
        state.emit(EventKind.PRODUCT_DELISTED, product_index=product_index)
        methods.listed.cancel_all_in(product_index)
        methods.blocks.withdraw_all_in(product_index)
        methods.biddings.end_all_in(product_index)


def reference_price_set(state: MarketState, product_index: int, price: int) -> None:
    """Measure a product's band from another price.

    Notes
    -----
    Rules: CEA-PRC-05.
    """
    named = {"product_index": product_index, "price": price}
    reason = _price_refusal(state, product_index, price)
    if reason:
        state.refuse(Operation.REFERENCE_PRICE, reason, **named)
        return
    product = state.products[product_index]
    if price != product.reference_price:
        product.reference_price = price
        state.emit(EventKind.REFERENCE_PRICE_CHANGED, **named)


def _price_refusal(state: MarketState, product_index: int, price: int) -> Reason:
    """What stands against another price to measure a band from."""
    if product_index >= len(state.products):
        return Reason.PRODUCT_UNKNOWN
    if state.day_is_open and state.listed_started:
        return Reason.PHASE_CLOSED
    return Reason.AMOUNT_TOO_LARGE if price > PRICE_MAX else Reason.NONE
