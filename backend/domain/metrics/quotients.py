"""Quotients of sums that may be over nothing."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Summed: TypeAlias = NDArray[np.float64] | NDArray[np.int64]


def quotient(numerator: Summed, denominator: Summed) -> Numbers:
    """Return numerator over denominator, NaN where the denominator is 0.

    Parameters
    ----------
    numerator, denominator : ndarray
        Of shapes that broadcast.

    Returns
    -------
    ndarray
        Of the common shape.

    Examples
    --------
    >>> quotient(np.array([1.0, 0.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result
