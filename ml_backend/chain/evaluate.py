"""Evaluate: challenger and champion on the frozen test split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from backend.domain.dataset import DatasetImage
from backend.domain.images import Split
from backend.domain.metrics.detection_report import describe_detection
from backend.domain.models import ModelVersion
from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.comparison import compare
from backend.domain.promotion.measured import MeasuredModel
from ml_backend.chain.calibrate import Calibrated
from ml_backend.chain.cut import Cut
from ml_backend.chain.train import Trained
from ml_backend.chain.workshop import Workshop
from ml_backend.detector import Detector
from ml_backend.live_model import WeightsTamperedError
from ml_backend.open_detector import LOWEST_SCORE, load_yolo, open_detector
from ml_backend.training.calibrate import measure_scoring
from ml_backend.training.evaluate import as_measured
from ml_backend.training.evaluate import evaluate as mark_all
from ml_backend.training.soundness import find_problems


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How challenger and champion did on the same images.

    Attributes
    ----------
    map40 : float or None
        The challenger's mAP@0.4; None when the test images show no lesion.
    figures : dict
        Everything that was measured of the challenger, with intervals.
    test_sha256 : str
        Which test images these were.
    champion : str or None
        Which model version it was held against; None when none serves.
    comparison : Comparison or None
        What came of that; None without a champion, or when the test images show no lesion.
    problems : tuple of str
        Why the challenger cannot be trusted at all; none is normal.
    unreadable : str
        Why the champion's weights could not be read; empty is normal.
    """

    map40: float | None
    figures: dict[str, object]
    test_sha256: str
    champion: str | None
    comparison: Comparison | None
    problems: tuple[str, ...]
    unreadable: str = ""

    def as_json(self) -> dict[str, object]:
        """Return plain values.

        Returns
        -------
        dict
            For the record of the night.
        """
        return {
            "map40": self.map40,
            "figures": self.figures,
            "test_sha256": self.test_sha256,
            "champion": self.champion,
            "comparison": self.comparison and self.comparison.as_json(),
            "problems": list(self.problems),
            "unreadable": self.unreadable,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Evaluated":
        """Return what `as_json` was made of.

        Parameters
        ----------
        values : mapping
            From the record of the night.

        Returns
        -------
        Evaluated
            The same.
        """
        comparison = values["comparison"]
        return cls(
            map40=values["map40"],
            figures=dict(values["figures"]),
            test_sha256=values["test_sha256"],
            champion=values["champion"],
            comparison=comparison and Comparison.from_json(comparison),
            problems=tuple(values["problems"]),
            unreadable=values.get("unreadable", ""),
        )


def evaluate(workshop: Workshop, cut: Cut, trained: Trained, calibrated: Calibrated) -> Evaluated:
    """Measure challenger and champion on the frozen test split.

    Parameters
    ----------
    workshop : Workshop
        What to work with.
    cut : Cut
        The dataset version; its test split is looked at.
    trained : Trained
        The challenger.
    calibrated : Calibrated
        How its scores are to be read.

    Returns
    -------
    Evaluated
        How both did.
    """
    with workshop.recorded(trained.training_run):
        version = workshop.dataset(cut.dataset_version)
        test = version.in_split(Split.TEST)
        with workshop.store.snapshot() as unit:
            champion = unit.models.champion()

        def open_challenger() -> Detector:
            return load_yolo(
                workshop.settings, trained.weights.verified(), "challenger", min_score=LOWEST_SCORE
            )

        workshop.progress.step("evaluating the challenger", len(test))
        quality, marked = mark_all(
            open_challenger(), test, lambda done, _: workshop.progress.advance(done)
        )
        problems = find_problems(trained.weights, version, marked, open_challenger)
        measured = as_measured(test, marked, calibrated.scoring)
        if measured.map40 is not None and not isfinite(measured.map40):
            problems += ("its mAP@0.4 is no number",)
        of_champion, unreadable = _measure_champion(workshop, champion, test)

        workshop.progress.step("resampling the test images", 2)
        comparison = (
            None if of_champion is None else compare(of_champion, measured, _rng(workshop))
        )
        workshop.progress.advance(1)
        detection = describe_detection(
            measured.judged, measured.thresholds, _rng(workshop), slices=_slices(test)
        )
        workshop.progress.advance(2)
        return Evaluated(
            map40=measured.map40,
            figures={
                "average_precision": {
                    finding.title: value for finding, value in sorted(quality.by_finding.items())
                },
                "positives": {
                    finding.title: number for finding, number in sorted(quality.positives.items())
                },
                "test_images": quality.images,
                "test_images_adjudicated": sum(member.is_adjudicated for member in test),
                "calibration": measure_scoring(calibrated.scoring, test, marked),
                "detection": detection,
            },
            test_sha256=measured.test_sha256,
            champion=None if champion is None else champion.name,
            comparison=comparison,
            problems=problems,
            unreadable=unreadable,
        )


def _measure_champion(
    workshop: Workshop, champion: ModelVersion | None, test: Sequence[DatasetImage]
) -> tuple[MeasuredModel | None, str]:
    """Return how the champion did, or else why its weights could not be read."""
    if champion is None:
        return None, ""
    workshop.progress.step(f"evaluating champion {champion.name}", len(test))
    try:
        detector = open_detector(workshop.settings, champion, min_score=LOWEST_SCORE)
    except WeightsTamperedError as problem:
        return None, str(problem)
    _, marked = mark_all(detector, test, lambda done, _: workshop.progress.advance(done))
    return as_measured(test, marked, champion.scoring), ""


def _slices(test: Sequence[DatasetImage]) -> dict[str, list[str]]:
    """Return the properties by which figures are told apart, in the order of image ids."""
    images = [member.image for member in sorted(test, key=lambda member: member.image.id)]
    return {
        "source": [image.source for image in images],
        "sex": [str(image.metadata.sex or "") for image in images],
        "age group": [str(image.metadata.age_group or "") for image in images],
        "view": [str(image.metadata.view or "") for image in images],
    }


def _rng(workshop: Workshop) -> np.random.Generator:
    return np.random.default_rng(workshop.settings.seed)
