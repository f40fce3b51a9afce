"""What a detector is, and what it returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox

Radiograph: TypeAlias = NDArray[np.uint8]
"""Grey pixels of one image, shape (height, width)."""


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
    """

    boxes: Boxes
    findings: NDArray[np.int64]
    scores: NDArray[np.float64]

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

    def detect(self, images: Sequence[Radiograph]) -> list[Detections]:
        """Mark the findings of every image.

        Parameters
        ----------
        images : sequence of ndarray of shape (height, width)
            Grey images of any size.

        Returns
        -------
        list of Detections
            One per image, in order; never fewer.
        """
        ...


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
        PredictedBox(Finding(int(finding)), Box(*(float(edge) for edge in box)), float(score))
        for box, finding, score in zip(
            detections.boxes, detections.findings, detections.scores, strict=True
        )
    )
