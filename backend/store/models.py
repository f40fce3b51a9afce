"""Save and find model versions."""

from datetime import datetime
from itertools import count

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.domain.models import ModelState, ModelVersion
from backend.store.model_history import ModelHistory
from backend.store.model_rows import as_model, as_row
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
