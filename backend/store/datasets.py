"""Save and find dataset versions and releases."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from backend.domain.consensus.clusters import Cluster, Consensus
from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.images import Split
from backend.domain.skipped import Skipped
from backend.store.consensus import ConsensusAnswers
from backend.store.images import Images
from backend.store.tables import DatasetImageRow, DatasetVersionRow, ReleaseRow


class UnknownDatasetVersionError(LookupError):
    """No dataset version has this name."""


@dataclass(frozen=True, slots=True)
class Release:
    """A dataset version written to disk in one format.

    Attributes
    ----------
    name : str
        For example "d3-yolo".
    dataset_version : str
        What it holds.
    format : str
        "yolo", "coco" or "vinbigdata".
    uri : str
        Its folder.
    manifest_sha256 : str
        Hash of its manifest.
    created_at : datetime
        When it was written.
    """

    name: str
    dataset_version: str
    format: str
    uri: str
    manifest_sha256: str
    created_at: datetime


class Datasets:
    """The dataset versions and releases kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def next_name(self) -> str:
        """Return the name of the next dataset version.

        Returns
        -------
        str
            "d1", "d2" and so on.
        """
        return f"d{(self._session.scalar(select(func.count(DatasetVersionRow.name))) or 0) + 1}"

    def named(self, sha256: str) -> str | None:
        """Return the dataset version with this content.

        Parameters
        ----------
        sha256 : str
            Hash of the content.

        Returns
        -------
        str or None
            Its name; None when the content is new.
        """
        return self._session.scalar(
            select(DatasetVersionRow.name).where(DatasetVersionRow.sha256 == sha256)
        )

    def add(
        self, version: DatasetVersion, consensus_keys: Mapping[str, int], *, p_true_from: float
    ) -> None:
        """Keep a dataset version.

        Parameters
        ----------
        version : DatasetVersion
            With a new name and new content.
        consensus_keys : mapping of str to int
            Image id to the consensus that its boxes come from.
        p_true_from : float
            The version holds the clusters with at least this probability, in [0, 1].
        """
        self._session.add(
            DatasetVersionRow(
                name=version.name,
                sha256=version.sha256,
                consensus_method=version.consensus_method,
                p_true_from=p_true_from,
                seed=version.seed,
                left_out=[[each.what, each.why] for each in version.left_out],
                created_at=version.created_at,
            )
        )
        self._session.flush()
        rows = [
            {
                "dataset_version": version.name,
                "image_id": member.image.id,
                "consensus_id": consensus_keys[member.image.id],
                "split": member.split,
                "is_adjudicated": member.is_adjudicated,
                "weight": member.weight,
                "repeat_factor": member.repeat_factor,
            }
            for member in version.images
        ]
        if rows:
            self._session.connection().execute(insert(DatasetImageRow), rows)

    def latest_name(self) -> str | None:
        """Return the newest dataset version.

        Returns
        -------
        str or None
            Its name; None before the first.
        """
        return self._session.scalar(
            select(DatasetVersionRow.name)
            .order_by(
                DatasetVersionRow.created_at.desc(),
                func.length(DatasetVersionRow.name).desc(),  # d10 after d9
                DatasetVersionRow.name.desc(),
            )
            .limit(1)
        )

    def get(self, name: str) -> DatasetVersion:
        """Return a dataset version exactly as it was cut.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        DatasetVersion
            With all images and boxes.

        Raises
        ------
        UnknownDatasetVersionError
            If there is none of that name.
        """
        row = self._session.get(DatasetVersionRow, name)
        if row is None:
            raise UnknownDatasetVersionError(f"no dataset version {name!r}")
        members = self._session.scalars(
            select(DatasetImageRow)
            .where(DatasetImageRow.dataset_version == name)
            .order_by(DatasetImageRow.image_id)
        ).all()
        keys = select(DatasetImageRow.consensus_id).where(DatasetImageRow.dataset_version == name)
        consensus = ConsensusAnswers(self._session)
        answers, readers = consensus.by_key(keys), consensus.readers(keys)
        images = Images(self._session).all(member.image_id for member in members)
        return DatasetVersion(
            name=row.name,
            sha256=row.sha256,
            consensus_method=row.consensus_method,
            created_at=row.created_at,
            images=tuple(
                DatasetImage(
                    image=replace(images[member.image_id], split=Split(member.split)),
                    clusters=_released(answers[member.consensus_id], row.p_true_from),
                    readers=readers[member.consensus_id],
                    is_adjudicated=member.is_adjudicated,
                    weight=member.weight,
                    repeat_factor=member.repeat_factor,
                )
                for member in members
            ),
            seed=row.seed,
            left_out=tuple(Skipped(*each) for each in row.left_out or ()),
        )

    def add_release(self, release: Release) -> None:
        """Record a release.

        Parameters
        ----------
        release : Release
            Replaces the record of the same name.
        """
        self._session.merge(
            ReleaseRow(
                name=release.name,
                dataset_version=release.dataset_version,
                format=release.format,
                uri=release.uri,
                manifest_sha256=release.manifest_sha256,
                created_at=release.created_at,
            )
        )

    def releases(self) -> list[Release]:
        """Return every release.

        Returns
        -------
        list of Release
            Oldest first.
        """
        rows = self._session.scalars(
            select(ReleaseRow).order_by(ReleaseRow.created_at, ReleaseRow.name)
        )
        return [
            Release(
                name=row.name,
                dataset_version=row.dataset_version,
                format=row.format,
                uri=row.uri,
                manifest_sha256=row.manifest_sha256,
                created_at=row.created_at,
            )
            for row in rows
        ]


def _released(consensus: Consensus, p_true_from: float) -> tuple[Cluster, ...]:
    return tuple(cluster for cluster in consensus.clusters if cluster.p_true >= p_true_from)
