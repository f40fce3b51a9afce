"""What training leaves behind, before the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from backend.domain.dataset import DatasetImage
from backend.domain.metrics.average_precision import DetectionQuality
from backend.domain.score_calibration import Scoring
from backend.domain.skipped import Skipped
from ml_backend.training.recipe import Recipe
from ml_backend.training.weights import StoredWeights


@dataclass(frozen=True, slots=True)
class Trained:
    """A challenger.

    Attributes
    ----------
    weights : StoredWeights
        Its weights.
    scoring : Scoring
        How its raw scores are to be read; learned on the validation split.
    quality : DetectionQuality
        How well it detects, on the frozen test split.
    calibration : mapping
        How well its scores mean what they say, on the frozen test split.
    skipped : tuple of Skipped
        Training images that could not be read.
    """

    weights: StoredWeights
    scoring: Scoring
    quality: DetectionQuality
    calibration: Mapping[str, object]
    skipped: tuple[Skipped, ...]

    def report(
        self, recipe: Recipe, base_weights: str, test: Sequence[DatasetImage]
    ) -> dict[str, object]:
        """Return what was measured, as plain values.

        Parameters
        ----------
        recipe : Recipe
            How it was trained.
        base_weights : str
            What it was trained from.
        test : sequence of DatasetImage
            What it was measured on.

        Returns
        -------
        dict
            For the model version.
        """
        quality = self.quality
        return {
            "average_precision": {
                finding.title: value for finding, value in sorted(quality.by_finding.items())
            },
            "positives": {
                finding.title: number for finding, number in sorted(quality.positives.items())
            },
            "test_images": quality.images,
            "test_images_adjudicated": sum(member.is_adjudicated for member in test),
            "calibration": dict(self.calibration),
            "base_weights": base_weights,
            "recipe": asdict(recipe),
        }
