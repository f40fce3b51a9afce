"""Runs the reconciling sync, every few minutes and on request."""

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event, Lock, Thread

from backend.api.metrics import Metrics
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store
from backend.workflow.job_lease import hold_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.synchronise import SyncReport, synchronise

_FIRST_AFTER_SECONDS = 5.0
_LAST_SYNC_SECONDS = 10.0

_log = logging.getLogger(__name__)


class SyncStoppedError(RuntimeError):
    """The server ends, so the sync ended after the present reader."""


class SyncWorker:
    """One thread that syncs; never two syncs at a time, whoever asks for them.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    metrics : Metrics
        Where syncs are counted.
    clock : callable
        Gives the time; aware.
    every_seconds : float, [s]
        Pause between two syncs.
    """

    def __init__(
        self,
        store: Store,
        desk: LabelStudioDesk,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
        every_seconds: float,
    ) -> None:
        self._store = store
        self._desk = desk
        self._metrics = metrics
        self._clock = clock
        self._every_seconds = every_seconds
        self._stopping = Event()
        self._turn = Lock()
        self._thread = Thread(target=self._work, name="sync worker", daemon=True)

    def start(self) -> None:
        """Begin to sync; the first time soon, for what was missed while the server was down."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present reader."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_SYNC_SECONDS)

    def run_once(self) -> SyncReport:
        """Sync now.

        Returns
        -------
        SyncReport
            What was done, and what could not be.

        Raises
        ------
        LeaseTakenError
            If another sync is running, here or in another process.
        """
        try:
            report = self._sync()
        except LeaseTakenError:
            self._metrics.syncs.labels("busy").inc()
            raise
        except Exception:
            self._metrics.syncs.labels("failed").inc()
            raise
        self._metrics.syncs.labels("incomplete" if report.problems else "done").inc()
        return report

    def _sync(self) -> SyncReport:
        # The lease keeps other processes out, the lock other threads of this one.
        if not self._turn.acquire(blocking=False):
            raise LeaseTakenError("sync is already running in this server; ask again later")
        try:
            with hold_lease(self._store, "sync", clock=self._clock):
                return synchronise(
                    self._store,
                    self._desk,
                    clock=self._clock,
                    on_reader=lambda _: self._between_readers(),
                )
        finally:
            self._turn.release()

    def _between_readers(self) -> None:
        if self._stopping.is_set():
            raise SyncStoppedError("the server is being stopped; the next sync goes on")

    def _work(self) -> None:
        pause_seconds = min(_FIRST_AFTER_SECONDS, self._every_seconds)
        while not self._stopping.wait(pause_seconds):
            pause_seconds = self._every_seconds
            try:
                report = self.run_once()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next sync must come
                # The message could name a reader or an image; the class says enough.
                _log.warning("a sync did not end well (%s)", type(error).__name__)
                continue
            if report.problems:
                _log.warning(
                    "a sync could not do everything (%d problems); `overread sync` names them",
                    len(report.problems),
                )
            if report.notices:
                _log.warning(
                    "somebody should look at %d tasks; `overread sync --check` names them",
                    len(report.notices),
                )
