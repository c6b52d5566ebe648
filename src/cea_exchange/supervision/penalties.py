"""What abuse of the market may cost: the gain in a case's window, and the range of the fine."""

import functools
import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct

from cea_exchange.domain.compliance.enforcement.offences import GainsFine, YuanRange
from cea_exchange.domain.compliance.penalties import FineRange
from cea_exchange.domain.ruled import Cited
from cea_exchange.supervision.columns.market import Columns

Abuse = Literal["manipulation", "disturbance"]
MarketName = Literal["cea", "ccer"]

_FEN = 100


class AbuseLaw(Cited, frozen=True, kw_only=True):
    """What the law says of a kind of abuse in a market.

    Attributes
    ----------
    organisation
        The fine, where `gains` does not apply.
    gains
        The fine in times the gain, where that reaches an amount; the gain is confiscated.
    persons
        The fine of each person answerable, beside a warning; None: the text has none.
    """

    organisation: YuanRange
    gains: GainsFine | None = None
    persons: YuanRange | None = None


class AbusePenalty(Struct, frozen=True, kw_only=True):
    """What may be decided, in fen; the authority decides.

    Attributes
    ----------
    confiscated
        The gain.
    """

    law: AbuseLaw
    organisation: FineRange
    persons: FineRange | None
    confiscated: int


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


@functools.cache
def abuse_laws() -> dict[str, dict[str, AbuseLaw]]:
    """Read the packaged laws, by market and kind of abuse."""
    file = resources.files("cea_exchange.supervision").joinpath("penalties.toml")
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    return msgspec.convert(data, dict[str, dict[str, AbuseLaw]], strict=True)


def abuse_penalty(market: MarketName, abuse: Abuse, gain: int) -> AbusePenalty:
    """Return what may be decided of abuse that gained so many fen; none or a loss is 0.

    Notes
    -----
    Rules: CEA-ABU-01, CEA-ABU-02, CEA-ABU-03.
    """
    law = abuse_laws()[market][abuse]
    gained = max(gain, 0)
    fine = law.organisation.fen
    if law.gains is not None and gained >= law.gains.reached * _FEN:
        fine = FineRange(least=gained * law.gains.least_times, most=gained * law.gains.most_times)
    return AbusePenalty(
        law=law,
        organisation=fine,
        persons=law.persons.fen if law.persons else None,
        confiscated=gained if law.gains is not None else 0,
    )


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
