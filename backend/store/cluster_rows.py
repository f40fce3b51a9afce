"""Clusters with what belongs to them, and the rows that hold them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Alternative, Cluster, ClusterState, Supporter
from backend.domain.findings import Finding
from backend.store.tables import (
    AlternativeRow,
    ClusterRow,
    ReadBoxRow,
    ReadingRow,
    SupporterRow,
)


def add_clusters(connection: Connection, clusters: Sequence[tuple[int, Cluster]]) -> None:
    """Keep clusters, many at once.

    Parameters
    ----------
    connection : Connection
        The transaction.
    clusters : sequence of (int, Cluster)
        Each with the key of its consensus.
    """
    if not clusters:
        return
    ids = connection.scalars(
        insert(ClusterRow).returning(ClusterRow.id, sort_by_parameter_order=True),
        [_columns(key, cluster) for key, cluster in clusters],
    ).all()
    supporters = [
        {"cluster_id": cluster_id, "read_box_id": supporter.read_box_id}
        for cluster_id, (_, cluster) in zip(ids, clusters, strict=True)
        for supporter in cluster.supporters
    ]
    alternatives = [
        {"cluster_id": cluster_id, "finding": int(other.finding), "score": other.score}
        for cluster_id, (_, cluster) in zip(ids, clusters, strict=True)
        for other in cluster.alternatives
    ]
    if supporters:
        connection.execute(insert(SupporterRow), supporters)
    if alternatives:
        connection.execute(insert(AlternativeRow), alternatives)


def load_clusters(connection: Connection, consensus: Select[int]) -> dict[int, list[Cluster]]:
    """Return the clusters of answers.

    Parameters
    ----------
    connection : Connection
        The transaction.
    consensus : Select
        A query for the keys of the answers.

    Returns
    -------
    dict of int to list of Cluster
        Key of the answer to its clusters, in the order in which they were added.
    """
    supporters = _supporters(connection, consensus)
    alternatives = _alternatives(connection, consensus)
    query = (
        select(ClusterRow).where(ClusterRow.consensus_id.in_(consensus)).order_by(ClusterRow.id)
    )
    found: defaultdict[int, list[Cluster]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.consensus_id].append(
            _cluster(row, supporters.get(row.id, ()), alternatives.get(row.id, ()))
        )
    return found


def _supporters(connection: Connection, consensus: Select[int]) -> dict[int, list[Supporter]]:
    query = (
        select(SupporterRow.cluster_id, ReadingRow.reader_id, ReadBoxRow.id)
        .join(ReadBoxRow, ReadBoxRow.id == SupporterRow.read_box_id)
        .join(ReadingRow, ReadingRow.id == ReadBoxRow.reading_id)
        .join(ClusterRow, ClusterRow.id == SupporterRow.cluster_id)
        .where(ClusterRow.consensus_id.in_(consensus))
        .order_by(ReadingRow.reader_id, ReadBoxRow.id)
    )
    found: defaultdict[int, list[Supporter]] = defaultdict(list)
    for cluster_id, reader_id, read_box_id in connection.execute(query):
        found[cluster_id].append(Supporter(reader_id, read_box_id))
    return found


def _alternatives(connection: Connection, consensus: Select[int]) -> dict[int, list[Alternative]]:
    query = (
        select(AlternativeRow.cluster_id, AlternativeRow.finding, AlternativeRow.score)
        .join(ClusterRow, ClusterRow.id == AlternativeRow.cluster_id)
        .where(ClusterRow.consensus_id.in_(consensus))
        .order_by(AlternativeRow.score.desc(), AlternativeRow.finding)
    )
    found: defaultdict[int, list[Alternative]] = defaultdict(list)
    for cluster_id, finding, score in connection.execute(query):
        found[cluster_id].append(Alternative(Finding(finding), score))
    return found


def _columns(consensus_id: int, cluster: Cluster) -> dict[str, object]:
    return {
        "consensus_id": consensus_id,
        "finding": int(cluster.finding),
        **cluster.box._asdict(),
        "score": cluster.score,
        "p_true": cluster.p_true,
        "state": cluster.state,
        "place": cluster.place,
    }


def _cluster(
    row: Row[Any], supporters: Sequence[Supporter], alternatives: Sequence[Alternative]
) -> Cluster:
    return Cluster(
        finding=Finding(row.finding),
        box=Box(row.x_min, row.y_min, row.x_max, row.y_max),
        score=row.score,
        p_true=row.p_true,
        state=ClusterState(row.state),
        supporters=tuple(supporters),
        place=row.place,
        alternatives=tuple(alternatives),
    )
