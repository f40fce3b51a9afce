"""From a detector's scores to probabilities that mean what they say, finding by finding."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus.logistic import logit, sigmoid
from backend.domain.findings import Finding
from backend.domain.predictions import SHOWN_FROM_SCORE

Numbers = NDArray[np.float64]
Marks = tuple[Numbers, NDArray[np.bool_]]

STEPS_FROM_POSITIVES = 30
"""With fewer true marks than this, a finding gets a curve of two numbers and no steps."""

_HALF_TRUST_POSITIVES = 50.0
_POOLED_RIDGE = 1.0
_FINDING_RIDGE = 4.0
_LEAST_SLOPE = 0.05
_NEWTON_STEPS = 30
_LEAST_SHOWN = 0.05


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """How the scores of one finding become probabilities; strictly rising.

    Attributes
    ----------
    slope, intercept : float
        Of the log-odds.
    weight : float
        Share in [0, 1) of the steps; the rest is the sigmoid.
    at : tuple of float
        Log-odds of the steps, rising.
    steps : tuple of float
        Their probabilities, not falling.
    """

    slope: float = 1.0
    intercept: float = 0.0
    weight: float = 0.0
    at: tuple[float, ...] = ()
    steps: tuple[float, ...] = ()

    def apply(self, scores: Numbers) -> Numbers:
        """Return probabilities.

        Parameters
        ----------
        scores : ndarray of shape (n,), [unitless]
            Raw scores in [0, 1].

        Returns
        -------
        ndarray of shape (n,), [unitless]
            Probability in [0, 1] that the mark is true.

        Examples
        --------
        >>> ScoreCurve().apply(np.array([0.25, 0.5]))
        array([0.25, 0.5 ])
        """
        raw = logit(scores)
        smooth = sigmoid(self.slope * raw + self.intercept)
        if not self.weight:
            return smooth
        stepped = np.interp(raw, self.at, self.steps)
        return np.asarray((1 - self.weight) * smooth + self.weight * stepped)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a model version's raw scores are to be read; fitted on its validation split.

    Attributes
    ----------
    curves : mapping of Finding to ScoreCurve
        Findings without one keep their scores.
    thresholds : mapping of Finding to float
        Probability in [0, 1] from which a box is shown to readers.
    false_marks_per_image : float
        What the thresholds were chosen for, over all findings together.
    """

    curves: Mapping[Finding, ScoreCurve]
    thresholds: Mapping[Finding, float]
    false_marks_per_image: float

    def calibrate(self, findings: NDArray[np.int64], scores: Numbers) -> Numbers:
        """Return probabilities of marks.

        Parameters
        ----------
        findings : ndarray of shape (n,)
            Class ids.
        scores : ndarray of shape (n,), [unitless]
            Raw scores in [0, 1].

        Returns
        -------
        ndarray of shape (n,), [unitless]
            In [0, 1].
        """
        calibrated = scores.copy()
        for finding, curve in self.curves.items():
            own = findings == finding
            if own.any():
                calibrated[own] = curve.apply(scores[own])
        return calibrated

    def as_json(self) -> dict[str, Any]:
        """Return plain values.

        Returns
        -------
        dict
            What `from_json` reads.
        """
        return {
            "curves": {int(finding): asdict(curve) for finding, curve in self.curves.items()},
            "thresholds": {int(finding): value for finding, value in self.thresholds.items()},
            "false_marks_per_image": self.false_marks_per_image,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Scoring":
        """Return what `as_json` wrote down.

        Parameters
        ----------
        values : mapping
            Plain values.

        Returns
        -------
        Scoring
            The same.
        """
        return cls(
            {
                Finding(int(finding)): ScoreCurve(
                    curve["slope"],
                    curve["intercept"],
                    curve["weight"],
                    tuple(curve["at"]),
                    tuple(curve["steps"]),
                )
                for finding, curve in values["curves"].items()
            },
            {Finding(int(finding)): value for finding, value in values["thresholds"].items()},
            values["false_marks_per_image"],
        )


def fit_scoring(
    marks: Mapping[Finding, Marks], *, images: int, false_marks_per_image: float
) -> Scoring:
    """Return how to read a detector's scores.

    Parameters
    ----------
    marks : mapping of Finding to (ndarray, ndarray)
        Raw scores in [0, 1] on the validation split, and whether each mark is true.
    images : int
        How many images were looked at.
    false_marks_per_image : float
        How many false marks per image may be shown, over all findings together.

    Returns
    -------
    Scoring
        Curves and thresholds.

    Notes
    -----
    First one sigmoid ``p = sigmoid(a logit(s) + b)`` for all findings together, drawn to
    ``a = 1, b = 0``; then one per finding, drawn to the common one. A finding with at least
    `STEPS_FROM_POSITIVES` true marks gets an isotonic regression as well, of weight
    ``n / (n + 50)`` for n true marks. The sigmoid's share keeps the curve strictly rising, so
    that no ranking within a finding changes. Every finding may show an equal share of the false
    marks; one without a true mark in validation is shown from `SHOWN_FROM_SCORE` at the earliest.

    References
    ----------
    J. C. Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin
    Classifiers, 1999. B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates", KDD 2002.
    """
    known = {finding: pair for finding, pair in marks.items() if len(pair[0])}
    pooled = np.array([1.0, 0.0])
    if known:
        pooled = _sigmoid_of(
            np.concatenate([scores for scores, _ in known.values()]),
            np.concatenate([is_true for _, is_true in known.values()]),
            towards=pooled,
            ridge=_POOLED_RIDGE,
        )
    curves = {
        finding: _curve(scores, is_true, pooled) for finding, (scores, is_true) in known.items()
    }
    allowed = int(false_marks_per_image / len(Finding) * images)
    thresholds = {
        finding: _threshold(curves[finding].apply(scores), is_true, allowed)
        for finding, (scores, is_true) in known.items()
    }
    return Scoring(curves, thresholds, false_marks_per_image)


def _curve(scores: Numbers, is_true: NDArray[np.bool_], pooled: Numbers) -> ScoreCurve:
    slope, intercept = _sigmoid_of(scores, is_true, towards=pooled, ridge=_FINDING_RIDGE)
    positives = int(is_true.sum())
    if positives < STEPS_FROM_POSITIVES:
        return ScoreCurve(float(slope), float(intercept))
    at, steps = _isotonic(logit(scores), is_true.astype(np.float64))
    weight = positives / (positives + _HALF_TRUST_POSITIVES)
    return ScoreCurve(
        float(slope), float(intercept), weight, tuple(at.tolist()), tuple(steps.tolist())
    )


def _sigmoid_of(
    scores: Numbers, is_true: NDArray[np.bool_], *, towards: Numbers, ridge: float
) -> Numbers:
    """Return slope and intercept by Newton's method, each step halved until it helps."""
    design = np.column_stack([logit(scores), np.ones(len(scores))])

    def loss(at: Numbers) -> float:
        linear = design @ at
        misfit = np.logaddexp(0, linear) - is_true * linear
        return float(misfit.sum() + ridge / 2 * ((at - towards) ** 2).sum())

    at = towards.astype(np.float64)
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(design @ at)
        gradient = design.T @ (p - is_true) + ridge * (at - towards)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + ridge * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-9:
            step /= 2
        at = at - step
        if np.abs(step).max() < 1e-9:
            break
    return np.array([max(at[0], _LEAST_SLOPE), at[1]])


def _isotonic(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """Return the steps of an isotonic regression, each at the mean of its block."""
    order = np.argsort(x, kind="stable")
    blocks: list[tuple[float, float, int]] = []  # sums of x and y, and how many
    for own_x, own_y in zip(x[order].tolist(), y[order].tolist(), strict=True):
        block = (own_x, own_y, 1)
        while blocks and blocks[-1][1] / blocks[-1][2] >= block[1] / block[2]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    sums = np.array(blocks)
    return sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2]


def _threshold(probabilities: Numbers, is_true: NDArray[np.bool_], allowed: int) -> float:
    """Return the lowest probability from which at most so many false marks are shown."""
    false = np.sort(probabilities[~is_true])[::-1]
    least = _LEAST_SHOWN if is_true.any() else SHOWN_FROM_SCORE
    if len(false) <= allowed:
        return least
    return max(least, min(1.0, float(np.nextafter(false[allowed], 2.0))))
