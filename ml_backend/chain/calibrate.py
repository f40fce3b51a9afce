"""Calibrate: learn on the validation split what a challenger's scores mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.images import Split
from backend.domain.score_calibration import Scoring
from ml_backend.chain.cut import Cut
from ml_backend.chain.train import Trained
from ml_backend.chain.workshop import Workshop
from ml_backend.open_detector import LOWEST_SCORE, load_yolo
from ml_backend.training.calibrate import learn_scoring
from ml_backend.training.evaluate import evaluate


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was learned of a challenger's scores.

    Attributes
    ----------
    scoring : Scoring
        How they are to be read.
    """

    scoring: Scoring

    def as_json(self) -> dict[str, object]:
        """Return plain values.

        Returns
        -------
        dict
            For the record of the night.
        """
        return {"scoring": self.scoring.as_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Calibrated":
        """Return what `as_json` was made of.

        Parameters
        ----------
        values : mapping
            From the record of the night.

        Returns
        -------
        Calibrated
            The same.
        """
        return cls(Scoring.from_json(values["scoring"]))


def calibrate(workshop: Workshop, cut: Cut, trained: Trained) -> Calibrated:
    """Learn what a challenger's scores mean.

    Parameters
    ----------
    workshop : Workshop
        What to work with.
    cut : Cut
        The dataset version; its validation split is learned from.
    trained : Trained
        The challenger.

    Returns
    -------
    Calibrated
        What was learned.
    """
    with workshop.recorded(trained.training_run):
        validation = workshop.dataset(cut.dataset_version).in_split(Split.VALIDATION)
        workshop.progress.step("learning what the scores mean", len(validation))
        detector = load_yolo(
            workshop.settings, trained.weights.verified(), "challenger", min_score=LOWEST_SCORE
        )
        _, marked = evaluate(detector, validation, lambda done, _: workshop.progress.advance(done))
        scoring = learn_scoring(
            validation,
            marked,
            false_marks_per_image=workshop.settings.false_marks_per_image,
        )
    return Calibrated(scoring)
