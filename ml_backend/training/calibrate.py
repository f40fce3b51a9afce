"""Learn on the validation split what scores mean, and say on the test split how well."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.domain.dataset import DatasetImage
from backend.domain.findings import Finding
from backend.domain.metrics.calibration import expected_calibration_error, reliability_curve
from backend.domain.metrics.mark_calibration import COUNTED_FROM_SCORE
from backend.domain.metrics.true_marks import Marks, true_marks
from backend.domain.predictions import PredictedBox
from backend.domain.score_calibration import Scoring, fit_scoring
from ml_backend.training.evaluate import truths_of

_BINS = 10


def learn_scoring(
    images: Sequence[DatasetImage],
    predictions: Mapping[str, Sequence[PredictedBox]],
    *,
    false_marks_per_image: float,
) -> Scoring:
    """Return how to read a detector's scores.

    Parameters
    ----------
    images : sequence of DatasetImage
        The validation split.
    predictions : mapping of str to sequence of PredictedBox
        What the detector marked there, by image id, with raw scores.
    false_marks_per_image : float
        How many false marks per image may be shown, over all findings together.

    Returns
    -------
    Scoring
        Curves and thresholds.
    """
    marks = true_marks(truths_of(images), predictions)
    return fit_scoring(marks, images=len(images), false_marks_per_image=false_marks_per_image)


def measure_scoring(
    scoring: Scoring,
    images: Sequence[DatasetImage],
    predictions: Mapping[str, Sequence[PredictedBox]],
) -> dict[str, object]:
    """Return how well scores mean what they say, before and after calibration.

    Parameters
    ----------
    scoring : Scoring
        Learned elsewhere.
    images : sequence of DatasetImage
        The test split, which it was not learned from.
    predictions : mapping of str to sequence of PredictedBox
        What the detector marked there, by image id, with raw scores.

    Returns
    -------
    dict
        For the model's report: detection calibration error (D-ECE) in [0, 1] and the points of
        the reliability diagram, before and after; false marks per image and share of findings
        found at the thresholds. None where there is nothing to measure.
    """
    marks = true_marks(truths_of(images), predictions)
    raw, is_true, calibrated = _counted(marks, scoring)
    shown = _shown(marks, scoring)
    positives = sum(len(member.clusters) for member in images)
    return {
        "marks": len(raw),
        "d_ece_before": expected_calibration_error(raw, is_true, bins=_BINS),
        "d_ece_after": expected_calibration_error(calibrated, is_true, bins=_BINS),
        "reliability_before": _points(raw, is_true),
        "reliability_after": _points(calibrated, is_true),
        "false_marks_per_image_wanted": scoring.false_marks_per_image,
        "false_marks_per_image": float((~shown).sum()) / len(images) if images else None,
        "sensitivity_at_thresholds": float(shown.sum()) / positives if positives else None,
        "thresholds": {
            finding.title: value for finding, value in sorted(scoring.thresholds.items())
        },
    }


def _counted(
    marks: Mapping[Finding, Marks], scoring: Scoring
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return raw scores, truth and probabilities of the marks that count."""
    nothing = (np.empty(0), np.empty(0), np.empty(0))
    rows: list[tuple[NDArray[np.float64], ...]] = [nothing]
    for finding, (scores, is_true) in marks.items():
        counts = scores >= COUNTED_FROM_SCORE
        own = scores[counts]
        probabilities = scoring.calibrate(np.full(len(own), int(finding)), own)
        rows.append((own, is_true[counts].astype(np.float64), probabilities))
    raw, truth, calibrated = (np.concatenate(column) for column in zip(*rows, strict=True))
    return raw, truth, calibrated


def _shown(marks: Mapping[Finding, Marks], scoring: Scoring) -> NDArray[np.bool_]:
    """Return of every mark that a reader would see whether it is true."""
    shown: list[NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)]
    for finding, threshold in scoring.thresholds.items():
        scores, is_true = marks[finding]
        probabilities = scoring.calibrate(np.full(len(scores), int(finding)), scores)
        shown.append(is_true[probabilities >= threshold])
    return np.concatenate(shown)


def _points(predicted: NDArray[np.float64], observed: NDArray[np.float64]) -> list[list[float]]:
    """Return mean prediction, share that was true, and number of every bin."""
    curve = reliability_curve(predicted, observed, bins=_BINS)
    columns = (curve.predicted.tolist(), curve.observed.tolist(), curve.counts.tolist())
    return [list(point) for point in zip(*columns, strict=True)]
