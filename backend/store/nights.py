"""Save and find runs of the chain, their steps, and what they said."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backend.domain.nights import NightRecord, RunState, StepRecord, StepState
from backend.store.tables import (
    AdjudicationRow,
    ConsensusRow,
    NightLineRow,
    NightRunRow,
    NightStepRow,
    ReadingRow,
)


class Nights:
    """The runs of the chain kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, kind: str, *, now: datetime) -> int:
        """Record that a run begins.

        Parameters
        ----------
        kind : str
            Which chain.
        now : datetime
            The time; aware.

        Returns
        -------
        int
            Its key.
        """
        row = NightRunRow(kind=kind, state=RunState.RUNNING, started_at=now, attempts=1, report={})
        self._session.add(row)
        self._session.flush()
        return row.id

    def begin_again(self, run_id: int) -> None:
        """Record that a run that was cut off goes on.

        Parameters
        ----------
        run_id : int
            Which.
        """
        self._session.execute(
            update(NightRunRow)
            .where(NightRunRow.id == run_id)
            .values(attempts=NightRunRow.attempts + 1)
        )

    def end(
        self, run_id: int, state: RunState, *, now: datetime, report: Mapping[str, object]
    ) -> None:
        """Record how a run ended.

        Parameters
        ----------
        run_id : int
            Which.
        state : RunState
            What became of it.
        now : datetime
            The time; aware.
        report : mapping
            What it did; plain values.
        """
        self._session.execute(
            update(NightRunRow)
            .where(NightRunRow.id == run_id)
            .values(state=state, ended_at=now, report=dict(report))
        )
        self._session.execute(
            update(NightStepRow)
            .where(NightStepRow.run_id == run_id, NightStepRow.state == StepState.RUNNING)
            .values(state=StepState.STOPPED, message="it was cut off", ended_at=now)
        )

    def running(self) -> list[NightRecord]:
        """Return the runs that have not ended.

        Returns
        -------
        list of NightRecord
            Oldest first; all but the one whose lease is held were cut off.
        """
        query = (
            select(NightRunRow)
            .where(NightRunRow.state == RunState.RUNNING)
            .order_by(NightRunRow.id)
        )
        return [self._record(row, lines=0) for row in self._session.scalars(query)]

    def latest(self, kind: str | None = None, *, lines: int = 0) -> NightRecord | None:
        """Return the newest run.

        Parameters
        ----------
        kind : str or None
            Of this chain only.
        lines : int
            How many of the last things that it said.

        Returns
        -------
        NightRecord or None
            None before the first.
        """
        query = select(NightRunRow).order_by(NightRunRow.id.desc()).limit(1)
        if kind is not None:
            query = query.where(NightRunRow.kind == kind)
        row = self._session.scalar(query)
        return None if row is None else self._record(row, lines=lines)

    def reports(self, kind: str = "nightly") -> list[NightRecord]:
        """Return the runs that have ended.

        Parameters
        ----------
        kind : str
            Of which chain.

        Returns
        -------
        list of NightRecord
            Oldest first.
        """
        query = (
            select(NightRunRow)
            .where(NightRunRow.kind == kind, NightRunRow.state != RunState.RUNNING)
            .order_by(NightRunRow.id)
        )
        return [self._record(row, lines=0) for row in self._session.scalars(query)]

    def ask_to_stop(self, run_id: int, *, who: str, now: datetime) -> None:
        """Ask a run to stop at the next place from which it can go on.

        Parameters
        ----------
        run_id : int
            Which.
        who : str
            Who asks.
        now : datetime
            The time; aware.
        """
        self._session.execute(
            update(NightRunRow)
            .where(NightRunRow.id == run_id, NightRunRow.cancel_requested_at.is_(None))
            .values(cancel_requested_at=now, cancelled_by=who)
        )

    def is_asked_to_stop(self, run_id: int) -> bool:
        """Return whether somebody asked a run to stop.

        Parameters
        ----------
        run_id : int
            Which.

        Returns
        -------
        bool
            True from then on.
        """
        asked = select(NightRunRow.cancel_requested_at).where(NightRunRow.id == run_id)
        return self._session.scalar(asked) is not None

    def put_step(self, run_id: int, step: StepRecord, inputs: Mapping[str, object]) -> None:
        """Record a step as it stands.

        Parameters
        ----------
        run_id : int
            Of which run.
        step : StepRecord
            Replaces what was recorded of it.
        inputs : mapping
            What its outcome depends on; plain values.
        """
        row = self._session.scalar(
            select(NightStepRow).where(
                NightStepRow.run_id == run_id, NightStepRow.name == step.name
            )
        )
        if row is None:
            row = NightStepRow(run_id=run_id, name=step.name)
            self._session.add(row)
        row.state, row.inputs, row.inputs_sha256 = step.state, dict(inputs), step.inputs_sha256
        row.outcome, row.message, row.attempts = dict(step.outcome), step.message, step.attempts
        row.started_at, row.ended_at = step.started_at, step.ended_at
        row.duration_seconds = step.duration_seconds
        row.part, row.done, row.total, row.rate = step.part, step.done, step.total, step.rate
        self._session.flush()

    def say(self, run_id: int, text: str, *, now: datetime) -> None:
        """Keep something that a run says.

        Parameters
        ----------
        run_id : int
            Which.
        text : str
            What; no personal data.
        now : datetime
            The time; aware.
        """
        self._session.add(NightLineRow(run_id=run_id, at=now, text=text))
        self._session.flush()

    def how_far_read(self) -> dict[str, object]:
        """Return what changes whenever a reading or a verdict comes in.

        Returns
        -------
        dict
            The newest keys; revisions are only ever added.
        """
        return {
            "reading": self._session.scalar(select(func.max(ReadingRow.id))),
            "verdict": self._session.scalar(select(func.max(AdjudicationRow.id))),
        }

    def how_far_reconciled(self) -> dict[str, object]:
        """Return what changes whenever the current consensus does.

        Returns
        -------
        dict
            How many images have one, the newest key and the sum of the keys.
        """
        count, newest, total = self._session.execute(
            select(
                func.count(ConsensusRow.id), func.max(ConsensusRow.id), func.sum(ConsensusRow.id)
            ).where(ConsensusRow.is_current)
        ).one()
        return {"images": count, "newest": newest, "sum": total and int(total)}

    def _record(self, row: NightRunRow, *, lines: int) -> NightRecord:
        steps = self._session.scalars(
            select(NightStepRow).where(NightStepRow.run_id == row.id).order_by(NightStepRow.id)
        )
        said = self._session.scalars(
            select(NightLineRow)
            .where(NightLineRow.run_id == row.id)
            .order_by(NightLineRow.id.desc())
            .limit(lines)
        ).all()
        return NightRecord(
            id=row.id,
            kind=row.kind,
            state=RunState(row.state),
            started_at=row.started_at,
            ended_at=row.ended_at,
            attempts=row.attempts,
            cancelled_by=row.cancelled_by,
            report=dict(row.report),
            steps=tuple(_step(step) for step in steps),
            lines=tuple(f"{line.at:%Y-%m-%d %H:%M:%S} UTC {line.text}" for line in reversed(said)),
        )


def _step(row: NightStepRow) -> StepRecord:
    return StepRecord(
        name=row.name,
        state=StepState(row.state),
        inputs_sha256=row.inputs_sha256,
        outcome=dict(row.outcome),
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_seconds=row.duration_seconds,
        attempts=row.attempts,
        message=row.message,
        part=row.part,
        done=row.done,
        total=row.total,
        rate=row.rate,
    )
