"""What one model version marked on one image."""

from dataclasses import dataclass

from backend.domain.boxes import Box
from backend.domain.findings import Finding

SHOWN_FROM_SCORE = 0.25
"""Boxes below this confidence are kept for the queue and not shown to readers."""


@dataclass(frozen=True, slots=True)
class PredictedBox:
    """One box of a pre-annotation.

    Attributes
    ----------
    finding : Finding
        What the model sees.
    box : Box, [px]
        Where, in pixels of the registered image.
    score : float
        Confidence in [0, 1].
    id : int or None
        Key in the store; None before it is saved.
    """

    finding: Finding
    box: Box
    score: float
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model version's boxes on one image; none is an answer too.

    Attributes
    ----------
    image_id : str
        The image.
    model_version : str
        Which model version made it.
    boxes : tuple of PredictedBox
        All boxes above the detector's lowest score.
    """

    image_id: str
    model_version: str
    boxes: tuple[PredictedBox, ...]

    @property
    def shown(self) -> tuple[PredictedBox, ...]:
        """The boxes that a reader sees: those from `SHOWN_FROM_SCORE` on."""
        return tuple(box for box in self.boxes if box.score >= SHOWN_FROM_SCORE)
