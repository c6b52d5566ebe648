"""What abuse of the market may cost: the gain is confiscated, and a range fined."""

import functools
import tomllib
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

from cea_exchange.domain.compliance.enforcement.offences import GainsFine, YuanRange
from cea_exchange.domain.compliance.penalties import FineRange
from cea_exchange.domain.ruled import Cited

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


@functools.cache
def abuse_laws() -> dict[str, dict[str, AbuseLaw]]:
    """Read the packaged laws, by market and kind of abuse."""
    file = resources.files("cea_exchange.domain.compliance.enforcement").joinpath("abuse.toml")
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
