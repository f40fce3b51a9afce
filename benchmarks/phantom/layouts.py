"""Where findings are on images: from readings of real images, or drawn from fitted numbers."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd import CrowdParameters, fitted, simulate
from benchmarks.simulated_crowd.statistics import cluster

READERS = 3
"""Of every image, in the table and in the sampler; the most votes that a lesion can have."""
AGREED = 2
"""Votes from which on a lesion counts as there."""

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


class MissingSizeError(ValueError):
    """The size of an image is not known."""


@dataclass(frozen=True, slots=True)
class Layouts:
    """Lesions on images, sorted by image; an image without any is normal.

    Attributes
    ----------
    count : int
        How many images there are, with and without lesions.
    images, findings, votes : ndarray of shape (n,)
        Number of the image, class id, and how many of three readers marked it.
    boxes : ndarray of shape (n, 4), [share]
        Where, as shares of the picture's width and height.
    """

    count: int
    images: Integers
    findings: Integers
    votes: Integers
    boxes: Numbers

    def agreed(self) -> "Layouts":
        """Return the lesions that count as there.

        Returns
        -------
        Layouts
            Those with two votes or more, of the same images.
        """
        return self._only(self.votes >= AGREED)

    def of(self, image: int) -> "Layouts":
        """Return one image.

        Parameters
        ----------
        image : int
            Its number.

        Returns
        -------
        Layouts
            Its lesions, of one image numbered 0.
        """
        first, last = np.searchsorted(self.images, [image, image + 1])
        own = self._only(np.arange(first, last))
        return replace(own, count=1, images=np.zeros_like(own.images))

    def presence(self) -> NDArray[np.bool_]:
        """Tell which findings each image has.

        Returns
        -------
        ndarray of shape (count, 14)
            By image and class id.
        """
        there = np.zeros((self.count, len(Finding)), dtype=np.bool_)
        there[self.images, self.findings] = True
        return there

    def _only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Layouts":
        return Layouts(
            self.count,
            self.images[rows],
            self.findings[rows],
            self.votes[rows],
            self.boxes[rows],
        )


def of_readings(table: ReadingTable, sizes: Numbers) -> Layouts:
    """Return the layouts that readings show.

    Parameters
    ----------
    table : ReadingTable
        Readings of any images.
    sizes : ndarray of shape (images, 2), [px]
        Width and height of each, in the table's order.

    Returns
    -------
    Layouts
        Marks of one finding that overlap are one lesion with their mean box.

    Raises
    ------
    MissingSizeError
        If there is not one size above 0 per image.
    """
    if sizes.shape != (len(table.image_ids), 2) or not (sizes > 0).all():
        raise MissingSizeError(
            f"expected width and height of {len(table.image_ids)} images, got {sizes.shape}"
        )
    clusters = cluster(table)
    boxes = np.clip(clusters.boxes / np.tile(sizes[clusters.images], 2), 0.0, 1.0)
    order = np.lexsort((clusters.findings, clusters.images))
    has_area = (boxes[order, 2:] > boxes[order, :2]).all(axis=1)
    rows = order[has_area]
    votes = np.minimum(clusters.votes[rows], READERS)
    return Layouts(
        len(table.image_ids), clusters.images[rows], clusters.findings[rows], votes, boxes[rows]
    )


def sampled(
    rng: np.random.Generator, images: int, parameters: CrowdParameters | None = None
) -> Layouts:
    """Draw layouts from fitted numbers; no published row is needed.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    images : int
        How many.
    parameters : CrowdParameters, optional
        Rates, co-occurrence, and moments of the places and sizes by finding; those fitted on
        VinBigData if not given. Only good readers mark.

    Returns
    -------
    Layouts
        What three good readers of every image mark.
    """
    good = replace(parameters or fitted(), bad_readers=(0, 0), adversaries=0)
    crowd = simulate(rng, images=images, readers_per_image=READERS, parameters=good)
    return of_readings(crowd.readings, crowd.image_sizes)
