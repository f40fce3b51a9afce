"""How answers are judged: detection, calibration, and the boxes that a release would take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import detection_quality, micro_average_precision
from backend.domain.metrics.box_table import BoxTable
from backend.domain.overlaps import aligned_iou
from backend.domain.reading_table import Numbers

SAME_PLACE_IOU = 0.4

Array = NDArray[np.float64]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes as columns: those of a method, of a reader, or the true ones."""

    images: Numbers
    findings: Numbers
    boxes: Array
    scores: Array
    p_true: Array

    @classmethod
    def sure(cls, images: Numbers, findings: Numbers, boxes: Array) -> "Boxes":
        """Take boxes for certain."""
        ones = np.ones(len(images))
        return cls(images, findings, boxes, ones, ones)

    def take(self, rows: NDArray[np.bool_]) -> "Boxes":
        """Return some of them."""
        return Boxes(
            self.images[rows],
            self.findings[rows],
            self.boxes[rows],
            self.scores[rows],
            self.p_true[rows],
        )

    def table(self) -> BoxTable:
        """Return them for the metrics."""
        return BoxTable.of_columns(self.findings, self.images, self.boxes, self.scores)


def detection(found: Boxes, truth: Boxes) -> Figures:
    """Return mAP at three overlaps, and micro AP."""
    true, boxes = truth.table(), found.table()
    thresholds = np.arange(0.5, 0.96, 0.05)
    maps = [
        quality.map or 0.0
        for quality in detection_quality(
            true, boxes, images=0, iou_thresholds=(SAME_PLACE_IOU, *thresholds.tolist())
        )
    ]
    return {
        "map40": maps[0],
        "map50": maps[1],
        "map50_95": float(np.mean(maps[1:])),
        "micro40": micro_average_precision(true, boxes) or 0.0,
    }


def pairs(left: Boxes, right: Boxes) -> tuple[Numbers, Numbers, Array]:
    """Return pairs of boxes of one image and finding that overlap enough, with their IoU."""
    keys = [one.images * len(Finding) + one.findings for one in (left, right)]
    order = np.argsort(keys[1], kind="stable")
    first = np.searchsorted(keys[1][order], keys[0], side="left")
    number = np.searchsorted(keys[1][order], keys[0], side="right") - first
    lefts = np.repeat(np.arange(len(keys[0])), number)
    rights = order[np.repeat(first - np.cumsum(number) + number, number) + np.arange(len(lefts))]
    overlap = aligned_iou(left.boxes[lefts], right.boxes[rights])
    is_near = overlap > SAME_PLACE_IOU
    return lefts[is_near], rights[is_near], overlap[is_near]


def anchored(
    marks: Boxes, found: Boxes, probabilities: Array, truth: Boxes
) -> tuple[Array, Array]:
    """Return for every visible mark what was predicted there and what was observed."""
    predicted, observed = np.zeros((2, len(marks.images)))
    lefts, rights, _ = pairs(marks, found)
    np.maximum.at(predicted, lefts, probabilities[rights])
    observed[pairs(marks, truth)[0]] = 1.0
    return predicted, observed


def export_f1(found: Boxes, truth: Boxes) -> float:
    """Return F1 of the boxes that a release would take, matched one to one by falling p_true."""
    taken = found.take(found.p_true >= 0.5)
    lefts, rights, overlap = pairs(taken, truth)
    order = np.lexsort((-overlap, -taken.p_true[lefts]))
    boxes: set[int] = set()
    true: set[int] = set()
    for left, right in zip(lefts[order].tolist(), rights[order].tolist(), strict=True):
        if left not in boxes and right not in true:
            boxes.add(left)
            true.add(right)
    return 2.0 * len(boxes) / max(len(taken.images) + len(truth.images), 1)


def area_under_roc(scores: Array, is_positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive ranks above a negative."""
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    ranks = rankdata(scores)[is_positive].sum()
    return float((ranks - positives * (positives + 1) / 2) / max(positives * negatives, 1))
