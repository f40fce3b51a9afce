"""Whether probabilities mean what they say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.metrics.quotients import Numbers

BINS = 15


class UncheckableProbabilityError(ValueError):
    """Probabilities and observations do not belong together or are not in [0, 1]."""


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """What was observed where something was predicted, in bins of equally many predictions.

    Attributes
    ----------
    predicted : ndarray of shape (b,), [unitless]
        Mean prediction of each bin in [0, 1], rising.
    observed : ndarray of shape (b,), [unitless]
        Share of each bin that came true, in [0, 1].
    counts : ndarray of shape (b,), [predictions]
        How many each bin holds, at least 1; no two differ by more than 1.
    """

    predicted: Numbers
    observed: Numbers
    counts: NDArray[np.int64]


def brier_score(predicted: Numbers, observed: Numbers) -> float | None:
    """Return the mean squared difference of prediction and observation.

    Parameters
    ----------
    predicted : ndarray of shape (n,), [unitless]
        Probabilities in [0, 1].
    observed : ndarray of shape (n,), [unitless]
        What happened: 1 or 0, or a share in between.

    Returns
    -------
    float or None
        0 always sure and right … 0.25 always "perhaps" … 1 always sure and wrong; None without
        predictions.

    Raises
    ------
    UncheckableProbabilityError
        If the two differ in length or a number is not in [0, 1].

    References
    ----------
    G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 78, 1950, 1-3.

    Examples
    --------
    >>> brier_score(np.array([1.0, 0.5]), np.array([1.0, 0.0]))
    0.125
    """
    _check(predicted, observed)
    return float(((predicted - observed) ** 2).mean()) if len(predicted) else None


def expected_calibration_error(
    predicted: Numbers, observed: Numbers, *, bins: int = BINS
) -> float | None:
    """Return how far predictions are from what is observed, in bins of equally many.

    Parameters
    ----------
    predicted : ndarray of shape (n,), [unitless]
        Probabilities in [0, 1].
    observed : ndarray of shape (n,), [unitless]
        What happened: 1 or 0, or a share in between.
    bins : int
        How many, at least 1; with fewer predictions there are fewer bins.

    Returns
    -------
    float or None
        0 calibrated … 1 always sure and wrong; None without predictions.

    Raises
    ------
    UncheckableProbabilityError
        If the two differ in length, a number is not in [0, 1], or there is no bin.

    See Also
    --------
    reliability_curve : The bins.

    Notes
    -----
    ``sum_b n_b / n |mean predicted - mean observed|``. A model that is right on average within
    every bin has 0 however little it can tell apart; read it beside the Brier score.

    References
    ----------
    M. P. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015.

    Examples
    --------
    >>> expected_calibration_error(np.array([0.25, 0.25, 1.0]), np.array([0.0, 1.0, 1.0]), bins=1)
    ... # mean 0.5 against 2/3
    0.16666666666666663
    """
    curve = reliability_curve(predicted, observed, bins=bins)
    if not len(curve.counts):
        return None
    return float(np.average(np.abs(curve.predicted - curve.observed), weights=curve.counts))


def reliability_curve(
    predicted: Numbers, observed: Numbers, *, bins: int = BINS
) -> ReliabilityCurve:
    """Return what was observed where something was predicted.

    Parameters
    ----------
    predicted : ndarray of shape (n,), [unitless]
        Probabilities in [0, 1].
    observed : ndarray of shape (n,), [unitless]
        What happened: 1 or 0, or a share in between.
    bins : int
        How many, at least 1; with fewer predictions there are fewer bins.

    Returns
    -------
    ReliabilityCurve
        The bins by rising prediction.

    Raises
    ------
    UncheckableProbabilityError
        If the two differ in length, a number is not in [0, 1], or there is no bin.

    Notes
    -----
    Predictions are sorted stably and cut into bins of equal size, the first ones holding one
    more where they do not divide. Equal predictions may fall into two bins, in the order given.
    """
    _check(predicted, observed)
    if bins < 1:
        raise UncheckableProbabilityError(f"expected at least 1 bin, got {bins}")
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, min(bins, len(order))) if len(order) else []
    return ReliabilityCurve(
        np.array([predicted[part].mean() for part in parts], dtype=np.float64),
        np.array([observed[part].mean() for part in parts], dtype=np.float64),
        np.array([len(part) for part in parts], dtype=np.int64),
    )


def _check(predicted: Numbers, observed: Numbers) -> None:
    """Raise if the two cannot be compared."""
    if predicted.ndim != 1 or predicted.shape != observed.shape:
        raise UncheckableProbabilityError(
            f"expected two rows of one length, got {predicted.shape} and {observed.shape}"
        )
    for what, numbers in (("a prediction", predicted), ("an observation", observed)):
        if not ((numbers >= 0) & (numbers <= 1)).all():
            raise UncheckableProbabilityError(f"{what} is not in [0, 1]")
