"""Save and find model versions and training runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.domain.models import ModelState, ModelVersion
from backend.store.model_history import ModelHistory
from backend.store.model_rows import as_model, as_row
from backend.store.tables import ModelVersionRow, TrainingRunRow


class UnknownModelVersionError(LookupError):
    """No model version has this name."""


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
    """

    id: int
    dataset_version: str
    state: str
    started_at: datetime
    model_version: str | None
    outcome: str | None


class Models:
    """The model versions and training runs kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def next_name(self) -> str:
        """Return the name of the next model version.

        Returns
        -------
        str
            "m1", "m2" and so on.
        """
        taken = set(self._session.scalars(select(ModelVersionRow.name)))
        return next(
            name for number in count(len(taken) + 1) if (name := f"m{number}") not in taken
        )

    def add(self, model: ModelVersion) -> None:
        """Register a model version.

        Parameters
        ----------
        model : ModelVersion
            With a name that is not taken.
        """
        self._session.add(as_row(model))
        self._session.flush()

    def get(self, name: str) -> ModelVersion:
        """Return one model version.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        ModelVersion
            The model version.

        Raises
        ------
        UnknownModelVersionError
            If there is none of that name.
        """
        row = self._session.get(ModelVersionRow, name, populate_existing=True)
        if row is None:
            known = ", ".join(model.name for model in self.all()) or "none yet"
            raise UnknownModelVersionError(f"no model version {name!r}; there are: {known}")
        return as_model(row)

    def all(self) -> list[ModelVersion]:
        """Return every model version.

        Returns
        -------
        list of ModelVersion
            Oldest first.
        """
        query = select(ModelVersionRow).order_by(ModelVersionRow.created_at, ModelVersionRow.name)
        return [as_model(row) for row in self._session.scalars(query)]

    def champion(self) -> ModelVersion | None:
        """Return the model version that serves.

        Returns
        -------
        ModelVersion or None
            None before the first promotion.
        """
        row = self._session.scalar(
            select(ModelVersionRow).where(ModelVersionRow.state == ModelState.CHAMPION)
        )
        return None if row is None else as_model(row)

    def previous_champion(self) -> ModelVersion | None:
        """Return the model version that a rollback goes back to.

        Returns
        -------
        ModelVersion or None
            The retired one that was promoted last; None when there is none.
        """
        row = self._session.scalar(
            select(ModelVersionRow)
            .where(ModelVersionRow.state == ModelState.RETIRED)
            .order_by(ModelVersionRow.promoted_at.desc(), ModelVersionRow.created_at.desc())
            .limit(1)
        )
        return None if row is None else as_model(row)

    def challenger(self) -> ModelVersion | None:
        """Return the challenger that scores in the shadow.

        Returns
        -------
        ModelVersion or None
            The newest; None when there is none.
        """
        row = self._session.scalar(
            select(ModelVersionRow)
            .where(
                ModelVersionRow.state == ModelState.CHALLENGER,
                ModelVersionRow.shadow_since.is_not(None),
            )
            .order_by(ModelVersionRow.created_at.desc(), ModelVersionRow.name.desc())
            .limit(1)
        )
        return None if row is None else as_model(row)

    def crown(
        self, name: str, *, now: datetime, actor: str = "system", reason: str | None = None
    ) -> None:
        """Make a model version the champion and retire the one before.

        Parameters
        ----------
        name : str
            Which.
        now : datetime
            The time; aware.
        actor : str
            Who or what decided it.
        reason : str or None
            Why.

        Raises
        ------
        UnknownModelVersionError
            If there is none of that name.
        """
        self.get(name)
        self._session.execute(
            update(ModelVersionRow)
            .where(ModelVersionRow.state == ModelState.CHAMPION, ModelVersionRow.name != name)
            .values(state=ModelState.RETIRED)
        )
        self._session.execute(
            update(ModelVersionRow)
            .where(ModelVersionRow.name == name)
            .values(state=ModelState.CHAMPION, promoted_at=now, shadow_since=None)
        )
        ModelHistory(self._session).begin_service(name, now=now, actor=actor, reason=reason)

    def set_state(self, name: str, state: ModelState) -> None:
        """Change a model version's standing.

        Parameters
        ----------
        name : str
            Which.
        state : ModelState
            Anything but champion; `crown` does that.
        """
        self._session.execute(
            update(ModelVersionRow).where(ModelVersionRow.name == name).values(state=state)
        )

    def start_run(
        self, dataset_version: str, recipe: Mapping[str, object], *, now: datetime
    ) -> int:
        """Record that a training run began.

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
        row = TrainingRunRow(
            dataset_version=dataset_version, state="running", recipe=dict(recipe), started_at=now
        )
        self._session.add(row)
        self._session.flush()
        return row.id

    def end_run(
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

    def fail_interrupted_runs(self, *, now: datetime) -> None:
        """Record that runs which still count as running were cut off.

        Parameters
        ----------
        now : datetime
            The time; aware. Nobody else trains: the caller holds the lease.
        """
        self._session.execute(
            update(TrainingRunRow)
            .where(TrainingRunRow.state == "running")
            .values(state="failed", outcome="interrupted", ended_at=now)
        )

    def runs(self) -> list[TrainingRun]:
        """Return every training run.

        Returns
        -------
        list of TrainingRun
            Oldest first.
        """
        return [
            TrainingRun(
                id=row.id,
                dataset_version=row.dataset_version,
                state=row.state,
                started_at=row.started_at,
                model_version=row.model_version,
                outcome=row.outcome,
            )
            for row in self._session.scalars(select(TrainingRunRow).order_by(TrainingRunRow.id))
        ]
