"""Pictures with bright discs, which one short training learns to find."""

from pathlib import Path

import cv2
import numpy as np

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.formats.placement import MarkedBox
from backend.formats.radiographs import encode_png

_SIDE_PX = 96
_RADIUS_PX = 17
_PLACES = ((24, 24), (70, 26), (46, 68))
_AWAY_PX = 6


def write_pictures(folder: Path, number: int) -> dict[Path, tuple[MarkedBox, ...]]:
    """Write pictures, always the same ones.

    Parameters
    ----------
    folder : Path
        Where to; made when missing.
    number : int
        How many.

    Returns
    -------
    dict of Path to tuple of MarkedBox
        By file, in order of their names: the three discs, [px].
    """
    folder.mkdir(parents=True, exist_ok=True)
    return dict(_write(folder / f"picture-{seed:03d}.png", seed) for seed in range(number))


def _write(path: Path, seed: int) -> tuple[Path, tuple[MarkedBox, ...]]:
    rng = np.random.default_rng(seed)
    picture = rng.normal(60, 6, (_SIDE_PX, _SIDE_PX)).astype(np.float32)
    marks = []
    for place in _PLACES:
        x, y = (int(near + rng.integers(-_AWAY_PX, _AWAY_PX + 1)) for near in place)
        cv2.circle(picture, (x, y), _RADIUS_PX, 220.0, -1)
        edges = (x - _RADIUS_PX, y - _RADIUS_PX, x + _RADIUS_PX + 1, y + _RADIUS_PX + 1)
        marks.append(MarkedBox(Finding.LUNG_OPACITY, Box(*map(float, edges))))
    path.write_bytes(encode_png(np.clip(picture, 0, 255).astype(np.uint8)))
    return path, tuple(marks)
