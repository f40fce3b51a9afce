"""How well a detector finds what a dataset split shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.domain.boxes import Box
from backend.domain.dataset import DatasetImage
from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import DetectionQuality, mean_average_precision
from backend.domain.metrics.judged_marks import judge_marks
from backend.domain.predictions import PredictedBox
from backend.domain.promotion.measured import MeasuredModel
from backend.domain.score_calibration import Scoring
from ml_backend.detector import Detector, as_predicted_boxes, detect
from ml_backend.image_source import read_registered
from ml_backend.letterbox import Radiograph

_AT_A_TIME = 16


def evaluate(
    detector: Detector,
    images: Sequence[DatasetImage],
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> tuple[DetectionQuality, dict[str, tuple[PredictedBox, ...]]]:
    """Measure a detector on images with known findings.

    Parameters
    ----------
    detector : Detector
        Loaded with `LOWEST_SCORE`.
    images : sequence of DatasetImage
        Usually the frozen test split.
    on_image : callable
        Called with the number of images that are done and of all images.

    Returns
    -------
    DetectionQuality
        Mean average precision at IoU 0.4, and its parts.
    dict of str to tuple of PredictedBox
        What was marked, by image id.

    Raises
    ------
    UnreadableImageError
        If an image cannot be read: figures of fewer images would not compare with earlier ones.
    """
    predictions: dict[str, tuple[PredictedBox, ...]] = {}
    for start in range(0, len(images), _AT_A_TIME):
        batch = images[start : start + _AT_A_TIME]
        pixels: list[Radiograph] = [read_registered(member.image) for member in batch]
        for member, found in zip(batch, detect(detector, pixels), strict=True):
            predictions[member.image.id] = as_predicted_boxes(found)
        on_image(len(predictions), len(images))

    return mean_average_precision(truths_of(images), predictions), predictions


def as_measured(
    images: Sequence[DatasetImage],
    predictions: Mapping[str, Sequence[PredictedBox]],
    scoring: Scoring | None,
) -> MeasuredModel:
    """Hold what a detector marked against the truth.

    Parameters
    ----------
    images : sequence of DatasetImage
        The test split, with the weights that restore how often findings occur.
    predictions : mapping of str to sequence of PredictedBox
        What the detector marked there, by image id.
    scoring : Scoring or None
        How its raw scores are to be read; they stay as they are when None.

    Returns
    -------
    MeasuredModel
        Its marks with probabilities as scores, as readers would see them.
    """
    return MeasuredModel(
        judge_marks(
            truths_of(images),
            {
                image_id: as_probabilities(boxes, scoring)
                for image_id, boxes in predictions.items()
            },
            weights={member.image.id: member.weight for member in images},
        ),
        scoring.thresholds if scoring else {},
    )


def truths_of(images: Sequence[DatasetImage]) -> dict[str, list[tuple[Finding, Box]]]:
    """Return what images show.

    Parameters
    ----------
    images : sequence of DatasetImage
        Images of a dataset version.

    Returns
    -------
    dict of str to list of (Finding, Box)
        By image id.
    """
    return {
        member.image.id: [(cluster.finding, cluster.box) for cluster in member.clusters]
        for member in images
    }


def as_probabilities(
    boxes: Sequence[PredictedBox], scoring: Scoring | None
) -> Sequence[PredictedBox]:
    """Return boxes with probabilities as scores.

    Parameters
    ----------
    boxes : sequence of PredictedBox
        With raw scores.
    scoring : Scoring or None
        How these are to be read.

    Returns
    -------
    sequence of PredictedBox
        The same boxes.
    """
    if scoring is None or not boxes:
        return boxes
    raw = [one.score if one.raw_score is None else one.raw_score for one in boxes]
    scores = scoring.calibrate(
        np.array([one.finding for one in boxes], dtype=np.int64), np.array(raw)
    )
    return [replace(one, score=float(score)) for one, score in zip(boxes, scores, strict=True)]
