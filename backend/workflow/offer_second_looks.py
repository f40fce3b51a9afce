"""Bring readings back to their readers where the model strongly disagrees, once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile

from backend.domain.predictions import Prediction
from backend.domain.readings import Arm, Reading
from backend.domain.second_look import (
    StrongDisagreement,
    consequence,
    reason,
    room_for_second_looks,
    strong_disagreements,
)
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.plan_worklists import QueueRules

CHANNEL = "second-look"
"""What the queue calls entries of this step."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    reading: Reading
    disagreements: tuple[StrongDisagreement, ...]

    @property
    def order(self) -> tuple[float, str]:
        return -consequence(self.disagreements), self.reading.image_id


def offer_second_looks(
    store: UnitOfWork, rules: QueueRules, *, now: datetime
) -> list[WorklistEntry]:
    """Ask readers to look once more at what they and the champion see very differently.

    A reading is asked about once, by its own reader, after it has been quiet for a while. Only
    the reading and the champion's answer decide; other readers play no part. Second looks that
    wait although their reading was taken back, or although the step is switched off, are
    withdrawn.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    rules : QueueRules
        A share of 0 switches second looks off.
    now : datetime
        The time; aware.

    Returns
    -------
    list of WorklistEntry
        The new entries, by rank: after what is open, the most consequential of each reader first.
    """
    entries = store.worklists.all()
    _withdraw(store, entries, rules, now)
    champion = store.models.champion()
    room = _room(store, entries, rules)
    if champion is None or not any(room.values()):
        return []

    candidates = _candidates(store, champion.name, rules, now)
    offered = [
        _entry(candidate, champion.name, rank)
        for reader_id, limit in room.items()
        for rank, candidate in enumerate(
            sorted(candidates.get(reader_id, ()), key=lambda one: one.order)[:limit],
            start=store.worklists.last_rank() + 1,
        )
    ]
    offered.sort(key=lambda entry: (entry.rank, entry.reader_id))

    store.worklists.add(offered, now=now)
    return offered


def _withdraw(
    store: UnitOfWork, entries: Sequence[WorklistEntry], rules: QueueRules, now: datetime
) -> None:
    for entry in entries:
        if entry.kind is not EntryKind.SECOND_LOOK or entry.state is not EntryState.OPEN:
            continue
        if rules.second_look_share == 0 or _was_taken_back(store, entry):
            store.worklists.set_state(entry.key, EntryState.WITHDRAWN, now=now)


def _was_taken_back(store: UnitOfWork, entry: WorklistEntry) -> bool:
    """Return whether the reading asked about no longer stands, or is another one made anew."""
    revisions = store.readings.revisions(entry.image_id, entry.reader_id)
    chain = [one for one in revisions if one.reading.round == entry.round - 1]
    states = [
        one.receipt.state
        for one in dropwhile(lambda one: one.reading.id != entry.reading_id, chain)
    ]
    return "withdrawn" in states or states[-1] != "valid"


def _room(
    store: UnitOfWork, entries: Sequence[WorklistEntry], rules: QueueRules
) -> dict[str, int]:
    standing = [entry for entry in entries if entry.state is not EntryState.WITHDRAWN]
    asked = [entry for entry in standing if entry.kind is EntryKind.SECOND_LOOK]
    readings = Counter(
        entry.reader_id for entry in standing if entry.kind in {EntryKind.READING, EntryKind.GOLD}
    )
    ever = Counter(entry.reader_id for entry in asked)
    waiting = Counter(entry.reader_id for entry in asked if entry.state is EntryState.OPEN)
    return {
        project.reader_id: room_for_second_looks(
            share=rules.second_look_share,
            readings=readings[project.reader_id],
            asked=ever[project.reader_id],
            worklist_size=rules.worklist_size,
            waiting=waiting[project.reader_id],
        )
        for project in store.readers.projects()
    }


def _candidates(
    store: UnitOfWork, champion: str, rules: QueueRules, now: datetime
) -> dict[str, list[_Candidate]]:
    readings = [
        kept.reading for kept in store.second_looks.candidates(now - rules.second_look_quiet)
    ]
    images = {reading.image_id for reading in readings}
    versions = {champion} | {one.model_version for one in readings if one.model_version}
    predictions = {
        version: store.predictions.of_model(version, images) for version in sorted(versions)
    }
    found: dict[str, list[_Candidate]] = {}
    for reading in readings:
        disagreements = _disagreements(reading, champion, predictions)
        if disagreements:
            found.setdefault(reading.reader_id, []).append(_Candidate(reading, disagreements))
    return found


def _disagreements(
    reading: Reading, champion: str, predictions: Mapping[str, Mapping[str, Prediction]]
) -> tuple[StrongDisagreement, ...]:
    asked = predictions[champion].get(reading.image_id)
    if asked is None:
        return ()
    seen = predictions.get(reading.model_version or "", {}).get(reading.image_id)
    return strong_disagreements(
        reading.boxes, asked.boxes, shown=() if seen is None else seen.shown
    )


def _entry(candidate: _Candidate, champion: str, rank: int) -> WorklistEntry:
    reading = candidate.reading
    return WorklistEntry(
        image_id=reading.image_id,
        reader_id=reading.reader_id,
        rank=rank,
        score=consequence(candidate.disagreements),
        channel=CHANNEL,
        reason=reason(candidate.disagreements),
        arm=Arm.ASSISTED,
        arm_drawn=False,
        model_version=champion,
        round=reading.round + 1,
        kind=EntryKind.SECOND_LOOK,
        reading_id=reading.id,
    )
