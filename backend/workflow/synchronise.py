"""Label Studio and the store, brought to agree: pull what was read, push what is to be read."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from backend.domain.worklists import EntryState
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError, LabelStudioMissingError
from backend.label_studio.tasks import MalformedTaskError, TaskState
from backend.store.readers import ReaderProject
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store
from backend.workflow.job_lease import hold_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.push_worklists import push_worklist
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.receive_reading import Received, receive_reading
from backend.workflow.synchronise_adjudication import synchronise_adjudication

_WAIT_SECONDS = 120.0
"""How long a sync waits for another one of the same reader, for example of the backend."""


@dataclass(slots=True)
class SyncReport:
    """What a sync did, over all readers.

    Attributes
    ----------
    received : Counter
        `Received` to the number of tasks.
    verdicts : Counter
        The same for the tasks of the adjudicators.
    tasks_pushed, tasks_lost : int
        Tasks made, and tasks that somebody had deleted in Label Studio; those are made again.
    problems : list of str
        What could not be done, with the remedy; the next sync tries again.
    """

    received: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    tasks_pushed: int = 0
    tasks_lost: int = 0
    problems: list[str] = field(default_factory=list)


def synchronise(
    store: Store,
    desk: LabelStudioDesk,
    *,
    clock: Callable[[], datetime],
    on_reader: Callable[[str], None] = lambda _: None,
) -> SyncReport:
    """Pull every reader's changes into the store and push the worklists out.

    One reader's trouble does not keep the others waiting.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    clock : callable
        Gives the time; aware.
    on_reader : callable
        Called with the reader id after each reader.

    Returns
    -------
    SyncReport
        What was done, and what could not be.
    """
    report = SyncReport()
    with store.snapshot() as unit:
        projects = unit.readers.projects()
    for project in projects:
        try:
            with hold_lease(
                store, f"sync {project.reader_id}", clock=clock, wait_seconds=_WAIT_SECONDS
            ):
                _pull(store, desk, project, report, clock)
                pushed = push_worklist(store, desk, project, now=clock())
            report.tasks_pushed += pushed.tasks
        except LabelStudioMissingError as error:
            report.problems.append(
                f"{project.reader_id}: {error}; if the project was deleted by hand, make it again "
                f"with: overread readers add {project.reader_id}"
            )
        except (LabelStudioError, MalformedTaskError, LeaseTakenError) as error:
            report.problems.append(f"{project.reader_id}: {error}")
        on_reader(project.reader_id)
    adjudicated = synchronise_adjudication(store, desk, clock=clock)
    report.verdicts.update(adjudicated.received)
    report.tasks_pushed += adjudicated.tasks_pushed
    report.problems += adjudicated.problems
    return report


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
    with store.transaction() as unit:
        received = receive_reading(unit, task, project.reader_id, now=now)
        if received not in {Received.UNCHANGED, Received.FOREIGN}:
            entry = unit.worklists.get(task.entry or 0)
            if entry is not None:
                reach_consensus(unit, [entry.image_id], now=now)
    return received


def _pull(
    store: Store,
    desk: LabelStudioDesk,
    project: ReaderProject,
    report: SyncReport,
    clock: Callable[[], datetime],
) -> None:
    with desk.open_client(project.reader_id) as client:
        cursor = project.synced_until
        for task in client.changed_tasks(project.project_id, cursor):
            report.received[receive_task(store, project, task, now=clock())] += 1
            cursor = max(cursor or task.updated_at, task.updated_at)
        report.tasks_lost += _notice_lost_tasks(store, client, project)
    if cursor is not None:
        with store.transaction() as unit:
            unit.readers.set_synced(project.reader_id, cursor)


def _notice_lost_tasks(store: Store, client: LabelStudioClient, project: ReaderProject) -> int:
    """Forget the tasks of open entries that somebody deleted, so that they are pushed again."""
    with store.snapshot() as unit:
        entries = unit.worklists.all(reader_id=project.reader_id, state=EntryState.OPEN)
    pushed = {entry.task_id: entry.id for entry in entries if entry.task_id is not None}
    if not pushed:
        return 0
    lost = pushed.keys() - client.task_ids(project.project_id)
    with store.transaction() as unit:
        for task_id in lost:
            unit.worklists.forget_task(pushed[task_id] or 0)
    return len(lost)
