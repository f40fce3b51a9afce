"""Save and find training runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.store.tables import TrainingRunRow


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One attempt to train a model version.

    Attributes
    ----------
    id : int
        Key in the store.
    dataset_version : str
        What it trained on.
    state : str
        "running", "finished" or "failed".
    started_at : datetime
        When it began.
    model_version : str or None
        What came of it.
    outcome : str or None
        In one sentence, how it ended.
    recipe : dict
        Everything that is needed to repeat it.
    progress : dict
        How it went: what it saw how often, how many images at a time, figures of every epoch;
        empty before it is through.
    """

    id: int
    dataset_version: str
    state: str
    started_at: datetime
    model_version: str | None
    outcome: str | None
    recipe: Mapping[str, object] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


class TrainingRuns:
    """The training runs kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin_or_continue(
        self, dataset_version: str, recipe: Mapping[str, object], *, now: datetime
    ) -> int:
        """Record that a training run begins, or goes on after it was cut off.

        Nobody else trains, as the caller holds the lease: runs on something else that still
        count as running were cut off.

        Parameters
        ----------
        dataset_version : str
            What it trains on.
        recipe : mapping
            Everything that is needed to repeat it.
        now : datetime
            The time; aware.

        Returns
        -------
        int
            Key of the run.
        """
        left = self._session.scalars(
            select(TrainingRunRow)
            .where(TrainingRunRow.state == "running")
            .order_by(TrainingRunRow.id)
        ).all()
        same = [
            row for row in left if (row.dataset_version, row.recipe) == (dataset_version, recipe)
        ]
        for row in left:
            if row not in same[-1:]:
                row.state, row.outcome, row.ended_at = "failed", "interrupted", now
        if same:
            return same[-1].id
        row = TrainingRunRow(
            dataset_version=dataset_version, state="running", recipe=dict(recipe), started_at=now
        )
        self._session.add(row)
        self._session.flush()
        return row.id

    def end(
        self, run_id: int, *, state: str, outcome: str, model_version: str | None, now: datetime
    ) -> None:
        """Record how a training run ended.

        Parameters
        ----------
        run_id : int
            Which.
        state : str
            "finished" or "failed".
        outcome : str
            In one sentence, how.
        model_version : str or None
            What came of it.
        now : datetime
            The time; aware.
        """
        self._session.execute(
            update(TrainingRunRow)
            .where(TrainingRunRow.id == run_id)
            .values(state=state, outcome=outcome, model_version=model_version, ended_at=now)
        )

    def note(self, run_id: int, progress: Mapping[str, object]) -> None:
        """Record how a training run went.

        Parameters
        ----------
        run_id : int
            Which.
        progress : mapping
            Plain values; replaces what was recorded before.
        """
        self._session.execute(
            update(TrainingRunRow)
            .where(TrainingRunRow.id == run_id)
            .values(progress=dict(progress))
        )

    def get(self, run_id: int) -> TrainingRun:
        """Return a training run.

        Parameters
        ----------
        run_id : int
            Which.

        Returns
        -------
        TrainingRun
            As it stands.
        """
        return _run(self._session.get_one(TrainingRunRow, run_id))

    def all(self) -> list[TrainingRun]:
        """Return every training run.

        Returns
        -------
        list of TrainingRun
            Oldest first.
        """
        rows = self._session.scalars(select(TrainingRunRow).order_by(TrainingRunRow.id))
        return [_run(row) for row in rows]


def _run(row: TrainingRunRow) -> TrainingRun:
    return TrainingRun(
        id=row.id,
        dataset_version=row.dataset_version,
        state=row.state,
        started_at=row.started_at,
        model_version=row.model_version,
        outcome=row.outcome,
        recipe=dict(row.recipe),
        progress=dict(row.progress or {}),
    )
