"""What readings with and without the pre-annotation came to, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.findings import Finding
from backend.domain.metrics.arm_effect import Outcomes
from backend.domain.metrics.judged_readings import JudgedReadings, judge
from backend.domain.reading_table import Numbers as Integers
from backend.domain.reading_table import ReadingTable

WHOLE_IMAGE = -1
"""In place of a finding, of what is about the whole image."""


class Outcome(StrEnum):
    """What is compared between the arms."""

    SENSITIVITY = "sensitivity"
    FALSE_MARKS = "false marks per image"
    MINUTES = "minutes per image"
    COMMISSION = "wrong boxes of the model marked"
    OMISSION = "lesions missed that the model missed"


@dataclass(frozen=True, slots=True)
class DrawnReading:
    """A reading whose arm was drawn by lot.

    Attributes
    ----------
    image_id, reader_id : str
        Which image, read by whom.
    is_assisted : bool
        Whether the pre-annotation was shown.
    model_version : str
        Whose boxes were shown, or would have been in the other arm.
    minutes : float or None, [min]
        Time that the reader took; None when unknown.
    """

    image_id: str
    reader_id: str
    is_assisted: bool
    model_version: str
    minutes: float | None


@dataclass(frozen=True, slots=True)
class Reference:
    """What some readings are held against.

    Attributes
    ----------
    readings : ReadingTable
        The readings.
    truth : ReadingTable
        What is taken for the truth of their images, from `judged_readings.truth_table`.
    is_shared : bool
        Whether it is the same for all readers of an image, so that they may be compared lesion by
        lesion. What the *others* say differs: where two of three mark a lesion, it is one for
        the third only, and comparing within it would find no difference by construction.
    """

    readings: ReadingTable
    truth: ReadingTable
    is_shared: bool = True


@dataclass(frozen=True, slots=True)
class Lot:
    """The readings whose arm was drawn by lot.

    Attributes
    ----------
    drawn : mapping of (str, str) to DrawnReading
        By image id and reader id.
    images, readers : mapping of str to int
        The numbers under which outcomes know them.
    """

    drawn: Mapping[tuple[str, str], DrawnReading]
    images: Mapping[str, int]
    readers: Mapping[str, int]

    @classmethod
    def of(cls, drawn: Sequence[DrawnReading]) -> "Lot":
        """Give numbers to the images and readers of drawn readings.

        Parameters
        ----------
        drawn : sequence of DrawnReading
            One per image and reader.

        Returns
        -------
        Lot
            The same, to be looked up.
        """
        images = sorted({one.image_id for one in drawn})
        readers = sorted({one.reader_id for one in drawn})
        return cls(
            {(one.image_id, one.reader_id): one for one in drawn},
            {name: number for number, name in enumerate(images)},
            {name: number for number, name in enumerate(readers)},
        )

    def chosen(self, table: ReadingTable, version: str) -> ReadingTable:
        """Return the readings of a table that were drawn when a model version served.

        Parameters
        ----------
        table : ReadingTable
            Readings, drawn or not.
        version : str
            The model version.

        Returns
        -------
        ReadingTable
            The same images and readers, fewer readings.
        """
        pairs = zip(table.reading_images.tolist(), table.reading_readers.tolist(), strict=True)
        keys = [(table.image_ids[image], table.reader_ids[reader]) for image, reader in pairs]
        is_chosen = [
            key in self.drawn and self.drawn[key].model_version == version for key in keys
        ]
        return table.readings_only(np.array(is_chosen, dtype=np.bool_))

    def columns(self, keys: Sequence[tuple[str, str]]) -> tuple[NDArray[np.bool_], Integers]:
        """Return the columns of drawn readings.

        Parameters
        ----------
        keys : sequence of (str, str)
            Image id and reader id of each.

        Returns
        -------
        is_assisted : ndarray of shape (n,)
            Their arms.
        numbers : ndarray of shape (n, 2)
            Of image and reader.
        """
        arms = [self.drawn[key].is_assisted for key in keys]
        numbers = [(self.images[image], self.readers[reader]) for image, reader in keys]
        return np.array(arms, dtype=np.bool_), np.array(numbers, dtype=np.int64).reshape(-1, 2)

    def minutes(self) -> Outcomes:
        """Return the logarithm of the time of every reading.

        Returns
        -------
        Outcomes
            Of the readings whose time is known.
        """
        timed = {key: one.minutes for key, one in self.drawn.items() if one.minutes}
        is_assisted, numbers = self.columns(list(timed))
        return Outcomes(
            np.log(np.array(list(timed.values()), dtype=np.float64)),
            is_assisted,
            numbers[:, 0],
            numbers[:, 1],
            numbers[:, 0],
            np.full(len(timed), WHOLE_IMAGE),
        )


def outcomes_of(
    lot: Lot, reference: Reference, version: str, model: ReadingTable
) -> tuple[dict[Outcome, Outcomes], int]:
    """Return what the readings that one model version may have swayed came to.

    Parameters
    ----------
    lot : Lot
        Readings whose arm was drawn.
    reference : Reference
        What some of them are held against.
    version : str
        The model version.
    model : ReadingTable
        What it shows, as the marks of one reader.

    Returns
    -------
    found : dict of Outcome to Outcomes
        All but the minutes; empty when there is no such reading.
    number : int
        How many readings they are.
    """
    readings = lot.chosen(reference.readings, version)
    judged = judge(readings, reference.truth)
    if not len(judged.readers):
        return {}, 0
    by_model = judge(model, reference.truth)
    is_missed = np.ones(len(judged.lesion_findings), dtype=np.bool_)
    is_missed[by_model.chance_lesions[by_model.is_hit]] = False
    wrong = judge(readings, _wrong_boxes(by_model))
    lesions = _per_chance(lot, judged, judged.is_hit)
    missed = _per_chance(lot, judged, ~judged.is_hit)
    found = {
        Outcome.SENSITIVITY: lesions,
        Outcome.FALSE_MARKS: _false_marks(lot, judged),
        Outcome.COMMISSION: _per_chance(lot, wrong, wrong.is_hit),
        Outcome.OMISSION: missed.only(is_missed[judged.chance_lesions]),
    }
    if not reference.is_shared:
        found = {name: replace(rows, pairs=rows.findings) for name, rows in found.items()}
    return found, len(judged.readers)


def _wrong_boxes(by_model: JudgedReadings) -> ReadingTable:
    """Return the model's boxes that find no lesion as something to be found."""
    images = by_model.images[by_model.false_readings].tolist()
    findings = by_model.false_findings.tolist()
    return ReadingTable.of_rows(
        [(by_model.image_ids[image], "") for image in sorted(set(by_model.images.tolist()))],
        [
            (by_model.image_ids[image], "", finding)
            for image, finding in zip(images, findings, strict=True)
        ],
        by_model.false_boxes,
    )


