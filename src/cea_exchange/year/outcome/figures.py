"""The figures of a year beside the published ones, with what of each is the model's own.

All is a whole number; what is shown of it as a part is in hundredths of a percent.
"""

from collections import Counter
from pathlib import Path

from msgspec import Struct

from cea_exchange.ledger.institutions import INSTITUTION_NAMES, Institution
from cea_exchange.platform.enforcement.book import UNPAID
from cea_exchange.platform.store import PlatformStore
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.tables import cash_rows
from cea_exchange.year.published import Statistic, published_of
from cea_exchange.year.setting import YearSetting

ORIGINS = {
    "entities": "input",
    "trading_days": "reproduced",
    "due_tonnes": "model's own",
    "surrendered_bp": "model's own",
    "volume_tonnes": "model's own",
    "value_fen": "model's own",
    "block_share_bp": "model's own",
    "december_share_bp": "shaped by input",
    "biddings": "shaped by input",
    "close_fen": "model's own",
    "ccer_tonnes": "model's own",
}
"""What each figure is: given by the user, reproduced by rules from what is given, or neither.

What is shaped by an input is the model's own too, of firms that were told when to trade.
"""
STEERED = {"close_fen": "input"}
"""Likewise, of a year whose prices a file of closes steers."""


class YearFigures(Struct, frozen=True, kw_only=True):
    """A year in a few numbers.

    Attributes
    ----------
    complied
        Entities that had surrendered all in time.
    biddings
        Days with an award.
    ccer_tonnes
        Traded on the voluntary market.
    fined
        Entities of which a case's fine was decided.
    cash_fen, fees_fen, reserve_fen
        What participants, the fee account and the risk reserve have at the end.
    ccer_cash_fen, ccer_fees_fen
        The same at the exchange of CCERs, which keeps its own cash.
    """

    entities: int
    complied: int
    allocated_tonnes: int
    due_tonnes: int
    surrendered_tonnes: int
    offset_tonnes: int
    orders: int
    refused: int
    trades: int
    volume_tonnes: int
    value_fen: int
    block_tonnes: int
    bidding_tonnes: int
    biddings: int
    december_tonnes: int
    close_fen: int
    trading_days: int
    ccer_tonnes: int
    short_tonnes: int
    fined: int
    cash_fen: int
    fees_fen: int
    reserve_fen: int
    ccer_cash_fen: int
    ccer_fees_fen: int

    @property
    def surrendered_bp(self) -> int:
        """Return which part of what was due was surrendered or offset."""
        covered = min(self.surrendered_tonnes + self.offset_tonnes, self.due_tonnes)
        return _bp(covered, self.due_tonnes)

    @property
    def block_share_bp(self) -> int:
        """Return the blocks' part of the volume."""
        return _bp(self.block_tonnes, self.volume_tonnes)

    @property
    def december_share_bp(self) -> int:
        """Return the last month's part of the volume."""
        return _bp(self.december_tonnes, self.volume_tonnes)


class Beside(Struct, frozen=True, kw_only=True):
    """A figure of the model beside one that is published."""

    figure: str
    model: int
    published: int
    period: str
    source: str
    origin: str


def figures_of(folder: Path, setting: YearSetting, state: YearState) -> YearFigures:
    """Return what a year came to, from the registry's ledger and the bulletins."""
    with RegistryStore.open_reader(folder) as store:
        one = store.one
        year = (setting.year,)
        entities, due = one(
            "SELECT count(*), coalesce(sum(due_tonnes), 0) FROM obligations"
            " WHERE compliance_year = ?",
            year,
        )
        surrendered = one(
            "SELECT coalesce(sum(tonnes), 0) FROM surrenders JOIN surrender_lines"
            " ON surrender_lines.surrender_id = surrenders.surrender_id"
            " WHERE compliance_year = ? AND state = 'retired'",
            year,
        )
        offset = one(
            "SELECT coalesce(sum(tonnes), 0) FROM offset_proofs"
            " WHERE compliance_year = ? AND revoked_on = 0",
            year,
        )
        allocated = one(
            "SELECT coalesce(sum(given + kept), 0) FROM distribution_lines JOIN distributions"
            " ON distributions.distribution_id = distribution_lines.distribution_id"
            " WHERE compliance_year = ?",
            year,
        )
        certified = one(
            "SELECT count(*) FROM certificates WHERE compliance_year = ? AND revoked_on = 0", year
        )
    cash = Counter[str]()
    for market, holder, _, fen in cash_rows(folder, state.ccer.cash):
        if market == "allowances":
            cash[holder] += fen
    owed = sum(firm.owed for firm in state.firms)
    days = [bulletin.composite for bulletin in state.bulletins]
    december = [
        bulletin.composite
        for bulletin in state.bulletins
        if bulletin.trading_date // 100 % 100 == 12
    ]
    return YearFigures(
        entities=entities,
        complied=certified,
        allocated_tonnes=allocated,
        due_tonnes=due,
        surrendered_tonnes=surrendered,
        offset_tonnes=offset,
        orders=state.counts.orders,
        refused=state.counts.refused,
        trades=state.counts.trades,
        volume_tonnes=sum(day.day.total.volume for day in days),
        value_fen=sum(day.day.total.amount for day in days),
        block_tonnes=sum(day.day.block.volume for day in days),
        bidding_tonnes=sum(day.day.bidding.volume for day in days),
        biddings=sum(day.day.bidding.volume > 0 for day in days),
        december_tonnes=sum(day.day.total.volume for day in december),
        close_fen=days[-1].close,
        trading_days=len(days),
        ccer_tonnes=state.ccer.voluntary.tonnes,
        short_tonnes=owed,
        fined=_fined(folder, setting.year),
        cash_fen=cash["participants"],
        fees_fen=cash[INSTITUTION_NAMES[Institution.FEES]],
        reserve_fen=cash[INSTITUTION_NAMES[Institution.RISK_RESERVE]],
        ccer_cash_fen=sum(state.ccer.cash.held.values()),
        ccer_fees_fen=state.ccer.cash.fees,
    )


def _fined(folder: Path, year: int) -> int:
    """Return of how many entities a case's fine was decided."""
    with PlatformStore.open_reader(folder) as platform:
        count: int = platform.one(
            "SELECT count(DISTINCT enterprise_id) FROM cases"
            " WHERE compliance_year = ? AND offence = ? AND fine_fen > 0",
            (year, UNPAID),
        )
    return count


def beside(setting: YearSetting, figures: YearFigures) -> list[Beside]:
    """Return the model's figures beside the published ones of a year."""
    return [_beside(setting, figures, each) for each in published_of(setting.year)]


def _beside(setting: YearSetting, figures: YearFigures, published: Statistic) -> Beside:
    origins = ORIGINS | STEERED if setting.closes else ORIGINS
    return Beside(
        figure=published.figure,
        model=getattr(figures, published.figure),
        published=int(published.value),
        period=published.period,
        source=published.source,
        origin=origins[published.figure],
    )


def _bp(part: int, whole: int) -> int:
    return 10_000 * part // whole if whole else 0
