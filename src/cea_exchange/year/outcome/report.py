"""A year's report: one HTML page that needs nothing from outside."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from cea_exchange.plots.figures import PlotsMissing
from cea_exchange.plots.year_plots import year_svgs
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.outcome import Outcome
from cea_exchange.year.outcome.page import heading, no_plots, page, table
from cea_exchange.year.outcome.speech import say
from cea_exchange.year.outcome.wording import beside_rows, figure_rows, traded_days
from cea_exchange.year.setting import YearSetting

FILE = "report.html"
MADE_UP = (
    "The nation, its firms and what they do are made up; what decides about them is the real"
    " systems' code."
)
ORIGINS_EXPLAINED = (
    "Input: given to the model. Reproduced: follows by the rules from what was given. Shaped by"
    " input: the model's own, of firms that are told by the published months when to trade. The"
    " model's own: comes of how its firms behave, and says nothing of the real market."
)


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
    title = say("Compliance year {}", setting.year)
    played = say(
        "{:,} enterprises from seed {}, traded {} to {}.",
        setting.entities, setting.seed, *traded_days(state),
    )  # fmt: skip
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{played} {say(MADE_UP)}</p>",
        heading("What it came to"),
        table((), figure_rows(outcome.figures), numbers={1}),
        heading("The model beside what is published"),
        table(
            [say(each) for each in ("figure", "model", "published", "of", "the model's is")],
            beside_rows(outcome.beside),
            numbers={1, 2},
        ),
        f"<p class=note>{say(ORIGINS_EXPLAINED)}</p>",
        *more,
        *_plots(folder),
        heading("What the systems say of each other"),
        _reconciled(outcome),
    ]
    path = folder / FILE
    text = page(title, parts)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _plots(folder: Path) -> Iterable[str]:
    try:
        for plot in year_svgs(folder):
            yield f"{heading(plot.title)}<div class=wide tabindex=0>{plot.svg}</div>"
    except PlotsMissing as error:
        yield no_plots(error)


def _reconciled(outcome: Outcome) -> str:
    lines = []
    for each in outcome.reconciled:
        found = "agree" if each.agrees else "differ"
        words = say(found) if each.agrees else f"{say('differ')}: {escape(each.differences[0])}"
        lines.append(
            f"<tr><td>{escape(say(each.name))}</td><td class=n>{each.count:,}</td>"
            f"<td class={found}>{words}</td></tr>"
        )
    return f"<div class=wide tabindex=0><table>{''.join(lines)}</table></div>"
