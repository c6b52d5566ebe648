"""The settings of a year, as it is asked for."""

from typing import Literal

from msgspec import Struct

from cea_exchange.domain.compliance.rules import ComplianceRules

Mode = Literal["embedded", "daemons"]
FIRMS = "cea_exchange.year.firms.firms:Firms"
ORDERS_EACH = 300
"""Listed orders of an enterprise in a year, where nothing else is asked for."""
YEARS = range(2021, 2027)
POWER_ONLY_UNTIL = 2023
"""Steel, cement and aluminium are in from the year after."""


class YearSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A year to be played; the same setting gives the same tables.

    Attributes
    ----------
    year
        The compliance year: of the emissions. It is traded and surrendered in the year of its
        deadline.
    orders
        Listed orders that are entered in the year.
    firms
        ``module:Class`` of how firms behave.
    profile
        The market's rules: a name, or a path.
    plan
        A plan of one's own for the year, in TOML; empty: the packaged one.
    days
        Trading days that are played, spread over the year, the last one among them; 0: all.
    has_bank
        Whether a settlement bank is instructed of each trade, and cash comes by its statements.
    closes
        Day (yyyymmdd) -> fen: what prices are steered by, where the market had them.
    supervised
        Whether the market's journal is kept, looked through each month, and acted upon.
    abusers
        Whether three schemes of abuse are committed; only where it is supervised.
    mode
        Whether the systems are all in one process, or daemons that are asked over sockets.
    behaviour
        What the class of firms has as ``behaviour``: its fields that are to be others.
    offset_share_bp
        Which share of what is due CCERs may cover, set by the authority; None: the rule's.
    """

    year: int
    entities: int
    seed: int
    orders: int
    firms: str = FIRMS
    profile: str = "cea"
    plan: str = ""
    days: int = 0
    has_bank: bool = False
    closes: dict[int, int] = {}
    supervised: bool = False
    abusers: bool = False
    mode: Mode = "embedded"
    behaviour: dict[str, int] = {}
    offset_share_bp: int | None = None


def offset_share_check(share_bp: int | None) -> None:
    """Hold the share of what is due that CCERs may cover against the rule's (CEA-OFS-01).

    Raises ValueError: it is more.
    """
    most = ComplianceRules.load().offsets.cap_bp.value
    if share_bp is not None and share_bp > most:
        raise ValueError(
            f"offset_share_bp: expected at most the rule's {most} (CEA-OFS-01), got {share_bp}"
        )
