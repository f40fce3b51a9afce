"""Keep a verdict that Label Studio has lost, and say so.

An adjudicator who deletes an annotation leaves a task that is newer than the store knows it. In a
project that went back in time, as after a restored backup, a missing one tells nothing.
"""

from datetime import datetime

from backend.label_studio.tasks import TaskState
from backend.store.adjudications import KeptVerdict
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.receive_reading import Received
from backend.workflow.receive_verdict import receive_verdict, stands

_OLDER = "Label Studio holds an older state, as after a restored backup; the verdict stays"


def receive_restored(
    store: UnitOfWork,
    task: TaskState,
    *,
    went_back: bool,
    asked_at: datetime | None,
    now: datetime,
) -> Received:
    """Take a task that may have gone back in time.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    task : TaskState
        As Label Studio has it now; asked for after the store knew what it knows.
    went_back : bool
        Whether any task of the project is older than it once was; then a task that is newer than
        the store knows it may have lost its verdict, too, and have been touched since.
    asked_at : datetime or None
        The time by Label Studio's clock; aware. Earlier than the known state when that clock was
        set back, and then what the task holds is new all the same.
    now : datetime
        The time; aware.

    Returns
    -------
    Received
        LOST when a verdict is kept that is not in the task any more.
    """
    request = None if task.entry is None else store.adjudication_requests.get(task.entry)
    known = None if request is None else store.adjudication_requests.known_task(request.key)
    if request is None or known is None or known.task_id != task.task_id:
        return receive_verdict(store, task, now=now)
    seen_until = known.updated_at
    is_older = seen_until is not None and task.updated_at < seen_until
    if not is_older and not went_back:
        return receive_verdict(store, task, now=now)
    current = store.adjudications.current(request.key)
    is_lost = not known.is_lost and _is_missing(current, task)
    is_set_back = asked_at is not None and seen_until is not None and asked_at < seen_until
    if is_set_back and any(not item.was_cancelled for item in task.annotations):
        is_lost = False

    if is_older:
        store.adjudication_requests.follow_task(
            request.key, task.task_id, updated_at=task.updated_at
        )
    if is_lost:
        store.adjudication_requests.set_lost(request.key, now)
        store.records.note(
            AuditEvent(now, "sync", "keep", f"image:{request.image_id}", {"reason": _OLDER})
        )
    received = receive_verdict(store, task, now=now)
    return Received.LOST if is_lost and received is Received.UNCHANGED else received


def _is_missing(current: KeptVerdict | None, task: TaskState) -> bool:
    if current is None or not stands(current):
        return False
    kept = current.receipt.annotation_id, current.receipt.annotation_updated_at
    return kept not in {
        (item.id, item.updated_at) for item in task.annotations if not item.was_cancelled
    }
