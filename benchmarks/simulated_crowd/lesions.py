"""What there is to see on simulated images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from backend.domain.boxes import Boxes
from benchmarks.simulated_crowd.pairs import Integers, overlaps, pairs_within
from benchmarks.simulated_crowd.parameters import CrowdParameters, Numbers

MARGIN, LARGEST, SMALLEST = 0.004, 0.9, 0.008
"""Of a lesion's distance to the border and of its sides, as shares of the picture."""
MOST_OVERLAP = 0.2
"""IoU above which two lesions of a finding would be one."""


@dataclass(frozen=True, slots=True)
class Lesions:
    """True lesions, sorted by image.

    Attributes
    ----------
    images, findings : ndarray of shape (n,)
        Position of the image and class id of the finding.
    boxes : ndarray of shape (n, 4), [px]
        Where, inside the image.
    places : ndarray of shape (n,)
        Lesions of several findings at one rectangle share this number.
    difficulty : ndarray of shape (n,)
        What every reader's logit is raised by; the same for lesions at one place.
    """

    images: Integers
    findings: Integers
    boxes: Boxes
    places: Integers
    difficulty: Numbers

    def only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Lesions":
        """Return some of the lesions.

        Parameters
        ----------
        rows : ndarray
            A mask or positions.

        Returns
        -------
        Lesions
            Those, in the given order.
        """
        return Lesions(
            self.images[rows],
            self.findings[rows],
            self.boxes[rows],
            self.places[rows],
            self.difficulty[rows],
        )


def draw(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    *,
    abnormal: Integers,
    image_sizes: Numbers,
) -> Lesions:
    """Draw the lesions of abnormal images.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    parameters : CrowdParameters
        What to draw from.
    abnormal : ndarray of shape (m,)
        Positions of the images, ascending; each gets at least one lesion.
    image_sizes : ndarray of shape (images, 2), [px]
        Width and height of every image, normal ones too.

    Returns
    -------
    Lesions
        At least one per given image.
    """
    counts = _counts(rng, parameters, len(abnormal))
    rows, findings = np.nonzero(counts)
    repeats = counts[rows, findings]
    rows, findings = np.repeat(rows, repeats), np.repeat(findings, repeats)
    order_in_group = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    sides = _sides(rng, parameters, findings, order_in_group)
    boxes = to_pixels(places(rng, parameters, findings, sides), image_sizes[abnormal[rows]])
    numbers = np.arange(len(rows))
    lesions = Lesions(
        abnormal[rows], findings, boxes, numbers,
        rng.normal(0, parameters.difficulty_sd, len(rows)),
    )  # fmt: skip
    return _apart(_with_companions(rng, parameters, lesions))


def places(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    findings: Integers,
    sides: Integers | None = None,
) -> Numbers:
    """Draw where lesions are and how large.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    parameters : CrowdParameters
        What to draw from.
    findings : ndarray of shape (n,)
        Whose places.
    sides : ndarray of shape (n,), optional
        0 left, 1 right; drawn as well if not given.

    Returns
    -------
    ndarray of shape (n, 4), [share]
        Centre's x and y, width, height, as shares of the picture, inside of it.
    """
    shares = parameters.place_shares[findings]
    if sides is None:
        sides = (rng.random(len(findings)) > shares[:, 0].sum(axis=1)).astype(np.int64)
    here = shares[np.arange(len(findings)), sides]
    which = (rng.random(len(findings)) * here.sum(axis=1) > here[:, 0]).astype(np.int64)
    roots = np.linalg.cholesky(parameters.place_covariances)
    noise = rng.normal(size=(len(findings), 4))
    drawn = parameters.place_means[findings, sides, which]
    drawn = drawn + np.einsum("nij,nj->ni", roots[findings, sides, which], noise)
    extents = np.clip(np.exp(drawn[:, 2:]), SMALLEST, LARGEST)
    lowest = MARGIN + extents / 2
    return np.hstack([np.clip(drawn[:, :2], lowest, 1 - lowest), extents])


def to_pixels(relative: Numbers, image_sizes: Numbers) -> Boxes:
    """Return places as boxes of whole pixels.

    Parameters
    ----------
    relative : ndarray of shape (n, 4), [share]
        Centre and sides, as `places` returns them.
    image_sizes : ndarray of shape (n, 2), [px]
        Width and height of each one's image.

    Returns
    -------
    ndarray of shape (n, 4), [px]
        Boxes.
    """
    low, high = relative[:, :2] - relative[:, 2:] / 2, relative[:, :2] + relative[:, 2:] / 2
    return np.round(np.hstack([low, high]) * np.tile(image_sizes, 2))


def _counts(rng: np.random.Generator, parameters: CrowdParameters, images: int) -> Integers:
    """Return how many lesions of each finding each image has; drawn again where none."""
    means, spread = parameters.lesions_per_image, parameters.lesion_spread
    counts = np.zeros((images, len(means)), dtype=np.int64)
    root = np.linalg.cholesky(parameters.lesion_correlation)
    is_one_at_most = np.isinf(spread)
    sizes = np.where(is_one_at_most, 1.0, spread)
    while (empty := np.flatnonzero(counts.sum(axis=1) == 0)).size:
        shares = stats.norm.cdf(rng.normal(size=(len(empty), len(means))) @ root.T)
        many = stats.nbinom.ppf(shares, sizes, sizes / (sizes + means))
        counts[empty] = np.where(is_one_at_most, shares > 1 - means, many)
    return counts


def _sides(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    findings: Integers,
    order_in_group: Integers,
) -> Integers:
    """Return the side of every lesion: the first by share, the next by side change."""
    right = parameters.place_shares[findings, 1].sum(axis=1)
    changes = rng.random(len(findings)) < parameters.side_change[findings]
    starts = rng.random(len(findings)) < right
    steps = np.where(order_in_group == 0, starts, changes).astype(np.int64)
    running = np.cumsum(steps)
    firsts = np.arange(len(findings)) - order_in_group
    sides = (running - running[firsts] + steps[firsts]) % 2
    # A finding that is never on one side stays on the other.
    return np.where(right <= 0, 0, np.where(right >= 1, 1, sides))


def _with_companions(
    rng: np.random.Generator, parameters: CrowdParameters, lesions: Lesions
) -> Lesions:
    """Add the lesions of other findings at the same rectangles."""
    is_there = rng.random((len(lesions.images), len(parameters.colocated)))
    rows, findings = np.nonzero(is_there < parameters.colocated[lesions.findings])
    added = lesions.only(rows)
    return Lesions(
        np.concatenate([lesions.images, added.images]),
        np.concatenate([lesions.findings, findings]),
        np.concatenate([lesions.boxes, added.boxes]),
        np.concatenate([lesions.places, added.places]),
        np.concatenate([lesions.difficulty, added.difficulty]),
    )


def _apart(lesions: Lesions) -> Lesions:
    """Leave out a lesion that overlaps an earlier one of its finding; sort by image."""
    order = np.lexsort((np.arange(len(lesions.images)), lesions.findings, lesions.images))
    lesions = lesions.only(order)
    firsts, seconds = pairs_within(lesions.images * 100 + lesions.findings)
    is_near = overlaps(lesions.boxes[firsts], lesions.boxes[seconds]) > MOST_OVERLAP
    is_kept = np.ones(len(lesions.images), dtype=np.bool_)
    is_kept[seconds[is_near]] = False
    return lesions.only(is_kept)
