"""Take what a reader did in Label Studio into the store."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from backend.domain.images import Image
from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox, Reading
from backend.domain.worklists import EntryKind, EntryState, Skip, WorklistEntry
from backend.label_studio import regions, results, skips
from backend.label_studio.labelled_boxes import UnusableResultError
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.entry_tasks import KnownTask
from backend.store.readings import KeptReading, Receipt
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork
from backend.workflow import answers
from backend.workflow.receive_second_look import kind_of_reading, shown_in_second_look

_BY_ANOTHER = (
    "it was submitted or changed by another Label Studio user than the reader; let the reader "
    "open the task and submit it again"
)


class Received(StrEnum):
    """What a task held that the store did not know."""

    NEW = "new"
    REVISED = "revised"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"
    REOPENED = "reopened"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    LOST = "lost"
    FOREIGN = "foreign"


def receive_reading(
    store: UnitOfWork, task: TaskState, reader_id: str, *, now: datetime
) -> Received:
    """Bring the store to what a task holds now.

    Receiving the same state twice, or an old state after a new one, changes nothing. What the
    reader changed or deleted becomes a further revision; what cannot be understood, or was
    answered by another user, is kept in quarantine with the reason.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    task : TaskState
        As Label Studio has it.
    reader_id : str
        Whose project it is in.
    now : datetime
        The time; aware.

    Returns
    -------
    Received
        What was new.
    """
    entry = None if task.entry is None else store.worklists.get(task.entry)
    image = None if entry is None else store.images.get(entry.image_id)
    if entry is None or image is None or not _is_ours(task, entry, reader_id):
        return Received.FOREIGN
    current = store.readings.current(entry.image_id, reader_id, entry.round)
    known = store.worklists.known_task(entry.key)
    is_lost = known is not None and known.is_lost
    if is_lost:
        task = answers.without_older(task, current, known)
    newest = answers.choose(task, store.readers.user_of(reader_id))

    if is_lost and not task.annotations:
        return Received.UNCHANGED
    if _is_outdated(task, entry, known):
        return Received.OUTDATED
    if _is_idle_second_task(task, entry, newest, current):
        return Received.UNCHANGED

    if is_lost:
        store.worklists.set_lost(entry.key, None)
    store.worklists.follow_task(
        entry.key, task.task_id if newest else entry.task_id, updated_at=task.updated_at
    )
    if newest is None:
        return _without_annotation(store, task, entry, current, now)
    return _with_annotation(store, entry, image, current, newest, now)


def _is_ours(task: TaskState, entry: WorklistEntry, reader_id: str) -> bool:
    # The number of an entry means another image in a store that was thrown away, or in one that
    # is newer than a restored backup; its tasks may still be in Label Studio.
    return entry.reader_id == reader_id and task.image_id in {None, entry.image_id}


def _is_outdated(task: TaskState, entry: WorklistEntry, known: KnownTask | None) -> bool:
    seen_until = None if known is None else known.updated_at
    is_its_task = entry.task_id in {None, task.task_id}
    return is_its_task and seen_until is not None and task.updated_at < seen_until


def _is_idle_second_task(
    task: TaskState,
    entry: WorklistEntry,
    newest: AnnotationState | None,
    current: KeptReading | None,
) -> bool:
    # Two pushes at the same moment can make two tasks of an entry. What the reader does in the
    # second one must not be lost, and that nothing was done in it means nothing.
    if entry.task_id in {None, task.task_id}:
        return False
    if newest is None:
        return True
    known_at = stands(current) and current and current.receipt.annotation_updated_at
    return bool(known_at and known_at >= newest.updated_at)


def stands(current: KeptReading | None) -> bool:
    """Return whether there is a reading from Label Studio that was not withdrawn.

    Parameters
    ----------
    current : KeptReading or None
        The newest revision.

    Returns
    -------
    bool
        Quarantined ones stand too.
    """
    return (
        current is not None
        and current.receipt.annotation_id is not None
        and current.receipt.state != "withdrawn"
    )


def _is_known(current: KeptReading | None, newest: AnnotationState) -> bool:
    # Compared for being the same, not the newest: when the newer of two annotations is deleted,
    # the older one is the reader's answer again.
    return (
        current is not None
        and current.receipt.state != "withdrawn"
        and (current.receipt.annotation_id, current.receipt.annotation_updated_at)
        == (newest.id, newest.updated_at)
    )


def _with_annotation(
    store: UnitOfWork,
    entry: WorklistEntry,
    image: Image,
    current: KeptReading | None,
    newest: AnnotationState,
    now: datetime,
) -> Received:
    if entry.state is not EntryState.READ:
        store.worklists.set_state(entry.key, EntryState.READ, now=now)
        store.worklists.set_skip(entry.key, None)
    if _is_known(current, newest):
        return Received.UNCHANGED
    reading, receipt = _read(store, entry, image, newest, now)
    if (
        answers.is_by_another(newest, store.readers.user_of(entry.reader_id))
        and not receipt.reason
    ):
        receipt = replace(receipt, state="quarantined", reason=_BY_ANOTHER)
    revision = store.readings.revise(reading, receipt)
    _note(store, entry, "read" if revision == 1 else "revise", now, receipt.reason)
    if receipt.state == "quarantined":
        return Received.QUARANTINED
    return Received.NEW if revision == 1 else Received.REVISED


def _without_annotation(
    store: UnitOfWork,
    task: TaskState,
    entry: WorklistEntry,
    current: KeptReading | None,
    now: datetime,
) -> Received:
    state = EntryState.SKIPPED if task.annotations else EntryState.OPEN
    if entry.state not in {state, EntryState.WITHDRAWN}:
        store.worklists.set_state(entry.key, state, now=now)
    skip = _skip_of(task)
    store.worklists.set_skip(entry.key, skip)
    if current is not None and stands(current):
        verb = "skipped the image afterwards" if task.annotations else "deleted the annotation"
        receipt = replace(
            current.receipt,
            received_at=now,
            state="withdrawn",
            reason=f"the reader {verb} in Label Studio",
        )
        store.readings.revise(current.reading, receipt)
        _note(store, entry, "withdraw", now, receipt.reason)
        return Received.WITHDRAWN
    if entry.state in {state, EntryState.WITHDRAWN}:
        return Received.UNCHANGED
    _note(
        store, entry, "skip" if task.annotations else "reopen", now, skip.reason if skip else None
    )
    return Received.SKIPPED if task.annotations else Received.REOPENED


def _skip_of(task: TaskState) -> Skip | None:
    newest = max(task.annotations, key=lambda item: (item.updated_at, item.id), default=None)
    return None if newest is None else skips.skip_from_result(newest.result)


def _read(
    store: UnitOfWork,
    entry: WorklistEntry,
    image: Image,
    annotation: AnnotationState,
    now: datetime,
) -> tuple[Reading, Receipt]:
    receipt = Receipt(
        received_at=now,
        annotation_id=annotation.id,
        annotation_updated_at=annotation.updated_at,
    )
    reading = Reading(
        image_id=entry.image_id,
        reader_id=entry.reader_id,
        boxes=(),
        read_at=annotation.updated_at,
        round=entry.round,
        arm=entry.arm,
        model_version=entry.model_version,
        lead_time_seconds=_lead_time(annotation),
        kind=kind_of_reading(entry),
    )
    try:
        result = results.boxes_from_result(
            annotation.result, _shown(store, entry), image.width_px, image.height_px
        )
    except UnusableResultError as error:
        return reading, replace(
            receipt, state="quarantined", reason=str(error), submitted=annotation.result
        )
    reading = replace(reading, boxes=result.boxes, deleted=result.deleted, note=result.skip.note)
    if result.contradiction:
        receipt = replace(receipt, state="quarantined", reason=result.contradiction)
    return reading, receipt


def _lead_time(annotation: AnnotationState) -> float | None:
    # The reader's browser counts it; a clock that was set back makes it negative.
    seconds = annotation.lead_time_seconds
    return seconds if seconds is not None and seconds >= 0 else None


def _shown(store: UnitOfWork, entry: WorklistEntry) -> Mapping[str, PredictedBox | ReadBox]:
    if entry.kind is EntryKind.SECOND_LOOK:
        return shown_in_second_look(store, entry)
    if entry.model_version is None:
        return {}
    prediction = store.predictions.of_model(entry.model_version, [entry.image_id])
    return regions.shown_regions(prediction[entry.image_id].shown)


def _note(
    store: UnitOfWork, entry: WorklistEntry, action: str, now: datetime, reason: str | None
) -> None:
    store.records.note(
        AuditEvent(now, entry.reader_id, action, f"image:{entry.image_id}", {"reason": reason})
    )
