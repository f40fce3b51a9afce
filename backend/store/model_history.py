"""When model versions served, and how often a test set was looked at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.domain.images import Split
from backend.store.tables import DatasetImageRow, ModelServiceRow, ModelVersionRow


@dataclass(frozen=True, slots=True)
class Service:
    """One stretch of time in which a model version served.

    Attributes
    ----------
    model_version : str
        Which.
    began_at : datetime
        When it became champion; aware.
    ended_at : datetime or None
        When another took its place; None while it serves.
    actor : str
        Who or what made it champion.
    reason : str or None
        Why; None where nobody said.
    """

    model_version: str
    began_at: datetime
    ended_at: datetime | None
    actor: str
    reason: str | None


class ModelHistory:
    """What became of the model versions kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin_service(self, name: str, *, now: datetime, actor: str, reason: str | None) -> None:
        """Record that a model version serves from now on, and no other.

        Parameters
        ----------
        name : str
            Which; nothing happens when it serves already.
        now : datetime
            The time; aware.
        actor : str
            Who or what decided it.
        reason : str or None
            Why.
        """
        is_open = ModelServiceRow.ended_at.is_(None)
        serves = self._session.scalar(select(ModelServiceRow.model_version).where(is_open))
        if serves == name:
            return
        self._session.execute(update(ModelServiceRow).where(is_open).values(ended_at=now))
        self._session.add(
            ModelServiceRow(model_version=name, began_at=now, actor=actor, reason=reason)
        )
        self._session.flush()

    def service(self, name: str | None = None) -> list[Service]:
        """Return when model versions served.

        Parameters
        ----------
        name : str or None
            Which; None for all.

        Returns
        -------
        list of Service
            Oldest first.
        """
        query = select(ModelServiceRow).order_by(ModelServiceRow.id)
        if name is not None:
            query = query.where(ModelServiceRow.model_version == name)
        return [
            Service(row.model_version, row.began_at, row.ended_at, row.actor, row.reason)
            for row in self._session.scalars(query)
        ]

    def keep_gate(self, name: str, gate: Mapping[str, Any]) -> None:
        """Keep what the gate said of a model version.

        Parameters
        ----------
        name : str
            Which.
        gate : mapping
            Plain values; replaces what was there.
        """
        self._set(name, gate=dict(gate))

    def enter_shadow(self, name: str, since: datetime | None) -> None:
        """Record since when a challenger scores in the shadow.

        Parameters
        ----------
        name : str
            Which.
        since : datetime or None
            When; aware. None when it does no longer.
        """
        self._set(name, shadow_since=since)

    def looks(self) -> list[str]:
        """Return on which dataset version every challenger before the gate was tested.

        Returns
        -------
        list of str
            Names of dataset versions, one for each verdict of the gate; oldest first.
        """
        query = (
            select(ModelVersionRow.dataset_version)
            .where(ModelVersionRow.gate.is_not(None), ModelVersionRow.dataset_version.is_not(None))
            .order_by(ModelVersionRow.created_at, ModelVersionRow.name)
        )
        return [name for name in self._session.scalars(query) if name is not None]

    def tested_on(self, dataset_versions: Collection[str]) -> dict[str, set[str]]:
        """Return the test images of dataset versions.

        Parameters
        ----------
        dataset_versions : collection of str
            Which.

        Returns
        -------
        dict of str to set of str
            Dataset version to image ids.
        """
        found: dict[str, set[str]] = {name: set() for name in dataset_versions}
        query = select(DatasetImageRow.dataset_version, DatasetImageRow.image_id).where(
            DatasetImageRow.dataset_version.in_(list(dataset_versions)),
            DatasetImageRow.split == Split.TEST,
        )
        for name, image_id in self._session.execute(query):
            found[name].add(image_id)
        return found

    def _set(self, name: str, **values: object) -> None:
        self._session.execute(
            update(ModelVersionRow).where(ModelVersionRow.name == name).values(**values)
        )
