"""The sample radiographs that come with the program, and their published boxes."""

import csv
from collections import defaultdict
from pathlib import Path

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.formats.placement import MarkedBox
from backend.workflow.register_images import ImageSet

_FOLDER = Path(__file__).parent / "sample"
WEIGHTS = _FOLDER / "weights.pt"
"""A first detector, trained on the training part of the sample."""


def sample_images() -> ImageSet:
    """Return the sample radiographs.

    Returns
    -------
    ImageSet
        With patients and the splits that the sample's weights were trained on.
    """
    paths = sorted((_FOLDER / "images").iterdir())
    patients = {path.stem: path.stem.partition("_")[0] for path in paths}
    split_of = {row["patient"]: Split(row["split"]) for row in _rows("splits.csv")}
    return ImageSet(
        source="nih-sample",
        files={path: path.stem for path in paths},
        patients={path: patients[path.stem] for path in paths},
        splits={image_id: split_of[patient] for image_id, patient in patients.items()},
    )


def published_boxes() -> dict[str, tuple[MarkedBox, ...]]:
    """Return what the NIH published on the sample radiographs.

    Returns
    -------
    dict of str to tuple of MarkedBox
        By image id, in pixels of the sample image; images without a box are missing.
    """
    found: dict[str, list[MarkedBox]] = defaultdict(list)
    for row in _rows("boxes.csv"):
        box = Box(*(float(row[edge]) for edge in Box._fields))
        found[row["image_id"]].append(MarkedBox(Finding.from_title(row["finding"]), box))
    return {image_id: tuple(marks) for image_id, marks in found.items()}


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))
