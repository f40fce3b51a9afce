"""The ways of choosing what to read next, by name; all but one are there to be compared with."""

from collections.abc import Mapping
from functools import partial
from math import ceil
from types import MappingProxyType
from typing import Protocol

import numpy as np

from backend.domain.acquisition.batch import Channel, Choice, Shares, check_size
from backend.domain.acquisition.channels import Batch
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.criterion import (
    DEFAULT_SHARES,
    PARTS,
    choose_by_criterion,
    worth_of,
)
from backend.domain.acquisition.draw import Draw
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import ScoredPool
from backend.domain.acquisition.serving_order import explain

DEFAULT_STRATEGY = "overread"

FOREGROUND_SHARE = 0.4
"""Foreground-aware random draws from this share of the pool, the highest scores."""


class UnknownStrategyError(LookupError):
    """No strategy has this name."""


class Strategy(Protocol):
    """A way of choosing what to read next."""

    def __call__(
        self,
        pool: ScoredPool,
        evidence: Evidence,
        cost: CostModel,
        *,
        size: int,
        rng: np.random.Generator,
        shares: Shares = DEFAULT_SHARES,
    ) -> tuple[Choice, ...]:
        """Return the next images to read.

        Parameters
        ----------
        pool : ScoredPool
            Every image that could be read, in any order; none is normal.
        evidence : Evidence
            What has been read so far.
        cost : CostModel
            How long images take.
        size : int
            How many images are wanted, from 0 on.
        rng : numpy.random.Generator
            Source of chance; the same seed and pool give the same batch.
        shares : Shares
            What the batch is made of; strategies without channels pass over it.

        Returns
        -------
        tuple of Choice
            By rank, at most one image per patient, and as many as wanted unless there are fewer
            patients.

        Raises
        ------
        InvalidBatchError
            If the size is negative.
        """


def choose_at_random(
    pool: ScoredPool,
    evidence: Evidence,
    cost: CostModel,
    *,
    size: int,
    rng: np.random.Generator,
    shares: Shares = DEFAULT_SHARES,  # noqa: ARG001 - a strategy
) -> tuple[Choice, ...]:
    """Return unread images drawn uniformly.

    Parameters
    ----------
    pool : ScoredPool
        Every image that could be read.
    evidence : Evidence
        What has been read so far; only for what is told of the images.
    cost : CostModel
        How long images take; only for what is told of them.
    size : int
        How many images are wanted, from 0 on.
    rng : numpy.random.Generator
        Source of chance.
    shares : Shares
        Passed over.

    Returns
    -------
    tuple of Choice
        In random order; those that somebody has begun to read are no part of the random sample.
    """
    check_size(size)
    draw = Draw(pool)
    batch = Batch()
    rows = draw.take(draw.shuffled(~pool.is_disputed, rng), size)
    is_sample = pool.may_be_sampled[rows]
    batch.add(Channel.RANDOM, rows[is_sample])
    batch.add(Channel.COLD_START, rows[~is_sample])
    return explain(rows.tolist(), batch, worth_of(pool, evidence, cost), cost)


def choose_foreground_at_random(
    pool: ScoredPool,
    evidence: Evidence,
    cost: CostModel,
    *,
    size: int,
    rng: np.random.Generator,
    shares: Shares = DEFAULT_SHARES,  # noqa: ARG001 - a strategy
) -> tuple[Choice, ...]:
    """Return unread images drawn uniformly from those that the model is surest to show something.

    Parameters
    ----------
    pool : ScoredPool
        Every image that could be read.
    evidence : Evidence
        What has been read so far; only for what is told of the images.
    cost : CostModel
        How long images take; only for what is told of them.
    size : int
        How many images are wanted, from 0 on.
    rng : numpy.random.Generator
        Source of chance.
    shares : Shares
        Passed over.

    Returns
    -------
    tuple of Choice
        In random order; drawn from `FOREGROUND_SHARE` of the scored images, then from the others.
        None of them is part of the random sample.

    References
    ----------
    Follows the baseline of nnActive (Transactions on Machine Learning Research, 2025), which
    most methods of active learning do not beat.
    """
    check_size(size)
    draw = Draw(pool)
    batch = Batch()
    surest = draw.ranked(pool.best.max(axis=1), pool.is_candidate)
    is_foreground = np.zeros(len(pool), dtype=np.bool_)
    is_foreground[surest[: ceil(FOREGROUND_SHARE * len(surest))]] = True
    first = draw.take(draw.shuffled(is_foreground, rng), size)
    others = draw.take(draw.shuffled(~pool.is_disputed, rng), size - len(first))
    has_score = pool.has_score[others]
    batch.add(Channel.FOREGROUND, np.concatenate([first, others[has_score]]))
    batch.add(Channel.COLD_START, others[~has_score])
    rows = np.concatenate([first, others]).tolist()
    return explain(rows, batch, worth_of(pool, evidence, cost), cost)


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "random": choose_at_random,
        "foreground-aware-random": choose_foreground_at_random,
        **{name: partial(choose_by_criterion, parts=parts) for name, parts in PARTS.items()},
    }
)


def strategy(name: str) -> Strategy:
    """Return the strategy of a name.

    Parameters
    ----------
    name : str
        For example "overread".

    Returns
    -------
    Strategy
        The function.

    Raises
    ------
    UnknownStrategyError
        If there is none.
    """
    if name not in STRATEGIES:
        raise UnknownStrategyError(
            f"there is no strategy {name!r}; expected one of {', '.join(STRATEGIES)}"
        )
    return STRATEGIES[name]
