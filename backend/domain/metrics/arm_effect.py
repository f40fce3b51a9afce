"""What the pre-annotation changes, from readings whose arm was drawn by lot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.metrics.bootstrap import Interval
from backend.domain.metrics.quotients import Numbers
from backend.domain.reading_table import Numbers as Integers

FEWEST_ROWS = 20
"""Either arm needs as many rows before a difference is told."""

_ROUNDS, _CLOSE_ENOUGH = 200, 1e-10
_STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Something that was counted or measured in both arms, one row each.

    Attributes
    ----------
    values : ndarray of shape (n,)
        What came out.
    is_assisted : ndarray of shape (n,)
        Whether the reader saw the pre-annotation.
    pairs : ndarray of shape (n,)
        Rows of the same lesion, box or image have the same number: they are compared.
    readers, images : ndarray of shape (n,)
        Whose, and on which image.
    findings : ndarray of shape (n,)
        The finding's class id; -1 when it is about the whole image.
    """

    values: Numbers
    is_assisted: NDArray[np.bool_]
    pairs: Integers
    readers: Integers
    images: Integers
    findings: Integers

    def only(self, rows: NDArray[np.bool_]) -> "Outcomes":
        """Return some of the rows.

        Parameters
        ----------
        rows : ndarray of shape (n,)
            Which.

        Returns
        -------
        Outcomes
            Those.
        """
        return Outcomes(
            self.values[rows],
            self.is_assisted[rows],
            self.pairs[rows],
            self.readers[rows],
            self.images[rows],
            self.findings[rows],
        )


@dataclass(frozen=True, slots=True)
class ArmEffect:
    """What the pre-annotation changes.

    Attributes
    ----------
    assisted, unassisted : float or None
        Means of the two arms for the same images and readers; None when not estimable.
    difference : Interval
        Assisted less unassisted, with its 95 % interval; None when not estimable.
    rows_assisted, rows_unassisted : int
        How many rows each arm has.
    """

    assisted: float | None
    unassisted: float | None
    difference: Interval
    rows_assisted: int
    rows_unassisted: int


def arm_effect(outcomes: Outcomes) -> ArmEffect:
    """Compare the arms within lesions or images and within readers.

    Parameters
    ----------
    outcomes : Outcomes
        Readings whose arm was drawn by lot.

    Returns
    -------
    ArmEffect
        Not estimable with fewer than `FEWEST_ROWS` rows in either arm.

    Notes
    -----
    Least squares with an effect of each pair (the same lesion, seen by several readers) and of
    each reader, so that neither who read nor what was read can pass for an effect of the arm.
    The variance is clustered by reader and by image (Cameron, Gelbach and Miller), and Student's
    t has one degree of freedom less than there are readers or images, whichever are fewer: with
    few readers the interval is wide. A bootstrap over readers and images would be wider than it
    says, as it counts the variance of a single row three times (Owen).

    References
    ----------
    A. C. Cameron, J. B. Gelbach, D. L. Miller, "Robust inference with multiway clustering", 2011.
    A. B. Owen, "The pigeonhole bootstrap", 2007.
    """
    assisted = outcomes.is_assisted
    rows = int(assisted.sum()), int((~assisted).sum())
    groups = [
        np.unique(column, return_inverse=True)[1] for column in (outcomes.pairs, outcomes.readers)
    ]
    arm = _within(assisted.astype(np.float64), groups)
    weight = float((arm**2).sum())
    # The arm's own variance is at most a quarter per row; what is left of it is what is compared.
    if min(rows) < FEWEST_ROWS or weight < FEWEST_ROWS / 8:
        return ArmEffect(None, None, Interval(None, None, None), *rows)
    values = _within(outcomes.values, groups)
    effect = float(arm @ values) / weight
    reach = _reach(outcomes, arm * (values - effect * arm) / weight)
    share = float(assisted.mean())
    unassisted = float(outcomes.values.mean()) - share * effect
    return ArmEffect(
        unassisted + effect,
        unassisted,
        Interval(effect, effect - reach, effect + reach),
        *rows,
    )


def _within(values: Numbers, groups: list[NDArray[np.intp]]) -> Numbers:
    """Return values without the means of their groups, of all kinds at once."""
    left = values - values.mean() if len(values) else values
    counts = [np.bincount(group) for group in groups]
    for _ in range(_ROUNDS):
        before = left
        for group, count in zip(groups, counts, strict=True):
            left = left - (np.bincount(group, left) / count)[group]
        if np.abs(left - before).max(initial=0.0) < _CLOSE_ENOUGH:
            break
    return left


def _reach(outcomes: Outcomes, influence: Numbers) -> float:
    """Return half the width of the interval of a sum of influences."""
    readers, images = outcomes.readers, outcomes.images
    by_image, number_of_images = _clustered(images, influence)
    by_reader, number_of_readers = _clustered(readers, influence)
    by_reading, _ = _clustered(images * (int(readers.max()) + 1) + readers, influence)
    if number_of_readers < 2:
        return _student(number_of_images - 1) * float(np.sqrt(by_image))
    variance = max(by_reader + by_image - by_reading, by_image, by_reading)
    return _student(min(number_of_images, number_of_readers) - 1) * float(np.sqrt(variance))


def _clustered(groups: Integers, influence: Numbers) -> tuple[float, int]:
    """Return the variance of a sum when rows of a group go together, and how many groups."""
    _, group = np.unique(groups, return_inverse=True)
    sums = np.bincount(group, influence)
    correction = len(sums) / max(1, len(sums) - 1)
    return float((sums**2).sum()) * correction, len(sums)


def _student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t."""
    if freedom <= len(_STUDENT_95):
        return _STUDENT_95[max(freedom, 1) - 1]
    return _NORMAL_95 + (_NORMAL_95**3 + _NORMAL_95) / (4 * freedom)
