"""Pull what adjudicators did in Label Studio into the store."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice

from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.task_rows import TaskRow, UnreadableTask
from backend.label_studio.tasks import TaskState
from backend.store.adjudication_tasks import KnownRequestTask
from backend.store.adjudicators import AdjudicationDesk
from backend.store.unit_of_work import Store, StoreUnavailableError, UnitOfWork
from backend.workflow.keep_lost_verdict import receive_restored
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.receive_reading import Received
from backend.workflow.receive_verdict import receive_verdict
from backend.workflow.trusted_start import trusted_start

_BATCH = 50  # after so many tasks it is remembered how far the pull has come
_NOTHING_NEW = {Received.UNCHANGED, Received.OUTDATED, Received.LOST, Received.FOREIGN}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class AdjudicationSync:
    """What a sync with the adjudicators' project did.

    Attributes
    ----------
    received : Counter
        `Received` to the number of tasks.
    tasks_pushed : int
        Tasks made.
    problems : list of str
        What could not be done, with the remedy; the next sync tries again.
    notices : list of str
        What somebody should look at; everything else was done.
    """

    received: Counter[str] = field(default_factory=Counter)
    tasks_pushed: int = 0
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def receive_adjudication(store: Store, task: TaskState, *, now: datetime) -> Received:
    """Take one task of the adjudicators into the store, and bring its consensus up to date.

    Parameters
    ----------
    store : Store
        The database.
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
        received = receive_verdict(unit, task, now=now)
        _follow(unit, task, received, now)
    return received


def older_tasks(
    rows: Sequence[TaskRow], known: Sequence[KnownRequestTask]
) -> list[KnownRequestTask]:
    """Return the requests whose task is older in Label Studio than it once was.

    Parameters
    ----------
    rows : sequence of TaskRow
        Every task of the project, asked for after `known` was.
    known : sequence of KnownRequestTask
        What the store knows of them.

    Returns
    -------
    list of KnownRequestTask
        That happens only when Label Studio was restored from a backup or its clock set back.
    """
    changed_at = {row.task_id: row.updated_at for row in rows}
    return [
        one
        for one in known
        if one.task_id in changed_at
        and one.updated_at is not None
        and changed_at[one.task_id] < one.updated_at
    ]


def pull_verdicts(
    store: Store,
    client: LabelStudioClient,
    place: AdjudicationDesk,
    report: AdjudicationSync,
    *,
    clock: Callable[[], datetime],
) -> None:
    """Take what changed in the adjudicators' project since the last time.

    All tasks are listed each time, which tells whether the project went back in time; they are
    few. A task that cannot be read keeps nobody waiting: it is reported, and everything from it
    on is looked at again by the next pull.

    Parameters
    ----------
    store : Store
        The database.
    client : LabelStudioClient
        Of the adjudicators' organisation.
    place : AdjudicationDesk
        Where they work.
    report : AdjudicationSync
        Is told what was done.
    clock : callable
        Gives the time; aware.
    """
    _Pull(store, client, place, report, clock).run()


def _follow(unit: UnitOfWork, task: TaskState, received: Received, now: datetime) -> None:
    request = unit.adjudication_requests.get(task.entry or 0)
    if received not in _NOTHING_NEW and request is not None:
        reach_consensus(unit, [request.image_id], now=now)


class _Pull:
    """One turn."""

    def __init__(
        self,
        store: Store,
        client: LabelStudioClient,
        place: AdjudicationDesk,
        report: AdjudicationSync,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._client = client
        self._project_id = place.project_id
        self._synced_until = place.synced_until
        self._report = report
        self._clock = clock
        self._asked_at: datetime | None = None
        self._went_back = False
        self._is_held_up = False

    def run(self) -> None:
        self._asked_at = self._client.project_state(self._project_id).asked_at
        since = trusted_start(self._synced_until, self._asked_at)
        with self._store.snapshot() as unit:
            known = unit.adjudication_requests.known_tasks()
        older = older_tasks(self._client.all_tasks(self._project_id), known)
        self._went_back = bool(older)
        met = self._take_changes(since)
        for one in older:
            if one.task_id is not None and one.task_id not in met:
                self._try(one.task_id, partial(self._ask_again, one.task_id))
        self._tell_of_lost()

    def _take_changes(self, since: datetime | None) -> set[int]:
        """Take every changed task, and remember how far that has come; return which they were."""
        met: set[int] = set()
        changed = iter(
            self._client.changed_tasks(self._project_id, since, on_unreadable=self._set_aside)
        )
        while batch := list(islice(changed, _BATCH)):
            for task in batch:
                met.add(task.task_id)
                self._try(task.task_id, partial(self._take, task))
            if not self._is_held_up:
                self._remember(max(task.updated_at for task in batch))
        return met

    def _remember(self, newest: datetime) -> None:
        until = newest if self._asked_at is None else min(newest, self._asked_at)
        with self._store.transaction() as unit:
            unit.adjudicators.set_synced(until)

    def _try(self, task_id: int, take: Callable[[], Received | None]) -> None:
        try:
            received = take()
        except (StoreUnavailableError, LabelStudioError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is in a task, the rest go on
            self._set_aside(UnreadableTask(task_id, None, f"{type(error).__name__}: {error}"))
            return
        if received is not None:
            self._report.received[received] += 1

    def _take(self, task: TaskState) -> Received | None:
        if self._went_back:
            return self._ask_again(task.task_id)
        received = receive_adjudication(self._store, task, now=self._clock())
        return self._ask_again(task.task_id) if received is Received.OUTDATED else received

    def _ask_again(self, task_id: int) -> Received | None:
        """Take a task that may be older than the store knew it; only now that is certain."""
        task = self._client.task_state(self._project_id, task_id)
        if task is None:
            return None
        now = self._clock()
        with self._store.transaction() as unit:
            received = receive_restored(
                unit, task, went_back=self._went_back, asked_at=self._asked_at, now=now
            )
            _follow(unit, task, received, now)
        return received

    def _set_aside(self, task: UnreadableTask) -> None:
        self._is_held_up = True
        _log.warning("an adjudicators' task could not be read; the others went on")
        self._report.notices.append(
            f"adjudication: task {task.task_id} could not be read ({task.why}); it stays in Label "
            "Studio and is tried again in every sync. Mend or delete it there"
        )

    def _tell_of_lost(self) -> None:
        number = self._report.received[Received.LOST]
        if number:
            _log.warning("Label Studio has lost %d verdicts; the store keeps them", number)
            self._report.notices.append(
                f"adjudication: {number} verdicts are lost in Label Studio and kept here; "
                "overread sync --check lists their tasks"
            )
