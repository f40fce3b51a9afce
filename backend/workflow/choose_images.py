"""Choose the images that are read next, as many as the worklists have room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.assignment import Assignment, Case, assign_readers
from backend.domain.acquisition.batch import Channel, Choice, Shares
from backend.domain.acquisition.panels import divide, first_gains
from backend.domain.acquisition.pool import ScoredPool
from backend.domain.acquisition.reasons import reason
from backend.domain.acquisition.strategies import strategy
from backend.workflow.gather_demand import Demand
from backend.workflow.gather_question import Question

MOST_BEGUN = 0.5
"""Share of the room that images take at most which have been begun, while there are others."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How images are chosen.

    Attributes
    ----------
    strategy : str
        Name of the strategy.
    shares : Shares
        What a batch is made of.
    seed : sequence of int
        Of every random choice.
    """

    strategy: str
    shares: Shares
    seed: Sequence[int]


def choose_images(
    question: Question, demand: Demand, rules: Rules, *, size: int | None = None
) -> tuple[tuple[Choice, ...], tuple[Assignment, ...]]:
    """Choose the next images and share them out.

    Parameters
    ----------
    question : Question
        All that decides.
    demand : Demand
        Who could read what.
    rules : Rules
        How.
    size : int or None
        At most so many images; None for as many as the worklists have room for.

    Returns
    -------
    choices : tuple of Choice
        By rank.
    assignments : tuple of Assignment
        Who reads what.

    Notes
    -----
    A batch is made for a number of images, and how many the worklists take is known only when it
    is shared out. Where a worklist has room left, a further batch follows, of the images that
    its reader may read. No batch is larger than the room that is left: of a larger one only
    what ranks first would be read, and its shares would not hold.

    The first batch is made of images that have been begun: without it, one that lost a reader
    might wait for its second reading for ever, since the model has become surer of it meanwhile.
    It takes `MOST_BEGUN` of the room. What belongs to the random sample stays in it.
    """
    pool = question.pool
    limit = len(pool) if size is None else size
    rng = np.random.default_rng(rules.seed)
    could_read = _who_could_read(pool, demand)
    is_begun = np.isin(pool.image_ids, list(question.begun))
    left = dict(demand.open_slots)
    is_left = np.ones(len(pool), dtype=np.bool_)
    choices: tuple[Choice, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    while True:
        has_room = np.array([slots > 0 for slots in left.values()], dtype=np.bool_)
        rows = np.flatnonzero(is_left & could_read[has_room].any(axis=0))
        number = _images_wanted(question, rows, could_read, left)
        number = min(number, limit - len(choices))
        shares = rules.shares
        if not choices and is_begun[rows].any():
            rows = rows[is_begun[rows]]
            shares = replace(shares, missed=0.0, reread=0.0, audit=0.0)
            most = _images_wanted(question, rows, could_read, left)
            number = min(most, ceil(MOST_BEGUN * number))
        batch = _make_batch(question, rows, replace(rules, shares=shares), number, rng)
        if not batch:
            return choices, assignments
        choices += tuple(replace(one, rank=len(choices) + one.rank) for one in batch)
        assignments = _share_out(question, demand, choices)
        left = _count_left(demand, assignments)
        is_taken = np.isin(pool.image_ids, [one.image_id for one in batch])
        is_left &= ~np.isin(pool.patients, pool.patients[is_taken])


def _who_could_read(pool: ScoredPool, demand: Demand) -> NDArray[np.bool_]:
    """Return which readers, by row, were never asked for which images."""
    already = [demand.already.get(image_id, ()) for image_id in pool.image_ids.tolist()]
    table = [[reader_id not in those for those in already] for reader_id in demand.open_slots]
    return np.array(table, dtype=np.bool_).reshape(len(demand.open_slots), len(pool))


def _images_wanted(
    question: Question,
    rows: NDArray[np.int64],
    could_read: NDArray[np.bool_],
    left: Mapping[str, int],
) -> int:
    """Return how many images fill the worklists, as far as their readers may read them."""
    readable = could_read[:, rows].sum(axis=1).tolist()
    room = [min(slots, most) for slots, most in zip(left.values(), readable, strict=True)]
    readers = sum(one > 0 for one in room)
    if not readers:
        return 0
    wanted = max(question.wanted[image_id] for image_id in question.pool.image_ids[rows].tolist())
    return int(max(ceil(sum(room) / min(wanted, readers)), *room))


def _make_batch(
    question: Question,
    rows: NDArray[np.int64],
    rules: Rules,
    number: int,
    rng: np.random.Generator,
) -> tuple[Choice, ...]:
    """Return the best images of some rows of the pool."""
    pool = question.pool.only(rows)
    batch = strategy(rules.strategy)(
        pool,
        question.evidence,
        question.cost,
        size=number,
        rng=rng,
        shares=divide(rules.shares, *_gains_per_minute(question, pool), size=number),
    )
    sampled = reason(Channel.RANDOM, None, 0.0)
    return tuple(
        replace(one, channel=Channel.RANDOM, reason=sampled)
        if one.image_id in question.drawn
        else one
        for one in batch
    )


def _share_out(
    question: Question, demand: Demand, choices: Sequence[Choice]
) -> tuple[Assignment, ...]:
    boxes = dict(zip(question.pool.image_ids.tolist(), question.pool.boxes.tolist(), strict=True))
    return assign_readers(
        choices,
        open_slots=demand.open_slots,
        already_read=demand.already,
        readers_wanted=_readers_wanted(question, demand, choices),
        cases={one.image_id: Case(boxes[one.image_id], one.top_finding) for one in choices},
        past=question.past,
    )


def _count_left(demand: Demand, assignments: Sequence[Assignment]) -> dict[str, int]:
    """Return how many entries each worklist still has room for."""
    left = dict(demand.open_slots)
    for one in assignments:
        left[one.reader_id] -= 1
    return left


def _readers_wanted(
    question: Question, demand: Demand, choices: Sequence[Choice]
) -> dict[str, int]:
    """Return how many readers the chosen images want: what is drawn at random, the whole panel."""
    return {
        choice.image_id: question.panel.most - demand.asked.get(choice.image_id, 0)
        if choice.channel is Channel.RANDOM
        else question.wanted[choice.image_id]
        for choice in choices
    }


def _gains_per_minute(
    question: Question, pool: ScoredPool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what first readings of unread images, and further ones of read images, tell."""
    if pool.disputes is None or not pool.is_disputed.any():
        return np.zeros(len(pool)), np.empty(0)
    probabilities = np.where(pool.has_score[:, None], pool.best, question.prevalence)
    first = first_gains(probabilities, question.sensitivity)
    minutes = question.cost.expected_seconds(pool.boxes) / 60.0
    is_further = pool.is_disputed
    return (
        (first / minutes)[~is_further],
        (pool.disputes.sum(axis=1) / minutes)[is_further],
    )
