"""How good a detector is after a round, and how good it might have looked on other images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import (
    DetectionQuality,
    detection_quality,
)
from backend.domain.metrics.box_table import BoxTable
from backend.domain.metrics.hits import mark_hits
from benchmarks.active_learning.detector import Found
from benchmarks.active_learning.protocol import Rows, Truths, table

MARKS_PER_IMAGE = 1.0
"""False marks per image at which sensitivity is read off."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures of a detector on the test set.

    Attributes
    ----------
    map40 : float
        mAP@0.4 over the findings that occur.
    rare_ap : float
        Mean AP of the rarest findings.
    by_finding : dict of str to float
        AP@0.4 by title.
    sensitivity : float
        Share of the lesions found at one false mark per image.
    false_on_normals : float
        False marks per normal image at the same score.
    resampled : list of float
        mAP@0.4 on resamples of the test images, the same for every method of a seed.
    """

    map40: float
    rare_ap: float
    by_finding: dict[str, float]
    sensitivity: float
    false_on_normals: float
    resampled: list[float]


def judge(found: Found, truths: Truths, rows: Rows, *, resamples: int, seed: int) -> Judged:
    """Hold what a detector marks on the test set against what is there.

    Parameters
    ----------
    found : Found
        Its boxes on `rows`.
    truths : Truths
        What is on the images.
    rows : ndarray of int
        The test set.
    resamples, seed : int
        How often the test images are drawn again, and from what.

    Returns
    -------
    Judged
        The figures.
    """
    true, marked = _true(truths, rows), _marked(found)
    quality = detection_quality(true, marked, images=len(rows))[0]
    rare = [quality.by_finding[one] for one in truths.rarest() if one in quality.by_finding]
    is_hit = _hits(true, marked)
    is_normal = truths.boxes(rows) == 0
    sensitivity, least = _operating_point(
        marked.scores, is_hit, images=len(rows), lesions=len(true.images)
    )
    on_normals = (marked.scores >= least) & is_normal[marked.images]
    counts = _draws(len(rows), resamples, seed)
    by_finding = [
        _weighted_areas(
            is_hit[marked.findings == finding],
            counts[:, marked.images[marked.findings == finding]],
            counts[:, true.images[true.findings == finding]].sum(axis=1),
        )
        for finding in quality.by_finding
    ]
    return Judged(
        map40=quality.map or 0.0,
        rare_ap=float(np.mean(rare)) if rare else 0.0,
        by_finding={finding.title: area for finding, area in quality.by_finding.items()},
        sensitivity=sensitivity,
        false_on_normals=float(on_normals.sum() / max(is_normal.sum(), 1)),
        resampled=np.nanmean(by_finding, axis=0).tolist(),
    )


def quality_of(found: Found, truths: Truths, rows: Rows) -> DetectionQuality:
    """Return average precisions of boxes on some images."""
    return detection_quality(_true(truths, rows), _marked(found), images=len(rows))[0]


def judged_marks(found: Found, truths: Truths, rows: Rows) -> NDArray[np.bool_]:
    """Tell which boxes on some images are true, in their order."""
    marked = _marked(found)
    order = np.lexsort((*found.boxes.T[::-1], found.rows, -found.scores))
    is_hit = np.empty(len(order), dtype=np.bool_)
    is_hit[order] = _hits(_true(truths, rows), marked)
    return is_hit


def _true(truths: Truths, rows: Rows) -> BoxTable:
    images, findings, boxes = table(truths, rows)
    return BoxTable.of_columns(findings, images, boxes, np.ones(len(images)))


def _marked(found: Found) -> BoxTable:
    return BoxTable.of_columns(found.findings, found.rows, found.boxes, found.scores)


def _hits(true: BoxTable, marked: BoxTable) -> NDArray[np.bool_]:
    """Tell which marks are true, finding by finding."""
    is_hit = np.zeros(len(marked.images), dtype=np.bool_)
    for finding in Finding:
        own = mark_hits(true.only(finding), marked.only(finding))
        is_hit[marked.findings == finding] = own
    return is_hit


def _operating_point(
    scores: Numbers, is_hit: NDArray[np.bool_], *, images: int, lesions: int
) -> tuple[float, float]:
    """Return sensitivity and score at `MARKS_PER_IMAGE`; scores fall."""
    allowed = np.flatnonzero(np.cumsum(~is_hit) <= MARKS_PER_IMAGE * images)
    if not allowed.size:
        return 0.0, np.inf
    return float(is_hit[allowed].sum() / lesions), float(scores[allowed[-1]])


def _draws(images: int, resamples: int, seed: int) -> Numbers:
    """Return how often each image counts in each resample."""
    drawn = np.random.default_rng([seed, 2]).integers(0, images, (resamples, images))
    cells = drawn + np.arange(resamples)[:, None] * images
    counts = np.bincount(cells.ravel(), minlength=resamples * images)
    return counts.reshape(resamples, images).astype(np.float64)


def _weighted_areas(is_hit: NDArray[np.bool_], weights: Numbers, lesions: Numbers) -> Numbers:
    """Return the average precision of one finding with every image counted as often as drawn.

    Parameters
    ----------
    is_hit : ndarray of shape (n,)
        Of the marks by falling score.
    weights : ndarray of shape (resamples, n)
        How often each mark's image counts.
    lesions : ndarray of shape (resamples,)
        True boxes; where there are none the area is not defined.

    Returns
    -------
    ndarray of shape (resamples,)
        In [0, 1], or NaN.
    """
    all_so_far = np.cumsum(weights, axis=1)
    true_so_far = np.cumsum(weights * is_hit, axis=1)
    precision = true_so_far / np.maximum(all_so_far, 1.0)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    areas = (highest * weights * is_hit).sum(axis=1)
    nothing = np.full(len(areas), np.nan)
    return np.asarray(np.divide(areas, lesions, out=nothing, where=lesions > 0))


def rare_images(truths: Truths, rows: Rows) -> int:
    """Return how many of some images show one of the rarest findings."""
    rare = [int(finding) for finding in truths.rarest()]
    return int(truths.presence[rows][:, rare].any(axis=1).sum())
