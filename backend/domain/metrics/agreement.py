"""How far readers agree on each finding: on which images it is, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics import bootstrap, chance_corrected
from backend.domain.metrics.bootstrap import Interval, Intervals
from backend.domain.metrics.box_agreement import matched_marks
from backend.domain.metrics.quotients import Numbers as Sums
from backend.domain.metrics.quotients import quotient
from backend.domain.reading_table import Numbers, ReadingTable

IOU_THRESHOLDS = (0.4, 0.5)
"""Where pair F1 is given: the VinBigData metric's threshold and the usual one."""
SAME_PLACE_IOU = 0.1
"""Matched boxes that overlap less than this count as a chance contact in the mean IoU."""


@dataclass(frozen=True, slots=True)
class ImageAgreement:
    """Whether readers agree on the images that show a finding.

    Attributes
    ----------
    alpha, alpha_marked : Interval
        Krippendorff's alpha over all images, and over those on which anybody marked anything; 1
        full agreement … 0 agreement of chance.
    ac1, ac1_marked : Interval
        Gwet's AC1, likewise. Close to 1 for a rare finding: read it beside alpha only.
    positive : Interval
        Positive agreement in [0, 1]: how often a reader's finding is another's too. It is the
        same over all images and over the marked ones.
    """

    alpha: Interval
    alpha_marked: Interval
    ac1: Interval
    ac1_marked: Interval
    positive: Interval


@dataclass(frozen=True, slots=True)
class BoxAgreement:
    """Whether readers agree on the boxes of a finding.

    Attributes
    ----------
    f1 : mapping of float to Interval
        IoU threshold to pair F1 in [0, 1]: matched boxes of two readers, twice, over the boxes
        of both, added over all pairs of readers of an image.
    mean_iou : Interval
        Mean overlap, in [0, 1], of the matched boxes above `SAME_PLACE_IOU`.
    """

    f1: Mapping[float, Interval]
    mean_iou: Interval


