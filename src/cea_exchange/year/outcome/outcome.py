"""All results of a year: tables, reconciliations, figures, and the report."""

from pathlib import Path

from msgspec import Struct

from cea_exchange.domain.documents.html_table import html_table
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.figures import Beside, YearFigures, beside, figures_of
from cea_exchange.year.outcome.held import Reconciled
from cea_exchange.year.outcome.reconciling import reconciled
from cea_exchange.year.outcome.tables import tables_written
from cea_exchange.year.outcome.wording import beside_rows, figure_rows
from cea_exchange.year.own_plan import own_plan
from cea_exchange.year.setting import YearSetting


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a year.

    Attributes
    ----------
    files
        The tables.
    """

    figures: YearFigures
    beside: list[Beside]
    reconciled: list[Reconciled]
    files: list[str]

    @property
    def agrees(self) -> bool:
        """Whether all systems say the same."""
        return all(each.agrees for each in self.reconciled)

    def __repr__(self) -> str:
        found = "all systems agree" if self.agrees else "the systems do not agree"
        figures = self.figures
        return (
            f"<{type(self).__name__} {figures.entities:,} entities, {figures.trades:,} trades,"
            f" {figures.complied:,} surrendered in full: {found}>"
        )

    def _repr_html_(self) -> str:
        beside = html_table(("figure", "model", "published", "of", "the model's is"),
                            beside_rows(self.beside))  # fmt: skip
        agreement = (
            (each.name, f"{each.count:,}", "agree" if each.agrees else each.differences[0])
            for each in self.reconciled
        )
        whole = html_table(("", ""), figure_rows(self.figures), caption=repr(self))
        return whole + beside + html_table(("held against each other", "", ""), agreement)


def outcome_of(
    folder: Path, setting: YearSetting, state: YearState, *, csv_alone: bool = False
) -> Outcome:
    """Write a year's tables, as Parquet too where that is wanted, and return what it came to."""
    files = tables_written(folder, state, csv_alone=csv_alone)
    figures = figures_of(folder, setting, state)
    with own_plan(setting):
        found = reconciled(folder, setting.year, state)
    return Outcome(
        figures=figures,
        beside=beside(setting, figures),
        reconciled=found,
        files=[str(file.relative_to(folder)) for file in files],
    )
