"""A year's report: one HTML page that needs nothing from outside."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from cea_exchange.plots.figures import PlotsMissing
from cea_exchange.plots.year_plots import year_svgs
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.outcome import Outcome
from cea_exchange.year.outcome.wording import beside_rows, figure_rows
from cea_exchange.year.setting import YearSetting

FILE = "report.html"
_STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --page: #fff; --line: #ddd; --faint: #555;
  --good: #17692f; --bad: #b00020; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e4e4; --page: #161616; --line: #3a3a3a; --faint: #a8a8a8; --good: #7ccf95;
    --bad: #ff8a95; }
  svg { filter: invert(.91) hue-rotate(180deg); }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--text); background: var(--page); }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { display: block; width: 100%; min-width: 38rem; height: auto; }
.agree { color: var(--good); } .differ { color: var(--bad); font-weight: 600; }
p.note { color: var(--faint); }
@media (max-width: 40rem) {
  body { margin: 1rem auto; padding: 0 .6rem; font-size: 14px; }
  th, td { padding: .25rem .4rem; }
}
"""


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
        _table((), figure_rows(outcome.figures), numbers={1}),
        "<h2>The model beside what is published</h2>",
        _table(
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
    text = (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>Compliance year {setting.year}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _plots(folder: Path) -> Iterable[str]:
    try:
        for plot in year_svgs(folder):
            yield f"<h2>{escape(plot.title)}</h2><div class=wide>{plot.svg}</div>"
    except PlotsMissing as error:
        yield f"<p class=note>No plots: it {escape(str(error))}.</p>"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[int] | set[int]
) -> str:
    lines = [_row("th", head, numbers)] if head else []
    lines += [_row("td", row, numbers) for row in rows]
    return f"<div class=wide><table>{''.join(lines)}</table></div>"


def _row(kind: str, cells: Sequence[str], numbers: frozenset[int] | set[int]) -> str:
    line = "".join(
        f"<{kind}{' class=n' if place in numbers else ''}>{escape(cell)}</{kind}>"
        for place, cell in enumerate(cells)
    )
    return f"<tr>{line}</tr>"


def _reconciled(outcome: Outcome) -> str:
    lines = []
    for each in outcome.reconciled:
        found = "agree" if each.agrees else "differ"
        words = found if each.agrees else f"differ: {escape(each.differences[0])}"
        lines.append(
            f"<tr><td>{escape(each.name)}</td><td class=n>{each.count:,}</td>"
            f"<td class={found}>{words}</td></tr>"
        )
    return f"<div class=wide><table>{''.join(lines)}</table></div>"
