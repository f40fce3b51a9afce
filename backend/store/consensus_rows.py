"""Answers with their clusters and readings, and the rows that hold them."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, insert, select

from backend.domain.consensus.clusters import Consensus
from backend.store.cluster_rows import add_clusters, load_clusters
from backend.store.tables import ConsensusReadingRow, ConsensusRow


def identity_of(answer: Consensus) -> tuple[str, str, str]:
    """Return what makes an answer the same as another one.

    Parameters
    ----------
    answer : Consensus
        The answer.

    Returns
    -------
    tuple of (str, str, str)
        Image, method version, and hash of the readings and of the verdicts laid over them.
    """
    listed = ",".join(str(reading_id) for reading_id in sorted(answer.reading_ids))
    if answer.verdict_version:
        listed = f"{listed};verdict {answer.verdict_version}"
    return answer.image_id, answer.method_version, hashlib.sha256(listed.encode()).hexdigest()


def add_answers(
    connection: Connection, answers: Sequence[Consensus], *, now: datetime, is_current: bool
) -> Sequence[int]:
    """Keep answers, many at once.

    Parameters
    ----------
    connection : Connection
        The transaction.
    answers : sequence of Consensus
        New ones.
    now : datetime
        The time; aware.
    is_current : bool
        Whether they are the current ones of their images.

    Returns
    -------
    sequence of int
        Their keys, in their order.
    """
    if not answers:
        return []
    keys = connection.scalars(
        insert(ConsensusRow).returning(ConsensusRow.id, sort_by_parameter_order=True),
        [{**_columns(answer), "reached_at": now, "is_current": is_current} for answer in answers],
    ).all()
    links = [
        {"consensus_id": key, "reading_id": reading_id}
        for key, answer in zip(keys, answers, strict=True)
        for reading_id in answer.reading_ids
    ]
    if links:
        connection.execute(insert(ConsensusReadingRow), links)
    add_clusters(
        connection,
        [
            (key, cluster)
            for key, answer in zip(keys, answers, strict=True)
            for cluster in answer.clusters
        ],
    )
    return keys


def load_answers(
    connection: Connection, query: Select[ConsensusRow]
) -> list[tuple[int, Consensus]]:
    """Return answers.

    Parameters
    ----------
    connection : Connection
        The transaction.
    query : Select
        Which.

    Returns
    -------
    list of (int, Consensus)
        Key and answer; by image id, then key.
    """
    rows = connection.execute(query.order_by(ConsensusRow.image_id, ConsensusRow.id)).all()
    chosen = query.with_only_columns(ConsensusRow.id)
    clusters = load_clusters(connection, chosen)
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
                clusters=tuple(clusters.get(row.id, ())),
                p_no_finding=row.p_no_finding,
                reading_ids=tuple(readings[row.id]),
                verdict_version=row.verdict_version,
            ),
        )
        for row in rows
    ]


def _columns(answer: Consensus) -> dict[str, object]:
    image_id, method_version, readings_sha256 = identity_of(answer)
    return {
        "image_id": image_id,
        "method_version": method_version,
        "readings_sha256": readings_sha256,
        "p_no_finding": answer.p_no_finding,
        "verdict_version": answer.verdict_version,
    }
