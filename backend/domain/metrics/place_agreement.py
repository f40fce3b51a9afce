"""Agreement beyond chance on what is where: boxes are first brought together by place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics import bootstrap, chance_corrected
from backend.domain.metrics.bootstrap import Interval
from backend.domain.metrics.quotients import Numbers as Sums
from backend.domain.metrics.quotients import quotient
from backend.domain.overlaps import Overlaps, find_overlaps
from backend.domain.reading_table import Numbers, ReadingTable

MISSING = len(Finding)
"""The value of a place for a reader who read the image and marked nothing there."""


@dataclass(frozen=True, slots=True)
class PlaceAgreement:
    """Krippendorff's alpha with places as units.

    Attributes
    ----------
    mean_image_alpha : Interval
        Alpha of every image by itself, averaged; in [-1, 1].
    global_alpha : Interval
        Alpha of all places together; in [-1, 1].
    finding_alpha : Interval
        The same among the readers who marked the place: given that something is there, do they
        call it the same?
    presence_alpha : Interval
        The same with marked or not as the value: do they agree on whether something is there?
        Places that nobody marked are no candidates, so that it may well be below 0.
    images : int
        How many images it is about.
    places : int
        How many places were marked on them.
    """

    mean_image_alpha: Interval
    global_alpha: Interval
    finding_alpha: Interval
    presence_alpha: Interval
    images: int
    places: int


def place_agreement(
    table: ReadingTable,
    rng: np.random.Generator,
    *,
    iou_threshold: float = 0.25,
    only_marked_images: bool = True,
    resamples: int = 1000,
) -> PlaceAgreement:
    """Return how far readers agree beyond chance on what is where ("K-alpha").

    Parameters
    ----------
    table : ReadingTable
        Readings and marks; images read by one reader only are left out.
    rng : numpy.random.Generator
        Source of the bootstrap.
    iou_threshold : float
        Marks must overlap by more than this to be at one place.
    only_marked_images : bool
        Whether to leave out images on which nobody marked anything. Otherwise such an image is
        one unit on which all agree.
    resamples : int
        How many of the bootstrap, at least 1.

    Returns
    -------
    PlaceAgreement
        Alphas with their 95 % intervals over images.

    Raises
    ------
    ImpossibleResamplingError
        If there is no resample.

    Notes
    -----
    `places` gives the units. The value of a unit for a reader of the image is the finding that
    they marked there, or "missing"; alpha is Krippendorff's for nominal values. An image on which
    all values are the same has alpha 1.

    References
    ----------
    D. Tschirschwitz, V. Rodehorst, "KaLOS finds consensus: a meta-algorithm for evaluating
    inter-annotator agreement in complex vision tasks", CVPR 2026, arXiv 2603.27197.
    """
    units = _Units.of(table, places(table, iou_threshold=iou_threshold))
    if only_marked_images:
        units = units.take(units.is_marked)
    images, image_of = np.unique(units.images, return_inverse=True)
    # Three questions to the same units: what is there, what is it called, is anything there.
    terms = [
        _per_image(counts, image_of, len(images))
        for counts in (units.counts, units.counts[:, :MISSING], units.presence())
    ]
    image_alpha = chance_corrected.alpha_of(terms[0])
    image_alpha = np.where(np.isnan(image_alpha), 1.0, image_alpha)

    def statistic(weights: Sums) -> Sums:
        mean = quotient(weights @ image_alpha, weights.sum(axis=1))
        alphas = [chance_corrected.alpha_of(weights @ one) for one in terms]
        return np.stack([mean, *alphas], axis=1)

    found = bootstrap.percentile_intervals(statistic, len(images), rng, resamples=resamples)
    return PlaceAgreement(
        mean_image_alpha=found.at(0),
        global_alpha=found.at(1),
        finding_alpha=found.at(2),
        presence_alpha=found.at(3),
        images=len(images),
        places=int(units.is_marked.sum()),
    )


def places(table: ReadingTable, *, iou_threshold: float = 0.25) -> Numbers:
    """Return at which place every mark is.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    iou_threshold : float
        Marks must overlap by more than this to be at one place.

    Returns
    -------
    ndarray of shape (n,)
        For every mark the first mark, by row, that is at the same place. A place holds at most
        one mark of each reader.

    Notes
    -----
    Pairs of overlapping marks by two readers are taken by falling IoU, all those of one finding
    before those of two, equal ones in the order of the boxes' coordinates. A pair makes two
    places one unless a reader has a mark at both.
    """
    pairs = find_overlaps(table)
    is_of_two = table.mark_readers[pairs.lefts] != table.mark_readers[pairs.rights]
    pairs = pairs.take(is_of_two & (pairs.ious > iou_threshold))
    is_mixed = table.mark_findings[pairs.lefts] != table.mark_findings[pairs.rights]
    pairs = pairs.take(np.lexsort((pairs.rights, pairs.lefts, -pairs.ious, is_mixed)))
    return _merged(pairs, table.mark_readers)


def _merged(pairs: Overlaps, readers: Numbers) -> Numbers:
    """Merge by pairs in the given order; return for every mark the first of its place."""
    place_of = list(range(len(readers)))
    marks_at = [[mark] for mark in place_of]
    readers_at = [1 << reader for reader in readers.tolist()]
    for left, right in zip(pairs.lefts.tolist(), pairs.rights.tolist(), strict=True):
        low, high = sorted((place_of[left], place_of[right]))
        if low == high or readers_at[low] & readers_at[high]:
            continue
        for mark in marks_at[high]:
            place_of[mark] = low
        marks_at[low] += marks_at[high]
        readers_at[low] |= readers_at[high]
    return np.array(place_of, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Units:
    """What readers gave a value to: the places of each image, or all of an unmarked image."""

    images: Numbers
    counts: Numbers  # (n, 15): readers by finding, then those to whom it is missing
    is_marked: NDArray[np.bool_]

    @classmethod
    def of(cls, table: ReadingTable, place_of: Numbers) -> "_Units":
        """Return the units of the images that two readers or more read."""
        readers = np.bincount(table.reading_images, minlength=len(table.image_ids))
        firsts, unit_of = np.unique(place_of, return_inverse=True)
        empty = np.setdiff1d(np.arange(len(readers)), table.mark_images)
        images = np.concatenate([table.mark_images[firsts], empty])
        counts = np.zeros((len(images), MISSING + 1), dtype=np.int64)
        np.add.at(counts, (unit_of, table.mark_findings), 1)
        is_marked = counts.any(axis=1)
        counts[:, MISSING] = readers[images] - counts.sum(axis=1)
        return cls(images, counts, np.asarray(is_marked)).take(readers[images] >= 2)

    def take(self, rows: NDArray[np.bool_]) -> "_Units":
        """Return some of them."""
        return _Units(self.images[rows], self.counts[rows], self.is_marked[rows])

    def presence(self) -> Numbers:
        """Return readers to whom each place is marked or missing; an empty image is no place."""
        missing = self.counts[:, MISSING]
        marked = self.counts.sum(axis=1) - missing
        return np.stack([marked, missing], axis=1) * self.is_marked[:, None]


def _per_image(counts: Numbers, image_of: Numbers, images: int) -> Sums:
    """Return the terms of each image, added over its units."""
    terms = chance_corrected.terms_of(counts)
    total = np.zeros((images, terms.shape[1]))
    np.add.at(total, image_of, terms)
    return total
