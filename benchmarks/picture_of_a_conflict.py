"""Draw the picture of a conflict in docs/consensus.md: an NIH radiograph, simulated readers."""

from pathlib import Path

import cv2
import numpy as np

from backend.domain.boxes import Box
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict, reconcile
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from backend.formats.figures import conflict_picture
from benchmarks.simulated_crowd import simulate

ROOT = Path(__file__).parents[1]
IMAGE = "00001933_000"
PICTURE = ROOT / "docs" / "images" / "conflict.png"
SEED, CROWD_IMAGES = 3, 2000

MARKS = (
    ("A", Finding.LUNG_OPACITY, Box(555, 579, 730, 773)),
    ("B", Finding.INFILTRATION, Box(548, 560, 741, 790)),
    ("C", Finding.LUNG_OPACITY, Box(570, 590, 735, 760)),
)
"""Around the published box of the image; invented for the picture, and called simulated in it."""


def verdict_on_the_conflict() -> Verdict:
    """Reconcile the marks with what a simulated crowd tells about typical readers."""
    crowd = simulate(np.random.default_rng(SEED), images=CROWD_IMAGES)
    panel = fit_panel(Survey.of(crowd.readings))
    table = ReadingTable.of_rows(
        [(IMAGE, reader) for reader in "ABC"],
        [(IMAGE, reader, int(finding)) for reader, finding, _ in MARKS],
        np.array([box for _, _, box in MARKS], dtype=np.float64),
    )
    return reconcile(Survey.of(table), panel)


def main() -> None:
    """Draw it."""
    image = next((ROOT / "backend" / "demo" / "sample" / "images").glob(f"{IMAGE}.*"))
    pixels = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None  # noqa: S101 - it ships with the project
    title = f"NIH ChestX-ray14 {IMAGE}, three simulated readers"
    conflict_picture(PICTURE, pixels.astype(np.uint8), verdict_on_the_conflict(), title)


if __name__ == "__main__":
    main()
