"""A model as it was measured on the test images."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics.judged_marks import JudgedMarks
from backend.domain.metrics.resampled_marks import MeanPrecision


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """What a model marked on the test images.

    Attributes
    ----------
    judged : JudgedMarks
        Its marks with probabilities as scores, and the truth.
    thresholds : mapping of Finding to float
        Probability from which readers see marks of a finding.
    """

    judged: JudgedMarks
    thresholds: Mapping[Finding, float]

    @property
    def map40(self) -> float | None:
        """The mAP@0.4 of weighed images; None when they show no lesion."""
        if not len(self.judged.lesions.boxes):
            return None
        return float(MeanPrecision(self.judged)(np.ones((1, self.judged.images)))[0])

    @property
    def test_sha256(self) -> str:
        """The hash that tells one test set from another: of images, weights and lesions."""
        judged = self.judged
        content = [
            list(judged.image_ids),
            judged.weights.round(6).tolist(),
            judged.lesions.images.tolist(),
            judged.lesions.findings.tolist(),
            judged.lesions.boxes.round(2).tolist(),
        ]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
