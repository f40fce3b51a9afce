"""Readings with and without a made-up model's boxes, by readers whom these sway in a known way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.judged_readings import JudgedReadings, judge
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd import SimulatedCrowd

MODEL = "m1"


@dataclass(frozen=True, slots=True)
class Sway:
    """How the model's boxes sway readers, as probabilities.

    Attributes
    ----------
    helped : float
        That a lesion which the reader would have missed is marked because the model shows it.
    commission : float
        That a wrong box of the model is left standing.
    omission : float
        That a lesion which the reader would have found is missed because the model shows none.
    """

    helped: float = 0.0
    commission: float = 0.0
    omission: float = 0.0


@dataclass(frozen=True, slots=True)
class Assisted:
    """What the same readings are with and without the model's boxes.

    Attributes
    ----------
    without, shown : ReadingTable
        All readings in either arm.
    model : ReadingTable
        What the model shows.
    """

    without: ReadingTable
    shown: ReadingTable
    model: ReadingTable

    def drawn(self, is_assisted: NDArray[np.bool_]) -> ReadingTable:
        """Return the readings that come of drawing the arms.

        Parameters
        ----------
        is_assisted : ndarray of shape (m,)
            The arm of every reading.

        Returns
        -------
        ReadingTable
            Each reading in its arm.
        """
        return _joined(
            self.without.readings_only(~is_assisted), self.shown.readings_only(is_assisted)
        )


def truth_of(crowd: SimulatedCrowd, images: NDArray[np.int64] | None = None) -> ReadingTable:
    """Return what is there on some images of a crowd.

    Parameters
    ----------
    crowd : SimulatedCrowd
        The crowd.
    images : ndarray of int, optional
        By position; all if not given.

    Returns
    -------
    ReadingTable
        For `judge`.
    """
    names, truth = crowd.readings.image_ids, crowd.truth
    chosen = np.arange(len(names)) if images is None else images
    rows = np.isin(truth.images, chosen)
    lesions = zip(truth.images[rows].tolist(), truth.findings[rows].tolist(), strict=True)
    return ReadingTable.of_rows(
        [(names[image], "") for image in chosen.tolist()],
        [(names[image], "", finding) for image, finding in lesions],
        truth.boxes[rows],
    )


def model_of(
    rng: np.random.Generator, crowd: SimulatedCrowd, *, sees: float = 0.6, false_boxes: float = 0.5
) -> ReadingTable:
    """Return the boxes of a made-up model.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    crowd : SimulatedCrowd
        What there is to be seen.
    sees : float
        Share of the lesions that it shows.
    false_boxes : float
        Wrong boxes per image.

    Returns
    -------
    ReadingTable
        The marks of one reader, the model.
    """
    names, truth = crowd.readings.image_ids, crowd.truth
    seen = np.flatnonzero(rng.random(len(truth.images)) < sees)
    images = rng.integers(len(names), size=rng.poisson(false_boxes * len(names)))
    sizes = crowd.image_sizes[images]
    corner = rng.uniform(0, 0.8, (len(images), 2)) * sizes
    side = rng.uniform(0.05, 0.2, (len(images), 2)) * sizes
    findings = np.append(truth.findings[seen], rng.integers(len(Finding), size=len(images)))
    places = np.append(truth.images[seen], images)
    return ReadingTable.of_rows(
        [(name, MODEL) for name in names],
        [
            (names[image], MODEL, int(finding))
            for image, finding in zip(places.tolist(), findings.tolist(), strict=True)
        ],
        np.concatenate([truth.boxes[seen], np.hstack([corner, corner + side])]),
    )


def assist(
    rng: np.random.Generator, crowd: SimulatedCrowd, model: ReadingTable, sway: Sway
) -> Assisted:
    """Let every reading of a crowd be swayed.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    crowd : SimulatedCrowd
        Its readings are those without the model's boxes.
    model : ReadingTable
        From `model_of`.
    sway : Sway
        How.

    Returns
    -------
    Assisted
        Both arms of every reading.
    """
    truth, readings = truth_of(crowd), crowd.readings
    judged, by_model = judge(readings, truth), judge(model, truth)
    is_shown = np.zeros(len(judged.lesion_images), dtype=np.bool_)
    is_shown[by_model.chance_lesions[by_model.is_hit]] = True
    shown, hit = is_shown[judged.chance_lesions], judged.is_hit
    luck = rng.random(len(hit))
    added = shown & ~hit & (luck < sway.helped)
    lost = ~shown & hit & (luck < sway.omission)
    marks = [
        *_chances(judged, (hit & ~lost) | added),
        *_false_marks(judged),
        *_accepted(rng, judged, by_model, sway.commission),
    ]
    swayed = ReadingTable.of_rows(
        judged.keys, [mark[:3] for mark in marks], np.array([mark[3] for mark in marks])
    )
    plain = [*_chances(judged, hit), *_false_marks(judged)]
    base = ReadingTable.of_rows(
        judged.keys, [mark[:3] for mark in plain], np.array([mark[3] for mark in plain])
    )
    return Assisted(base, swayed, model)


_Mark = tuple[str, str, int, list[float]]


def _chances(judged: JudgedReadings, taken: NDArray[np.bool_]) -> list[_Mark]:
    """Return found lesions as marks, drawn exactly: how exactly does not matter here."""
    rows = np.flatnonzero(taken)
    keys = judged.keys
    lesions = judged.chance_lesions[rows]
    return [
        (*keys[reading], finding, box)
        for reading, finding, box in zip(
            judged.chance_readings[rows].tolist(),
            judged.lesion_findings[lesions].tolist(),
            judged.lesion_boxes[lesions].tolist(),
            strict=True,
        )
    ]


def _false_marks(judged: JudgedReadings) -> list[_Mark]:
    keys = judged.keys
    return [
        (*keys[reading], finding, box)
        for reading, finding, box in zip(
            judged.false_readings.tolist(),
            judged.false_findings.tolist(),
            judged.false_boxes.tolist(),
            strict=True,
        )
    ]


def _accepted(
    rng: np.random.Generator, judged: JudgedReadings, by_model: JudgedReadings, chance: float
) -> list[_Mark]:
    wrong: dict[str, list[tuple[int, list[float]]]] = {}
    for key, _, finding, box in _false_marks(by_model):
        wrong.setdefault(key, []).append((finding, box))
    return [
        (image_id, reader_id, finding, box)
        for image_id, reader_id in judged.keys
        for finding, box in wrong.get(image_id, ())
        if rng.random() < chance
    ]


def _joined(left: ReadingTable, right: ReadingTable) -> ReadingTable:
    rows, marks, boxes = [], [], []
    for table in (left, right):
        images, readers = table.image_ids, table.reader_ids
        rows += [
            (images[image], readers[reader])
            for image, reader in zip(
                table.reading_images.tolist(), table.reading_readers.tolist(), strict=True
            )
        ]
        marks += [
            (images[image], readers[reader], finding)
            for image, reader, finding in zip(
                table.mark_images.tolist(),
                table.mark_readers.tolist(),
                table.mark_findings.tolist(),
                strict=True,
            )
        ]
        boxes.append(table.mark_boxes)
    return ReadingTable.of_rows(rows, marks, np.concatenate(boxes))