def _per_chance(lot: Lot, judged: JudgedReadings, values: NDArray[np.bool_]) -> Outcomes:
    is_assisted, numbers = lot.columns(judged.keys)
    readings = judged.chance_readings
    images = numbers[readings, 0]
    findings = judged.chance_findings
    boxes = judged.lesion_boxes[judged.chance_lesions]
    return Outcomes(
        values.astype(np.float64),
        is_assisted[readings],
        _pair_keys(images, findings, boxes),
        numbers[readings, 1],
        images,
        findings,
    )


def _false_marks(lot: Lot, judged: JudgedReadings) -> Outcomes:
    """Return the false marks of every reading, by finding."""
    is_assisted, numbers = lot.columns(judged.keys)
    readings, findings = len(judged.readers), len(Finding)
    cells = judged.false_readings * findings + judged.false_findings
    rows = np.repeat(np.arange(readings), findings)
    finding = np.tile(np.arange(findings), readings)
    images = numbers[rows, 0]
    return Outcomes(
        np.bincount(cells, minlength=readings * findings).astype(np.float64),
        is_assisted[rows],
        images * findings + finding,
        numbers[rows, 1],
        images,
        finding,
    )


def _pair_keys(images: Integers, findings: Integers, boxes: Boxes) -> Integers:
    """Return a number for every lesion, the same wherever it is judged."""
    key: Integers = images * len(Finding) + findings
    for corners in np.round(boxes).astype(np.int64).T:
        key = key * 1_000_003 + corners  # wraps around, which is fine for a name
    return key
