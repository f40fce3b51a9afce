"""Bring the open worklist entries into Label Studio, in their order."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.images import Image
from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState, WorklistEntry
from backend.label_studio import regions, tasks
from backend.label_studio.client import LabelStudioClient
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.label_studio_desk import LabelStudioDesk

_REFRESH_IN_LAST_SHARE = 3
"""Links are renewed in the last third of their life."""


@dataclass(frozen=True, slots=True)
class PushReport:
    """What was brought into a reader's project.

    Attributes
    ----------
    tasks : int
        Tasks that were made.
    adopted : int
        Tasks that an earlier, interrupted push had made.
    links_renewed : int
        Tasks that got a fresh image link.
    """

    tasks: int
    adopted: int
    links_renewed: int


def push_worklist(
    store: Store, desk: LabelStudioDesk, project: ReaderProject, *, now: datetime
) -> PushReport:
    """Make a task of every open entry of one reader, show what is to be shown, set the order.

    Repeatable: what is in Label Studio already is not made again, also when an earlier push was
    cut off between Label Studio's answer and our record of it.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    project : ReaderProject
        The reader's.
    now : datetime
        The time; aware.

    Returns
    -------
    PushReport
        What was done.
    """
    expires_at = now + desk.link_life
    with store.snapshot() as unit:
        entries = unit.worklists.all(reader_id=project.reader_id, state=EntryState.OPEN)
        images = unit.images.all(entry.image_id for entry in entries)
        shown = {entry.id: _shown(unit, entry) for entry in entries}
        before = unit.readers.shown_order(project.reader_id)
        ageing = unit.worklists.with_link_expiring(
            project.reader_id, now + desk.link_life / _REFRESH_IN_LAST_SHARE
        )

    with desk.open_client(project.reader_id) as client:
        missing = [entry for entry in entries if entry.task_id is None]
        adopted = _adopt(client, project, missing)
        fresh = [entry for entry in missing if entry.id not in adopted]
        made = client.import_tasks(
            project.project_id, [_data(entry, desk, expires_at) for entry in fresh]
        )
        new = {entry.key: task_id for entry, task_id in zip(fresh, made, strict=True)}
        for entry in missing:
            if entry.key in adopted:  # its link was signed by the push that broke off
                client.update_task_data(adopted[entry.key], _data(entry, desk, expires_at))
        if missing:
            with store.transaction() as unit:
                unit.worklists.record_tasks(
                    [*new.items(), *adopted.items()], link_expires_at=expires_at
                )
        task_of = {entry.key: entry.task_id for entry in entries} | new | adopted
        order = _order(entries, task_of, before)
        _set_order(client, project, order, entries, task_of, images, shown)
        for entry in ageing:
            client.update_task_data(entry.task_id or 0, _data(entry, desk, expires_at))
    if order != before:
        with store.transaction() as unit:
            unit.readers.set_shown_order(project.reader_id, order)
    if ageing:
        with store.transaction() as unit:
            unit.worklists.record_tasks(
                [(entry.key, entry.task_id or 0) for entry in ageing], link_expires_at=expires_at
            )
    return PushReport(tasks=len(new), adopted=len(adopted), links_renewed=len(ageing))


def _shown(unit: UnitOfWork, entry: WorklistEntry) -> Prediction | None:
    if entry.model_version is None:
        return None
    return unit.predictions.of_model(entry.model_version, [entry.image_id])[entry.image_id]


def _adopt(
    client: LabelStudioClient, project: ReaderProject, missing: Sequence[WorklistEntry]
) -> dict[int, int]:
    if not missing:
        return {}
    known = client.known_entries(project.project_id)
    wanted = {(entry.key, entry.image_id) for entry in missing}
    return {key: known[key, image_id] for key, image_id in wanted if (key, image_id) in known}


def _data(entry: WorklistEntry, desk: LabelStudioDesk, expires_at: datetime) -> dict[str, object]:
    return tasks.task_data(
        entry=entry.key,
        image_id=entry.image_id,
        image_url=desk.image_link(entry.image_id, expires_at=expires_at),
        arm=entry.arm,
    )


def _order(
    entries: Sequence[WorklistEntry],
    task_of: Mapping[int, int | None],
    before: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the order to be served: the one before, if only what was read has left it.

    Pushing an order costs Label Studio seconds that grow with the project, and a reader who
    reads from the head of the list changes nothing in the order of the rest.
    """
    # With the task: an entry whose task was deleted and made again needs its boxes again.
    now = tuple(f"{one.key}:{task_of[one.key]}:{one.model_version}" for one in entries)
    following = iter(before)
    return before if all(word in following for word in now) else now


def _set_order(  # noqa: PLR0913, PLR0917 - what was gathered above
    client: LabelStudioClient,
    project: ReaderProject,
    order: Sequence[str],
    entries: Sequence[WorklistEntry],
    task_of: dict[int, int | None],
    images: dict[str, Image],
    shown: dict[int | None, Prediction | None],
) -> None:
    if not entries:
        return
    predictions = []
    for rank, entry in enumerate(entries):
        image, prediction = images[entry.image_id], shown[entry.id]
        predictions.append(
            tasks.prediction_of_entry(
                task_id=task_of[entry.key] or 0,
                rank=rank,
                arm=entry.arm,
                result=regions.result_of_prediction(
                    prediction.shown if prediction else (), image.width_px, image.height_px
                ),
            )
        )
    version = f"worklist-{hashlib.sha256(','.join(order).encode()).hexdigest()[:12]}"
    client.set_predictions(project.project_id, version, predictions)
