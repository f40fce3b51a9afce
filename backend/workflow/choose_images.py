"""Choose the images that are read next, as many as the worklists have room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from backend.domain.acquisition.assignment import Assignment, assign_readers
from backend.domain.acquisition.batch import Choice, Shares
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import ScoredPool
from backend.domain.acquisition.strategies import strategy
from backend.domain.consensus.clusters import Consensus
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.candidates import look_closer, score_candidates
from backend.workflow.further_readings import find_disputes
from backend.workflow.gather_demand import Demand
from backend.workflow.gather_evidence import gather_cost, gather_evidence


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides what is read next.

    Attributes
    ----------
    pool : ScoredPool
        The images that could be.
    evidence : Evidence
        What has been read so far.
    cost : CostModel
        How long images take.
    wanted : mapping of str to int
        Image id to how many further readers it wants, of the images of the pool.
    """

    pool: ScoredPool
    evidence: Evidence
    cost: CostModel
    wanted: Mapping[str, int]


def gather_question(store: UnitOfWork, demand: Demand, *, readers_per_image: int) -> Question:
    """Return all that decides what is read next.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    demand : Demand
        Who could read what.
    readers_per_image : int
        Independent readings wanted of each image.

    Returns
    -------
    Question
        Of the images that want a reader and that somebody could read.
    """
    answers: list[Consensus] = [answer for _, answer in store.consensus.current().values()]
    disputes = find_disputes(store, answers, demand.asked, readers_per_image=readers_per_image)
    wanted = {
        image_id: readers_per_image - demand.asked.get(image_id, 0) for image_id in demand.images
    }
    wanted |= dict.fromkeys(disputes, 1)
    candidates = [
        image
        for image_id, image in demand.images.items()
        if wanted[image_id] > 0 and demand.could_be_read(image_id)
    ]
    return Question(
        pool=look_closer(store, score_candidates(store, candidates), disputes),
        evidence=gather_evidence(store, answers, with_features=True),
        cost=gather_cost(store),
        wanted={image.id: wanted[image.id] for image in candidates},
    )


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
        The batch, by rank.
    assignments : tuple of Assignment
        Who reads what.

    Notes
    -----
    A batch is made for a number of images, and how many the worklists take is known only when it
    is shared out. So it is made anew, larger by what the emptiest worklist still lacks, until the
    worklists are full; by more and more, should its reader know most of the images. It is hardly
    larger than it has to be: what nobody has room for would be missing in its shares.
    """
    free = [slots for slots in demand.open_slots.values() if slots > 0]
    most = min(max(question.wanted.values(), default=1), len(free)) or 1
    number = max(ceil(sum(free) / most), *free, 0) if free else 0
    choose = strategy(rules.strategy)
    growth = 1
    while True:
        number = number if size is None else min(number, size)
        choices = choose(
            question.pool,
            question.evidence,
            question.cost,
            size=number,
            rng=np.random.default_rng(rules.seed),
            shares=rules.shares,
        )
        assignments = assign_readers(
            choices,
            open_slots=demand.open_slots,
            already_read=demand.already,
            readers_wanted=question.wanted,
        )
        lacking = _lacking(demand, assignments)
        if not lacking or number == size or len(choices) < number:
            return choices, assignments
        number += growth * lacking
        growth *= 2


def _lacking(demand: Demand, assignments: Sequence[Assignment]) -> int:
    """Return how many entries the emptiest worklist still has room for."""
    left = dict(demand.open_slots)
    for one in assignments:
        left[one.reader_id] -= 1
    return max(left.values(), default=0)
