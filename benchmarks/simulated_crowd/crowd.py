"""A simulated crowd: who read what, and what was there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd import lesions as lesion_model
from benchmarks.simulated_crowd import marks as mark_model
from benchmarks.simulated_crowd import readers as reader_model
from benchmarks.simulated_crowd.lesions import Lesions
from benchmarks.simulated_crowd.marks import Marks
from benchmarks.simulated_crowd.pairs import Integers
from benchmarks.simulated_crowd.parameters import CrowdParameters, Numbers, fitted
from benchmarks.simulated_crowd.readers import SimulatedReaders

DOMINANT_SHARE = 0.85
"""Of the abnormal images, read by the same good readers in a dominant crowd."""
SMALLEST_SIDE, LARGEST_SIDE = 800.0, 3600.0
"""Of an image, in pixels."""


class TooFewReadersError(ValueError):
    """There are not enough readers, or not enough good ones, to read every image."""


@dataclass(frozen=True, slots=True)
class SimulatedCrowd:
    """Readings and what they should have been.

    Attributes
    ----------
    readings : ReadingTable
        What consensus may see. Every image is in it; normal ones may have no marks.
    truth : Lesions
        What was there; images by their position in ``readings.image_ids``.
    readers : SimulatedReaders
        The true qualities of ``readings.reader_ids``, in their order.
    image_sizes : ndarray of shape (images, 2), [px]
        Width and height.
    """

    readings: ReadingTable
    truth: Lesions
    readers: SimulatedReaders
    image_sizes: Numbers

    @property
    def is_abnormal(self) -> NDArray[np.bool_]:
        """Whether each image has a lesion."""
        return np.bincount(self.truth.images, minlength=len(self.image_sizes)) > 0


def simulate(
    rng: np.random.Generator,
    *,
    images: int,
    readers: int = 17,
    readers_per_image: int = 3,
    dominant: bool = False,
    parameters: CrowdParameters | None = None,
) -> SimulatedCrowd:
    """Draw images, lesions, readers and their readings.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance: the same state gives the same crowd.
    images : int
        How many, normal ones included.
    readers : int
        How many in all, the bad ones and the adversaries among them; at most 99.
    readers_per_image : int
        How many different readers read each image.
    dominant : bool
        Whether the same good readers read 85 % of the abnormal images.
    parameters : CrowdParameters, optional
        What to draw from; those fitted on VinBigData if not given.

    Returns
    -------
    SimulatedCrowd
        The crowd. A reader whom no image fell to is left out.

    Raises
    ------
    TooFewReadersError
        If an image cannot have its different readers, in a dominant crowd good ones.

    Notes
    -----
    Lesion *l* of finding *c* has a difficulty *d* shared by all; reader *r* marks it with
    probability ``sigmoid(a_c + u_r + v_rc + d_l)``, names it by a confusion table, and misses
    each edge by a Student t scaled by finding, edge and reader. False marks are Poisson by
    reader and finding.
    """
    parameters = parameters or fitted()
    crowd = reader_model.draw(rng, parameters, readers=readers)
    is_good = np.array(crowd.kinds) == reader_model.GOOD
    if readers_per_image > (is_good.sum() if dominant else readers):
        raise TooFewReadersError(
            f"{is_good.sum()} of {readers} readers are good; expected {readers_per_image} an image"
        )
    image_sizes = _image_sizes(rng, parameters, images)
    is_abnormal = rng.random(images) < parameters.abnormal_share
    abnormal = np.flatnonzero(is_abnormal)
    truth = lesion_model.draw(rng, parameters, abnormal=abnormal, image_sizes=image_sizes)
    readers_of = rng.random((images, readers)).argsort(axis=1)[:, :readers_per_image]
    if dominant:
        is_theirs = rng.random(len(abnormal)) < DOMINANT_SHARE
        readers_of[abnormal[is_theirs]] = np.flatnonzero(is_good)[:readers_per_image]
    seen = mark_model.of_lesions(rng, parameters, crowd, truth, readers_of)
    made_up = mark_model.of_nothing(rng, parameters, crowd, truth, readers_of, image_sizes)
    marks = mark_model.without_repeats(parameters, seen.and_also(made_up))
    table = _table(crowd, readers_of, marks, image_sizes)
    return SimulatedCrowd(table, truth, crowd.only(np.unique(readers_of)), image_sizes)


def _image_sizes(rng: np.random.Generator, parameters: CrowdParameters, images: int) -> Numbers:
    drawn = rng.multivariate_normal(
        parameters.image_size_mean, parameters.image_size_covariance, images
    )
    return np.round(np.clip(np.exp(drawn), SMALLEST_SIDE, LARGEST_SIDE))


def _table(
    crowd: SimulatedReaders, readers_of: Integers, marks: Marks, image_sizes: Numbers
) -> ReadingTable:
    """Return readings under names that sort like their numbers, edges inside the images."""
    digits = len(str(len(readers_of)))
    names = [f"image-{number:0{digits}}" for number in range(1, len(readers_of) + 1)]
    readings = [
        (name, crowd.ids[reader])
        for name, row in zip(names, readers_of.tolist(), strict=True)
        for reader in row
    ]
    marked = [
        (names[image], crowd.ids[reader], finding)
        for image, reader, finding in zip(
            marks.images.tolist(), marks.readers.tolist(), marks.findings.tolist(), strict=True
        )
    ]
    limits = np.tile(image_sizes[marks.images], 2)
    boxes = np.clip(np.round(marks.boxes), 0, limits)
    is_flat = boxes[:, 2:] <= boxes[:, :2]
    boxes[:, 2:] += is_flat
    return ReadingTable.of_rows(readings, marked, boxes)
