"""Draw the picture of phantoms in docs/queue.md: sampled layouts, below with their boxes."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from benchmarks.phantom import Layouts, render, sampled
from benchmarks.phantom.radiograph import boxes_px

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "phantoms.jpg"
SEED, SIZE = 3, 256
SHOWN = (
    None,
    Finding.CARDIOMEGALY,
    Finding.ILD,
    Finding.PNEUMOTHORAX,
    Finding.CONSOLIDATION,
    Finding.PULMONARY_FIBROSIS,
)
"""One image each; None is a normal one."""
YELLOW = (0, 220, 255)


def pair(layout: Layouts, person: int) -> NDArray[np.uint8]:
    """Return a phantom, and below it the same with the boxes that two readers marked."""
    picture = render(layout, SIZE, np.random.default_rng([SEED, person]))
    plain = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    marked = plain.copy()
    agreed = layout.agreed()
    for finding, box in zip(agreed.findings.tolist(), boxes_px(agreed, SIZE), strict=True):
        x_min, y_min, x_max, y_max = box.round().astype(int).tolist()
        cv2.rectangle(marked, (x_min, y_min), (x_max, y_max), YELLOW, 1)
        at = (min(x_min, SIZE - 110), max(y_min - 3, 9))
        cv2.putText(marked, Finding(finding).title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.32, YELLOW, 1)
    return np.asarray(np.vstack([plain, marked]), dtype=np.uint8)


def main() -> None:
    """Draw it."""
    layouts = sampled(np.random.default_rng(SEED), 4000)
    presence = layouts.agreed().presence()
    kinds = presence.sum(axis=1)
    columns = []
    for person, finding in enumerate(SHOWN):
        wanted = kinds == 0 if finding is None else presence[:, finding] & (kinds <= 2)
        columns.append(pair(layouts.of(int(np.flatnonzero(wanted)[0])), person))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(PICTURE), np.hstack(columns), [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
