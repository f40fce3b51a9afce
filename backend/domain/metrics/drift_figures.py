"""The figures of a reader that may drift, reading by reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.drift import Series
from backend.domain.metrics.false_marks import expected_false_marks
from backend.domain.metrics.judged_readings import JudgedReadings
from backend.domain.metrics.quotients import Numbers
from backend.domain.reading_table import Numbers as Integers
from backend.domain.reading_table import ReadingTable

_PULL = 2.0
"""An expectation by the others counts as this many of them being usual readers."""
_BOX_STEPS = (0.5, 2.0)


class Figure(StrEnum):
    """What may drift."""

    SENSITIVITY = "sensitivity"
    FALSE_MARKS = "false marks per image"
    BOXES = "boxes per image"
    MINUTES = "minutes per image"


@dataclass(frozen=True, slots=True)
class Sitting:
    """When and how a reading was made.

    Attributes
    ----------
    read_at : datetime
        When; aware.
    is_assisted : bool
        Whether the pre-annotation was shown.
    minutes : float or None, [min]
        How long it took; None when unknown.
    """

    read_at: datetime
    is_assisted: bool
    minutes: float | None


def drift_series(
    table: ReadingTable, judged: JudgedReadings, sittings: Mapping[tuple[str, str], Sitting]
) -> dict[str, dict[Figure, Series]]:
    """Return the figures of every reader over time.

    Parameters
    ----------
    table : ReadingTable
        All readings.
    judged : JudgedReadings
        Those of images whose truth is known.
    sittings : mapping of (str, str) to Sitting
        Image id and reader id of the readings that may be compared over time.

    Returns
    -------
    dict of str to dict of Figure to Series
        By reader. What is to be expected follows the images: how many of the others found a
        lesion, whether an image is normal, how many boxes others drew on it, and the arm.
    """
    images, readers = table.reading_images.tolist(), table.reading_readers.tolist()
    pairs = zip(images, readers, strict=True)
    keys = [(table.image_ids[image], table.reader_ids[reader]) for image, reader in pairs]
    is_assisted = np.array([key in sittings and sittings[key].is_assisted for key in keys])
    boxes, due_boxes = _boxes(table, is_assisted.astype(np.int64))
    minutes, due_minutes = _minutes(keys, sittings, is_assisted, due_boxes)
    by_figure = {
        **_judged_figures(judged, sittings),
        Figure.BOXES: _by_reader(keys, sittings, (boxes, due_boxes)),
        Figure.MINUTES: _by_reader(keys, sittings, (minutes, due_minutes)),
    }
    nothing = Series((), *(np.zeros(0) for _ in range(3)))
    return {
        reader_id: {figure: by_figure[figure].get(reader_id, nothing) for figure in Figure}
        for reader_id in table.reader_ids
    }


def _by_reader(
    keys: list[tuple[str, str]],
    sittings: Mapping[tuple[str, str], Sitting],
    figures: tuple[Numbers, Numbers],
    weights: Numbers | None = None,
) -> dict[str, Series]:
    """Return each reader's readings for which a figure is known, in their order."""
    totals, due = figures
    over = np.ones(len(totals)) if weights is None else weights
    is_known = np.isfinite(totals) & (over > 0)
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(is_known).tolist():
        if keys[row] in sittings:
            rows.setdefault(keys[row][1], []).append(row)
    found = {}
    for reader_id, own in rows.items():
        own.sort(key=lambda row: (sittings[keys[row]].read_at, keys[row]))
        times = tuple(sittings[keys[row]].read_at for row in own)
        found[reader_id] = Series(times, totals[own], due[own], over[own])
    return found


def _judged_figures(
    judged: JudgedReadings, sittings: Mapping[tuple[str, str], Sitting]
) -> dict[Figure, dict[str, Series]]:
    number, keys = len(judged.readers), judged.keys
    readings = judged.chance_readings
    found = np.bincount(readings, judged.is_hit, number).astype(np.float64)
    due = np.bincount(readings, _found_by_others(judged), number).astype(np.float64)
    lesions = np.bincount(readings, minlength=number).astype(np.float64)
    false = np.bincount(judged.false_readings, minlength=number).astype(np.float64)
    return {
        Figure.SENSITIVITY: _by_reader(keys, sittings, (found, due), lesions),
        Figure.FALSE_MARKS: _by_reader(keys, sittings, (false, expected_false_marks(judged))),
    }


def _found_by_others(judged: JudgedReadings) -> Numbers:
    """Return for every chance how likely it was, by who else took the same."""
    hit = judged.is_hit.astype(np.float64)
    lesions = len(judged.lesion_findings)
    usual = _means(hit, judged.chance_findings, len(Finding))[judged.chance_findings]
    found = np.bincount(judged.chance_lesions, hit, lesions)[judged.chance_lesions] - hit
    others = np.bincount(judged.chance_lesions, minlength=lesions)[judged.chance_lesions] - 1
    return np.asarray((found + _PULL * usual) / (others + _PULL))


def _boxes(table: ReadingTable, arms: Integers) -> tuple[Numbers, Numbers]:
    """Return the boxes of every reading, and how many the others make one expect."""
    size, readers = len(table.reading_images), len(table.reader_ids)
    known = table.reading_images * readers + table.reading_readers
    reading = np.searchsorted(known, table.mark_images * readers + table.mark_readers)
    boxes = np.bincount(reading, minlength=size).astype(np.float64)
    usual = float(boxes.mean()) if size else 0.0
    images = len(table.image_ids)
    on_image = np.bincount(table.reading_images, boxes, images)[table.reading_images] - boxes
    others = np.bincount(table.reading_images, minlength=images)[table.reading_images] - 1
    due = (on_image + _PULL * usual) / (others + _PULL)
    return boxes, np.asarray(due + _means(boxes - due, arms, 2)[arms])


def _minutes(
    keys: list[tuple[str, str]],
    sittings: Mapping[tuple[str, str], Sitting],
    is_assisted: NDArray[np.bool_],
    due_boxes: Numbers,
) -> tuple[Numbers, Numbers]:
    """Return the time of every reading, and the panel's for such an image and arm."""
    told = [sittings[key].minutes if key in sittings else None for key in keys]
    minutes = np.array([np.nan if one is None else one for one in told], dtype=np.float64)
    groups = np.digitize(due_boxes, _BOX_STEPS) * 2 + is_assisted
    is_known = np.isfinite(minutes)
    means = _means(minutes[is_known], groups[is_known], 2 * (len(_BOX_STEPS) + 1))
    return minutes, means[groups]


def _means(values: Numbers, groups: Integers, number: int) -> Numbers:
    """Return the mean of each group; 0 for one without values."""
    counts = np.maximum(np.bincount(groups, minlength=number), 1)
    return np.asarray(np.bincount(groups, values, number) / counts)
