"""Pull what a reader did in Label Studio into the store."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.organisation import ProjectState
from backend.label_studio.task_rows import UnreadableTask
from backend.label_studio.tasks import MalformedTaskError, TaskState
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.workflow.compare_tasks import Comparison, compare_tasks
from backend.workflow.keep_lost_reading import keep_reading_of_gone_task, receive_older_state
from backend.workflow.receive_reading import Received
from backend.workflow.receive_tasks import follow, receive_tasks
from backend.workflow.sync_report import SyncReport
from backend.workflow.trusted_start import trusted_start

_BATCH = 50  # a transaction keeps other writers waiting
_COMPARED_EVERY = timedelta(days=1)

_log = logging.getLogger(__name__)


def pull_readings(
    store: Store,
    client: LabelStudioClient,
    project: ReaderProject,
    report: SyncReport,
    *,
    clock: Callable[[], datetime],
) -> None:
    """Take what changed in a reader's project since the last time, and notice what vanished.

    What changed is found by Label Studio's clock alone. All tasks are listed only once a day,
    or when there is a sign that some vanished or went back in time.

    Parameters
    ----------
    store : Store
        The database.
    client : LabelStudioClient
        Of the reader's organisation.
    project : ReaderProject
        The reader's.
    report : SyncReport
        Is told what was done.
    clock : callable
        Gives the time; aware.
    """
    _Pull(store, client, project, report, clock).run()


class _Pull:
    """One reader's turn."""

    def __init__(
        self,
        store: Store,
        client: LabelStudioClient,
        project: ReaderProject,
        report: SyncReport,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._client = client
        self._project = project
        self._report = report
        self._clock = clock
        self._met: set[int] = set()
        self._has_gone_back = False

    def run(self) -> None:
        self._learn_user()
        state = self._client.project_state(self._project.project_id)
        since = trusted_start(self._project.synced_until, state.asked_at)
        newest = self._take_changes(since, state.asked_at)
        self._try_set_aside_again(state.asked_at)
        if self._is_comparison_due(state, newest, since):
            newest = self._compare(newest, state.asked_at)
        until = newest if state.asked_at is None or newest is None else min(newest, state.asked_at)
        with self._store.transaction() as unit:
            unit.readers.set_synced(self._project.reader_id, until)

    def _learn_user(self) -> None:
        if self._project.user_id is not None:
            return
        users = {email.casefold(): key for key, email in self._client.users().items()}
        found = users.get(self._project.email.casefold())
        if found is not None:
            with self._store.transaction() as unit:
                unit.readers.set_user(self._project.reader_id, found)

    def _take_changes(self, since: datetime | None, asked_at: datetime | None) -> datetime | None:
        """Take every changed task; return the time of the newest change, None without one."""
        newest: datetime | None = None
        changed = iter(
            self._client.changed_tasks(
                self._project.project_id, since, on_unreadable=self._set_aside
            )
        )
        while batch := list(islice(changed, _BATCH)):
            self._take(batch, asked_at)
            newest = max([task.updated_at for task in batch], default=newest)
        return newest

    def _take(self, batch: Sequence[TaskState], asked_at: datetime | None) -> None:
        """Take tasks in one transaction, or one by one when something is wrong with one."""
        self._met |= {task.task_id for task in batch}
        try:
            outcomes = receive_tasks(self._store, self._project, batch, now=self._clock())
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is in a task, the rest go on
            if len(batch) > 1:
                for task in batch:
                    self._take([task], asked_at)
            else:
                self._set_aside(UnreadableTask(batch[0].task_id, None, _why(error)))
            return
        for task, received in zip(batch, outcomes, strict=True):
            if received is Received.OUTDATED:
                self._report.received[self._ask_again(task.task_id, asked_at)] += 1
            else:
                self._report.received[received] += 1

    def _ask_again(self, task_id: int, asked_at: datetime | None) -> Received:
        """Take a task that was older than the store knew it; only now that is certain."""
        try:
            task = self._client.task_state(self._project.project_id, task_id)
            received = Received.OUTDATED if task is None else self._take_older(task, asked_at)
        except (LabelStudioError, StoreUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is in a task, the rest go on
            self._set_aside(UnreadableTask(task_id, None, _why(error)))
            return Received.OUTDATED
        if received is Received.LOST:
            self._has_gone_back = True
            self._report.readings_kept += 1
        return received

    def _take_older(self, task: TaskState, asked_at: datetime | None) -> Received:
        now = self._clock()
        with self._store.transaction() as unit:
            received = receive_older_state(
                unit, task, self._project.reader_id, asked_at=asked_at, now=now
            )
            follow(unit, [task], [received], now=now)
        return received

    def _set_aside(self, task: UnreadableTask) -> None:
        self._met.add(task.task_id)
        with self._store.transaction() as unit:
            unit.set_asides.put(self._project.reader_id, task.task_id, task.why, now=self._clock())
        _log.warning("a task could not be read and was set aside; the others went on")
        self._report.notices.append(
            f"{self._project.reader_id}: task {task.task_id} could not be read ({task.why}); it "
            "stays in Label Studio and is tried again in every sync. Mend or delete it there"
        )

    def _try_set_aside_again(self, asked_at: datetime | None) -> None:
        with self._store.snapshot() as unit:
            waiting = [one.task_id for one in unit.set_asides.of(self._project.reader_id)]
        for task_id in waiting:
            if task_id not in self._met:
                self._try_again(task_id, asked_at)

    def _try_again(self, task_id: int, asked_at: datetime | None) -> None:
        try:
            task = self._client.task_state(self._project.project_id, task_id)
        except MalformedTaskError as error:
            self._set_aside(UnreadableTask(task_id, None, _why(error)))
            return
        with self._store.transaction() as unit:
            unit.set_asides.release(self._project.reader_id, task_id)
        if task is not None:
            self._take([task], asked_at)

    def _is_comparison_due(
        self, state: ProjectState, newest: datetime | None, since: datetime | None
    ) -> bool:
        with self._store.snapshot() as unit:
            known = unit.worklists.count_tasks(self._project.reader_id)
        compared_at = self._project.compared_at
        return (
            compared_at is None
            or self._clock() - compared_at >= _COMPARED_EVERY
            or state.tasks != known + self._project.other_tasks
            or self._has_gone_back
            # The newest change that was known is always seen again, unless it has vanished.
            or (since is not None and (newest is None or newest < since))
        )

    def _compare(self, newest: datetime | None, asked_at: datetime | None) -> datetime | None:
        """Compare every task with the worklist; return the time of the newest change there is."""
        with self._store.snapshot() as unit:
            known = unit.worklists.known_tasks(self._project.reader_id)
            set_aside = {one.task_id for one in unit.set_asides.of(self._project.reader_id)}
        rows = self._client.all_tasks(self._project.project_id)

        found = compare_tasks(rows, known, set_aside)

        self._part_from_gone_tasks(found)
        for one in found.older:
            received = self._ask_again(one.task_id or 0, asked_at)
            self._report.received[received] += 1
        with self._store.transaction() as unit:
            unit.readers.set_compared(
                self._project.reader_id,
                self._clock(),
                other_tasks=len(rows) - unit.worklists.count_tasks(self._project.reader_id),
            )
        # Of those listed, the newest known to have been pulled: a later one comes with the next.
        pulled = [row.updated_at for row in rows if newest is None or row.updated_at <= newest]
        return max(pulled, default=None)

    def _part_from_gone_tasks(self, found: Comparison) -> None:
        with self._store.transaction() as unit:
            for one in found.gone_unread:
                unit.worklists.forget_task(one.entry_id)
            kept = [
                keep_reading_of_gone_task(unit, one.entry_id, now=self._clock())
                for one in found.gone_ended
            ]
        self._report.tasks_lost += len(found.gone_unread)
        self._report.readings_kept += sum(kept)
        if sum(kept):
            _log.warning("Label Studio has lost %d readings; the store keeps them", sum(kept))


def _why(error: Exception) -> str:
    return (
        str(error) if isinstance(error, MalformedTaskError) else f"{type(error).__name__}: {error}"
    )
