"""Average precision, as the VinBigData metric defines it: PASCAL VOC 2010 at IoU above 0.4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox

Truths: TypeAlias = Mapping[str, Sequence[tuple[Finding, Box]]]
Predictions: TypeAlias = Mapping[str, Sequence[PredictedBox]]


class UnevenEvaluationError(ValueError):
    """Truths and predictions are not of the same images."""


class UnrankableScoreError(ValueError):
    """A predicted box has a score that is not finite."""


@dataclass(frozen=True, slots=True)
class DetectionQuality:
    """How well a model finds what is there.

    Attributes
    ----------
    map : float or None
        Mean over the findings that occur, in [0, 1]; None when none occurs.
    by_finding : mapping of Finding to float
        Average precision in [0, 1] of every finding that occurs.
    positives : mapping of Finding to int
        How many true boxes each of them has.
    images : int
        How many images were evaluated, with and without findings.
    """

    map: float | None
    by_finding: Mapping[Finding, float]
    positives: Mapping[Finding, int]
    images: int


def mean_average_precision(
    truths: Truths, predictions: Predictions, *, iou_threshold: float = 0.4
) -> DetectionQuality:
    """Return how well predictions find the true boxes.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to true boxes; an image without findings has none.
    predictions : mapping of str to sequence of PredictedBox
        Image id to predicted boxes, of the same images; none is an answer too.
    iou_threshold : float
        A predicted box must overlap a true one by more than this.

    Returns
    -------
    DetectionQuality
        Average precision per finding and its mean.

    Raises
    ------
    UnevenEvaluationError
        If an image is on one side only.
    UnrankableScoreError
        If a score is not finite.
    MalformedBoxError
        If a box has no area or is not finite.

    See Also
    --------
    average_precision : The definition, for one finding.
    """
    _check_same_images(truths, predictions)
    number_of = {image_id: number for number, image_id in enumerate(sorted(truths))}
    true = _Table.of(
        [
            (finding, number_of[image_id], box, 1.0)
            for image_id, boxes in truths.items()
            for finding, box in boxes
        ]
    )
    found = _Table.of(
        [
            (one.finding, number_of[image_id], one.box, one.score)
            for image_id, boxes in predictions.items()
            for one in boxes
        ]
    )
    by_finding = {
        finding: _area(true.only(finding), found.only(finding), iou_threshold)
        for finding in Finding
        if (true.findings == finding).any()
    }
    return DetectionQuality(
        map=float(np.mean(list(by_finding.values()))) if by_finding else None,
        by_finding=by_finding,
        positives={finding: int((true.findings == finding).sum()) for finding in by_finding},
        images=len(number_of),
    )


def average_precision(
    truths: Truths, predictions: Predictions, finding: Finding, *, iou_threshold: float = 0.4
) -> float | None:
    """Return the average precision of one finding.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to true boxes, of all findings.
    predictions : mapping of str to sequence of PredictedBox
        Image id to predicted boxes, of the same images and all findings.
    finding : Finding
        The one in question.
    iou_threshold : float
        A predicted box must overlap a true one by more than this.

    Returns
    -------
    float or None
        In [0, 1]: 0 nothing found … 1 everything found before the first false mark; None when
        the finding does not occur.

    Raises
    ------
    UnevenEvaluationError
        If an image is on one side only.
    UnrankableScoreError
        If a score is not finite.
    MalformedBoxError
        If a box has no area or is not finite.

    Notes
    -----
    Predicted boxes are taken by falling score over all images, equal scores in the order of
    image id and coordinates. Each is held against the true box of the same image that it
    overlaps most; it is a true positive if that overlap is above the threshold and the true
    box is not yet taken, a false positive otherwise. The result is the area under precision
    over recall, precision at every recall being the highest one at that recall or beyond.

    References
    ----------
    M. Everingham, J. Winn, "The PASCAL Visual Object Classes Challenge 2010 Development Kit",
    section 3.4.1.
    """
    quality = mean_average_precision(
        {
            image_id: [row for row in rows if row[0] is finding]
            for image_id, rows in truths.items()
        },
        {
            image_id: [one for one in boxes if one.finding is finding]
            for image_id, boxes in predictions.items()
        },
        iou_threshold=iou_threshold,
    )
    return quality.by_finding.get(finding)


@dataclass(frozen=True, slots=True)
class _Table:
    """Boxes as columns, by falling score, then by image and coordinates."""

    findings: NDArray[np.int64]
    images: NDArray[np.int64]
    boxes: Boxes
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[tuple[Finding, int, Box, float]]) -> "_Table":
        """Check and sort rows of finding, image number, box and score."""
        table = cls(
            findings=np.array([row[0] for row in rows], dtype=np.int64),
            images=np.array([row[1] for row in rows], dtype=np.int64),
            boxes=geometry.check_boxes(geometry.stack([row[2] for row in rows])),
            scores=np.array([row[3] for row in rows], dtype=np.float64),
        )
        if not np.isfinite(table.scores).all():
            raise UnrankableScoreError("a predicted box has no finite score; expected [0, 1]")
        # lexsort takes the last key first.
        return table.take(np.lexsort((*table.boxes.T[::-1], table.images, -table.scores)))

    def only(self, finding: Finding) -> "_Table":
        """Return the rows of one finding."""
        return self.take(np.flatnonzero(self.findings == finding))

    def take(self, rows: NDArray[np.intp]) -> "_Table":
        """Return some rows in the given order."""
        return _Table(self.findings[rows], self.images[rows], self.boxes[rows], self.scores[rows])


def _area(true: _Table, found: _Table, iou_threshold: float) -> float:
    """Return the area under precision over recall of one finding that occurs."""
    is_hit = _hits(_best_truth(true, found, iou_threshold))
    hits = np.cumsum(is_hit)
    precision = hits / np.arange(1, len(is_hit) + 1)
    highest_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest_from_here[is_hit].sum() / len(true.boxes))


def _best_truth(true: _Table, found: _Table, iou_threshold: float) -> NDArray[np.int64]:
    """Return for every predicted box the true box that it overlaps most; -1 for too little."""
    best = np.full(len(found.boxes), -1, dtype=np.int64)
    by_image = np.argsort(found.images, kind="stable")
    images, firsts = np.unique(true.images, return_index=True)
    truth_ends = np.append(firsts, len(true.images))[1:]
    starts = np.searchsorted(found.images[by_image], images, side="left")
    ends = np.searchsorted(found.images[by_image], images, side="right")
    for first, truth_end, start, end in zip(firsts, truth_ends, starts, ends, strict=True):
        rows = by_image[start:end]
        overlaps = geometry.pairwise_iou(found.boxes[rows], true.boxes[first:truth_end])
        nearest = overlaps.argmax(axis=1)
        is_near = overlaps[np.arange(len(rows)), nearest] > iou_threshold
        best[rows[is_near]] = first + nearest[is_near]
    return best


def _hits(best_truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which predicted boxes are the first to take their true box."""
    is_hit = np.zeros(len(best_truth), dtype=np.bool_)
    truths, firsts = np.unique(best_truth, return_index=True)
    is_hit[firsts[truths >= 0]] = True
    return is_hit


def _check_same_images(truths: Truths, predictions: Predictions) -> None:
    """Raise if an image has truth but no prediction, or the reverse."""
    for known, other, what in (
        (truths, predictions, "prediction"),
        (predictions, truths, "truth"),
    ):
        missing = sorted(set(known) - set(other))
        if missing:
            raise UnevenEvaluationError(
                f"{len(missing)} images have no {what}, the first is {missing[0]}; "
                "expected an entry for every image, an empty one where there is nothing"
            )
