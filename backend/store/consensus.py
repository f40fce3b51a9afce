"""Save and find consensus; an older answer is never overwritten."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus, Supporter
from backend.domain.findings import Finding
from backend.store.membership import is_among
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

    def record(self, answers: Sequence[Consensus], *, now: datetime) -> list[int]:
        """Make answers the current ones of their images.

        The same method on the same readings gives the same answer, so it is kept once.

        Parameters
        ----------
        answers : sequence of Consensus
            At most one per image; every supporter has a box id.
        now : datetime
            The time; aware.

        Returns
        -------
        list of int
            Keys of the answers, in their order.
        """
        identities = [_identity(answer) for answer in answers]
        rows = self._session.scalars(
            select(ConsensusRow).where(
                is_among(ConsensusRow.image_id, (answer.image_id for answer in answers))
            )
        ).all()
        known = {(row.image_id, row.method_version, row.readings_sha256): row.id for row in rows}
        wanted = {known[identity] for identity in identities if identity in known}
        current = {row.id for row in rows if row.is_current}
        self._mark(current - wanted, is_current=False)
        self._mark(wanted - current, is_current=True)
        new = [answer for answer in answers if _identity(answer) not in known]
        known |= zip(map(_identity, new), self._add(new, now), strict=True)
        return [known[identity] for identity in identities]

    def retire(self, image_ids: Iterable[str]) -> None:
        """Leave images without a current answer, because no valid reading is left.

        Parameters
        ----------
        image_ids : iterable of str
            The images.
        """
        keys = self._session.scalars(
            select(ConsensusRow.id).where(
                ConsensusRow.is_current, is_among(ConsensusRow.image_id, image_ids)
            )
        )
        self._mark(keys.all(), is_current=False)

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
            query = query.where(is_among(ConsensusRow.image_id, image_ids))
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

    def readers(self, keys: Select[int] | None = None) -> dict[int, tuple[str, ...]]:
        """Return whose readings answers were made of.

        Parameters
        ----------
        keys : Select or None
            A query for the keys of the answers; None for the current ones.

        Returns
        -------
        dict of int to tuple of str
            Key to reader ids, sorted.
        """
        if keys is None:
            keys = select(ConsensusRow.id).where(ConsensusRow.is_current)
        query = (
            select(ConsensusReadingRow.consensus_id, ReadingRow.reader_id)
            .join(ReadingRow, ReadingRow.id == ConsensusReadingRow.reading_id)
            .where(ConsensusReadingRow.consensus_id.in_(keys))
        )
        found: dict[int, set[str]] = {}
        for key, reader_id in self._session.execute(query):
            found.setdefault(key, set()).add(reader_id)
        return {key: tuple(sorted(readers)) for key, readers in found.items()}

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
        return dict(self._session.execute(query).all())

    def _mark(self, keys: Iterable[int], *, is_current: bool) -> None:
        rows = [{"key": key} for key in sorted(keys)]
        if rows:
            self._session.connection().execute(
                update(ConsensusRow)
                .where(ConsensusRow.id == bindparam("key"))
                .values(is_current=is_current),
                rows,
            )

    def _add(self, answers: Sequence[Consensus], now: datetime) -> Sequence[int]:
        if not answers:
            return []
        keys = (
            self._session.connection()
            .scalars(
                insert(ConsensusRow).returning(ConsensusRow.id, sort_by_parameter_order=True),
                [_columns(answer, now) for answer in answers],
            )
            .all()
        )
        links = [
            {"consensus_id": key, "reading_id": reading_id}
            for key, answer in zip(keys, answers, strict=True)
            for reading_id in answer.reading_ids
        ]
        if links:
            self._session.connection().execute(insert(ConsensusReadingRow), links)
        self._add_clusters(
            [
                (key, cluster)
                for key, answer in zip(keys, answers, strict=True)
                for cluster in answer.clusters
            ]
        )
        return keys

    def _add_clusters(self, clusters: Sequence[tuple[int, Cluster]]) -> None:
        if not clusters:
            return
        ids = (
            self._session.connection()
            .scalars(
                insert(ClusterRow).returning(ClusterRow.id, sort_by_parameter_order=True),
                [_cluster_columns(key, cluster) for key, cluster in clusters],
            )
            .all()
        )
        supporters = [
            {"cluster_id": cluster_id, "read_box_id": supporter.read_box_id}
            for cluster_id, (_, cluster) in zip(ids, clusters, strict=True)
            for supporter in cluster.supporters
        ]
        if supporters:
            self._session.connection().execute(insert(SupporterRow), supporters)

    def _load(self, query: Select[ConsensusRow]) -> list[tuple[int, Consensus]]:
        connection = self._session.connection()  # plain rows: there may be many
        rows = connection.execute(query.order_by(ConsensusRow.image_id, ConsensusRow.id)).all()
        chosen = query.with_only_columns(ConsensusRow.id)
        supporters = self._supporters(chosen)
        clusters: dict[int, list[Cluster]] = {row.id: [] for row in rows}
        for cluster in connection.execute(
            select(ClusterRow).where(ClusterRow.consensus_id.in_(chosen)).order_by(ClusterRow.id)
        ):
            clusters[cluster.consensus_id].append(_cluster(cluster, supporters[cluster.id]))
        readings: dict[int, list[int]] = {row.id: [] for row in rows}
        for link in connection.execute(
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
        found: defaultdict[int, list[Supporter]] = defaultdict(list)
        for cluster_id, reader_id, read_box_id in self._session.execute(query):
            found[cluster_id].append(Supporter(reader_id, read_box_id))
        return found


def _identity(answer: Consensus) -> tuple[str, str, str]:
    listed = ",".join(str(reading_id) for reading_id in sorted(answer.reading_ids))
    return answer.image_id, answer.method_version, hashlib.sha256(listed.encode()).hexdigest()


def _columns(answer: Consensus, now: datetime) -> dict[str, object]:
    image_id, method_version, readings_sha256 = _identity(answer)
    return {
        "image_id": image_id,
        "method_version": method_version,
        "readings_sha256": readings_sha256,
        "p_no_finding": answer.p_no_finding,
        "is_current": True,
        "reached_at": now,
    }


def _cluster_columns(consensus_id: int, cluster: Cluster) -> dict[str, object]:
    return {
        "consensus_id": consensus_id,
        "finding": int(cluster.finding),
        **cluster.box._asdict(),
        "score": cluster.score,
        "p_true": cluster.p_true,
        "state": cluster.state,
    }


def _cluster(row: Row[Any], supporters: list[Supporter]) -> Cluster:
    return Cluster(
        finding=Finding(row.finding),
        box=Box(row.x_min, row.y_min, row.x_max, row.y_max),
        score=row.score,
        p_true=row.p_true,
        state=ClusterState(row.state),
        supporters=tuple(supporters),
    )
