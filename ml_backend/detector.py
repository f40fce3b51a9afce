"""What a detector is, and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from ml_backend.letterbox import Letterbox, Radiograph


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector marks on one image, by falling score.

    Attributes
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Boxes in the image's own pixels; none is an answer too.
    findings : ndarray of shape (n,)
        Class id of the finding of every box.
    scores : ndarray of shape (n,)
        Confidence of every box in [0, 1], 1 sure.
    spreads : ndarray of shape (n,), [px]
        How far an edge of every box may be off: its standard deviation, mean over the four
        edges. Not a number where the detector cannot tell; empty for one that never can.
    features : ndarray of shape (f,)
        What the image looks like to the detector; empty for one that cannot say.
    raw_scores : ndarray of shape (n,)
        What the network said, before calibration; empty for a detector without one.
    """

    boxes: Boxes
    findings: NDArray[np.int64]
    scores: NDArray[np.float64]
    spreads: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    features: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    raw_scores: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @classmethod
    def none(cls) -> "Detections":
        """Return the answer of a detector that marks nothing.

        Returns
        -------
        Detections
            Zero boxes.
        """
        return cls(np.empty((0, 4)), np.empty(0, dtype=np.int64), np.empty(0))

    def __len__(self) -> int:
        return len(self.scores)


class Detector(Protocol):
    """Marks findings on radiographs; safe to call from several threads."""

    @property
    def model_version(self) -> str:
        """Name of the model version whose weights it runs."""
        ...

    @property
    def thresholds(self) -> Mapping[Finding, float]:
        """Confidence from which a reader sees boxes of a finding, where it has one of its own."""
        ...

    @property
    def runtime(self) -> str:
        """What the detector runs on, for people."""
        ...

    @property
    def batch_size(self) -> int:
        """How many frames are worth looking at together."""
        ...

    @property
    def workers(self) -> int:
        """How many threads keep the device busy."""
        ...

    def frame(self, image: Radiograph, size_px: tuple[int, int] | None = None) -> Letterbox:
        """Return an image as the detector sees it; the part of the work that needs no network.

        Parameters
        ----------
        image : ndarray of shape (height, width)
            Grey image of any size.
        size_px : (int, int) or None, [px]
            Height and width of the image whose pixels boxes are to be in, when `image` is a
            smaller copy of it.

        Returns
        -------
        Letterbox
            The frame.
        """
        ...

    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        """Mark the findings in frames.

        Parameters
        ----------
        frames : sequence of Letterbox
            From `frame`; of any shapes.

        Returns
        -------
        list of Detections
            One per frame, in order; never fewer.
        """
        ...


def detect(detector: Detector, images: Sequence[Radiograph]) -> list[Detections]:
    """Mark the findings of every image.

    Parameters
    ----------
    detector : Detector
        Who marks.
    images : sequence of ndarray of shape (height, width)
        Grey images of any size.

    Returns
    -------
    list of Detections
        One per image, in order; never fewer.
    """
    return detector.detect_in([detector.frame(image) for image in images])


def as_predicted_boxes(detections: Detections) -> tuple[PredictedBox, ...]:
    """Return detections in the words of the domain.

    Parameters
    ----------
    detections : Detections
        What a detector marked on one image.

    Returns
    -------
    tuple of PredictedBox
        The same boxes in the same order.

    Examples
    --------
    >>> as_predicted_boxes(Detections.none())
    ()
    """
    return tuple(
        PredictedBox(
            Finding(finding),
            Box(*box),
            score,
            raw_score=detections.raw_scores[number].item() if len(detections.raw_scores) else None,
            spread_px=_known(detections.spreads, number),
        )
        for number, (box, finding, score) in enumerate(
            zip(
                detections.boxes.tolist(),
                detections.findings.tolist(),
                detections.scores.tolist(),
                strict=True,
            )
        )
    )


def as_prediction(detections: Detections, image_id: str, detector: Detector) -> Prediction:
    """Return what a detector marked on an image, to be kept.

    Parameters
    ----------
    detections : Detections
        What it marked.
    image_id : str
        On which image.
    detector : Detector
        Who.

    Returns
    -------
    Prediction
        Its features with 16 bits per number.
    """
    features = detections.features.astype("<f2").tobytes() or None
    return Prediction(
        image_id,
        detector.model_version,
        as_predicted_boxes(detections),
        detector.thresholds,
        features,
    )


def _known(numbers: NDArray[np.float64], row: int) -> float | None:
    if not len(numbers) or np.isnan(numbers[row]):
        return None
    return float(numbers[row])
