"""How uneven a dataset version is, as a figure."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from backend.domain.dataset_summary import DatasetSummary
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.formats.drawing import COLOURS, FAINT, INK, empty_figure, save

_WORTH_SAYING = 1.05
_NAMES = {Split.TRAIN: "training", Split.VALIDATION: "validation", Split.TEST: "test"}


def imbalance_figure(path: Path, summary: DatasetSummary, title: str) -> None:
    """Draw findings by split and by reader, the rarest on top.

    Parameters
    ----------
    path : Path
        The PNG to write.
    summary : DatasetSummary
        What to draw.
    title : str
        What stands above.
    """
    figure = empty_figure(8.4 + 0.34 * len(summary.readers), 5.4)
    figure.suptitle(title, x=0.02, ha="left", fontsize=12, color=INK)
    widths = (1.0, max(0.5, 0.12 * len(summary.readers)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=widths)
    _draw_splits(left, summary)
    _draw_readers(right, summary)
    save(figure, path)


def _draw_splits(axes: Axes, summary: DatasetSummary) -> None:
    findings, height = list(summary.findings), 0.26
    rows = np.arange(len(findings))
    for place, split in enumerate(Split):
        counts = [summary.findings[finding].images[split] for finding in findings]
        axes.barh(
            rows + (place - 1) * height, counts, height, color=COLOURS[place],
            label=f"{_NAMES[split]}: {summary.images[split]:,} images, "
            f"{summary.negatives[split]:,} without findings",
        )  # fmt: skip
    axes.set_yticks(rows, [_label(finding, summary) for finding in findings], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_xlabel("images that show it", fontsize=8, color=FAINT)
    axes.tick_params(axis="x", labelsize=8, colors=FAINT)
    axes.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.11))
    axes.set_title(
        "By split; times: how often training shows such an image",
        loc="left", fontsize=8.5, color=FAINT,
    )  # fmt: skip


def _label(finding: Finding, summary: DatasetSummary) -> str:
    showings = summary.findings[finding].showings
    return f"{finding.title}, {showings:.1f} times" if showings >= _WORTH_SAYING else finding.title


def _draw_readers(axes: Axes, summary: DatasetSummary) -> None:
    marks = _marks(summary)
    axes.imshow(
        np.log1p(marks), cmap="Blues", aspect="auto",
        vmax=1.25 * float(np.log1p(max(marks.max(initial=1), 1))),
    )  # fmt: skip
    for row, column in np.ndindex(marks.shape):
        axes.annotate(
            f"{marks[row, column]:,}", xy=(column, row),
            ha="center", va="center", fontsize=6.5, color=INK,
        )  # fmt: skip
    axes.set_xticks(
        range(len(summary.readers)),
        [
            f"{reader}\n{sum(summary.readings.get((reader, split), 0) for split in Split):,}"
            for reader in summary.readers
        ],
        fontsize=7,
    )
    axes.set_title("Boxes by reader; below, images read", loc="left", fontsize=8.5, color=FAINT)


def _marks(summary: DatasetSummary) -> NDArray[np.int64]:
    """Return how many boxes of each finding each reader marked, of shape (findings, readers)."""
    rows = [
        [
            sum(one.by_reader.get((reader, split), 0) for split in Split)
            for reader in summary.readers
        ]
        for one in summary.findings.values()
    ]
    return np.array(rows, dtype=np.int64).reshape(len(summary.findings), len(summary.readers))
