"""Reconcile the readings of images and keep the answers."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from backend.domain.adjudication.overlay import overlay
from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.model_reader import model_among
from backend.domain.consensus.model_vote import JointSurvey, reconcile_joint
from backend.domain.consensus.panel import prior_panel
from backend.domain.consensus.survey import Survey
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import Reading
from backend.store.panels import PRIOR_VERSION
from backend.store.unit_of_work import UnitOfWork


def reach_consensus(
    store: UnitOfWork, image_ids: Iterable[str], *, now: datetime
) -> list[Consensus]:
    """Make the readings of images into one answer per image, with what is known of the readers.

    What is known is the current panel; `reconcile_store` estimates it anew. The answer is the
    one that it would give with the same panel. A model version that belongs to the panel votes
    where it may; on the other images the people are alone. What adjudicators decided supersedes
    what the readers say, cluster by cluster.

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
    readings = store.readings.counting(wanted)
    method_version, panel = store.panels.current() or (PRIOR_VERSION, prior_panel())
    version = model_among(panel.reader_ids)
    model = None if version is None else store.model_readers.get(version, wanted)

    survey = Survey.of(ReadingTable.of(readings))
    if model is None:
        common = verdict.reconcile(survey, panel)
    else:
        common = reconcile_joint(JointSurvey.of(survey, model.where_allowed()), panel)
    settled = store.adjudications.parts(wanted)
    answers = [
        overlay(answer, settled.get(answer.image_id, ()))
        for answer in verdict.answers(common, method_version, ids_by_image(readings))
    ]

    store.consensus.retire(wanted - {answer.image_id for answer in answers})
    store.consensus.record(answers, now=now)
    return answers


def ids_by_image(readings: Sequence[Reading]) -> dict[str, list[int]]:
    """Return the keys of readings.

    Parameters
    ----------
    readings : sequence of Reading
        Kept ones.

    Returns
    -------
    dict of str to list of int
        By image id.
    """
    found: dict[str, list[int]] = {}
    for reading in readings:
        if reading.id is not None:
            found.setdefault(reading.image_id, []).append(reading.id)
    return found
