"""What simulated readers mark."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from backend.domain.boxes import Boxes
from backend.domain.findings import Finding
from benchmarks.simulated_crowd import lesions as lesion_model
from benchmarks.simulated_crowd.lesions import Lesions
from benchmarks.simulated_crowd.pairs import Integers, overlaps, pairs_within
from benchmarks.simulated_crowd.parameters import CrowdParameters, Numbers
from benchmarks.simulated_crowd.readers import SimulatedReaders

OWN_OVERLAP = 0.2
"""IoU above which a reader would not mark a finding twice."""
LARGEST_ERROR = 0.45
"""Of an edge, as a share of the box's side; two such leave a tenth of it."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks as columns: image and reader by position, class id, box in pixels."""

    images: Integers
    readers: Integers
    findings: Integers
    boxes: Boxes

    def only(self, rows: NDArray[np.bool_]) -> "Marks":
        """Return some of the marks.

        Parameters
        ----------
        rows : ndarray of shape (n,)
            Which stay.

        Returns
        -------
        Marks
            Those, in the same order.
        """
        return Marks(self.images[rows], self.readers[rows], self.findings[rows], self.boxes[rows])

    def and_also(self, other: "Marks") -> "Marks":
        """Return these marks, then the others.

        Parameters
        ----------
        other : Marks
            More of them.

        Returns
        -------
        Marks
            All.
        """
        return Marks(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.readers, other.readers]),
            np.concatenate([self.findings, other.findings]),
            np.concatenate([self.boxes, other.boxes]),
        )


def of_lesions(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    readers: SimulatedReaders,
    lesions: Lesions,
    readers_of: Integers,
) -> Marks:
    """Draw who sees which lesion, what it is called and where its edges are put.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    parameters : CrowdParameters
        What to draw from.
    readers : SimulatedReaders
        The crowd.
    lesions : Lesions
        What there is to see.
    readers_of : ndarray of shape (images, k)
        Who reads each image.

    Returns
    -------
    Marks
        Of true lesions, some under a wrong name.
    """
    seats = readers_of.shape[1]
    lesion = np.repeat(np.arange(len(lesions.images)), seats)
    reader = readers_of[lesions.images].ravel()
    chance = special.expit(
        readers.sensitivity[reader, lesions.findings[lesion]] + lesions.difficulty[lesion]
    )
    is_hit = _luck(rng, parameters, lesions, lesion, reader) < chance
    lesion, reader = lesion[is_hit], reader[is_hit]
    findings = lesions.findings[lesion]
    boxes = _drawn(rng, parameters, readers, reader, findings, lesions.boxes[lesion])
    boxes = _one_rectangle(rng, parameters, lesions.places[lesion] * 1000 + reader, boxes)
    named = _names(rng, parameters.confusion, findings, otherwise=findings)
    is_random = readers.is_adversary[reader]
    named = np.where(is_random, rng.integers(0, len(Finding), len(named)), named)
    second = _names(rng, parameters.second_name, findings, otherwise=named)
    hits = Marks(lesions.images[lesion], reader, named, boxes)
    is_new = second != named
    return hits.and_also(Marks(hits.images[is_new], reader[is_new], second[is_new], boxes[is_new]))


def of_nothing(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    readers: SimulatedReaders,
    lesions: Lesions,
    readers_of: Integers,
    image_sizes: Numbers,
) -> Marks:  # fmt: skip
    """Draw the marks where there is nothing.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    parameters : CrowdParameters
        What to draw from.
    readers : SimulatedReaders
        The crowd.
    lesions : Lesions
        What there is to see; images without any get fewer false marks.
    readers_of : ndarray of shape (images, k)
        Who reads each image.
    image_sizes : ndarray of shape (images, 2), [px]
        Width and height.

    Returns
    -------
    Marks
        False ones, where the finding is usually seen; an adversary's anywhere.
    """
    images = np.repeat(np.arange(len(readers_of)), readers_of.shape[1])
    reading_readers = readers_of.ravel()
    factor = _false_factors(parameters, lesions, len(readers_of))
    counts = rng.poisson(readers.false_marks[reading_readers] * factor[images])
    cells, names = np.nonzero(counts)
    rows, findings = (np.repeat(one, counts[cells, names]) for one in (cells, names))
    reader = reading_readers[rows]
    elsewhere = rng.integers(0, len(Finding), len(findings))
    looked_for = np.where(readers.is_adversary[reader], elsewhere, findings)
    places = lesion_model.places(rng, parameters, looked_for)
    boxes = lesion_model.to_pixels(places, image_sizes[images[rows]])
    return Marks(images[rows], reader, findings, boxes)


