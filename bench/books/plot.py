"""Two drawings of a run: cost a command over resting orders, and calls a second of the peers."""

from pathlib import Path

from bench.books.report import Results
from bench.books.scaling import SizeCost
from bench.peers.calls import Calls


def plot(results: Results, path: Path) -> bool:
    """Draw a run as SVG; False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "bench", "svg.fonttype": "none"}
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    draw_costs(left, results.costs)
    draw_calls(right, [one for one in results.calls if one.ns])
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    return True


def draw_costs(axes, costs: list[SizeCost]) -> None:
    """Lines over the number of resting orders."""
    sizes = [cost.resting for cost in costs]
    for label, field in (
        ("OrderBook, dense ids", "book_ns"),
        ("OrderBook, arbitrary ids", "mixed_ns"),
        ("bare C ladder, dense ids", "ladder_ns"),
    ):
        axes.plot(sizes, [getattr(cost, field) for cost in costs], marker="o", label=label)
    axes.set(
        xscale="log", xlabel="resting orders", ylabel="ns a command",
        title="Steady mix, trades only",
    )
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()


def draw_calls(axes, calls: list[Calls]) -> None:
    """A bar each, the fastest on top; hollow where the trades don't match."""
    calls = sorted(calls, key=lambda one: one.ns, reverse=True)
    rates = [1e9 / one.ns for one in calls]
    bars = axes.barh([one.name for one in calls], rates)
    for bar, one, rate in zip(bars, calls, rates, strict=True):
        bar.set_alpha(1.0 if one.gives_matching_trades else 0.3)
        axes.annotate(f" {rate:,.0f}  {one.verdict}", (rate, bar.get_y() + 0.25), fontsize=8)
    axes.set(
        xscale="log", xlabel="calls a second", title="One call an order from Python, steady mix"
    )
    if rates:
        axes.set_xlim(right=max(rates) * 20)
