"""Choose what to read next, and who reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.arms import draw_arm
from backend.domain.acquisition.assignment import Assignment, assign_readers
from backend.domain.acquisition.batch import Candidate, Choice, choose_batch
from backend.domain.images import Image
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.candidates import positive_images, score_candidates
from backend.workflow.slip_in_gold import draw_gold_cases, slip_in


@dataclass(frozen=True, slots=True)
class QueueRules:
    """How the queue is filled.

    Attributes
    ----------
    readers_per_image : int
        Independent readings wanted of each image.
    worklist_size : int
        Open entries kept per reader.
    random_share : float
        Share of uniformly random images, in [0, 1].
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
    """

    readers_per_image: int
    worklist_size: int
    random_share: float
    unassisted_share: float
    seed: int
    second_look_share: float = 0.0
    second_look_quiet: timedelta = timedelta(minutes=10)
    gold_share: float = 0.0


@dataclass(frozen=True, slots=True)
class _Pool:
    images: Mapping[str, Image]
    predictions: Mapping[str, Prediction]
    positive_images: NDArray[np.int64]
    already: Mapping[str, set[str]]
    wanted: Mapping[str, int]
    open_slots: Mapping[str, int]
    last_rank: int
    withdrawn: Mapping[tuple[str, str], WorklistEntry]
    gold: Mapping[str, tuple[str, ...]]


def fill_worklists(
    store: UnitOfWork, rules: QueueRules, *, now: datetime, size: int | None = None
) -> list[WorklistEntry]:
    """Top up every reader's worklist with the images most worth reading.

    Nobody is asked twice for an image, but an entry that was withdrawn unread is opened again
    when its reader is chosen once more, with the arm that was drawn for it.

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
    list of WorklistEntry
        The entries that were added or opened again, by rank.
    """
    pool = _gather(store, rules)

    rng = np.random.default_rng([rules.seed, pool.last_rank])
    candidates = _candidates(pool)
    room = _room(pool, candidates)
    choices = choose_batch(
        candidates,
        size=room if size is None else min(size, room),
        random_share=rules.random_share,
        rng=rng,
    )
    assignments = assign_readers(
        choices,
        open_slots=pool.open_slots,
        already_read=pool.already,
        readers_wanted=pool.wanted,
    )
    entries = slip_in(
        _entries(choices, assignments, pool, rules),
        _golden(candidates, pool),
        lambda choice, reader_id: _entry(choice, reader_id, pool, rules),
        other_slots=pool.open_slots,
        rng=rng,
    )

    entries = [
        _as_drawn_before(entry, pool.withdrawn.get((entry.image_id, entry.reader_id)))
        for entry in entries
    ]

    store.worklists.add([entry for entry in entries if entry.id is None], now=now)
    store.worklists.open_again([entry for entry in entries if entry.id is not None], now=now)
    return entries


def _golden(candidates: Sequence[Candidate], pool: _Pool) -> dict[str, tuple[str, ...]]:
    """Return the gold cases of the readers who have something else to read, too."""
    return {
        reader_id: image_ids
        for reader_id, image_ids in pool.gold.items()
        if any(reader_id not in pool.already.get(one.image_id, ()) for one in candidates)
    }


def _room(pool: _Pool, candidates: Sequence[Candidate]) -> int:
    """Return how many images fill all worklists, if each takes as few readers as one may."""
    free = [slots for slots in pool.open_slots.values() if slots > 0]
    fewest = min((pool.wanted[one.image_id] for one in candidates), default=1)
    return ceil(sum(free) / min(fewest, len(free))) if free else 0


def _gather(store: UnitOfWork, rules: QueueRules) -> _Pool:
    already = store.images.readers_by_image()
    read = {image_id: len(readers) for image_id, readers in already.items()}
    withdrawn = {}
    for entry in store.worklists.all():
        if entry.state is EntryState.WITHDRAWN and entry.kind is not EntryKind.SECOND_LOOK:
            withdrawn[entry.image_id, entry.reader_id] = entry
            continue
        readers = already.setdefault(entry.image_id, set())
        if entry.state is EntryState.OPEN and entry.reader_id not in readers:
            read[entry.image_id] = read.get(entry.image_id, 0) + 1
        readers.add(entry.reader_id)
    images = store.images.all()
    champion = store.models.champion()
    open_entries = {
        project.reader_id: store.worklists.counts(project.reader_id)[EntryState.OPEN]
        for project in store.readers.projects()
    }
    predictions = store.predictions.of_model(champion.name) if champion else {}
    open_slots = {
        reader_id: max(0, rules.worklist_size - number)
        for reader_id, number in open_entries.items()
    }
    last_rank = store.worklists.last_rank()
    gold = draw_gold_cases(
        store,
        open_slots,
        share=rules.gold_share,
        seed=(rules.seed, last_rank),
        already=already,
        usable=predictions if champion else images,
    )
    for reader_id, image_ids in gold.items():
        open_slots[reader_id] -= len(image_ids)
        for image_id in image_ids:
            already.setdefault(image_id, set()).add(reader_id)
    return _Pool(
        images=images,
        predictions=predictions,
        positive_images=positive_images(store),
        already=already,
        wanted={image_id: rules.readers_per_image - read.get(image_id, 0) for image_id in images},
        open_slots=open_slots,
        last_rank=last_rank,
        withdrawn=withdrawn,
        gold=gold,
    )


def _candidates(pool: _Pool) -> list[Candidate]:
    free = {reader_id for reader_id, slots in pool.open_slots.items() if slots > 0}
    wanted = [
        image
        for image in pool.images.values()
        if pool.wanted[image.id] > 0 and free - pool.already.get(image.id, set())
    ]
    return score_candidates(wanted, pool.predictions, pool.positive_images)


def _entries(
    choices: Sequence[Choice],
    assignments: Sequence[Assignment],
    pool: _Pool,
    rules: QueueRules,
) -> list[WorklistEntry]:
    by_image = {choice.image_id: choice for choice in choices}
    return [
        _entry(by_image[assignment.image_id], assignment.reader_id, pool, rules)
        for assignment in assignments
    ]


def _entry(choice: Choice, reader_id: str, pool: _Pool, rules: QueueRules) -> WorklistEntry:
    prediction = pool.predictions.get(choice.image_id)
    arm = draw_arm(
        choice.image_id,
        reader_id,
        unassisted_share=rules.unassisted_share,
        seed=rules.seed,
    )
    if prediction is None:
        arm = Arm.UNASSISTED
    return WorklistEntry(
        image_id=choice.image_id,
        reader_id=reader_id,
        rank=pool.last_rank + choice.rank,
        score=choice.score,
        channel=choice.channel,
        reason=choice.reason,
        arm=arm,
        arm_drawn=prediction is not None,
        model_version=prediction.model_version
        if prediction is not None and arm is Arm.ASSISTED
        else None,
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
