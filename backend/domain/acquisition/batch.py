"""A batch of images to read next: what it is made of, and why each image is in it."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding


class InvalidBatchError(ValueError):
    """What is asked of a batch makes no sense."""


def check_size(size: int) -> None:
    """Raise if a batch of a size makes no sense.

    Parameters
    ----------
    size : int
        How many images are wanted.

    Raises
    ------
    InvalidBatchError
        If it is negative.
    """
    if size < 0:
        raise InvalidBatchError(f"expected a batch size from 0 on, got {size}")


class Channel(StrEnum):
    """The part of the criterion that chose an image."""

    QUOTA = "finding-quota"
    UNCERTAIN = "uncertain"
    MISSED = "missed-finding"
    REREAD = "re-read"
    RANDOM = "random"
    FOREGROUND = "foreground"
    COLD_START = "cold-start"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class Choice:
    """One image of a batch, and why it is there.

    Attributes
    ----------
    image_id : str
        The image.
    rank : int
        Place in the queue, from 1; lower is read sooner.
    score : float
        What its channel ranked it by; higher is worth more, 0 when no model has scored it.
    channel : Channel
        What chose it.
    reason : str
        The same as a sentence for people.
    top_finding : Finding or None
        What it was chosen for, or what the model is surest of; None when nothing is marked.
    expected_seconds : float or None, [s]
        How long a reader will take; None when that is not known.
    """

    image_id: str
    rank: int
    score: float
    channel: Channel
    reason: str
    top_finding: Finding | None = None
    expected_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """What a batch is made of.

    Attributes
    ----------
    quota : float
        Taken finding by finding, rare and hard findings getting more.
    uncertain : float
        Taken by what the whole image is worth.
    missed : float
        Confidently empty images that may hide something.
    reread : float
        Read images whose readers dispute; `panels.divide` sets it for every batch.
    audit : float
        Drawn uniformly from all unread images, in [0, 1]. The other four divide what is left in
        proportion, and what a channel cannot use goes to the others.

    Raises
    ------
    InvalidBatchError
        If a share is negative, the audit share is above 1, or nothing but it is above 0.
    """

    quota: float = 0.45
    uncertain: float = 0.45
    missed: float = 0.05
    reread: float = 0.0
    audit: float = 0.05

    def __post_init__(self) -> None:
        chosen = self.quota, self.uncertain, self.missed, self.reread
        if not (all(isfinite(one) and one >= 0.0 for one in chosen) and sum(chosen) > 0.0):
            raise InvalidBatchError(
                f"expected shares from 0 on, at least one above 0; got {chosen}"
            )
        if not 0.0 <= self.audit <= 1.0:
            raise InvalidBatchError(f"expected a random share in [0, 1], got {self.audit}")


def apportion(
    total: int, weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Divide places in proportion to weights, so that small shares get their turn.

    Parameters
    ----------
    total : int
        Places.
    weights : ndarray of shape (k,)
        From 0 on, at least one above 0.
    rng : numpy.random.Generator
        Decides who is rounded up.

    Returns
    -------
    ndarray of shape (k,) of int
        They sum to the total; each is its exact part rounded up or down, and on average over
        many draws exactly its part (systematic sampling).
    """
    ends = total * np.cumsum(weights) / weights.sum()
    ends[-1] = total
    return np.diff(np.floor(ends + rng.uniform()).astype(np.int64), prepend=0)
