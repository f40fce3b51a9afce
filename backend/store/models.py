"""Save and find model versions."""

from datetime import datetime
from itertools import count

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.domain.models import ModelState, ModelVersion
from backend.domain.score_calibration import Scoring
from backend.store.tables import ModelVersionRow


class UnknownModelVersionError(LookupError):
    """No model version has this name."""


class Models:
    """The model versions kept in the store.

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
        self._session.add(
            ModelVersionRow(
                name=model.name,
                state=model.state,
                weights_uri=model.weights_uri,
                weights_sha256=model.weights_sha256,
                dataset_version=model.dataset_version,
                map40=model.map40,
                report=dict(model.report),
                scoring=model.scoring and model.scoring.as_json(),
                created_at=model.created_at,
                promoted_at=model.promoted_at,
            )
        )
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
        return _model(row)

    def all(self) -> list[ModelVersion]:
        """Return every model version.

        Returns
        -------
        list of ModelVersion
            Oldest first.
        """
        query = select(ModelVersionRow).order_by(ModelVersionRow.created_at, ModelVersionRow.name)
        return [_model(row) for row in self._session.scalars(query)]

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
        return None if row is None else _model(row)

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
        return None if row is None else _model(row)

    def crown(self, name: str, *, now: datetime) -> None:
        """Make a model version the champion and retire the one before.

        Parameters
        ----------
        name : str
            Which.
        now : datetime
            The time; aware.

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
            .values(state=ModelState.CHAMPION, promoted_at=now)
        )

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


def _model(row: ModelVersionRow) -> ModelVersion:
    return ModelVersion(
        name=row.name,
        state=ModelState(row.state),
        weights_uri=row.weights_uri,
        weights_sha256=row.weights_sha256,
        created_at=row.created_at,
        dataset_version=row.dataset_version,
        map40=row.map40,
        report=dict(row.report),
        promoted_at=row.promoted_at,
        scoring=Scoring.from_json(row.scoring) if row.scoring else None,
    )
