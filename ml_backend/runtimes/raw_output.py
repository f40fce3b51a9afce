"""What a network says of a batch of frames, and the runtimes that make it say so."""

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Frames: TypeAlias = NDArray[np.uint8]
"""Grey frames of one size, shape (images, height, width)."""

OUTPUTS = ("logits", "distances", "features")
"""What a network gives, by name: numbers of shape (images, findings, places) before the sigmoid;
(images, 4 * bins, places) from a place to the four edges; (images, f) of the neck."""

CANDIDATES_PER_FINDING = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The places of a batch at which a network sees something, in this machine's memory.

    Attributes
    ----------
    shape : (int, int)
        How many images there were, and how many findings the network knows.
    images, findings, places : ndarray of shape (n,)
        Which frame, which class id, and where.
    logits : ndarray of shape (n,)
        Before the sigmoid.
    distances : ndarray of shape (n, 4 * bins), [stride]
        From the place to the four edges; with several bins, logits of a distribution over them.
    features : ndarray of shape (images, f)
        Mean and maximum of every channel of the neck.
    is_finite : bool
        Whether every score of the network, seen or not, can be trusted to be a number.
    """

    shape: tuple[int, int]
    images: NDArray[np.int64]
    findings: NDArray[np.int64]
    places: NDArray[np.int64]
    logits: NDArray[np.float32]
    distances: NDArray[np.float32]
    features: NDArray[np.float32]
    is_finite: bool


class Runtime(Protocol):
    """Runs one network; safe to call from several threads."""

    @property
    def name(self) -> str:
        """What runs, on what, how precisely: for people."""
        ...

    @property
    def batch_size(self) -> int:
        """How many frames are worth one pass."""
        ...

    @property
    def workers(self) -> int:
        """How many threads keep the device busy."""
        ...

    def look(self, frames: Frames, least_logit: float) -> Candidates:
        """Run the network, and keep of what it says the places that count.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8; both sides multiples of the largest stride.
        least_logit : float
            Places below count for nothing.

        Returns
        -------
        Candidates
            At most `CANDIDATES_PER_FINDING` of every finding and image, the surest.
        """
        ...

    def forward(self, frames: Frames) -> object:
        """Run the network and nothing else, to measure what the rest costs.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.

        Returns
        -------
        sequence
            `OUTPUTS`, wherever the network ran.
        """
        ...


def select(
    logits: NDArray[np.float32],
    distances: NDArray[np.float32],
    features: NDArray[np.float32],
    *,
    least_logit: float,
) -> Candidates:
    """Keep the places that count.

    Parameters
    ----------
    logits : ndarray of shape (images, findings, places)
        Before the sigmoid.
    distances : ndarray of shape (images, 4 * bins, places)
        From the places to the edges.
    features : ndarray of shape (images, f)
        Of the neck.
    least_logit : float
        Places below count for nothing.

    Returns
    -------
    Candidates
        Copies: the arrays may be used again.
    """
    images, findings, places = logits.shape
    found = np.flatnonzero(logits.ravel() >= least_logit)
    group, place = np.divmod(found, places)
    if len(found) > CANDIDATES_PER_FINDING:
        surest = np.argsort(-logits.ravel()[found], kind="stable")
        surest = surest[ranks(group[surest]) < CANDIDATES_PER_FINDING]
        group, place = group[surest], place[surest]
    image, finding = np.divmod(group, findings)
    return Candidates(
        (images, findings),
        image,
        finding,
        place,
        logits[image, finding, place],
        distances[image, :, place],
        features.copy(),
        is_finite=math.isfinite(logits.sum()),
    )


def ranks(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many elements of the same group stand before each element.

    Parameters
    ----------
    group : ndarray of shape (n,)
        Of every element.

    Returns
    -------
    ndarray of shape (n,)
        From 0.

    Examples
    --------
    >>> ranks(np.array([7, 3, 7, 7, 3]))
    array([0, 0, 1, 2, 1])
    """
    order = np.argsort(group, kind="stable")
    position = np.arange(len(group))
    is_first = np.ones(len(group), dtype=bool)
    is_first[1:] = group[order[1:]] != group[order[:-1]]
    result = np.empty(len(group), dtype=np.int64)
    result[order] = position - np.maximum.accumulate(np.where(is_first, position, 0))
    return result
