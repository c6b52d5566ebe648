"""What abuse gained: what accounts made by their trades in a case's window."""

from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from cea_exchange.supervision.columns.market import Columns


class Gain(Struct, frozen=True, kw_only=True):
    """What accounts gained within a window, in fen; a loss is negative.

    Attributes
    ----------
    realised
        Of the tonnes that were bought and sold in it, each at its mean price.
    marked
        Of the rest, at the last close of the window.
    """

    realised: int
    marked: int

    @property
    def total(self) -> int:
        """Return both together."""
        return self.realised + self.marked


def gain_of(columns: Columns, accounts: Iterable[str], first_seq: int, last_seq: int) -> Gain:
    """Return what accounts together gained by their trades within a window of events.

    Notes
    -----
    Rules: CEA-ABU-04. Trades among them gain nothing together; fees are left out.
    """
    names = columns.tape.accounts
    who = np.array([names.index(account) for account in accounts])
    trades = columns.trades
    trades = trades[(trades["seq"] >= first_seq) & (trades["seq"] <= last_seq)]
    realised = marked = 0
    for product in range(columns.product_count):
        own = trades[trades["product"] == product]
        bought = own[np.isin(own["buyer"], who) & ~np.isin(own["seller"], who)]
        sold = own[np.isin(own["seller"], who) & ~np.isin(own["buyer"], who)]
        if not len(bought) and not len(sold):
            continue
        close = int(columns.closes[int(own["day"].max()), product])
        ins, outs = (int(side["tonnes"].sum()) for side in (bought, sold))
        paid, got = (int(side["amount"].sum()) for side in (bought, sold))
        both = min(ins, outs)
        part = 0
        if both:
            # Of whole fen, towards the accounts' disadvantage in neither direction: floor of each.
            part = got * both // outs - paid * both // ins
        realised += part
        marked += got - paid + (ins - outs) * close - part
    return Gain(realised=realised, marked=marked)