def without_repeats(parameters: CrowdParameters, marks: Marks) -> Marks:
    """Leave out what no reader would mark beside an earlier mark of the same finding.

    Parameters
    ----------
    parameters : CrowdParameters
        Which findings there are once at most.
    marks : Marks
        Any.

    Returns
    -------
    Marks
        Without a reader's later marks that overlap an earlier one of the finding, or that are
        of a finding which there is once at most.
    """
    key = (marks.images * 100 + marks.readers) * 100 + marks.findings
    order = np.argsort(key, kind="stable")
    firsts, seconds = pairs_within(key[order])
    earlier, later = order[firsts], order[seconds]
    is_repeat = overlaps(marks.boxes[earlier], marks.boxes[later]) > OWN_OVERLAP
    is_repeat |= np.isinf(parameters.lesion_spread)[marks.findings[later]]
    is_kept = np.ones(len(key), dtype=np.bool_)
    is_kept[later[is_repeat]] = False
    return marks.only(is_kept)


def _luck(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    lesions: Lesions,
    lesion: Integers,
    reader: Integers,
) -> Numbers:
    """Return uniform numbers, alike for a reader's lesions of one finding on an image."""
    key = (lesions.images[lesion] * 100 + reader) * 100 + lesions.findings[lesion]
    groups, inverse = np.unique(key, return_inverse=True)
    shared = rng.normal(size=len(groups))[inverse] * np.sqrt(parameters.hit_correlation)
    own = rng.normal(size=len(key)) * np.sqrt(1 - parameters.hit_correlation)
    return np.asarray(special.ndtr(shared + own), dtype=np.float64)


def _false_factors(parameters: CrowdParameters, lesions: Lesions, images: int) -> Numbers:
    """Return what the false marks are multiplied by, on every image by finding."""
    is_there = np.zeros((images, len(Finding)), dtype=np.bool_)
    is_there[lesions.images, lesions.findings] = True
    is_abnormal = is_there.any(axis=1, keepdims=True)
    prevalence = is_there.sum(axis=0) / max(is_abnormal.sum(), 1)
    beside = parameters.false_beside_true * is_there / np.maximum(prevalence, 0.01)
    factors = 1 - parameters.false_beside_true + beside
    return np.where(is_abnormal, factors, parameters.normal_false_factor)


def _drawn(
    rng: np.random.Generator,
    parameters: CrowdParameters,
    readers: SimulatedReaders,
    reader: Integers,
    findings: Integers,
    boxes: Boxes,
) -> Boxes:  # fmt: skip
    """Return true boxes as readers draw them: each edge with its error, all edges biased."""
    noise = rng.standard_t(parameters.edge_noise_freedom, boxes.shape)
    errors = noise * parameters.edge_noise[findings] * readers.edge_noise[reader, None]
    errors += readers.size_bias[reader, None] * np.array([-1.0, -1.0, 1.0, 1.0])
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return boxes + np.clip(errors, -LARGEST_ERROR, LARGEST_ERROR) * sides


def _one_rectangle(
    rng: np.random.Generator, parameters: CrowdParameters, groups: Integers, boxes: Boxes
) -> Boxes:
    """Give a reader's marks at one place the rectangle of the first, as often as readers do."""
    _, firsts, inverse = np.unique(groups, return_index=True, return_inverse=True)
    is_same = rng.random(len(groups)) < parameters.same_rectangle
    return np.where(is_same[:, None], boxes[firsts[inverse]], boxes)


def _names(
    rng: np.random.Generator, shares: Numbers, findings: Integers, *, otherwise: Integers
) -> Integers:
    """Return a name drawn by the finding's row of shares, or the other where none is drawn."""
    reached = np.cumsum(shares, axis=1)[findings]
    drawn = (reached <= rng.random(len(findings))[:, None]).sum(axis=1)
    return np.where(drawn < shares.shape[1], drawn, otherwise)
