"""Drawings without a display, which a notebook shows and a file takes; matplotlib, where it is."""

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

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
