"""Choose the images that are read next, as many as the worklists have room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.assignment import Assignment, Case, Past, assign_readers
from backend.domain.acquisition.batch import Channel, Choice, Shares
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.panels import PanelRules, divide, first_gains
from backend.domain.acquisition.pool import ScoredPool
from backend.domain.acquisition.strategies import strategy
from backend.domain.consensus.clusters import Consensus
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.candidates import look_closer, score_candidates
from backend.workflow.further_readings import gather_panels, gather_sensitivity
from backend.workflow.gather_demand import Demand
from backend.workflow.gather_evidence import gather_cost, gather_evidence
from backend.workflow.gather_past import gather_past

_UNKNOWN_IMAGES = 10.0
"""A finding is taken to be on one image of so many, until images tell otherwise."""


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
    panel : PanelRules
        How many readers an image gets.
    past : Past
        What the readers have read so far.
    sensitivity : ndarray of shape (14,)
        How probably the next reader marks a lesion of each finding.
    prevalence : ndarray of shape (14,)
        Share in (0, 1) of images that show each finding.
    """

    pool: ScoredPool
    evidence: Evidence
    cost: CostModel
    wanted: Mapping[str, int]
    panel: PanelRules
    past: Past
    sensitivity: NDArray[np.float64]
    prevalence: NDArray[np.float64]


def gather_question(store: UnitOfWork, demand: Demand, panel: PanelRules) -> Question:
    """Return all that decides what is read next.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    demand : Demand
        Who could read what.
    panel : PanelRules
        How many readers an image gets.

    Returns
    -------
    Question
        Of the images that want a reader and that somebody could read.
    """
    answers: list[Consensus] = [answer for _, answer in store.consensus.current().values()]
    panels = gather_panels(store, answers, panel)
    wanted = {
        image_id: panels.of(image_id) - demand.asked.get(image_id, 0) for image_id in demand.images
    }
    candidates = [
        image
        for image_id, image in demand.images.items()
        if wanted[image_id] > 0 and demand.could_be_read(image_id)
    ]
    evidence = gather_evidence(store, answers, with_features=True)
    return Question(
        pool=look_closer(store, score_candidates(store, candidates), panels.gains),
        evidence=evidence,
        cost=gather_cost(store),
        wanted={image.id: wanted[image.id] for image in candidates},
        panel=panel,
        past=gather_past(store, answers, demand.already),
        sensitivity=gather_sensitivity(store),
        prevalence=np.asarray(
            (evidence.positive_images + 1.0) / (len(answers) + _UNKNOWN_IMAGES), dtype=np.float64
        ),
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
    gains = _gains_per_minute(question)
    pool = question.pool
    boxes = dict(zip(pool.image_ids.tolist(), pool.boxes.tolist(), strict=True))
    growth = 1
    while True:
        number = number if size is None else min(number, size)
        choices = choose(
            question.pool,
            question.evidence,
            question.cost,
            size=number,
            rng=np.random.default_rng(rules.seed),
            shares=divide(rules.shares, *gains, size=number),
        )
        assignments = assign_readers(
            choices,
            open_slots=demand.open_slots,
            already_read=demand.already,
            readers_wanted=_readers_wanted(question, demand, choices),
            cases={one.image_id: Case(boxes[one.image_id], one.top_finding) for one in choices},
            past=question.past,
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


def _gains_per_minute(question: Question) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what first readings of unread images, and further ones of read images, tell."""
    pool = question.pool
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
