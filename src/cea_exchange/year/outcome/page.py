"""A page of results: one HTML file that needs nothing from outside."""

from collections.abc import Collection, Iterable, Sequence
from html import escape

from cea_exchange.plots.figures import PlotsMissing
from cea_exchange.year.outcome.speech import language, say

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
svg { display: block; margin-top: .8rem; width: 100%; min-width: 38rem; height: auto; }
.agree { color: var(--good); } .differ { color: var(--bad); font-weight: 600; }
p.note { color: var(--faint); }
@media (max-width: 40rem) {
  body { margin: 1rem auto; padding: 0 .5rem; font-size: 14px; }
  table { font-size: 11px; }
  th, td { padding: .25rem .2rem; }
  .n { white-space: normal; }
}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Return a page of parts in HTML."""
    return (
        f"<!doctype html><html lang={language()}><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        + "\n".join(parts)
        + "</main></body></html>\n"
    )


def heading(english: str) -> str:
    """Return a heading of a part."""
    return f"<h2>{escape(say(english))}</h2>"


def no_plots(error: PlotsMissing) -> str:
    """Return what stands in the place of plots where there are none."""
    return f"<p class=note>{say('No plots: it {}.', escape(str(error)))}</p>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()
) -> str:
    """Return a table of texts; `numbers` are the places of columns of numbers."""
    lines = [_row("th", head, numbers)] if head else []
    lines += [_row("td", row, numbers) for row in rows]
    return f"<div class=wide tabindex=0><table>{''.join(lines)}</table></div>"


def _row(kind: str, cells: Sequence[str], numbers: Collection[int]) -> str:
    line = "".join(
        f"<{kind}{' class=n' if place in numbers else ''}>{escape(cell)}</{kind}>"
        for place, cell in enumerate(cells)
    )
    return f"<tr>{line}</tr>"
