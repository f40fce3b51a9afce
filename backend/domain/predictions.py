"""What one model version marked on one image."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from backend.domain.boxes import Box
from backend.domain.findings import Finding

SHOWN_FROM_SCORE = 0.25
"""Boxes below this confidence are kept for the queue and not shown to readers, as long as their
finding has no threshold of its own."""


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
    raw_score : float or None
        What the network said, before calibration; None where it is not known.
    spread_px : float or None, [px]
        How far an edge may be off: its standard deviation, mean over the four edges; None where
        the model cannot tell.
    """

    finding: Finding
    box: Box
    score: float
    id: int | None = None
    raw_score: float | None = None
    spread_px: float | None = None


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
    thresholds : mapping of Finding to float
        Confidence from which a reader sees boxes of a finding; `SHOWN_FROM_SCORE` where none is
        given.
    features : bytes or None
        What the image looks like to the model: numbers of 16 bits, little-endian.
    """

    image_id: str
    model_version: str
    boxes: tuple[PredictedBox, ...]
    thresholds: Mapping[Finding, float] = field(default_factory=dict, compare=False)
    features: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def shown(self) -> tuple[PredictedBox, ...]:
        """The boxes that a reader sees: those from their finding's threshold on."""
        return shown_boxes(self.boxes, self.thresholds)


def shown_boxes(
    boxes: Iterable[PredictedBox], thresholds: Mapping[Finding, float]
) -> tuple[PredictedBox, ...]:
    """Return the boxes that a reader sees.

    Parameters
    ----------
    boxes : iterable of PredictedBox
        What a model marked.
    thresholds : mapping of Finding to float
        From which confidence; `SHOWN_FROM_SCORE` for findings that it does not name.

    Returns
    -------
    tuple of PredictedBox
        In the same order.
    """
    return tuple(
        box for box in boxes if box.score >= thresholds.get(box.finding, SHOWN_FROM_SCORE)
    )
