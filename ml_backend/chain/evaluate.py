"""Evaluate: challenger and champion on the frozen test split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.metrics.average_precision import DetectionQuality
from ml_backend.chain.calibrate import Calibrated
from ml_backend.chain.cut import Cut
from ml_backend.chain.train import Trained
from ml_backend.chain.workshop import Workshop
from ml_backend.open_detector import load_yolo, open_detector
from ml_backend.training.calibrate import measure_scoring
from ml_backend.training.evaluate import LOWEST_SCORE
from ml_backend.training.evaluate import evaluate as measure


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How challenger and champion did on the same images.

    Attributes
    ----------
    quality : DetectionQuality
        The challenger's.
    champion : str or None
        Which model version it was held against; None when none serves.
    champion_quality : DetectionQuality or None
        The champion's.
    calibration : dict
        How well the challenger's scores mean what they say.
    """

    quality: DetectionQuality
    champion: str | None
    champion_quality: DetectionQuality | None
    calibration: dict[str, object]

    def as_json(self) -> dict[str, object]:
        """Return plain values.

        Returns
        -------
        dict
            For the record of the night.
        """
        return {
            "quality": _plain(self.quality),
            "champion": self.champion,
            "champion_quality": self.champion_quality and _plain(self.champion_quality),
            "calibration": self.calibration,
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
        before = values["champion_quality"]
        return cls(
            quality=_quality(values["quality"]),
            champion=values["champion"],
            champion_quality=before and _quality(before),
            calibration=dict(values["calibration"]),
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
        test = workshop.dataset(cut.dataset_version).in_split(Split.TEST)
        with workshop.store.snapshot() as unit:
            champion = unit.models.champion()
        workshop.progress.step("evaluating the challenger", len(test))
        challenger = load_yolo(
            workshop.settings, trained.weights.path, "challenger", min_score=LOWEST_SCORE
        )
        quality, marked = measure(
            challenger, test, lambda done, _: workshop.progress.advance(done)
        )
        calibration = measure_scoring(calibrated.scoring, test, marked)
        if champion is None:
            return Evaluated(quality, None, None, calibration)
        workshop.progress.step(f"evaluating champion {champion.name}", len(test))
        detector = open_detector(workshop.settings, champion, min_score=LOWEST_SCORE)
        before, _ = measure(detector, test, lambda done, _: workshop.progress.advance(done))
        return Evaluated(quality, champion.name, before, calibration)


def _plain(quality: DetectionQuality) -> dict[str, object]:
    return {
        "map": quality.map,
        "by_finding": {str(int(each)): value for each, value in quality.by_finding.items()},
        "positives": {str(int(each)): number for each, number in quality.positives.items()},
        "images": quality.images,
    }


def _quality(values: Mapping[str, Any]) -> DetectionQuality:
    return DetectionQuality(
        map=values["map"],
        by_finding={Finding(int(each)): value for each, value in values["by_finding"].items()},
        positives={Finding(int(each)): number for each, number in values["positives"].items()},
        images=values["images"],
    )
