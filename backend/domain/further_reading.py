"""What one more reading of images that have been read is expected to tell."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.panels import vote_gain
from backend.domain.consensus.clusters import Cluster, ClusterState
from backend.domain.consensus.logistic import sigmoid
from backend.domain.consensus.reader_skill import DIFFICULTIES, DIFFICULTY_SHARES
from backend.domain.findings import Finding

Numbers = NDArray[np.float64]


def further_gains(images: Sequence[Sequence[Cluster]]) -> Numbers:
    """Return what a further reading of each read image is expected to tell.

    Parameters
    ----------
    images : sequence of sequence of Cluster
        What the readers of n images say together, or nothing.

    Returns
    -------
    ndarray of shape (n, 14), [bit]
        By finding; the sum over an image's clusters. What adjudicators decided gains nothing
        more.

    See Also
    --------
    backend.domain.acquisition.panels.vote_gain : What a vote on one lesion tells.
    """
    rows = [
        (row * len(Finding) + one.finding, one.p_true, one.score)
        for row, clusters in enumerate(images)
        for one in clusters
        if one.state is not ClusterState.ADJUDICATED
    ]
    cells, p_true, scores = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    number = len(images) * len(Finding)
    sums = np.bincount(cells.astype(np.int64), vote_gain(p_true, scores), minlength=number)
    return np.asarray(sums, dtype=np.float64).reshape(len(images), len(Finding))


def typical_sensitivity(next_logit: Numbers) -> Numbers:
    """Return how probably the next reader marks a lesion of each finding.

    Parameters
    ----------
    next_logit : ndarray of shape (14,)
        `Skill.next_logit` of the panel.

    Returns
    -------
    ndarray of shape (14,)
        In (0, 1), averaged over easy and hard lesions.
    """
    return np.asarray(sigmoid(next_logit[:, None] + DIFFICULTIES) @ DIFFICULTY_SHARES)
