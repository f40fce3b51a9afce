"""What dataset versions there are, and where their images came from."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain.images import Split
from backend.domain.worklists import EntryKind, EntryState
from backend.store.tables import (
    ConsensusRow,
    DatasetImageRow,
    DatasetVersionRow,
    ReadingRow,
    WorklistEntryRow,
)


@dataclass(frozen=True, slots=True)
class DatasetHead:
    """What a list of dataset versions shows.

    Attributes
    ----------
    name, sha256, consensus_method : str
        See `DatasetVersion`.
    created_at : datetime
        When it was cut; aware.
    images, left_out : int
        How many images it holds, and how many with a consensus it does not.
    """

    name: str
    sha256: str
    consensus_method: str
    created_at: datetime
    images: int
    left_out: int


class DatasetHistory:
    """What was cut so far.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def heads(self) -> list[DatasetHead]:
        """Return what dataset versions there are.

        Returns
        -------
        list of DatasetHead
            Oldest first, without their images.
        """
        images = dict(
            self._session.execute(
                select(DatasetImageRow.dataset_version, func.count()).group_by(
                    DatasetImageRow.dataset_version
                )
            ).all()
        )
        rows = self._session.scalars(
            select(DatasetVersionRow).order_by(
                DatasetVersionRow.created_at,
                func.length(DatasetVersionRow.name),
                DatasetVersionRow.name,
            )
        )
        return [
            DatasetHead(
                row.name,
                row.sha256,
                row.consensus_method,
                row.created_at,
                images.get(row.name, 0),
                len(row.left_out or ()),
            )
            for row in rows
        ]

    def ever_in(self, splits: Collection[Split]) -> set[str]:
        """Return the images that are or once were in some splits.

        Parameters
        ----------
        splits : collection of Split
            Which parts.

        Returns
        -------
        set of str
            Image ids of any dataset version.
        """
        query = select(DatasetImageRow.image_id).where(DatasetImageRow.split.in_(list(splits)))
        return set(self._session.scalars(query.distinct()))

    def learned_from(self, name: str) -> dict[str, str]:
        """Return what the training images of a dataset version were known from.

        Parameters
        ----------
        name : str
            The dataset version.

        Returns
        -------
        dict of str to str
            Image id to a hash of the readings and verdicts that its boxes come from.
        """
        query = (
            select(DatasetImageRow.image_id, ConsensusRow.readings_sha256)
            .join(ConsensusRow, ConsensusRow.id == DatasetImageRow.consensus_id)
            .where(DatasetImageRow.dataset_version == name, DatasetImageRow.split == Split.TRAIN)
        )
        return dict(self._session.execute(query).all())

    def chosen_by_design(self, chance: Collection[str]) -> set[str]:
        """Return the images that the queue chose for what they seemed to show.

        Parameters
        ----------
        chance : collection of str
            The channels that draw at random.

        Returns
        -------
        set of str
            Images whose readings were all asked for by other channels; a worklist entry counts
            from when it was read on, and an imported reading was never asked for.
        """
        asked = select(WorklistEntryRow.image_id).where(
            WorklistEntryRow.kind == EntryKind.READING, WorklistEntryRow.state == EntryState.READ
        )
        by_lot = asked.where(WorklistEntryRow.channel.in_(list(chance)))
        imported = select(ReadingRow.image_id).where(ReadingRow.annotation_id.is_(None))
        query = asked.where(
            WorklistEntryRow.image_id.not_in(by_lot), WorklistEntryRow.image_id.not_in(imported)
        )
        return set(self._session.scalars(query.distinct()))
