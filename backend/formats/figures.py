"""Figures, as PNG.

Imports matplotlib, which takes a second: import it where a figure is drawn.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from backend.domain.acquisition.learning_curve import CurvePoint, Forecast
from backend.domain.consensus.verdict import Verdict
from backend.domain.findings import Finding
from backend.domain.metrics.calibration import ReliabilityCurve
from backend.formats.drawing import COLOURS, EMPTY, FAINT, INK
from backend.formats.drawing import empty_figure as _figure
from backend.formats.drawing import save as _save

MARKERS = ("o", "s", "^", "D", "v", "P")
HISTOGRAM_BINS = 20


def agreement_matrix(
    path: Path,
    names: Sequence[str],
    f1: NDArray[np.float64],
    images: NDArray[np.int64],
    title: str,
) -> None:
    """Draw how far every reader agrees with every other.

    Parameters
    ----------
    path : Path
        The PNG to write.
    names : sequence of str
        The readers, along both sides.
    f1 : ndarray of shape (r, r), [unitless]
        Pair F1 in [0, 1]; NaN where two readers have nothing in common.
    images : ndarray of shape (r, r), [images]
        How many images both read, which stands below the F1; on the diagonal how many the reader
        read.
    title : str
        What stands above.
    """
    side = max(3.4, 0.62 * len(names))
    figure = _figure(side + 1.8, side + 1.3)
    figure.suptitle(title, x=0.02, ha="left", fontsize=12, color=INK)
    axes = figure.add_subplot()
    axes.set_title(
        "Pair F1 above the number of images both read.\n"
        "Grey: no boxes to compare; diagonal: images read.",
        loc="left", fontsize=8.5, color=FAINT,
    )  # fmt: skip
    colours = colormaps["YlGnBu"].with_extremes(bad=EMPTY)
    shown = axes.imshow(f1, cmap=colours, vmin=0.0, vmax=1.0)
    for row in range(len(names)):
        for column in range(len(names)):
            _cell(axes, row, column, f1=f1[row, column], images=int(images[row, column]))
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, labelsize=9, labelcolor=INK)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, pad=0.03, fraction=0.04, label="pair F1")
    bar.outline.set_visible(False)
    _save(figure, path)


def reliability_diagram(path: Path, curves: Mapping[str, ReliabilityCurve], title: str) -> None:
    """Draw what was observed where something was predicted, and how often it was.

    Parameters
    ----------
    path : Path
        The PNG to write.
    curves : mapping of str to ReliabilityCurve
        Method to its curve; more than six become hard to tell apart.
    title : str
        What stands above.
    """
    figure = _figure(5.6, 7.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    upper.plot([0, 1], [0, 1], linestyle="--", linewidth=1, color=FAINT, label="calibrated")
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    for (name, curve), colour, marker in zip(
        curves.items(), cycle(COLOURS), cycle(MARKERS), strict=False
    ):
        predicted, observed = _points(curve)
        upper.plot(
            predicted, observed, label=f"{name} (n = {curve.counts.sum():,})",
            color=colour, marker=marker, markersize=5, linewidth=1.5,
        )  # fmt: skip
        heights, _ = np.histogram(curve.predicted, bins=edges, weights=curve.counts)
        lower.stairs(heights, edges, color=colour, linewidth=1.5)
        lower.stairs(heights, edges, color=colour, alpha=0.15, fill=True)
    upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="observed share")
    upper.set_title(title, fontsize=12, loc="left", color=INK)
    upper.legend(frameon=False, fontsize=9, loc="upper left")
    lower.set(xlabel="predicted probability", ylabel="predictions")
    lower.set_ylim(bottom=0)
    lower.yaxis.set_major_formatter("{x:,.0f}")
    for axes in (upper, lower):
        axes.grid(color=EMPTY, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, labelcolor=INK)
    _save(figure, path)


def conflict_picture(path: Path, pixels: NDArray[np.uint8], verdict: Verdict, title: str) -> None:
    """Draw what readers marked on one image, and what their consensus is.

    Parameters
    ----------
    path : Path
        The PNG to write.
    pixels : ndarray of shape (height, width), uint8
        The image.
    verdict : Verdict
        The common answer for this image alone.
    title : str
        What stands above.
    """
    figure = _figure(10.4, 6.1)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK)
    table = verdict.table
    for axes, what in zip(
        figure.subplots(1, 2), ("What the readers marked", "Their consensus"), strict=True
    ):
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        axes.set_title(what, loc="left", fontsize=10, color=INK)
        axes.set_axis_off()
    marked, answered = figure.axes
    for row, (reader, finding, box) in enumerate(
        zip(
            table.mark_readers.tolist(),
            table.mark_findings.tolist(),
            table.mark_boxes,
            strict=True,
        )
    ):
        name = f"{table.reader_ids[reader]}: {Finding(finding).title}"
        _box(marked, box, name, COLOURS[reader % len(COLOURS)], line=row)
    for row, (finding, box) in enumerate(
        zip(verdict.findings.tolist(), verdict.boxes, strict=True)
    ):
        says = (
            f"{Finding(finding).title}: {verdict.states[row].value}, "
            f"score {verdict.scores[row]:.2f}, p_true {verdict.p_true[row]:.2f}"
        )
        _box(answered, box, says, COLOURS[(row + 3) % len(COLOURS)], line=row)
    _save(figure, path)


def learning_curve(path: Path, points: Sequence[CurvePoint], expected: Forecast) -> None:
    """Draw what reading has brought, and what more is expected to bring.

    Parameters
    ----------
    path : Path
        The PNG to write.
    points : sequence of CurvePoint
        The model versions.
    expected : Forecast
        What follows from them.
    """
    figure = _figure(6.4, 4.2)
    axes = figure.add_subplot()
    axes.fill_between(
        expected.at, expected.curve_low, expected.curve_high,
        color=COLOURS[0], alpha=0.15, linewidth=0, label="95 % interval",
    )  # fmt: skip
    axes.plot(expected.at, expected.curve, color=COLOURS[0], linewidth=1.5, label="expected")
    axes.axvline(expected.read_images, color=FAINT, linewidth=1, linestyle="--")
    axes.scatter(
        [point.read_images for point in points], [point.map40 for point in points],
        color=COLOURS[1], zorder=3, label="model versions",
    )  # fmt: skip
    axes.set_title(
        f"{expected.more_images:,} more images: {expected.gain:+.3f} ± {expected.margin:.3f}",
        fontsize=12, loc="left", color=INK,
    )  # fmt: skip
    axes.set(xlabel="images learned from", ylabel="mAP@0.4")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    axes.grid(color=EMPTY, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, labelcolor=INK)
    _save(figure, path)


def _box(axes: Axes, box: NDArray[np.float64], text: str, colour: str, *, line: int) -> None:
    """Draw a box, and its text on a line at the foot."""
    left, top, right, bottom = box.tolist()
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, color=colour, linewidth=2)
    )
    axes.annotate(
        text, xy=(0.02, 0.02), xycoords="axes fraction", xytext=(0, 17 * line),
        textcoords="offset points", va="bottom", fontsize=9,
        color="white", bbox={"facecolor": colour, "edgecolor": "none", "pad": 2.5},
    )  # fmt: skip


def _cell(axes: Axes, row: int, column: int, *, f1: float, images: int) -> None:
    """Write F1 above the number of images."""
    is_defined = bool(np.isfinite(f1))
    ink = FAINT if not is_defined else "white" if f1 > 0.55 else INK
    lines = [(f"{f1:.2f}", 9, 5)] if is_defined else []
    lines += [(f"{images:,}", 7, -7 if is_defined else 0)] if images else []
    for text, size, height in lines:
        axes.annotate(
            text, xy=(column, row), xytext=(0, height), textcoords="offset points",
            ha="center", va="center", fontsize=size, color=ink,
        )  # fmt: skip


def _points(curve: ReliabilityCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bins as points; those of one and the same prediction are one point."""
    predicted, point = np.unique(curve.predicted.round(9), return_inverse=True)
    counts = np.bincount(point, weights=curve.counts)
    return predicted, np.bincount(point, weights=curve.counts * curve.observed) / counts