@dataclass(frozen=True, slots=True)
class FindingAgreement:
    """Whether readers agree on one finding.

    Attributes
    ----------
    images_any, images_all : int
        On how many images any reader, and all of its readers, marked it.
    boxes : int
        How many boxes of it there are.
    on_images : ImageAgreement
        Whether they agree on the images that show it.
    on_boxes : BoxAgreement
        Whether they agree on where it is.
    """

    images_any: int
    images_all: int
    boxes: int
    on_images: ImageAgreement
    on_boxes: BoxAgreement


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether readers agree.

    Attributes
    ----------
    images, images_marked : int
        Images that two readers or more read, and those on which any of them marked anything.
    by_finding : mapping of Finding to FindingAgreement
        All fourteen.
    mean_on_images, mean_on_boxes : ImageAgreement, BoxAgreement
        Mean over the findings for which a number is defined.
    micro_on_boxes : BoxAgreement
        With the boxes of all findings together, each finding matched by itself.
    """

    images: int
    images_marked: int
    by_finding: Mapping[Finding, FindingAgreement]
    mean_on_images: ImageAgreement
    mean_on_boxes: BoxAgreement
    micro_on_boxes: BoxAgreement


def reader_agreement(
    table: ReadingTable, rng: np.random.Generator, *, resamples: int = 1000
) -> Agreement:
    """Return how far readers agree on each finding.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks; images read by one reader only are left out.
    rng : numpy.random.Generator
        Source of the bootstrap.
    resamples : int
        How many of the bootstrap, at least 1.

    Returns
    -------
    Agreement
        Every number with its 95 % interval over images.

    Raises
    ------
    ImpossibleResamplingError
        If there is no resample.

    See Also
    --------
    backend.domain.metrics.chance_corrected : Alpha, AC1 and positive agreement.
    backend.domain.metrics.box_agreement : How boxes are matched.
    """
    readers = np.bincount(table.reading_images, minlength=len(table.image_ids))
    images = np.flatnonzero(readers >= 2)
    readers, present = readers[images], _readers_who_marked(table)[images]
    boxes = _per_image(table, table.mark_images, table.mark_findings)[images]
    # What each image adds, by finding: sums that the bootstrap weights.
    sums = np.concatenate(
        [
            _image_terms(present, readers),
            _match_sums(table)[images],
            (boxes * (readers - 1)[:, None])[..., None],
        ],
        axis=-1,
    )
    found = bootstrap.percentile_intervals(
        lambda weights: _numbers(np.tensordot(weights, sums, axes=1)),
        len(images),
        rng,
        resamples=resamples,
    )
    return Agreement(
        images=len(images),
        images_marked=int(present.any(axis=1).sum()),
        by_finding={
            finding: FindingAgreement(
                images_any=int((present[:, finding] > 0).sum()),
                images_all=int((present[:, finding] == readers).sum()),
                boxes=int(boxes[:, finding].sum()),
                on_images=_on_images(found, finding),
                on_boxes=_on_boxes(found, finding),
            )
            for finding in Finding
        },
        mean_on_images=_on_images(found, _MEAN),
        mean_on_boxes=_on_boxes(found, _MEAN),
        micro_on_boxes=_on_boxes(found, _MICRO),
    )


# Rows of the numbers after those of the fourteen findings.
_MEAN, _MICRO = len(Finding), len(Finding) + 1
_ON_IMAGES = 5  # columns; those on boxes follow
_TERMS = 8  # of an image and finding, which is marked or not


def _on_images(found: Intervals, row: int) -> ImageAgreement:
    return ImageAgreement(*(found.at(row, column) for column in range(_ON_IMAGES)))


def _on_boxes(found: Intervals, row: int) -> BoxAgreement:
    columns = range(_ON_IMAGES, _ON_IMAGES + len(IOU_THRESHOLDS))
    f1 = [found.at(row, column) for column in columns]
    return BoxAgreement(dict(zip(IOU_THRESHOLDS, f1, strict=True)), found.at(row, columns.stop))


def _per_image(
    table: ReadingTable, images: Numbers, findings: Numbers, what: Sums | None = None
) -> Sums:
    """Return how many rows each image and finding has, or the sum of something over them."""
    cells = images * len(Finding) + findings
    size = len(table.image_ids) * len(Finding)
    total = np.bincount(cells, weights=what, minlength=size)
    return total.reshape(-1, len(Finding)).astype(np.float64)


def _readers_who_marked(table: ReadingTable) -> Numbers:
    """Return how many readers marked each finding on each image."""
    cells = (table.mark_images * len(Finding) + table.mark_findings) * len(table.reader_ids)
    distinct = np.unique(cells + table.mark_readers) // len(table.reader_ids)
    return _per_image(table, *np.divmod(distinct, len(Finding))).astype(np.int64)


def _image_terms(present: Numbers, readers: Numbers) -> Sums:
    """Return the terms of each image and finding, over all images and over marked ones."""
    counts = np.stack([present, readers[:, None] - present], axis=-1)
    on_marked = np.where(present.sum(axis=1)[:, None, None] > 0, counts, 0)
    terms = [chance_corrected.terms_of(one) for one in (counts, on_marked)]
    return np.concatenate(terms, axis=-1)


def _match_sums(table: ReadingTable) -> Sums:
    """Return matches at the thresholds and at the same place, and the IoU of the latter."""
    matched = matched_marks(table)
    images, findings = table.mark_images[matched.lefts], table.mark_findings[matched.lefts]
    thresholds = (*IOU_THRESHOLDS, SAME_PLACE_IOU)
    weights = [(matched.ious > one).astype(np.float64) for one in thresholds]
    weights.append(weights[-1] * matched.ious)
    return np.stack([_per_image(table, images, findings, one) for one in weights], axis=-1)


def _numbers(totals: Sums) -> Sums:
    """Return the numbers of shape (r, 16, 8) from sums of shape (r, 14, s)."""
    everywhere, marked, boxes = np.split(totals, [_TERMS, 2 * _TERMS], axis=-1)
    on_images = [
        chance_corrected.alpha_of(everywhere),
        chance_corrected.alpha_of(marked),
        chance_corrected.ac1_of(everywhere),
        chance_corrected.ac1_of(marked),
        chance_corrected.specific_agreement_of(everywhere)[..., 0],
    ]
    by_finding = np.concatenate([np.stack(on_images, axis=-1), _box_numbers(boxes)], axis=-1)
    micro = np.full_like(by_finding[:, :1], np.nan)
    micro[..., _ON_IMAGES:] = _box_numbers(boxes.sum(axis=1, keepdims=True))
    is_defined = np.isfinite(by_finding)
    mean = quotient(
        np.where(is_defined, by_finding, 0).sum(axis=1, keepdims=True),
        is_defined.sum(axis=1, keepdims=True),
    )
    return np.concatenate([by_finding, mean, micro], axis=1)


def _box_numbers(sums: Sums) -> Sums:
    """Return pair F1 at the thresholds and the mean IoU."""
    matches, near, overlap, drawn = np.split(sums, [2, 3, 4], axis=-1)
    return np.concatenate([quotient(2 * matches, drawn), quotient(overlap, near)], axis=-1)
