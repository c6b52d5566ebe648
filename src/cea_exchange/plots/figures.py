"""Drawings without a display, which a notebook shows and a file takes; matplotlib, where it is."""

from collections.abc import Callable
from functools import cache
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHOD_COLOURS = {"listed": "tab:blue", "block": "tab:gray", "bidding": "tab:orange"}


class PlotsMissing(ModuleNotFoundError):
    """matplotlib is not installed."""


def figure_new(width: float, height: float) -> "Figure":
    """Return an empty figure of so many inches.

    It is no window's: `pyplot` is not used, so nothing of it stays in memory when it is dropped.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise PlotsMissing("needs matplotlib: pip install 'cea-exchange[plots]'") from error
    return _shown_figure(matplotlib.figure.Figure)(figsize=(width, height), layout="constrained")


@cache
def _shown_figure(base: "type[Figure]") -> "type[Figure]":
    """Return matplotlib's class, with what lets a notebook show it where no `pyplot` is."""

    class ShownFigure(base):  # type: ignore[misc, valid-type]
        def _repr_png_(self) -> bytes:
            image = BytesIO()
            self.savefig(image, format="png")
            return image.getvalue()

    return ShownFigure


def svg(
    title: str, draw: Callable[[Any], None], inches: tuple[float, float] = (10, 4.6)
) -> str:
    """Return what is drawn on a figure, as SVG to stand in a page: the same bytes every time.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    figure = figure_new(*inches)
    import matplotlib

    # Names within the drawing come from its title, and it has no date.
    with matplotlib.rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        draw(figure)
        text = StringIO()
        nothing: Any = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    # What comes before is for a file of its own.
    return text.getvalue()[text.getvalue().index("<svg") :]
