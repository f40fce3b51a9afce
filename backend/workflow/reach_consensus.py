"""Reconcile the readings of images and keep the answers."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.verdict import reconcile
from backend.store.unit_of_work import UnitOfWork


def reach_consensus(
    store: UnitOfWork, image_ids: Iterable[str], *, now: datetime
) -> list[Consensus]:
    """Make the readings of images into one answer per image.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    image_ids : iterable of str
        The images.
    now : datetime
        The time; aware.

    Returns
    -------
    list of Consensus
        One per image with at least one valid reading; the others are left without an answer.
        Of a reader who read an image in several rounds the last one counts.
    """
    wanted = set(image_ids)
    readings = store.readings.valid(wanted)

    answers = [
        reconcile(image_id, list({reading.reader_id: reading for reading in group}.values()))
        for image_id, group in groupby(readings, key=lambda reading: reading.image_id)
    ]

    store.consensus.retire(wanted - {answer.image_id for answer in answers})
    store.consensus.record(answers, now=now)
    return answers
