"""Images that the model finds empty, and that may hide something."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.abnormality import fit_abnormality
from backend.domain.acquisition.diversity import normalised
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import Numbers, ScoredPool

NEIGHBOURS = 20
"""So many of the read images that look most alike are asked."""

LOOKED_AT = 2000
"""So many unread images are compared with read ones, those that seem most abnormal first."""

_MOST_READ = 4000


class Doubt(IntEnum):
    """What speaks against an image being empty."""

    CLASSIFIER = 0
    NEIGHBOURS = 1
    FORMER_CHAMPION = 2


@dataclass(frozen=True, slots=True, eq=False)
class Missed:
    """How much speaks against images being as empty as the model says.

    Attributes
    ----------
    scores : ndarray of shape (n,), [unitless]
        0 nothing … 1 everything.
    doubts : ndarray of shape (n,) of int
        What says so, as `Doubt`.
    """

    scores: Numbers
    doubts: NDArray[np.int64]


def missed_findings(pool: ScoredPool, evidence: Evidence, *, rng: np.random.Generator) -> Missed:
    """Return how likely the model is to have missed something.

    Parameters
    ----------
    pool : ScoredPool
        The images.
    evidence : Evidence
        What was read; without features only the pool's own columns speak.
    rng : numpy.random.Generator
        Draws some of very many read images.

    Returns
    -------
    Missed
        By row of the pool.

    Notes
    -----
    ``M = max of g (1 - p), k (1 - p), u``: p is the image's highest score, g its `abnormality`
    (from a classifier fitted to the evidence if the pool has none), k the share of images with
    findings among its `NEIGHBOURS` nearest read ones by cosine, and u the highest score of the
    previous champion's boxes that this one does not mark. Neighbours are looked up for `LOOKED_AT`
    images only, so that the time does not grow with pool times readings.
    """
    confidence = 1.0 - pool.best.max(axis=1, initial=0.0)
    doubts = np.zeros((len(Doubt), len(pool)))
    head = _abnormality(pool, evidence, rng)
    if head is not None:
        doubts[Doubt.CLASSIFIER] = head * confidence
        if evidence.features is not None and pool.features is not None:
            rows = _short_list(pool, doubts[Doubt.CLASSIFIER] * pool.features.any(axis=1))
            shares = _positive_neighbours(pool.features[rows], evidence, rng)
            doubts[Doubt.NEIGHBOURS, rows] = shares * confidence[rows]
    if pool.unmatched is not None:
        doubts[Doubt.FORMER_CHAMPION] = pool.unmatched
    return Missed(doubts.max(axis=0), doubts.argmax(axis=0))


def _abnormality(pool: ScoredPool, evidence: Evidence, rng: np.random.Generator) -> Numbers | None:
    """Return the probability of any finding; None when nothing tells it."""
    if pool.abnormality is not None:
        return pool.abnormality
    if pool.features is None or evidence.features is None or evidence.is_positive is None:
        return None
    head = fit_abnormality(evidence.features, evidence.is_positive, rng=rng)
    if head is None:
        return None
    return np.where(pool.features.any(axis=1), head.probabilities(pool.features), 0.0)


def _short_list(pool: ScoredPool, doubts: Numbers) -> NDArray[np.int64]:
    """Return the candidates that the classifier doubts most, equal ones by image id.

    It doubts none of which it is not known what they look like.
    """
    rows = np.flatnonzero(pool.is_candidate & (doubts > 0.0))
    order = np.lexsort((pool.image_ids[rows], -doubts[rows]))
    return np.asarray(rows[order[:LOOKED_AT]], dtype=np.int64)


def _positive_neighbours(
    features: NDArray[np.floating], evidence: Evidence, rng: np.random.Generator
) -> Numbers:
    """Return the share of images with findings among the nearest read ones."""
    assert evidence.features is not None  # noqa: S101 - the caller has looked
    assert evidence.is_positive is not None  # noqa: S101
    read: NDArray[np.int64] = np.arange(len(evidence.is_positive))
    if len(read) > _MOST_READ:
        read = np.sort(rng.choice(len(read), _MOST_READ, replace=False))
    neighbours = min(NEIGHBOURS, len(read))
    likeness = normalised(features) @ normalised(evidence.features[read]).T
    nearest = np.argpartition(-likeness, neighbours - 1, axis=1)[:, :neighbours]
    return np.asarray(evidence.is_positive[read][nearest].mean(axis=1), dtype=np.float64)
