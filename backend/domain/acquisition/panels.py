"""How many readers an image needs, and what one more reading of it is worth.

Every image starts with two readers. What a further reading tells is measured in the same unit
whether it is the first or the third: by how many bits it is expected to reduce what is not known
of the image.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.batch import Shares
from backend.domain.acquisition.confidence import binary_entropy
from backend.domain.findings import Finding

Numbers = NDArray[np.float64]

COINCIDENCE = 0.03
"""Probability that a reader marks a place where nothing is; the consensus uses the same."""

FIRST_READERS = 2
"""So many read every image before anybody asks whether that is enough."""

WORTH_ASKING_BITS = 0.1
"""A further reading that tells less than this is not asked for; see docs/queue.md."""


MOST_FURTHER = 0.5
"""Share of a batch that is read once more, at most: a model learns from images, not from votes."""


@dataclass(frozen=True, slots=True)
class PanelRules:
    """How many readers an image gets.

    Attributes
    ----------
    most : int
        Of a fixed panel the number of readers of every image; else of a disputed one.
    is_adaptive : bool
        Whether an image starts with two readers and gets more only while they leave it
        uncertain.
    """

    most: int
    is_adaptive: bool = False

    def readings_wanted(self, readings: int, gain_bits: float) -> int:
        """Return how many readings an image is to have in all, as far as is known now.

        Parameters
        ----------
        readings : int
            How many it has.
        gain_bits : float, [bit]
            What one more would tell; 0 for an image that nobody has read.

        Returns
        -------
        int
            Fixed: `most`. Adaptive: two; one more than it has while a further reading is worth
            asking for and there are fewer than `most`.

        Examples
        --------
        >>> rules = PanelRules(most=4, is_adaptive=True)
        >>> [rules.readings_wanted(n, 0.3) for n in (0, 1, 2, 3, 4)]
        [2, 2, 3, 4, 4]
        >>> [rules.readings_wanted(n, 0.02) for n in (0, 1, 2, 3, 4)]
        [2, 2, 2, 2, 2]
        """
        if not self.is_adaptive:
            return self.most
        first = min(FIRST_READERS, self.most)
        if readings < first or gain_bits < WORTH_ASKING_BITS:
            return first
        return min(readings + 1, self.most)


def vote_gain(p_true: Numbers, next_mark: Numbers) -> Numbers:
    """Return what one more vote is expected to tell about lesions.

    Parameters
    ----------
    p_true : ndarray of shape (k,)
        Probability in [0, 1] that each lesion is real.
    next_mark : ndarray of shape (k,)
        Probability in [0, 1] that the next reader marks it.

    Returns
    -------
    ndarray of shape (k,), [bit]
        From 0, nothing, to 1.

    Notes
    -----
    The mutual information of the truth and the vote. With ``p = p_true``, ``q = next_mark`` and
    e the probability that a reader marks a place where nothing is (`COINCIDENCE`),

    ``gain = h(p) - q h(p1) - (1 - q) h(p0)``,
    ``p1 = 1 - (1 - p) e / q`` after a mark, ``p0 = 1 - (1 - p) (1 - e) / (1 - q)`` after silence,

    h being `binary_entropy`. A sure lesion, or one that no reader could see better than chance,
    gains nothing.

    Examples
    --------
    >>> vote_gain(np.array([0.5, 0.99, 0.01]), np.array([0.4, 0.7, 0.04])).round(2)
    array([0.48, 0.02, 0.05])
    """
    absent = 1.0 - p_true
    q = np.clip(next_mark, absent * COINCIDENCE, 1.0 - absent * (1.0 - COINCIDENCE))
    marked = 1.0 - np.divide(absent * COINCIDENCE, q, out=np.ones_like(q), where=q > 0.0)
    silent = 1.0 - np.divide(
        absent * (1.0 - COINCIDENCE), 1.0 - q, out=np.ones_like(q), where=q < 1.0
    )
    after = q * _entropy(marked) + (1.0 - q) * _entropy(silent)
    return np.maximum(_entropy(p_true) - after, 0.0)


def first_gains(probabilities: Numbers, sensitivity: Numbers) -> Numbers:
    """Return what a first reading of each unread image is expected to tell.

    Parameters
    ----------
    probabilities : ndarray of shape (n, 14)
        Probability in [0, 1] that each image shows each finding: the model's calibrated score, or
        how common the finding is where no model has seen the image.
    sensitivity : ndarray of shape (14,)
        Probability in (0, 1) that the next reader marks a lesion of each finding.

    Returns
    -------
    ndarray of shape (n,), [bit]
        The sum over the findings of what the reader's vote on each tells.
    """
    gains = np.zeros(len(probabilities))
    for finding in Finding:  # one at a time: a pool may have a million rows
        p_true = probabilities[:, finding]
        gains += vote_gain(p_true, p_true * sensitivity[finding] + (1.0 - p_true) * COINCIDENCE)
    return gains


def count_further(first: Numbers, further: Numbers, *, size: int) -> int:
    """Return how many of the next readings should be further ones of read images.

    Parameters
    ----------
    first : ndarray of shape (m,), [bit/min]
        What a first reading of each unread image tells per minute.
    further : ndarray of shape (n,), [bit/min]
        What a further reading of each read image tells per minute.
    size : int
        How many readings are to be given out.

    Returns
    -------
    int
        How many of the `size` most telling readings, both kinds taken together, are further
        ones; among equals the first reading comes first.

    Examples
    --------
    >>> count_further(np.array([2.0, 0.5, 0.1]), np.array([1.0, 0.2]), size=3)
    1
    """
    both = np.concatenate([first, further])
    is_further = np.arange(len(both)) >= len(first)
    order = np.lexsort((is_further, -both))
    return int(is_further[order[:size]].sum())


def divide(shares: Shares, first: Numbers, further: Numbers, *, size: int) -> Shares:
    """Return shares in which further readings have what they are worth.

    Parameters
    ----------
    shares : Shares
        How the rest of a batch is divided; its `reread` is replaced.
    first, further : ndarray, [bit/min]
        As for `count_further`.
    size : int
        How many images the batch has.

    Returns
    -------
    Shares
        At most `MOST_FURTHER` of the batch, beside the random part, is read once more.
    """
    others = shares.quota + shares.uncertain + shares.missed
    if not size or not others:
        return shares
    part = min(count_further(first, further, size=size) / size, MOST_FURTHER)
    return replace(shares, reread=others * part / (1.0 - part))


def _entropy(p: Numbers) -> Numbers:
    return binary_entropy(np.clip(p, 0.0, 1.0))
