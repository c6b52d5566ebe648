"""Shows a run to people at a terminal: while it is on, and its results."""

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cea_exchange.loadtest.results.figures import Latency
from cea_exchange.loadtest.results.result import Result

Said = Callable[[str], str]
"""Returns a text in the reader's language."""
SHOWN = ("p50", "p90", "p99", "p99.9", "max")
BARS = "▁▂▃▄▅▆▇█"
HISTORY = 60


def milliseconds(nanoseconds: float) -> str:
    """Write a latency: about four digits of it."""
    if nanoseconds >= 1e9:
        return f"{nanoseconds / 1e9:,.2f} s"
    value = nanoseconds / 1e6
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:,.{digits}f} ms"


class Board:
    """What is shown while a run is on.

    Parameters
    ----------
    seconds : float
        How long it is to last.
    """

    def __init__(self, title: str, seconds: float) -> None:
        self._title = title
        self._seconds = seconds
        self._rates: list[float] = []
        self._p99: list[float] = []

    def shown(self, now_s: float, sample: dict[str, float]) -> RenderableType:
        """Return the board for a sample."""
        self._rates = [*self._rates, sample.get("answered a second", 0.0)][-HISTORY:]
        self._p99 = [*self._p99, sample.get("p99_ns", 0.0)][-HISTORY:]
        table = Table(title=self._title, title_justify="left", show_header=False, box=None)
        table.add_column()
        table.add_column(justify="right", min_width=14)
        table.add_column(min_width=HISTORY)
        left_s = max(self._seconds - now_s, 0.0)
        table.add_row("time", f"{max(now_s, 0):,.1f} s", f"{left_s:,.0f} s left")
        table.add_row("answered a second", f"{self._rates[-1]:,.0f}", _bars(self._rates))
        table.add_row("p99", milliseconds(self._p99[-1]), _bars(self._p99))
        for name in ("sent", "unanswered", "refused", "reconnects", "gaps"):
            table.add_row(name, f"{sample.get(name, 0):,.0f}", "")
        for name, value in sorted(sample.items()):
            words = name.split()
            if words[0] == "cpu" and (len(words) == 2 or words[1] == "sender"):
                if len(words) <= 3:
                    table.add_row(name, f"{value:.0%}", "")
        return table


def _bars(values: list[float]) -> str:
    top = max(values) or 1.0
    return "".join(BARS[min(int(value / top * len(BARS)), len(BARS) - 1)] for value in values)


def result_show(result: Result, console: Console, said: Said = str) -> None:
    """Print the result of a run; `said` returns a text in the reader's language."""
    console.print(Group(_latencies(result, said), _counts(result, said)))
    floor = result.floor
    if floor is not None:
        sentence = said(
            "the harness's own floor: p50 {p50}, p99 {p99}; its commands left late: p99 {late}"
        )
        console.print(
            sentence.format(
                p50=milliseconds(floor.latency.p50),
                p99=milliseconds(floor.latency.p99),
                late=milliseconds(result.figures.lateness.p99),
            )
        )
    if result.void:
        console.print(Text(f"{said('void')}: {result.void}", style="bold yellow"))
    if result.acts:
        for act in result.acts:
            console.print(f"  {act.at_s:8.2f} s  {act.what}")
    for name, count in result.audit.checked.items():
        console.print(f"  {said('checked')}: {count:,} {said(name.replace('_', ' '))}")
    for loss in result.losses:
        console.print(Text(f"{said('lost')}: {loss}", style="bold red"))


def _latencies(result: Result, said: Said) -> Table:
    settings = result.settings
    title = said("{workload} against {target}").format(
        workload=settings["workload"]["name"], target=settings["target"]
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(said("kind"), no_wrap=True)
    table.add_column(said("commands"), justify="right", no_wrap=True)
    for name in SHOWN:
        table.add_column(name, justify="right", no_wrap=True)
    rows = sorted(result.figures.by_kind.items(), key=lambda row: -row[1].count)
    for kind, latency in rows:
        table.add_row(*_row(kind, latency))
    if len(rows) > 1:
        table.add_section()
    table.add_row(*_row(said("all"), result.figures.latency))
    return table


def _row(kind: str, latency: Latency) -> list[str]:
    return [kind, f"{latency.count:,}", *(milliseconds(latency.at(name)) for name in SHOWN)]


def _counts(result: Result, said: Said) -> Table:
    figures = result.figures
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    refused = sum(figures.refused.values())
    rows = {
        "commands sent": f"{figures.commands:,}",
        "answered": f"{figures.answered:,}",
        "answered a second": f"{result.answered_per_second:,.0f}",
        "refused": f"{refused:,} ({refused / max(figures.commands, 1):.2%})",
        "trades": f"{figures.trades:,}",
    }
    if result.reconnects or result.gaps:
        rows["reconnects"] = f"{result.reconnects:,}"
        rows["gaps in reports, filled"] = f"{result.gaps:,}"
    if result.stopped:
        rows["stopped early"] = result.stopped
    for name, value in rows.items():
        table.add_row(said(name), value)
    for code, count in list(figures.refused.items())[:8]:
        table.add_row(f"  {code}", f"{count:,}")
    return table
