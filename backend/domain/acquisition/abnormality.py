"""Whether an image shows anything at all, told from what it looks like to the detector."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_OF_A_KIND = 20
"""So many read images with findings, and as many without, are needed."""

MOST_IMAGES = 4000
"""Of more read images than this, so many are drawn: the result hardly changes, the time does."""

_LOG_ODDS_DEVIATION = 2.0
_STEPS = 12
_SURE_LOG_ODDS = 30.0
_CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class AbnormalityHead:
    """A logistic classifier of whole images on a detector's pooled features.

    Attributes
    ----------
    centre, scale : ndarray of shape (d,)
        Mean and standard deviation of the features that it was fitted to.
    coefficients : ndarray of shape (d + 1,)
        Of the standardised features; the last one stands alone.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def probabilities(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return how likely images are to show a finding.

        Parameters
        ----------
        features : ndarray of shape (n, d)
            What they look like.

        Returns
        -------
        ndarray of shape (n,), [unitless]
            In (0, 1).
        """
        found = np.empty(len(features))
        for start in range(0, len(features), _CHUNK):
            rows = _standardised(features[start : start + _CHUNK], self.centre, self.scale)
            # row by row, so that an image gets the same number wherever it stands
            found[start : start + _CHUNK] = np.einsum("nd,d->n", rows, self.coefficients)
        return _sigmoid(found)


def fit_abnormality(
    features: NDArray[np.floating], is_positive: NDArray[np.bool_], *, rng: np.random.Generator
) -> AbnormalityHead | None:
    """Fit the classifier to what was read.

    Parameters
    ----------
    features : ndarray of shape (m, d)
        What read images look like.
    is_positive : ndarray of shape (m,) of bool
        Whether they show any finding.
    rng : numpy.random.Generator
        Draws `MOST_IMAGES` of more.

    Returns
    -------
    AbnormalityHead or None
        None with fewer than `FEWEST_OF_A_KIND` images of either kind.

    Notes
    -----
    Ridge logistic regression on standardised features by Newton's method. The ridge, ``d / 4``, is
    the prior under which the log-odds of an image have a standard deviation of 2.
    """
    if len(is_positive) > MOST_IMAGES:
        drawn = np.sort(rng.choice(len(is_positive), MOST_IMAGES, replace=False))
        features, is_positive = features[drawn], is_positive[drawn]
    if min(is_positive.sum(), (~is_positive).sum()) < FEWEST_OF_A_KIND:
        return None
    centre = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 0.0, scale, 1.0)
    rows = _standardised(features, centre, scale)
    ridge = np.full(rows.shape[1], (rows.shape[1] - 1) / _LOG_ODDS_DEVIATION**2)
    ridge[-1] = 1e-6
    coefficients = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        probability = _sigmoid(rows @ coefficients)
        gradient = rows.T @ (is_positive - probability) - ridge * coefficients
        weighted = rows * (probability * (1.0 - probability))[:, None]
        step = np.linalg.solve(rows.T @ weighted + np.diag(ridge), gradient)
        coefficients += step
        if np.abs(step).max() < 1e-4:
            break
    return AbnormalityHead(centre, scale, coefficients)


def _standardised(
    features: NDArray[np.floating], centre: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return standardised features, with a column of ones behind."""
    rows = np.ones((len(features), features.shape[1] + 1))
    rows[:, :-1] = (features - centre) / scale
    return rows


def _sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    safe = np.clip(log_odds, -_SURE_LOG_ODDS, _SURE_LOG_ODDS)
    return np.asarray(1.0 / (1.0 + np.exp(-safe)), dtype=np.float64)
