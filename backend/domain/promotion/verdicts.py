"""The gate's verdicts, and what they depend on beside the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

NEWS_FROM = 0.05
"""A challenger that is merely not worse takes over when so large a share of what it learned from
is new; else a nightly retrain would swap equals for equals."""


class Verdict(StrEnum):
    """What the gate says of a challenger; the first three let it pass."""

    FIRST = "first"
    BETTER = "better"
    NOT_WORSE = "not worse, learned from more"
    NO_NEWS = "not worse, nothing new"
    SLIPPING = "below the best that served"
    TOO_LITTLE = "too little evidence"
    UNREADABLE = "champion cannot be read"
    WORSE = "worse"
    HARMFUL = "harmful"
    UNSOUND = "unsound"

    @property
    def passes(self) -> bool:
        """Whether the challenger takes the champion's place."""
        return self in {Verdict.FIRST, Verdict.BETTER, Verdict.NOT_WORSE}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the gate has to know beside the comparison.

    Attributes
    ----------
    challenger : str
        Its name.
    champion : str or None
        Its name; None when no model serves yet.
    challenger_map : float or None
        mAP@0.4 of the challenger; None when the test images show no lesion.
    problems : sequence of str
        Why the challenger cannot be trusted at all; none is normal.
    unreadable : str
        Why the champion's weights could not be read; empty is normal.
    news : float
        Share of the training images that are new or were read or adjudicated anew since the
        champion's.
    look : int
        The how-manieth challenger is measured on practically these test images; the first is 1.
    best_map : float or None
        What the best that ever served would reach on these test images: the champion's mAP@0.4
        and how far it was below that best when it was crowned; None where that is not known.
    """

    challenger: str
    champion: str | None
    challenger_map: float | None
    problems: Sequence[str] = ()
    unreadable: str = ""
    news: float = 1.0
    look: int = 1
    best_map: float | None = None


def margin(images: int) -> float:
    """Return how far mAP@0.4 may be below the champion's and still count as not worse.

    Parameters
    ----------
    images : int
        How many test images there are.

    Returns
    -------
    float
        0.02 up to 1,500 images, 0.01 from 3,000 on.

    Examples
    --------
    >>> margin(200), margin(2000), margin(9000)
    (0.02, 0.015, 0.01)
    """
    return min(0.02, max(0.01, 30 / max(images, 1)))
