"""The VinBigData table of readings: one row per box, or one "No finding" row per reading.

Columns: image_id, class_name, class_id, rad_id, x_min, y_min, x_max, y_max and, in published
resized sets, width and height of the original. Boxes are in pixels of the original.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import NO_FINDING_CLASS_ID, NO_FINDING_NAME, Finding
from backend.domain.skipped import Skipped
from backend.formats import names, original_sizes, tables, vinbigdata_rules
from backend.formats.original_sizes import SizePx
from backend.formats.placement import MarkedBox, unusable_reading
from backend.formats.tables import Table
from backend.formats.vinbigdata_rules import EDGES, Row

REQUIRED = ("image_id", "class_name", "class_id", "rad_id", *EDGES)
"""Columns that a table of readings must have."""

RELEASED = (
    *REQUIRED,
    *("score", "p_true", "state", "supporters", "readers", "width", "height", "split"),
)
"""Columns that `write_labels` writes."""

RELEASED_BY = "consensus"
"""The rad_id of released boxes."""


@dataclass(frozen=True, slots=True)
class VinBigDataRows:
    """The usable rows of a VinBigData table.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the file: boxes with finite edges and an area, and "No finding".
    sizes : mapping of str to SizePx
        Sizes of originals by image id, where the table has width and height.
    skipped : tuple of Skipped
        Every row and reading that could not be used.
    """

    rows: tuple[Row, ...]
    sizes: Mapping[str, SizePx]
    skipped: tuple[Skipped, ...]


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
    found = read_rows(path)
    return VinBigDataTable(_group(found.rows), found.sizes, found.skipped)


def read_rows(path: Path) -> VinBigDataRows:
    """Read the rows of a VinBigData table.

    Parameters
    ----------
    path : Path
        CSV file in the form of Kaggle's train.csv, plain or gzipped.

    Returns
    -------
    VinBigDataRows
        What could be used, and a report of what could not. No corner, name or class is guessed.

    Raises
    ------
    UnreadableTableError
        If it is not such a table at all.
    """
    table = tables.read_table(path, required=REQUIRED)
    rows = [Row.of(*texts) for texts in table.columns(*REQUIRED)]
    problems = vinbigdata_rules.problems(rows)

    usable = tuple(row for number, row in enumerate(rows) if number not in problems)
    sizes, size_problems = _sizes(table, rows)
    skipped = (
        *table.skipped,
        *(
            Skipped(tables.line_name(path, table.lines[number]), why)
            for number, why in problems.items()
        ),
        *_lost_readings([rows[number] for number in problems], usable),
        *size_problems,
    )
    return VinBigDataRows(usable, sizes, skipped)


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


def _group(rows: Iterable[Row]) -> dict[str, dict[str, tuple[MarkedBox, ...]]]:
    boxes: dict[str, dict[str, list[MarkedBox]]] = {}
    for row in rows:
        own = boxes.setdefault(row.image_id, {}).setdefault(row.reader_id, [])
        if row.has_box:
            own.append(MarkedBox(Finding(row.class_id), Box(*row.edges)))
    return {
        image_id: {reader_id: tuple(own) for reader_id, own in of_image.items()}
        for image_id, of_image in boxes.items()
    }


def _lost_readings(refused: Iterable[Row], usable: Iterable[Row]) -> list[Skipped]:
    suspects = dict.fromkeys((row.image_id, row.reader_id) for row in refused)
    kept = {(row.image_id, row.reader_id) for row in usable} if suspects else set()
    return [
        unusable_reading(image_id, reader_id)
        for image_id, reader_id in suspects
        if names.is_safe(image_id)
        and names.is_safe(reader_id)
        and (image_id, reader_id) not in kept
    ]


def _sizes(table: Table, rows: Sequence[Row]) -> tuple[dict[str, SizePx], list[Skipped]]:
    if not {"width", "height"} <= set(table.header):
        return {}, []
    sizes: dict[str, SizePx] = {}
    problems: dict[str, str] = {}
    stated = dict.fromkeys(
        (row.image_id, *size)
        for row, size in zip(rows, table.columns("width", "height"), strict=True)
        if names.is_safe(row.image_id)
    )
    for image_id, width, height in stated:
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
