"""Save and find consensus; an older answer is never overwritten."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus, Supporter
from backend.domain.findings import Finding
from backend.store.tables import (
    ClusterRow,
    ConsensusReadingRow,
    ConsensusRow,
    ReadBoxRow,
    ReadingRow,
    SupporterRow,
)


class ConsensusAnswers:
    """The consensus answers kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, consensus: Consensus, *, now: datetime) -> int:
        """Make an answer the current one of its image.

        The same method on the same readings gives the same answer, so it is kept once.

        Parameters
        ----------
        consensus : Consensus
            The answer; every supporter has a box id.
        now : datetime
            The time; aware.

        Returns
        -------
        int
            Key of the answer.
        """
        readings_sha256 = _readings_sha256(consensus.reading_ids)
        known = self._session.scalar(
            select(ConsensusRow.id).where(
                ConsensusRow.image_id == consensus.image_id,
                ConsensusRow.method_version == consensus.method_version,
                ConsensusRow.readings_sha256 == readings_sha256,
            )
        )
        self._session.execute(
            update(ConsensusRow)
            .where(ConsensusRow.image_id == consensus.image_id, ConsensusRow.is_current)
            .values(is_current=False)
        )
        if known is not None:
            self._session.execute(
                update(ConsensusRow).where(ConsensusRow.id == known).values(is_current=True)
            )
            return known
        return self._add(consensus, readings_sha256, now)

    def retire(self, image_ids: Iterable[str]) -> None:
        """Leave images without a current answer, because no valid reading is left.

        Parameters
        ----------
        image_ids : iterable of str
            The images.
        """
        self._session.execute(
            update(ConsensusRow)
            .where(ConsensusRow.image_id.in_(sorted(image_ids)), ConsensusRow.is_current)
            .values(is_current=False)
        )

    def current(self, image_ids: Iterable[str] | None = None) -> dict[str, tuple[int, Consensus]]:
        """Return the current answers.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        dict of str to (int, Consensus)
            Image id to key and answer; by image id.
        """
        query = select(ConsensusRow).where(ConsensusRow.is_current)
        if image_ids is not None:
            query = query.where(ConsensusRow.image_id.in_(sorted(set(image_ids))))
        return {consensus.image_id: (key, consensus) for key, consensus in self._load(query)}

    def by_key(self, keys: Select[int]) -> dict[int, Consensus]:
        """Return answers by key, current or not.

        Parameters
        ----------
        keys : Select
            A query for the keys.

        Returns
        -------
        dict of int to Consensus
            By key.
        """
        return dict(self._load(select(ConsensusRow).where(ConsensusRow.id.in_(keys))))

    def cluster_states(self) -> dict[str, int]:
        """Return how many clusters of the current answers are in each state.

        Returns
        -------
        dict of str to int
            State to number; states that do not occur are missing.
        """
        query = (
            select(ClusterRow.state, func.count())
            .join(ConsensusRow, ConsensusRow.id == ClusterRow.consensus_id)
            .where(ConsensusRow.is_current)
            .group_by(ClusterRow.state)
        )
        return dict(self._session.execute(query).tuples().all())

    def _add(self, consensus: Consensus, readings_sha256: str, now: datetime) -> int:
        row = ConsensusRow(
            image_id=consensus.image_id,
            method_version=consensus.method_version,
            readings_sha256=readings_sha256,
            p_no_finding=consensus.p_no_finding,
            is_current=True,
            reached_at=now,
        )
        self._session.add(row)
        self._session.flush()
        self._session.add_all(
            ConsensusReadingRow(consensus_id=row.id, reading_id=reading_id)
            for reading_id in consensus.reading_ids
        )
        if consensus.clusters:
            self._add_clusters(consensus.clusters, row.id)
        return row.id

    def _add_clusters(self, clusters: tuple[Cluster, ...], consensus_id: int) -> None:
        ids = self._session.scalars(
            insert(ClusterRow).returning(ClusterRow.id, sort_by_parameter_order=True),
            [
                {
                    "consensus_id": consensus_id,
                    "finding": int(cluster.finding),
                    **cluster.box._asdict(),
                    "score": cluster.score,
                    "p_true": cluster.p_true,
                    "state": cluster.state,
                }
                for cluster in clusters
            ],
        ).all()
        self._session.execute(
            insert(SupporterRow),
            [
                {"cluster_id": cluster_id, "read_box_id": supporter.read_box_id}
                for cluster_id, cluster in zip(ids, clusters, strict=True)
                for supporter in cluster.supporters
            ],
        )

    def _load(self, query: Select[ConsensusRow]) -> list[tuple[int, Consensus]]:
        rows = self._session.scalars(query.order_by(ConsensusRow.image_id, ConsensusRow.id)).all()
        chosen = query.with_only_columns(ConsensusRow.id)
        supporters = self._supporters(chosen)
        clusters: dict[int, list[Cluster]] = {row.id: [] for row in rows}
        for cluster in self._session.scalars(
            select(ClusterRow).where(ClusterRow.consensus_id.in_(chosen)).order_by(ClusterRow.id)
        ):
            clusters[cluster.consensus_id].append(_cluster(cluster, supporters[cluster.id]))
        readings: dict[int, list[int]] = {row.id: [] for row in rows}
        for link in self._session.scalars(
            select(ConsensusReadingRow)
            .where(ConsensusReadingRow.consensus_id.in_(chosen))
            .order_by(ConsensusReadingRow.reading_id)
        ):
            readings[link.consensus_id].append(link.reading_id)
        return [
            (
                row.id,
                Consensus(
                    image_id=row.image_id,
                    method_version=row.method_version,
                    clusters=tuple(clusters[row.id]),
                    p_no_finding=row.p_no_finding,
                    reading_ids=tuple(readings[row.id]),
                ),
            )
            for row in rows
        ]

    def _supporters(self, chosen: Select[int]) -> dict[int, list[Supporter]]:
        query = (
            select(SupporterRow.cluster_id, ReadingRow.reader_id, ReadBoxRow.id)
            .join(ReadBoxRow, ReadBoxRow.id == SupporterRow.read_box_id)
            .join(ReadingRow, ReadingRow.id == ReadBoxRow.reading_id)
            .join(ClusterRow, ClusterRow.id == SupporterRow.cluster_id)
            .where(ClusterRow.consensus_id.in_(chosen))
            .order_by(ReadingRow.reader_id, ReadBoxRow.id)
        )
        found: dict[int, list[Supporter]] = {}
        for cluster_id, reader_id, read_box_id in self._session.execute(query):
            found.setdefault(cluster_id, []).append(Supporter(reader_id, read_box_id))
        return found


def _readings_sha256(reading_ids: Iterable[int]) -> str:
    listed = ",".join(str(reading_id) for reading_id in sorted(reading_ids))
    return hashlib.sha256(listed.encode()).hexdigest()


def _cluster(row: ClusterRow, supporters: list[Supporter]) -> Cluster:
    return Cluster(
        finding=Finding(row.finding),
        box=Box(row.x_min, row.y_min, row.x_max, row.y_max),
        score=row.score,
        p_true=row.p_true,
        state=ClusterState(row.state),
        supporters=tuple(supporters),
    )
