"""Empty figures, and figures written as PNG; colours that all of them use.

Imports matplotlib, which takes a second: import it where a figure is drawn.
"""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, FAINT, EMPTY = "#222222", "#8a8a8a", "#ececec"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which people with any colour vision can tell apart."""


def empty_figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no display.

    Parameters
    ----------
    width, height : float, [inch]
        Its size.

    Returns
    -------
    Figure
        For `save`.
    """
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that is the same wherever it is drawn.

    Parameters
    ----------
    figure : Figure
        From `empty_figure`.
    path : Path
        The file.
    """
    figure.savefig(path, format="png", metadata={"Software": None})
