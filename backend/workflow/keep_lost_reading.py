"""Keep a reading that Label Studio has lost, and say so.

Deleting an annotation moves its task forward in time, so a reader who deletes one leaves a task
that is newer than the store knows it. A task that is gone, or older than the store knows it,
tells nothing of the reader: somebody deleted it, or Label Studio was restored from a backup.
"""

from datetime import datetime

from backend.domain.worklists import WorklistEntry
from backend.label_studio.tasks import TaskState
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.receive_reading import Received, receive_reading, stands

_GONE = "its task was deleted in Label Studio; the reading stays"
_OLDER = "Label Studio holds an older state of its task, as after a restored backup"


def keep_reading_of_gone_task(store: UnitOfWork, entry_id: int, *, now: datetime) -> bool:
    """Part an entry from a task that is gone; its reading, if there is one, stays.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    entry_id : int
        The entry.
    now : datetime
        The time; aware.

    Returns
    -------
    bool
        Whether a reading is kept that Label Studio has not any more.
    """
    store.worklists.forget_task(entry_id)
    entry = store.worklists.get(entry_id)
    return entry is not None and _keep(store, entry, _GONE, now)


def receive_older_state(
    store: UnitOfWork,
    task: TaskState,
    reader_id: str,
    *,
    asked_at: datetime | None,
    now: datetime,
) -> Received:
    """Take a task that was asked for after the store knew a newer state of it.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    task : TaskState
        As Label Studio has it now.
    reader_id : str
        Whose project it is in.
    asked_at : datetime or None
        The time by Label Studio's clock; aware. Earlier than the known state when that clock was
        set back, and then what the task holds is new all the same.
    now : datetime
        The time; aware.

    Returns
    -------
    Received
        LOST when a reading is kept that is not in the task any more.
    """
    entry = None if task.entry is None else store.worklists.get(task.entry)
    known = None if entry is None else store.worklists.known_task(entry.key)
    seen_until = None if known is None else known.updated_at
    if entry is None or seen_until is None or task.updated_at >= seen_until:
        return receive_reading(store, task, reader_id, now=now)
    is_set_back = asked_at is not None and asked_at < seen_until
    current = store.readings.current(entry.image_id, reader_id, entry.round)
    held = {(item.id, item.updated_at) for item in task.annotations if not item.was_cancelled}
    kept = current and (current.receipt.annotation_id, current.receipt.annotation_updated_at)

    store.worklists.follow_task(entry.key, task.task_id, updated_at=task.updated_at)
    if stands(current) and (kept in held or (is_set_back and held)):
        return receive_reading(store, task, reader_id, now=now)
    if current is not None and _keep(store, entry, _OLDER, now):
        return Received.LOST
    return receive_reading(store, task, reader_id, now=now)


def _keep(store: UnitOfWork, entry: WorklistEntry, reason: str, now: datetime) -> bool:
    current = store.readings.current(entry.image_id, entry.reader_id, entry.round)
    if current is None or current.receipt.annotation_id is None:
        return False
    known = store.worklists.known_task(entry.key)
    if known is None or known.is_lost:
        return False
    store.worklists.set_lost(entry.key, now)
    store.records.note(
        AuditEvent(now, "sync", "keep", f"image:{entry.image_id}", {"reason": reason})
    )
    return stands(current)
