"""A year's report: one HTML page that needs nothing from outside."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from cea_exchange.plots.figures import PlotsMissing
from cea_exchange.plots.year_plots import year_svgs
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.outcome import Outcome
from cea_exchange.year.outcome.page import page, table
from cea_exchange.year.outcome.wording import beside_rows, figure_rows
from cea_exchange.year.setting import YearSetting

FILE = "report.html"


def report_write(
    folder: Path,
    setting: YearSetting,
    state: YearState,
    outcome: Outcome,
    more: Iterable[str] = (),
) -> Path:
    """Write ``report.html``, and return where it is; without matplotlib it has no plots.

    Parameters
    ----------
    more
        Further parts, as HTML.
    """
    first, last = (state.bulletins[place].trading_date for place in (0, -1))
    parts = [
        f"<h1>Compliance year {setting.year}</h1>",
        f"<p>{setting.entities:,} enterprises from seed {setting.seed}, traded {first} to {last}."
        " The nation, its firms and what they do are made up; what decides about them is the"
        " real systems' code.</p>",
        "<h2>What it came to</h2>",
        table((), figure_rows(outcome.figures), numbers={1}),
        "<h2>The model beside what is published</h2>",
        table(
            ("figure", "model", "published", "of", "the model's is"),
            beside_rows(outcome.beside),
            numbers={1, 2},
        ),
        "<p class=note>Input: given to the model. Reproduced: follows by the rules from what was"
        " given. Shaped by input: the model's own, of firms that are told by the published"
        " months when to trade. The model's own: comes of how its firms behave, and says nothing"
        " of the real market.</p>",
        *more,
        *_plots(folder),
        "<h2>What the systems say of each other</h2>",
        _reconciled(outcome),
    ]
    path = folder / FILE
    text = page(f"Compliance year {setting.year}", parts)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _plots(folder: Path) -> Iterable[str]:
    try:
        for plot in year_svgs(folder):
            yield f"<h2>{escape(plot.title)}</h2><div class=wide tabindex=0>{plot.svg}</div>"
    except PlotsMissing as error:
        yield f"<p class=note>No plots: it {escape(str(error))}.</p>"


def _reconciled(outcome: Outcome) -> str:
    lines = []
    for each in outcome.reconciled:
        found = "agree" if each.agrees else "differ"
        words = found if each.agrees else f"differ: {escape(each.differences[0])}"
        lines.append(
            f"<tr><td>{escape(each.name)}</td><td class=n>{each.count:,}</td>"
            f"<td class={found}>{words}</td></tr>"
        )
    return f"<div class=wide tabindex=0><table>{''.join(lines)}</table></div>"
