"""Choose what to read next, and who reads it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from backend.domain.acquisition.arms import draw_arm
from backend.domain.acquisition.batch import Choice, Shares
from backend.domain.acquisition.panels import PanelRules
from backend.domain.acquisition.strategies import DEFAULT_STRATEGY
from backend.domain.readings import Arm
from backend.domain.worklists import WorklistEntry
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.choose_images import Rules, choose_images
from backend.workflow.gather_demand import Demand, gather_demand
from backend.workflow.gather_question import Question, gather_question
from backend.workflow.slip_in_gold import draw_gold_cases, slip_in


@dataclass(frozen=True, slots=True)
class QueueRules:
    """How the queue is filled.

    Attributes
    ----------
    readers_per_image : int
        Independent readings wanted of each image; with adaptive panels, of a disputed one.
    worklist_size : int
        Open entries kept per reader.
    random_share : float
        Share of uniformly random images, in [0, 1]; the audit share of the batch.
    unassisted_share : float
        Share of readings without pre-annotation, in [0, 1].
    seed : int
        Of every random choice.
    second_look_share : float
        Largest share of second looks on a reader's worklist, in [0, 1]; 0 for none at all.
    second_look_quiet : timedelta
        How long a reading has to be unchanged before it is asked about.
    gold_share : float
        Share of adjudicated images among the entries, in [0, 1]; they measure how well readers
        read.
    strategy : str
        Name of the way of choosing.
    adaptive_panels : bool
        Whether an image starts with two readers and gets more only while they leave it
        uncertain.
    reservation : timedelta
        How long an image waits for the reader to whom it was given.
    """

    readers_per_image: int
    worklist_size: int
    random_share: float
    unassisted_share: float
    seed: int
    second_look_share: float = 0.0
    second_look_quiet: timedelta = timedelta(minutes=10)
    gold_share: float = 0.0
    strategy: str = DEFAULT_STRATEGY
    adaptive_panels: bool = False
    reservation: timedelta = timedelta(days=14)

    @property
    def panel(self) -> PanelRules:
        """How many readers an image gets."""
        return PanelRules(self.readers_per_image, self.adaptive_panels)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be asked of readers.

    Attributes
    ----------
    entries : tuple of WorklistEntry
        By rank; one with a key was withdrawn unread and is opened again.
    question : Question
        What it was decided on.
    """

    entries: tuple[WorklistEntry, ...]
    question: Question


def plan_worklists(
    store: UnitOfWork, rules: QueueRules, *, now: datetime, size: int | None = None
) -> Plan:
    """Return what would top up every worklist with the images most worth reading.

    Nothing is changed. Nobody is asked twice for an image, but an entry that was withdrawn unread
    is opened again when its reader is chosen once more, with the arm that was drawn for it.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    rules : QueueRules
        How.
    now : datetime
        The time; aware.
    size : int or None
        At most so many images; None for as many as the worklists have room for.

    Returns
    -------
    Plan
        Entries and what they were decided on.

    Raises
    ------
    UnknownStrategyError
        If there is no strategy of that name.
    """
    demand = gather_demand(
        store, worklist_size=rules.worklist_size, now=now, reservation=rules.reservation
    )
    champion = store.models.champion()
    shown = (
        {}
        if champion is None
        else dict.fromkeys(store.predictions.image_ids(champion.name), champion.name)
    )
    gold = _reserve_gold(store, demand, rules, usable=shown or demand.images)
    question = gather_question(store, demand, rules.panel)

    choices, assignments = choose_images(
        question,
        demand,
        Rules(rules.strategy, Shares(audit=rules.random_share), (rules.seed, demand.last_rank)),
        size=size,
    )
    by_image = {choice.image_id: choice for choice in choices}

    def asked(choice: Choice, reader_id: str) -> WorklistEntry:
        return _entry(choice, reader_id, demand, shown, rules)

    entries = slip_in(
        [asked(by_image[one.image_id], one.reader_id) for one in assignments],
        _golden(gold, question, demand),
        asked,
        other_slots=demand.open_slots,
        rng=np.random.default_rng([rules.seed, demand.last_rank]),
    )
    return Plan(
        tuple(
            _as_drawn_before(entry, demand.withdrawn.get((entry.image_id, entry.reader_id)))
            for entry in entries
        ),
        question,
    )


def _reserve_gold(
    store: UnitOfWork, demand: Demand, rules: QueueRules, *, usable: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Draw the gold cases of every reader, and take their slots away from the others."""
    gold = draw_gold_cases(
        store,
        demand.open_slots,
        share=rules.gold_share,
        seed=(rules.seed, demand.last_rank),
        already=demand.already,
        usable=usable,
    )
    for reader_id, image_ids in gold.items():
        demand.open_slots[reader_id] -= len(image_ids)
        for image_id in image_ids:
            demand.already.setdefault(image_id, set()).add(reader_id)
    return gold


def _golden(
    gold: Mapping[str, tuple[str, ...]], question: Question, demand: Demand
) -> dict[str, tuple[str, ...]]:
    """Return the gold cases of the readers who have something else to read, too."""
    return {
        reader_id: image_ids
        for reader_id, image_ids in gold.items()
        if any(reader_id not in demand.already.get(one, ()) for one in question.wanted)
    }


def _entry(
    choice: Choice,
    reader_id: str,
    demand: Demand,
    shown: Mapping[str, str],
    rules: QueueRules,
) -> WorklistEntry:
    model_version = shown.get(choice.image_id)
    arm = draw_arm(
        choice.image_id,
        reader_id,
        unassisted_share=rules.unassisted_share,
        seed=rules.seed,
    )
    if model_version is None:
        arm = Arm.UNASSISTED
    return WorklistEntry(
        image_id=choice.image_id,
        reader_id=reader_id,
        rank=demand.last_rank + choice.rank,
        score=choice.score,
        channel=choice.channel,
        reason=choice.reason,
        arm=arm,
        arm_drawn=model_version is not None,
        model_version=model_version if arm is Arm.ASSISTED else None,
        top_finding=choice.top_finding,
        expected_seconds=choice.expected_seconds,
    )


def _as_drawn_before(entry: WorklistEntry, before: WorklistEntry | None) -> WorklistEntry:
    """Return an entry with key and arm of the one that was withdrawn, if there is one."""
    if before is None:
        return entry
    if not before.arm_drawn:
        return replace(entry, id=before.id)
    version = entry.model_version or before.model_version
    return replace(
        entry,
        id=before.id,
        arm=before.arm,
        arm_drawn=True,
        model_version=version if before.arm is Arm.ASSISTED else None,
    )
