"""The VinBigData table of readings: one row per box, or one "No finding" row per reading.

Columns: image_id, class_name, class_id, rad_id, x_min, y_min, x_max, y_max and, in published
resized sets, width and height of the original. Boxes are in pixels of the original.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import NO_FINDING_CLASS_ID, NO_FINDING_NAME, Finding
from backend.domain.skipped import Skipped
from backend.formats import original_sizes, tables, vinbigdata_rules
from backend.formats.names import SAFE_NAME
from backend.formats.original_sizes import SizePx
from backend.formats.placement import MarkedBox, unusable_reading
from backend.formats.vinbigdata_rules import EDGES

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("image_id", "class_name", "class_id", "rad_id", *EDGES)
"""Columns that a table of readings must have."""

RELEASED = (
    *REQUIRED,
    *("score", "p_true", "state", "supporters", "readers", "width", "height", "split"),
)
"""Columns that `write_labels` writes."""

RELEASED_BY = "consensus"
"""The rad_id of released boxes."""

_CLASS_NAMES = {
    **{int(finding): finding.title for finding in Finding},
    NO_FINDING_CLASS_ID: NO_FINDING_NAME,
}
_CLASS_IDS = {name.casefold(): class_id for class_id, name in _CLASS_NAMES.items()}


@dataclass(frozen=True, slots=True)
class VinBigDataTable:
    """The readings of a VinBigData table.

    Attributes
    ----------
    readings : mapping of str to mapping of str to tuple of MarkedBox
        By image id, then by reader id, in pixels of the original. An empty tuple is "No finding".
        A reading of which every row had to be skipped is not here.
    sizes : mapping of str to SizePx
        Sizes of originals by image id, where the table has width and height.
    skipped : tuple of Skipped
        Every row and reading that could not be used.
    """

    readings: Mapping[str, Mapping[str, tuple[MarkedBox, ...]]]
    sizes: Mapping[str, SizePx]
    skipped: tuple[Skipped, ...]


def read_readings(path: Path) -> VinBigDataTable:
    """Read a VinBigData table of readings.

    Parameters
    ----------
    path : Path
        CSV file in the form of Kaggle's train.csv, plain or gzipped.

    Returns
    -------
    VinBigDataTable
        What could be used, and a report of what could not. No corner, name or class is guessed.

    Raises
    ------
    UnreadableTableError
        If it is not such a table at all.
    """
    table = tables.read_table(path, required=REQUIRED)
    rows = _parse(table.rows)
    problems = vinbigdata_rules.problems(rows)

    readings = _group(rows.drop(index=list(problems)))
    sizes, size_problems = _sizes(rows)
    skipped = (
        *table.skipped,
        *(Skipped(tables.line_name(path, line), why) for line, why in problems.items()),
        *_lost_readings(rows, readings),
        *size_problems,
    )
    return VinBigDataTable(readings, sizes, skipped)


def write_labels(path: Path, dataset: DatasetVersion) -> None:
    """Write a dataset version as a VinBigData table.

    Parameters
    ----------
    path : Path
        CSV file to write.
    dataset : DatasetVersion
        Its boxes become rows of the reader "consensus"; an image without boxes becomes one
        "No finding" row. Further columns: score, p_true, state, supporters (readers that marked
        the box) and readers (everybody who read the image), both separated by semicolons, width
        and height of the image, and split.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(RELEASED)
        for member in dataset.images:
            image = member.image
            about = (";".join(member.readers), image.width_px, image.height_px, member.split.value)
            for cluster in member.clusters:
                writer.writerow((image.id, *_released_box(cluster), *about))
            if not member.clusters:
                normal = (NO_FINDING_NAME, NO_FINDING_CLASS_ID, RELEASED_BY, *[""] * 8)
                writer.writerow((image.id, *normal, *about))


def _released_box(cluster: Cluster) -> tuple[str | int, ...]:
    return (
        cluster.finding.title,
        int(cluster.finding),
        RELEASED_BY,
        *(f"{edge:.2f}" for edge in cluster.box),
        f"{cluster.score:.6f}",
        f"{cluster.p_true:.6f}",
        cluster.state.value,
        ";".join(supporter.reader_id for supporter in cluster.supporters),
    )


def _parse(text: "pd.DataFrame") -> "pd.DataFrame":
    """Add what the rules ask: numbers, class ids, and the text to quote in a report."""
    # Imported here, because pandas takes a second and most commands read no table.
    import pandas as pd  # noqa: PLC0415

    rows = text.copy()
    rows["stated_box"] = text[EDGES[0]].str.cat(text[list(EDGES[1:])], sep=", ")
    rows["stated_class_id"] = text["class_id"]
    rows["named_class_id"] = text["class_name"].str.casefold().map(_CLASS_IDS).fillna(-1)
    class_id = pd.to_numeric(text["class_id"], errors="coerce")
    rows["class_id"] = class_id.where(class_id.isin(_CLASS_NAMES), -1).astype(np.int64)
    rows["expected_name"] = rows["class_id"].map(_CLASS_NAMES)
    for column in EDGES:
        rows[column] = pd.to_numeric(text[column], errors="coerce").astype(np.float64)
    rows["is_safe_image"] = text["image_id"].str.fullmatch(SAFE_NAME)
    rows["is_safe_reader"] = text["rad_id"].str.fullmatch(SAFE_NAME)
    return rows


def _group(rows: "pd.DataFrame") -> dict[str, dict[str, tuple[MarkedBox, ...]]]:
    readings: dict[str, dict[str, tuple[MarkedBox, ...]]] = {}
    columns = (rows[name].tolist() for name in ("image_id", "rad_id", "class_id"))
    boxes = rows[list(EDGES)].to_numpy().tolist()
    for image_id, reader_id, class_id, edges in zip(*columns, boxes, strict=True):
        of_image = readings.setdefault(image_id, {})
        earlier = of_image.setdefault(reader_id, ())
        if class_id != NO_FINDING_CLASS_ID:
            of_image[reader_id] = (*earlier, MarkedBox(Finding(class_id), Box(*edges)))
    return readings


def _lost_readings(
    rows: "pd.DataFrame", readings: Mapping[str, Mapping[str, object]]
) -> list[Skipped]:
    named = rows[rows["is_safe_image"] & rows["is_safe_reader"]]
    columns = (named[name].tolist() for name in ("image_id", "rad_id"))
    pairs = dict.fromkeys(zip(*columns, strict=True))
    return [
        unusable_reading(image_id, reader_id)
        for image_id, reader_id in pairs
        if reader_id not in readings.get(image_id, {})
    ]


def _sizes(rows: "pd.DataFrame") -> tuple[dict[str, SizePx], list[Skipped]]:
    if not {"width", "height"} <= set(rows.columns):
        return {}, []
    sizes: dict[str, SizePx] = {}
    problems: dict[str, str] = {}
    stated = rows.loc[rows["is_safe_image"], ["image_id", "width", "height"]].drop_duplicates()
    for image_id, width, height in stated.itertuples(index=False):
        size = original_sizes.parse_size(width, height)
        if size is None and (width or height):
            problems[image_id] = f"{width!r} x {height!r} is not two positive whole numbers"
        elif size is not None and sizes.setdefault(image_id, size) != size:
            problems[image_id] = "its rows give different sizes"
    known = {image_id: size for image_id, size in sizes.items() if image_id not in problems}
    skipped = [
        Skipped(f"width and height of image {image_id}", f"{why}; its size counts as unknown")
        for image_id, why in problems.items()
    ]
    return known, skipped
