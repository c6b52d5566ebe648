"""Takes what a court asks for, or a recall, out of a trading account, as far as it is there."""

from typing import Any

import numpy as np

from cea_exchange.domain.records import ACCOUNT_NONE, PRODUCT_NONE

PRODUCT_UNDECLARED = PRODUCT_NONE - 1
"""An index no product has. PRODUCT_NONE would mean cash, or the whole market."""


def seized(
    core: Any, account_index: int, asset: int, amount: int, transfer_seq: int
) -> np.ndarray:
    """Take tonnes or cash out of a trading account; return the events.

    What is locked is set free as a suspension does it: all orders of the account end. What was
    bought or earned today stays until the next opening (CEA-FND-04, CEA-FND-05). No measure of the
    exchange stands in a court's way.

    Parameters
    ----------
    asset
        A product's index, or `PRODUCT_NONE` for cash.

    Notes
    -----
    Rules: CEA-ENF-02 (a freeze reaches the venue).
    """
    if account_index == ACCOUNT_NONE or asset == PRODUCT_UNDECLARED:
        events: np.ndarray = core.withdraw(account_index, asset, amount, transfer_seq)
        return events
    was_suspended = core.account(account_index)["suspended"]
    restricted = core.account(account_index)["restricted"]
    free, locked = _free_and_locked(core.account(account_index), asset)
    parts = []
    if not was_suspended and locked and free < amount:
        parts.append(core.suspend(account_index))
    if was_suspended or parts:
        parts.append(core.restore(account_index))
    free, _locked = _free_and_locked(core.account(account_index), asset)
    # Of nothing the market's own refusal says why.
    amount = min(amount, free) if free > 0 else amount
    if restricted:
        parts.append(core.restrict(account_index, 0))
    parts.append(core.withdraw(account_index, asset, amount, transfer_seq))
    if restricted:
        parts.append(core.restrict(account_index, restricted))
    if was_suspended:
        parts.append(core.suspend(account_index))
    return np.concatenate(parts)


def _free_and_locked(account: dict[str, Any], asset: int) -> tuple[int, int]:
    """Return what of an account may leave today, and what its orders have locked."""
    if asset == PRODUCT_NONE:
        locked = account["cash_locked"]
        return account["cash"] - locked - account["proceeds_today"], locked
    tonnes, locked, bought_today = account["holdings"].get(asset, (0, 0, 0))
    return tonnes - locked - bought_today, locked
