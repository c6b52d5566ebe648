"""A result as one HTML page, with its charts in it and no link to anywhere."""

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from html import escape

from cea_exchange.loadtest.results.charts import Line, Mark, chart
from cea_exchange.loadtest.results.figures import LATENESS_PART, Latency
from cea_exchange.loadtest.results.latency_histogram import LatencyHistogram
from cea_exchange.loadtest.results.result import Result
from cea_exchange.loadtest.timeline import Timeline

LATENCY_COLUMNS = ("p50", "p90", "p99", "p99.9", "p99.99", "max")
CURVE_POINTS = (
    *(0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 96, 97, 98, 99),
    *(99.5, 99.75, 99.9, 99.95, 99.975, 99.99, 99.995, 99.999, 100),
)
NINES_MAX = 5.0
KINDS_SHOWN = 6
THREADS_SHOWN = 7
THREAD_SHARE_MIN = 0.02
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 900px; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: 0 } h2 { font-size: 1.15em; margin: 2em 0 .3em }
p.under { color: #666; margin-top: .2em }
table { border-collapse: collapse; margin: .5em 0 }
td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #e4e4e4 }
td:first-child, th:first-child { text-align: left; padding-left: 0 }
.verdict { padding: .7em 1em; border-left: 5px solid #5a8f3d; background: #f2f7ee }
.verdict.bad { border-color: #b3261e; background: #fbeeed }
.verdict.void { border-color: #b8860b; background: #fbf6e6 }
svg { width: 100%; height: auto; font-size: 11px } svg text { fill: #666 }
polyline { fill: none; stroke-width: 1.6 } .grid { stroke: #e8e8e8 }
.mark { stroke: #b3261e; stroke-dasharray: 3 3; stroke-width: 1.2; pointer-events: stroke }
.legend span { margin-right: 1.2em; font-size: .9em } .none { color: #888 }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 12px }
"""


def page(result: Result, failures: Sequence[str] = ()) -> str:
    """Return the page.

    Parameters
    ----------
    failures
        Why the run fails, if it does.
    """
    parts = [
        _head(result),
        _verdict(result, failures),
        _section("Latency, from when a command was due to its answer", _latencies(result)),
        _section("Latency by percentile", _curves(result)),
        _section("Commands", _counts(result)),
        _section("What was done to it, and when", _acts(result)) if result.acts else "",
        _section("As it passed", _passed(result)),
        _section("The machine and the target", _machine(result)),
        _section("Held against each other at the end", _audit(result)),
        _section("To make it again", _settings(result)),
    ]
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
        f"<title>{escape(result.name)}</title>\n<style>{STYLE}</style>\n"
        + "\n".join(filter(None, parts))
        + "\n</html>\n"
    )


# -- Parts -----------------------------------------------------------------------------------------


def _head(result: Result) -> str:
    settings = result.settings
    workload = settings["workload"]
    return (
        f"<h1>{escape(workload['name'])} against {escape(settings['target'])}</h1>"
        f'<p class="under">{escape(result.began)} &middot; {_described(settings)} &middot; '
        f"{workload['participants']} participants in {settings['processes']} sending processes"
        f" &middot; seed {settings['seed']}</p>"
    )


def _described(settings: dict[str, dict[str, object]]) -> str:
    recorded = settings["recorded"]
    if recorded:
        return f"a recorded day at {recorded['speed_up']} times its speed"
    arrivals = settings["arrivals"]
    return f"{arrivals['rate']:,.0f} a second ({arrivals['kind']}) for {arrivals['seconds']:g} s"


def _verdict(result: Result, failures: Sequence[str]) -> str:
    if failures:
        rows = "".join(f"<li>{escape(each)}</li>" for each in failures)
        return f'<div class="verdict bad"><b>Failed.</b><ul>{rows}</ul></div>'
    if result.void:
        words = "<b>Nothing was lost; the figures are void.</b> "
        return f'<div class="verdict void">{words}{escape(result.void)}</div>'
    figures = result.figures
    return (
        f'<div class="verdict"><b>Nothing was lost.</b> {figures.answered:,} commands were answered'
        f" once each, {result.answered_per_second:,.0f} a second;"
        f" p99 {_ms(figures.latency.p99)}.</div>"
    )


def _latencies(result: Result) -> str:
    figures = result.figures
    rows = [
        [kind, f"{latency.count:,}", *_latency_cells(latency)]
        for kind, latency in sorted(figures.by_kind.items(), key=lambda row: -row[1].count)
    ]
    rows.append(["all", f"{figures.latency.count:,}", *_latency_cells(figures.latency)])
    if result.floor is not None:
        floor = result.floor.latency
        rows.append(["the harness's floor", f"{floor.count:,}", *_latency_cells(floor)])
    late = figures.lateness
    rows.append(["sent late by", f"{late.count:,}", *_latency_cells(late)])
    note = (
        "The floor is the same schedule, answered by somebody who does nothing. Where commands left"
        f" later than a {LATENESS_PART}th of the p99 above (p99 of both), the figures would show"
        " the harness: the run is void."
    )
    return _table(["kind", "commands", *LATENCY_COLUMNS], rows) + f'<p class="under">{note}</p>'


def _latency_cells(latency: Latency) -> list[str]:
    return [_ms(latency.at(name)) for name in LATENCY_COLUMNS]


def _curves(result: Result) -> str:
    kinds = sorted(result.figures.by_kind.items(), key=lambda row: -row[1].count)
    shown = [("all", result.figures.latency), *kinds[: KINDS_SHOWN - 1]]
    if result.floor is not None:
        shown.append(("the harness's floor", result.floor.latency))
    lines = [_curve(name, latency) for name, latency in shown if latency.count]
    return chart(lines, shown=_ms, x_shown=_percentile_shown, logarithmic=True)


def _curve(name: str, latency: Latency) -> Line:
    histogram = LatencyHistogram.decode(latency.histogram)
    places = [_nines(point) for point in CURVE_POINTS]
    values = [float(histogram.at(point)) for point in CURVE_POINTS]
    return Line(name, places, values)


def _nines(percentile: float) -> float:
    """Return how many nines a percentile has: 90 is 1, 99.9 is 3."""
    return min(-math.log10(max(1 - percentile / 100, 10**-NINES_MAX)), NINES_MAX)


def _percentile_shown(nines: float) -> str:
    return f"{100 * (1 - 10**-nines):.6g} %" if nines < NINES_MAX else "max"


def _counts(result: Result) -> str:
    figures = result.figures
    rows = [
        [kind, f"{sent:,}", f"{figures.refused_by_kind.get(kind, 0):,}"]
        for kind, sent in figures.sent_by_kind.items()
    ]
    rows.append(["all", f"{figures.commands:,}", f"{sum(figures.refused.values()):,}"])
    found = _table(["kind", "sent", "refused"], rows)
    if figures.refused:
        codes = [[code, f"{count:,}"] for code, count in figures.refused.items()]
        found += _table(["refused because of", "times"], codes)
    others = [
        ["trades", f"{figures.trades:,}"],
        ["answered a second", f"{result.answered_per_second:,.1f}"],
        ["connections made again", f"{result.reconnects:,}"],
        ["gaps in reports, filled", f"{result.gaps:,}"],
    ]
    if result.stopped:
        others.append(["stopped early", result.stopped])
    return found + _table(["", ""], others)


def _acts(result: Result) -> str:
    return _table(["after", "what"], [[f"{act.at_s:.2f} s", act.what] for act in result.acts])


def _passed(result: Result) -> str:
    timeline = result.timeline
    marks = [Mark(act.at_s, f"{act.at_s:.2f} s: {act.what}") for act in result.acts]

    def of(names: Iterable[str]) -> list[Line]:
        return [
            Line(name, timeline.s, timeline.columns[name])
            for name in names
            if name in timeline.columns
        ]

    rates = of(("sent a second", "answered a second", "refused a second"))
    p99 = [Line("p99", timeline.s, timeline.columns.get("p99_ns", []))] if timeline.s else []
    if p99 and not p99[0].y:
        p99 = []
    waiting = of(("unanswered",))
    return (
        "<h3>Commands a second</h3>" + chart(rates, shown=_count, x_shown=_s, marks=marks)
        + "<h3>p99 of what was due meanwhile</h3>"
        + chart(p99, shown=_ms, x_shown=_s, marks=marks, logarithmic=True)
        + "<h3>Unanswered commands</h3>" + chart(waiting, shown=_count, x_shown=_s, marks=marks)
    )  # fmt: skip


def _machine(result: Result) -> str:
    timeline = result.timeline
    marks = [Mark(act.at_s, act.what) for act in result.acts]
    busiest: list[tuple[float, str]] = []
    for name, values in timeline.columns.items():
        if name.startswith("cpu"):
            seen = [value for value in values if value is not None]
            mean = sum(seen) / len(seen) if seen else 0.0
            if mean >= THREAD_SHARE_MIN or name == "cpu":
                busiest.append((mean, name))
    names = [name for _, name in sorted(busiest, reverse=True)[:THREADS_SHOWN]]
    lines = [Line(name, timeline.s, timeline.columns[name]) for name in names]
    found = "<h3>Processors in use, by process and thread</h3>"
    found += chart(lines, shown=lambda value: f"{value:.2f}", x_shown=_s, marks=marks)
    steps = mean_times(timeline)
    if steps:
        found += "<h3>What the target took for its own steps, by its histograms</h3>"
        found += chart(steps, shown=_ms, x_shown=_s, marks=marks, logarithmic=True)
    rows = [[name, value] for name, value in _last_metrics(result)]
    if rows:
        found += "<h3>What the target says of itself, at the end</h3>" + _table(["", ""], rows)
    return found


def mean_times(timeline: Timeline) -> list[Line]:
    """Return, of each histogram of seconds, what it took on average between two samples (ns)."""
    found = []
    for name, sums in timeline.columns.items():
        counts = timeline.columns.get(name.removesuffix("_sum") + "_count")
        if not name.endswith("_seconds_sum") or counts is None:
            continue
        means: list[float | None] = [None]
        for before, here in itertools.pairwise(zip(sums, counts, strict=True)):
            means.append(_mean_ns(before, here))
        shown = name.removeprefix("target ").removesuffix("_seconds_sum")
        found.append(Line(shown, timeline.s, means))
    return found


def _mean_ns(
    before: tuple[float | None, float | None], here: tuple[float | None, float | None]
) -> float | None:
    (sum_before, count_before), (sum_here, count_here) = before, here
    if sum_before is None or count_before is None or sum_here is None or count_here is None:
        return None
    # Fewer than before: it was started again meanwhile.
    times = count_here - count_before
    return (sum_here - sum_before) / times * 1e9 if times > 0 else None


def _last_metrics(result: Result) -> Iterable[tuple[str, str]]:
    for name, values in sorted(result.timeline.columns.items()):
        seen = [value for value in values if value is not None]
        if name.startswith("target ") and seen:
            yield name.removeprefix("target "), f"{seen[-1]:,.6g}"


def _audit(result: Result) -> str:
    rows = [[name.replace("_", " "), f"{count:,}"] for name, count in result.audit.checked.items()]
    found = _table(["held against each other", ""], rows) if rows else ""
    if result.losses:
        items = "".join(f"<li>{escape(each)}</li>" for each in result.losses)
        return found + f"<p>What was lost, or differs:</p><ul>{items}</ul>"
    return found + "<p>No difference.</p>"


def _settings(result: Result) -> str:
    content = {"settings": result.settings, "machine": result.machine, "versions": result.versions}
    return f"<pre>{escape(json.dumps(content, indent=1, ensure_ascii=False))}</pre>"


# -- Forms -----------------------------------------------------------------------------------------


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>{content}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.3g} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:,.3g} s"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _s(value: float) -> str:
    return f"{value:g} s"
