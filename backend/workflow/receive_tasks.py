"""Take tasks into the store, and bring the consensus of their images up to date."""

from collections.abc import Sequence
from datetime import datetime

from backend.label_studio.tasks import TaskState
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.receive_reading import Received, receive_reading

_NOTHING_NEW = {Received.UNCHANGED, Received.OUTDATED, Received.LOST, Received.FOREIGN}


def receive_task(
    store: Store, project: ReaderProject, task: TaskState, *, now: datetime
) -> Received:
    """Take one task into the store, and bring its image's consensus up to date.

    Parameters
    ----------
    store : Store
        The database.
    project : ReaderProject
        Where the task is.
    task : TaskState
        As Label Studio has it.
    now : datetime
        The time; aware.

    Returns
    -------
    Received
        What was new.
    """
    return receive_tasks(store, project, [task], now=now)[0]


def receive_tasks(
    store: Store, project: ReaderProject, batch: Sequence[TaskState], *, now: datetime
) -> list[Received]:
    """Take tasks into the store, all or none, and bring their images' consensus up to date.

    Parameters
    ----------
    store : Store
        The database.
    project : ReaderProject
        Where the tasks are.
    batch : sequence of TaskState
        As Label Studio has them.
    now : datetime
        The time; aware.

    Returns
    -------
    list of Received
        What was new, in the order of `batch`.
    """
    with store.transaction() as unit:
        outcomes = [receive_reading(unit, task, project.reader_id, now=now) for task in batch]
        follow(unit, batch, outcomes, now=now)
    return outcomes


def follow(
    unit: UnitOfWork, batch: Sequence[TaskState], outcomes: Sequence[Received], *, now: datetime
) -> None:
    """Bring the consensus of the images up to date of which something new was received.

    Parameters
    ----------
    unit : UnitOfWork
        The transaction in which it was received.
    batch : sequence of TaskState
        As Label Studio has them.
    outcomes : sequence of Received
        What was new, in the order of `batch`.
    now : datetime
        The time; aware.
    """
    changed = [
        unit.worklists.get(task.entry or 0)
        for task, received in zip(batch, outcomes, strict=True)
        if received not in _NOTHING_NEW
    ]
    image_ids = dict.fromkeys(entry.image_id for entry in changed if entry is not None)
    if image_ids:
        reach_consensus(unit, list(image_ids), now=now)
