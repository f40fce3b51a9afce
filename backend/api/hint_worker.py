"""Pulls what the webhook hinted at, after the webhook was answered."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from threading import Thread

from backend.api.errands import Errand, ErrandQueue, errands_of
from backend.api.metrics import Metrics
from backend.label_studio.events import Hint
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.list_own_readings import list_own_readings
from backend.workflow.receive_reading import Received
from backend.workflow.receive_tasks import receive_task
from backend.workflow.synchronise_adjudication import pull_adjudications

_LAST_ERRAND_SECONDS = 10.0

_log = logging.getLogger(__name__)


class HintWorker:
    """One thread that carries out errands, one after the other.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    metrics : Metrics
        Where hints are counted.
    clock : callable
        Gives the time; aware.
    """

    def __init__(
        self,
        store: Store,
        desk: LabelStudioDesk,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._desk = desk
        self._metrics = metrics
        self._clock = clock
        self._errands = ErrandQueue()
        self._thread = Thread(target=self._work, name="hint worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present errand; the reconciling sync finds what is left."""
        self._errands.close()
        if self._thread.is_alive():
            self._thread.join(_LAST_ERRAND_SECONDS)

    def note(self, hint: Hint) -> None:
        """Take a hint; returns at once.

        Parameters
        ----------
        hint : Hint
            From a delivery.
        """
        self._metrics.hints.labels("received").inc()
        for errand in errands_of(hint):
            if not self._errands.offer(errand):
                self._metrics.hints.labels("dropped").inc()

    def _work(self) -> None:
        while (errand := self._errands.take()) is not None:
            try:
                self._carry_out(errand)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next errand must go on
                self._metrics.hints.labels("failed").inc()
                # The message could name an image or a reader; the class says enough.
                _log.warning(
                    "a webhook hint could not be followed (%s); the next sync will find it",
                    type(error).__name__,
                )

    def _carry_out(self, errand: Errand) -> None:
        with self._store.snapshot() as unit:
            place = unit.adjudicators.desk()
            projects = unit.readers.projects(also_of_inactive=True)
            project = next((one for one in projects if one.project_id == errand.project_id), None)
            task_ids = () if project is None else _tasks(unit, project, errand)
        if place is not None and place.project_id == errand.project_id:
            # Its tasks are few; a pull also finds the task of a deleted annotation.
            pull_adjudications(self._store, self._desk, clock=self._clock)
            self._metrics.hints.labels("pulled").inc()
            return
        if project is None or not task_ids:
            self._metrics.hints.labels("foreign").inc()
            return
        for received in self._pull(project, task_ids):
            outcome = "foreign" if received is Received.FOREIGN else "pulled"
            self._metrics.hints.labels(outcome).inc()

    def _pull(self, project: ReaderProject, task_ids: Iterable[int]) -> Iterable[Received]:
        with self._desk.open_client(project.reader_id) as client:
            for task_id in task_ids:
                task = client.task_state(project.project_id, task_id)
                if task is not None:  # a deleted task is noticed by the sync
                    yield receive_task(self._store, project, task, now=self._clock())


def _tasks(unit: UnitOfWork, project: ReaderProject, errand: Errand) -> tuple[int, ...]:
    """Return the tasks of an errand; those of deleted annotations are looked up in the store."""
    if errand.task_ids:
        return errand.task_ids
    deleted = set(errand.annotation_ids)
    return tuple(
        own.entry.task_id
        for own in list_own_readings(unit, project.reader_id)
        if own.kept.receipt.annotation_id in deleted and own.entry.task_id is not None
    )
