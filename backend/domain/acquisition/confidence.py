"""How unsure a model is of a box."""

import numpy as np
from numpy.typing import NDArray


class InvalidScoreError(ValueError):
    """A score is not a probability."""


def binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of yes-or-no questions.

    Parameters
    ----------
    p : ndarray, [unitless]
        Probabilities of "yes", in [0, 1], of any shape.

    Returns
    -------
    ndarray of the same shape, [bit]
        In [0, 1]: 0 sure (p is 0 or 1) … 1 unsure (p is 0.5).

    Raises
    ------
    InvalidScoreError
        If a number is not in [0, 1], or not a number.

    Notes
    -----
    ``h(p) = -p log2(p) - (1 - p) log2(1 - p)``, with ``0 log2(0) = 0``.

    Examples
    --------
    >>> binary_entropy(np.array([0.0, 0.5, 1.0]))
    array([0., 1., 0.])
    """
    wrong = p[~((p >= 0.0) & (p <= 1.0))]
    if wrong.size:
        raise InvalidScoreError(
            f"expected scores in [0, 1], got {wrong.flat[0]}; check the detector's output"
        )
    both = np.stack([p, 1.0 - p])
    logarithms = np.log2(both, out=np.zeros_like(both), where=both > 0.0)
    # `+ 0.0` turns the negative zero of a sure answer into zero.
    return np.asarray(-(both * logarithms).sum(axis=0) + 0.0, dtype=np.float64)
