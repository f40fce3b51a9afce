"""Estimate the readers anew, and bring the consensus of every image up to date."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.adjudication.overlay import overlay
from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.methods import METHODS, OVERREAD
from backend.domain.consensus.model_reader import ModelReader
from backend.domain.consensus.model_vote import JointSurvey, fit_joint_panel, reconcile_joint
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import Reading
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.choose_model import choose_model
from backend.workflow.reach_consensus import ids_by_image, reach_consensus

_IMAGES_PER_TRANSACTION = 500


class UnknownMethodError(ValueError):
    """No consensus method has this name."""


class ModelWithoutReadersError(ValueError):
    """A model cannot join readers of whom a method learns nothing."""


@dataclass(frozen=True, slots=True)
class ModelShare:
    """What part a model version had in a run.

    Attributes
    ----------
    version : str
        Which.
    images : int
        On how many images it voted.
    barred : dict of str to int
        On how many images that were read it has predictions and may not vote, by reason.
    model_only : int
        Clusters that it alone marks; they are in no consensus.
    """

    version: str
    images: int
    barred: dict[str, int]
    model_only: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a store-wide run did.

    Attributes
    ----------
    images : int
        How many images have an answer of it.
    method_version : str
        What the answers are kept under.
    model : ModelShare or None
        None if the people were alone.
    """

    images: int
    method_version: str
    model: ModelShare | None = None


def reconcile_store(
    store: Store,
    *,
    clock: Callable[[], datetime],
    method: str = OVERREAD,
    with_model: str | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> Reconciled:
    """Learn about the readers from all readings, and reach every image's consensus with it.

    The panel is kept first, then the answers, some hundred images at a time. A run that was
    killed in between leaves a current answer on every image, by the old panel or the new one;
    the next run goes on. Readings that come in meanwhile are not overtaken: their images are
    answered with the new panel and the new reading.

    Parameters
    ----------
    store : Store
        The database.
    clock : callable
        Gives the time; aware.
    method : str
        One of `METHODS`. The answers of every other method than "overread" stand beside the
        current ones, to be compared with.
    with_model : str or None
        A model version that joins the readers where it may; None for people alone.
    on_start : callable
        Called once with the number of images.
    on_images : callable
        Called with the number of images that were done since the last call.

    Returns
    -------
    Reconciled
        How many images were answered, and under which name.

    Raises
    ------
    UnknownMethodError
        If there is no such method.
    ModelWithoutReadersError
        If a model is to join by another method than "overread".
    UnknownModelVersionError
        If there is no such model version.
    ModelMayNotVoteError
        If it has gone out of service, or may vote on none of the images.
    """
    if method not in METHODS:
        raise UnknownMethodError(
            f"no consensus method {method!r}; expected one of: {', '.join(METHODS)}"
        )
    if with_model is not None and method != OVERREAD:
        raise ModelWithoutReadersError(
            f"{with_model} cannot join: {method} does not estimate readers; use {OVERREAD}"
        )
    with store.snapshot() as unit:
        readings = unit.readings.counting()
        unread = unit.consensus.current_image_ids() if method == OVERREAD else set()
        read = {reading.image_id for reading in readings}
        model = None if with_model is None else choose_model(unit, with_model, read)
    image_ids = sorted(read | unread)
    on_start(len(image_ids))

    method_version, common, share = _decide(store, method, readings, model, clock)
    by_image = ids_by_image(readings)
    answers = {one.image_id: one for one in verdict.answers(common, method_version, by_image)}

    keep = _replace_current if method == OVERREAD else _keep_beside
    reached = 0
    for first in range(0, len(image_ids), _IMAGES_PER_TRANSACTION):
        chunk = image_ids[first : first + _IMAGES_PER_TRANSACTION]
        with store.transaction() as unit:
            reached += keep(unit, chunk, answers, now=clock())
        on_images(len(chunk))
    return Reconciled(reached, method_version, share)


def _decide(
    store: Store,
    method: str,
    readings: Sequence[Reading],
    model: ModelReader | None,
    clock: Callable[[], datetime],
) -> tuple[str, Verdict, ModelShare | None]:
    """Return method version, common answers and the model's part; a new panel is kept."""
    table = ReadingTable.of(readings)
    if method != OVERREAD:
        return _version_of(method), METHODS[method](table), None
    people, share = Survey.of(table), None
    if model is None:
        panel = fit_panel(people)
        common = verdict.reconcile(people, panel)
    else:
        survey = JointSurvey.of(people, model.where_allowed())
        panel = fit_joint_panel(survey)
        common = reconcile_joint(survey, panel)
        barred = {bar.value: number for bar, number in model.bars(table.image_ids).items()}
        share = ModelShare(model.version, survey.images, barred, survey.model_only)
    with store.transaction() as unit:
        return unit.panels.record(panel, now=clock()), common, share


def _replace_current(
    unit: UnitOfWork, image_ids: Sequence[str], answers: Mapping[str, Consensus], *, now: datetime
) -> int:
    """Record answers where the readings are still those; the other images are answered anew."""
    standing = unit.readings.counting_ids(image_ids)
    settled = unit.adjudications.parts(image_ids)
    valid = [
        overlay(answers[image_id], settled.get(image_id, ()))
        for image_id in image_ids
        if image_id in answers and answers[image_id].reading_ids == standing.get(image_id)
    ]
    unit.consensus.record(valid, now=now)
    others = set(image_ids) - {answer.image_id for answer in valid}
    return len(valid) + (len(reach_consensus(unit, others, now=now)) if others else 0)


def _keep_beside(
    unit: UnitOfWork, image_ids: Sequence[str], answers: Mapping[str, Consensus], *, now: datetime
) -> int:
    unit.consensus.record(
        [answers[image_id] for image_id in image_ids], now=now, make_current=False
    )
    return len(image_ids)


def _version_of(method: str) -> str:
    # Version 0.1 called its only method "wbf-1"; its answers are not those of METHODS["wbf"].
    return "wbf-2" if method == "wbf" else f"{method}-1"
