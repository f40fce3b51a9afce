"""Ridge logistic regression with an offset, pooled over the findings and then per finding."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.reading_table import Numbers

Array: TypeAlias = NDArray[np.float64]
Slope: TypeAlias = Callable[[Array, NDArray[np.intp] | slice], tuple[Array, Array]]
"""From the linear term and the rows in question to score and information per row."""

_POOLED_RIDGE = 20.0
_FEWEST_ROWS = 20
_POOLED_STEPS = 8
_FINDING_STEPS = 4
_CHUNK_PRODUCTS = 1 << 18


def sigmoid(logits: Array) -> Array:
    """Return probabilities of log-odds, without overflow.

    Parameters
    ----------
    logits : ndarray
        Any numbers.

    Returns
    -------
    ndarray
        In (0, 1).
    """
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -40.0, 40.0))), dtype=np.float64)


def logit(probabilities: Array, *, least: float = 1e-9) -> Array:
    """Return log-odds of probabilities.

    Parameters
    ----------
    probabilities : ndarray
        In [0, 1].
    least : float
        What is nearer to 0 or 1 than this is moved to there.

    Returns
    -------
    ndarray
        Finite numbers.
    """
    safe = np.clip(probabilities, least, 1.0 - least)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)


def binary_slope(observed: Array, offset: Array) -> Slope:
    """Return the likelihood's slope for ``P(observed) = sigmoid(offset + linear)``.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        1 or 0.
    offset : ndarray of shape (n,)
        Log-odds before anything was learned.

    Returns
    -------
    Slope
        For `fit_by_finding`.
    """

    def slope(linear: Array, rows: NDArray[np.intp] | slice) -> tuple[Array, Array]:
        probability = sigmoid(offset[rows] + linear)
        return observed[rows] - probability, probability * (1.0 - probability)

    return slope


def mixture_slope(observed: Array, offset: Array, seen: Array, chance: float) -> Slope:
    """Return the slope for ``P(observed) = chance + (seen - chance) sigmoid(offset + linear)``.

    Parameters
    ----------
    observed : ndarray of shape (n,)
        1 or 0.
    offset : ndarray of shape (n,)
        Log-odds of the hidden cause before anything was learned.
    seen : ndarray of shape (n,)
        Probability of the observation given the cause.
    chance : float
        Probability of the observation without the cause.

    Returns
    -------
    Slope
        For `fit_by_finding`; the information is the expected one (Fisher scoring).
    """

    def slope(linear: Array, rows: NDArray[np.intp] | slice) -> tuple[Array, Array]:
        cause = sigmoid(offset[rows] + linear)
        rise = (seen[rows] - chance) * cause * (1.0 - cause)
        expected = chance + (seen[rows] - chance) * cause
        variance = np.clip(expected * (1.0 - expected), 1e-4, None)
        return (observed[rows] - expected) * rise / variance, rise**2 / variance

    return slope


def fit_by_finding(features: Array, findings: Numbers, slope: Slope, *, ridge: float) -> Array:
    """Return coefficients per finding, drawn towards those of all findings together.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        One row per observation.
    findings : ndarray of shape (n,)
        The finding of each row.
    slope : Slope
        The likelihood.
    ridge : float
        How strongly each finding is drawn towards all of them.

    Returns
    -------
    ndarray of shape (14, d)
        Ridge 20 towards zero for all rows, then the given one towards that result for the rows
        of a finding; findings with fewer than 20 rows keep the common result.
    """
    zero = np.zeros(features.shape[1])
    common = _newton(features, slope, slice(None), zero, _POOLED_RIDGE, _POOLED_STEPS)
    coefficients = np.tile(common, (len(Finding), 1))
    for finding in Finding:
        rows = np.flatnonzero(findings == finding)
        if len(rows) >= _FEWEST_ROWS:
            coefficients[finding] = _newton(
                features[rows], slope, rows, common, ridge, _FINDING_STEPS
            )
    return coefficients


def _newton(
    features: Array,
    slope: Slope,
    rows: NDArray[np.intp] | slice,
    centre: Array,
    ridge: float,
    steps: int,
) -> Array:
    """Return the ridge estimate around a centre, starting there."""
    found = centre.copy()
    for _ in range(steps):
        score, information = slope(np.einsum("nd,d->n", features, found), rows)
        gradient = np.einsum("nd,n->d", features, score) - ridge * (found - centre)
        hessian = _weighted_gram(features, information)
        hessian[np.diag_indices_from(hessian)] += ridge
        step = np.clip(np.linalg.solve(hessian, gradient), -1.0, 1.0)
        found += step
        if np.abs(step).max() < 1e-4:
            break
    return found


def _weighted_gram(features: Array, weights: Array) -> Array:
    """Return ``features' diag(weights) features``.

    In chunks so small that BLAS takes them in one thread: its threads would wait for each other
    on a busy machine (measured: 40 times slower), and the sum would depend on their number.
    """
    size = _CHUNK_PRODUCTS // features.shape[1] ** 2
    whole = len(features) // size * size
    chunks = features[:whole].reshape(-1, size, features.shape[1])
    weighted = chunks * weights[:whole].reshape(-1, size, 1)
    rest = features[whole:]
    sums = np.matmul(weighted.transpose(0, 2, 1), chunks).sum(axis=0)
    return np.asarray(sums + (rest * weights[whole:, None]).T @ rest)
