"""Average precision, as the VinBigData metric defines it: PASCAL VOC 2010 at IoU above 0.4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics import hits as matching
from backend.domain.metrics.box_table import BoxTable
from backend.domain.metrics.judged_marks import (
    check_same_images,
    tables,
)
from backend.domain.predictions import PredictedBox

Truths: TypeAlias = Mapping[str, Sequence[tuple[Finding, Box]]]
Predictions: TypeAlias = Mapping[str, Sequence[PredictedBox]]


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
    check_same_images(truths, predictions)
    true, found = tables(truths, predictions)
    return detection_quality(true, found, images=len(truths), iou_thresholds=(iou_threshold,))[0]


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


def detection_quality(
    true: BoxTable, found: BoxTable, *, images: int, iou_thresholds: Sequence[float] = (0.4,)
) -> tuple[DetectionQuality, ...]:
    """Return how well boxes find the true ones; `mean_average_precision` for columns.

    Parameters
    ----------
    true, found : BoxTable
        True and predicted boxes.
    images : int
        How many images were evaluated.
    iou_thresholds : sequence of float
        A predicted box must overlap a true one by more than each of these.

    Returns
    -------
    tuple of DetectionQuality
        One per threshold.
    """
    occurring = [finding for finding in Finding if (true.findings == finding).any()]
    areas = {
        finding: _areas(true.only(finding), found.only(finding), iou_thresholds)
        for finding in occurring
    }
    positives = {finding: int((true.findings == finding).sum()) for finding in occurring}
    return tuple(
        DetectionQuality(
            map=float(np.mean([areas[finding][row] for finding in occurring]))
            if occurring
            else None,
            by_finding={finding: areas[finding][row] for finding in occurring},
            positives=positives,
            images=images,
        )
        for row in range(len(iou_thresholds))
    )


def micro_average_precision(
    true: BoxTable, found: BoxTable, *, iou_threshold: float = 0.4
) -> float | None:
    """Return the average precision of all findings in one ranking.

    Parameters
    ----------
    true, found : BoxTable
        True and predicted boxes; they match within a finding only.
    iou_threshold : float
        A predicted box must overlap a true one by more than this.

    Returns
    -------
    float or None
        In [0, 1]; None when no finding occurs.
    """
    if not len(true.boxes):
        return None
    # A finding of an image as an image of its own: then no match crosses findings.
    apart = [
        BoxTable.of_columns(
            one.findings, one.images * len(Finding) + one.findings, one.boxes, one.scores
        )
        for one in (true, found)
    ]
    return _areas(apart[0], apart[1], (iou_threshold,))[0]


def _areas(true: BoxTable, found: BoxTable, iou_thresholds: Sequence[float]) -> list[float]:
    """Return the areas under precision over recall of one finding that occurs."""
    nearest = matching.nearest_truths(true, found)
    return [
        _area(matching.taken_truths(nearest, threshold) >= 0, len(true.boxes))
        for threshold in iou_thresholds
    ]


def _area(is_hit: NDArray[np.bool_], positives: int) -> float:
    """Return the area under precision over recall."""
    hits = np.cumsum(is_hit)
    precision = hits / np.arange(1, len(is_hit) + 1)
    highest_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest_from_here[is_hit].sum() / positives)
