"""From a model version to the detector that runs it."""

from pathlib import Path

import numpy as np

from backend.domain.models import ModelVersion
from backend.domain.score_calibration import Scoring
from backend.settings import Settings
from ml_backend.detector import Detector
from ml_backend.live_model import verified_weights
from ml_backend.scripted_detector import ScriptedDetector

LOWEST_SCORE = 0.001
"""Confidence from which a detector has to report boxes for its precision to be measured."""

LOWEST_KEPT_SCORE = 0.05
"""Boxes below this confidence are neither shown nor kept for the queue, unless their finding is
shown from less; where scores become probabilities, this is one."""


def open_detector(
    settings: Settings, model: ModelVersion, *, min_score: float | None = None
) -> Detector:
    """Load the detector of a model version; its weights are verified first.

    Parameters
    ----------
    settings : Settings
        Which kind of detector, and on which device.
    model : ModelVersion
        Whose weights.
    min_score : float or None
        Lowest confidence to report, in [0, 1]; the detector's own when None.

    Returns
    -------
    Detector
        Ready to detect.
    """
    if settings.detector == "scripted":
        return ScriptedDetector(model_version=model.name)
    return load_yolo(
        settings,
        verified_weights(model),
        model.name,
        min_score=min_score,
        scoring=model.scoring,
    )


def load_yolo(
    settings: Settings,
    weights: Path,
    model_version: str,
    *,
    min_score: float | None = None,
    scoring: Scoring | None = None,
) -> Detector:
    """Load a detector from weights that were verified, or were just trained.

    Parameters
    ----------
    settings : Settings
        On which device, with which runtime.
    weights : Path
        The file.
    model_version : str
        Its name.
    min_score : float or None
        Lowest confidence to report, in [0, 1]; the detector's own when None.
    scoring : Scoring or None
        How its scores become probabilities; they stay as they are when None.

    Returns
    -------
    Detector
        Ready to detect.
    """
    # Imported here, because torch takes seconds and the scripted detector needs none of it.
    from ml_backend.yolo_detector import YoloDetector  # noqa: PLC0415

    if min_score is None:
        min_score = _raw_floor(scoring) if scoring else LOWEST_KEPT_SCORE
        min_probability = LOWEST_KEPT_SCORE
    else:
        min_probability = 0.0
    return YoloDetector(
        weights,
        model_version,
        device=settings.device,
        runtime=settings.runtime,
        exports_dir=settings.exports_dir,
        min_score=min_score,
        min_probability=min_probability,
        scoring=scoring,
    )


def _raw_floor(scoring: Scoring) -> float:
    """Return a raw score below which no finding is probable enough to be kept.

    The thresholds were learned from all marks above `LOWEST_SCORE`, so a cut at a raw score must
    not take what they let through.
    """
    raw = np.geomspace(LOWEST_SCORE, 0.999, 400, dtype=np.float64)
    floors = [LOWEST_KEPT_SCORE]
    for finding, curve in scoring.curves.items():
        kept_from = min(scoring.thresholds.get(finding, 1.0), LOWEST_KEPT_SCORE)
        below = int(np.searchsorted(curve.apply(raw), kept_from))  # a curve rises
        floors.append(float(raw[max(below - 1, 0)]))
    return min(floors)
