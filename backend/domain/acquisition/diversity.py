"""Images that look different from each other."""

import numpy as np
from numpy.typing import NDArray


def normalised(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return features of length 1.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        Any finite numbers.

    Returns
    -------
    ndarray of shape (n, d)
        Rows of length 1; rows of zeros stay as they are.
    """
    single = features.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", single, single))[:, None]
    return np.asarray(
        np.divide(single, lengths, out=np.zeros_like(single), where=lengths > 0.0),
        dtype=np.float32,
    )


def spread_out(
    features: NDArray[np.floating],
    values: NDArray[np.float64],
    *,
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Choose images that are worth much and do not look alike.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        What the images look like.
    values : ndarray of shape (n,)
        What they are worth, from 0 on.
    size : int
        How many are wanted.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of shape (min(size, n),) of int
        Row numbers as they were chosen.

    Notes
    -----
    The seeding of k-means++, weighted: the first image is the one worth most; every further one is
    drawn with probability proportional to its worth times the squared distance, between rows of
    length 1, to the nearest image that was chosen. Always taking the farthest image instead picks
    outliers. Takes time in proportion to ``size · n · d``, so give it a short list.

    References
    ----------
    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    rows = normalised(features)
    wanted = min(size, len(rows))
    chosen: list[int] = []
    is_left = np.ones(len(rows), dtype=np.bool_)
    nearest = np.full(len(rows), np.inf)
    while len(chosen) < wanted:
        weights = np.where(is_left, values, 0.0) * (nearest if chosen else 1.0)
        total = np.cumsum(weights)
        if not chosen or not total[-1] > 0.0:
            row = int(np.argmax(np.where(is_left, values, -1.0)))
        else:
            row = int(np.searchsorted(total, rng.uniform() * total[-1], side="right"))
            row = min(row, int(np.flatnonzero(weights)[-1]))
        chosen.append(row)
        is_left[row] = False
        distances = np.maximum(2.0 - 2.0 * (rows @ rows[row]).astype(np.float64), 0.0)
        nearest = np.minimum(nearest, distances)
    return np.array(chosen, dtype=np.int64)
