"""How far a step is: on the terminal, and in the store for everybody else."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from backend.domain.nights import StepRecord, StepState
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.chain_step import Progress

_KEPT_EVERY_SECONDS = 1.0


class StepWatch:
    """Passes on what a step says, and keeps it in the store about once a second.

    Parameters
    ----------
    store : Store
        The database.
    run_id : int
        Of which run.
    record : StepRecord
        What is recorded of the step so far.
    inputs : mapping
        What its outcome depends on.
    clock : callable
        Gives the time; aware.
    shown : Progress
        Somebody else who is told.
    """

    def __init__(
        self,
        store: Store,
        run_id: int,
        record: StepRecord,
        inputs: Mapping[str, object],
        clock: Callable[[], datetime],
        shown: Progress,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._record = record
        self._inputs = inputs
        self._clock = clock
        self._shown = shown
        self._began = self._part_began = self._kept = time.monotonic()

    def step(self, what: str, total: int) -> None:
        """Begin a part of the step.

        Parameters
        ----------
        what : str
            What is done.
        total : int
            Its parts.
        """
        self._shown.step(what, total)
        self._part_began = time.monotonic()
        self._record = replace(self._record, part=what, done=0, total=total, rate=None, message="")
        self.keep_now()

    def advance(self, done: int, note: str = "") -> None:
        """Say how many parts are done.

        Parameters
        ----------
        done : int
            From the beginning of this part of the step.
        note : str
            Shown beside it.
        """
        self._shown.advance(done, note)
        now = time.monotonic()
        elapsed = now - self._part_began
        rate = done / elapsed if elapsed > 0 else None
        self._record = replace(self._record, done=done, rate=rate, message=note)
        if now - self._kept >= _KEPT_EVERY_SECONDS:
            self.keep_now()

    def keep_now(self) -> None:
        """Keep what is known of the step."""
        self._kept = time.monotonic()
        with self._store.transaction() as unit:
            self._put(unit)

    def keep_done(self, unit: UnitOfWork, outcome: Mapping[str, object]) -> None:
        """Record that the step is done, in the transaction that did it.

        Parameters
        ----------
        unit : UnitOfWork
            The open transaction.
        outcome : mapping
            What the step left; plain values.
        """
        before = self._record
        self._end(StepState.DONE, "", outcome)
        self._put(unit)
        self._record = before  # should the transaction fail, so does the step

    def end(
        self, state: StepState, message: str, outcome: Mapping[str, object] | None = None
    ) -> Mapping[str, object]:
        """Record how the step ended.

        Parameters
        ----------
        state : StepState
            What became of it.
        message : str
            Why.
        outcome : mapping or None
            What it left.

        Returns
        -------
        mapping
            The outcome as it comes back from the store.
        """
        self._end(state, message, outcome or {})
        self.keep_now()
        return self._record.outcome

    def _end(self, state: StepState, message: str, outcome: Mapping[str, object]) -> None:
        self._record = replace(
            self._record,
            state=state,
            message=message,
            outcome=json.loads(json.dumps(outcome, default=str)),
            ended_at=self._clock(),
            duration_seconds=time.monotonic() - self._began,
        )

    def _put(self, unit: UnitOfWork) -> None:
        unit.nights.put_step(self._run_id, self._record, self._inputs)
