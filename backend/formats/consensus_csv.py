"""Consensus on files alone: readings come in as VinBigData's table, answers go out as tables."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.consensus.reader_estimates import ReaderEstimates
from backend.domain.consensus.verdict import Verdict
from backend.domain.findings import NO_FINDING_CLASS_ID, Finding
from backend.domain.reading_table import ReadingTable
from backend.domain.skipped import Skipped
from backend.formats import vinbigdata_csv
from backend.formats.original_sizes import SizePx
from backend.formats.placement import unusable_reading

ANSWER_COLUMNS = (
    *("image_id", "class_id", "score", "p_true"),
    *("x_min", "y_min", "x_max", "y_max", "state", "readers"),
)
"""Columns of `write_answers`."""

READER_COLUMNS = (
    *("rad_id", "class_id", "readings", "sensitivity", "sensitivity_low", "sensitivity_high"),
    *("false_marks_per_image", "reliability"),
)
"""Columns of `write_readers`."""

ALTERNATIVE_STATE = "alternative"
"""The state of a row that nobody marked: what else a further reader might call the place."""

LARGEST_ALTERNATIVE_P_TRUE = 0.49
"""No alternative is ever taken for real."""

ALL_FINDINGS_CLASS_ID = -1


@dataclass(frozen=True, slots=True)
class FileOfReadings:
    """The readings of a file.

    Attributes
    ----------
    table : ReadingTable
        What can be used.
    repaired : tuple of Skipped
        What was mended, and how.
    refused : tuple of Skipped
        What was left out, and why.
    """

    table: ReadingTable
    repaired: tuple[Skipped, ...]
    refused: tuple[Skipped, ...]


def read_file(path: Path) -> FileOfReadings:
    """Read a VinBigData table of readings for a consensus.

    Parameters
    ----------
    path : Path
        CSV file in the form of Kaggle's train.csv, plain or gzipped.

    Returns
    -------
    FileOfReadings
        Boxes that leave the image are cut at its edge (the right and lower one only where the
        table has width and height); a box entirely outside is refused, as is whatever
        `vinbigdata_csv.read_rows` skips. A reading of which nothing is left counts as not read.

    Raises
    ------
    UnreadableTableError
        If it is not such a table at all.
    """
    found = vinbigdata_csv.read_rows(path)
    marks = [row for row in found.rows if row.has_box]
    drawn = np.array([row.edges for row in marks], dtype=np.float64).reshape(-1, 4)
    limits = _limits([row.image_id for row in marks], found.sizes)
    cut = np.clip(drawn, 0.0, limits)
    is_outside = np.any(cut[:, 2:] <= cut[:, :2], axis=1)
    is_cut = np.any(cut != drawn, axis=1) & ~is_outside

    def told(rows: NDArray[np.bool_], why: str) -> tuple[Skipped, ...]:
        return tuple(
            Skipped(f"{marks[row].image_id}/{marks[row].reader_id}", _quoted(why, drawn[row]))
            for row in np.flatnonzero(rows)
        )

    kept = [marks[row] for row in np.flatnonzero(~is_outside)]
    readings = {(row.image_id, row.reader_id) for row in found.rows if not row.has_box}
    readings |= {(row.image_id, row.reader_id) for row in kept}
    outside = (marks[row] for row in np.flatnonzero(is_outside))
    lost = sorted({(row.image_id, row.reader_id) for row in outside} - readings)
    return FileOfReadings(
        ReadingTable.of_rows(
            sorted(readings),
            [(row.image_id, row.reader_id, row.class_id) for row in kept],
            cut[~is_outside],
        ),
        told(is_cut, "the box ({box}) leaves the image; it was cut at the edge"),
        (
            *found.skipped,
            *told(is_outside, "the box ({box}) is outside the image; expected one inside"),
            *(unusable_reading(*reading) for reading in lost),
        ),
    )


def write_answers(path: Path, verdict: Verdict) -> None:
    """Write common answers as a table.

    Parameters
    ----------
    path : Path
        CSV file to write; it appears when it is whole.
    verdict : Verdict
        What to write. Images by id; of each the clusters by falling score, then the
        alternatives (state "alternative", no readers, p_true below 0.5), then one row with
        class_id 14, whose score and p_true are the probability of no finding and whose readers
        are those who marked nothing.
    """
    table = verdict.table
    supporters = [
        ";".join(table.reader_ids[int(table.mark_readers[mark])] for mark in marks)
        for marks in verdict.supporters()
    ]
    edges = [",".join(f"{edge:.3f}" for edge in box) for box in verdict.boxes.tolist()]
    others = verdict.alternatives
    number = len(verdict.images)
    images = np.append(verdict.images, verdict.images[others.clusters])
    findings = np.append(verdict.findings, others.findings)
    scores = np.append(verdict.scores, others.scores)
    p_true = np.append(verdict.p_true, np.minimum(others.scores, LARGEST_ALTERNATIVE_P_TRUE))
    boxes = np.append(np.arange(number), others.clusters)
    is_alternative = np.arange(len(images)) >= number
    # lexsort takes the last key first; boxes settle ties whatever the rows' order was.
    order = np.lexsort((*verdict.boxes[boxes].T[::-1], findings, -scores, is_alternative, images))
    lines: list[list[str]] = [[] for _ in table.image_ids]
    for row in order.tolist():
        cluster = int(boxes[row])
        state, readers = (
            (ALTERNATIVE_STATE, "")
            if row >= number
            else (verdict.states[cluster].value, supporters[cluster])
        )
        lines[images[row]].append(
            f"{findings[row]},{scores[row]:.6f},{p_true[row]:.6f},{edges[cluster]},{state},{readers}"
        )
    unmarked = _readers_without_marks(table)
    with _appearing_whole(path) as file:
        file.write(",".join(ANSWER_COLUMNS) + "\n")
        for image_id, of_image, nothing, readers in zip(
            table.image_ids, lines, verdict.p_no_finding.tolist(), unmarked, strict=True
        ):
            file.writelines(f"{image_id},{line}\n" for line in of_image)
            file.write(
                f"{image_id},{NO_FINDING_CLASS_ID},{nothing:.6f},{nothing:.6f},,,,,,{readers}\n"
            )


def write_readers(path: Path, readers: ReaderEstimates) -> None:
    """Write what is known about each reader as a table.

    Parameters
    ----------
    path : Path
        CSV file to write; it appears when it is whole.
    readers : ReaderEstimates
        What to write; class_id -1 is over all findings, and has the reader's reliability.
    """
    with _appearing_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(READER_COLUMNS)
        for row, reader_id in enumerate(readers.reader_ids):
            for class_id in (ALL_FINDINGS_CLASS_ID, *Finding):
                estimates = (
                    column[row, class_id]
                    for column in (
                        readers.sensitivity, readers.low, readers.high, readers.false_marks,
                    )
                )  # fmt: skip
                is_over_all = class_id == ALL_FINDINGS_CLASS_ID
                writer.writerow(
                    (
                        reader_id,
                        int(class_id),
                        readers.readings[row],
                        *(f"{estimate:.6f}" for estimate in estimates),
                        f"{readers.reliability[row]:.6f}" if is_over_all else "",
                    )
                )


def _limits(image_ids: list[str], sizes: Mapping[str, SizePx]) -> Boxes:
    """Return the largest coordinates that a box of each image may have."""
    known = [sizes.get(image_id, (np.inf, np.inf)) for image_id in image_ids]
    limits = np.array(known, dtype=np.float64).reshape(-1, 2)
    return np.hstack([limits, limits])


def _quoted(why: str, box: NDArray[np.float64]) -> str:
    return why.format(box=", ".join(f"{edge:g}" for edge in box))


def _readers_without_marks(table: ReadingTable) -> list[str]:
    """Return who read each image and marked nothing, separated by semicolons."""
    everybody = len(table.reader_ids)
    numbers = table.reading_images * everybody + table.reading_readers
    silent = ~np.isin(numbers, table.mark_images * everybody + table.mark_readers)
    names: list[list[str]] = [[] for _ in table.image_ids]
    for image, reader in zip(
        table.reading_images[silent].tolist(), table.reading_readers[silent].tolist(), strict=True
    ):
        names[image].append(table.reader_ids[reader])
    return [";".join(of_image) for of_image in names]


@contextmanager
def _appearing_whole(path: Path) -> Iterator[TextIO]:
    """Write beside the file, and put it in place when all is written."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
