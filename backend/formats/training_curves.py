"""How a training went, as a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.formats.drawing import COLOURS, FAINT, INK, empty_figure, save

_LOSSES = "_loss"
_MEASURED = {"metrics/mAP50(B)": "mAP@0.5", "metrics/mAP50-95(B)": "mAP@[.5:.95]"}


def training_curves(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Draw losses and validation figures by epoch.

    Parameters
    ----------
    path : Path
        The PNG to write.
    epochs : sequence of mapping of str to float
        By epoch its number under "epoch", losses ending in "_loss", and validation figures where
        there are any.
    """
    losses = [name for name in (epochs[0] if epochs else ()) if _is_training_loss(name)]
    measured = [name for name in _MEASURED if any(name in each for each in epochs)]
    figure = empty_figure(7.2, 2.9)
    left, right = figure.subplots(1, 2)
    for axes, names, title in (
        (left, losses, "Losses on the training split"),
        (right, measured, "Validation split"),
    ):
        axes.set_title(title, loc="left", fontsize=9, color=INK)
        axes.set_xlabel("epoch", fontsize=8, color=FAINT)
        axes.tick_params(labelsize=8, colors=FAINT)
        for name, colour in zip(names, COLOURS, strict=False):
            known = [each for each in epochs if name in each]
            axes.plot(
                [each["epoch"] for each in known],
                [each[name] for each in known],
                color=colour,
                marker="." if len(known) < 30 else "",
                label=_MEASURED.get(name, name.removesuffix(_LOSSES)),
            )
        if names:
            axes.legend(fontsize=8, frameon=False)
        axes.set_ylim(bottom=0)
    if not measured:
        right.text(
            0.5, 0.5, "too small to choose an epoch by", transform=right.transAxes,
            ha="center", fontsize=8, color=FAINT,
        )  # fmt: skip
    save(figure, path)


def _is_training_loss(name: str) -> bool:
    return name.endswith(_LOSSES) and "/" not in name
