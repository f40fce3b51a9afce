"""Bring the open worklist entries into Label Studio, in their order."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.domain.images import Image
from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.label_studio import open_tasks, regions, second_look, tasks
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.regions import Region
from backend.label_studio.tasks import MalformedTaskError
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.receive_second_look import both_sets

_KEPT_AFTER_WITHDRAWAL = timedelta(hours=8)
"""A reader may have had a task open when it was withdrawn."""

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
    removed : int
        Tasks that were withdrawn hours ago and that nobody has begun.
    """

    tasks: int
    adopted: int
    links_renewed: int
    removed: int = 0


def push_worklist(
    store: Store, desk: LabelStudioDesk, project: ReaderProject, *, now: datetime
) -> PushReport:
    """Make a task of every open entry of one reader, show what is to be shown, set the order.

    A task whose entry was withdrawn is served no more, and deleted some hours later; in between,
    who had it open can submit it.

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
        shown = {entry.id: _shown(unit, entry, images[entry.image_id]) for entry in entries}
        before = unit.readers.shown_order(project.reader_id)
        ageing = unit.worklists.with_link_expiring(
            project.reader_id, now + desk.link_life / _REFRESH_IN_LAST_SHARE
        )
        withdrawn = unit.worklists.withdrawn_before(
            project.reader_id, now - _KEPT_AFTER_WITHDRAWAL
        )
        served = unit.worklists.still_served(project.reader_id)

    with desk.open_client(project.reader_id) as client:
        new, adopted = _make_tasks(store, client, project, entries, desk, expires_at)
        task_of = {entry.key: entry.task_id for entry in entries} | new | adopted
        order = _order(entries, task_of, before)
        _set_order(client, project, order, entries, task_of, shown)
        for entry in ageing:
            client.update_task_data(entry.task_id or 0, _data(entry, desk, expires_at))
        stopped = _stop_serving(client, served, withdrawn)
        removed = _remove(client, project, withdrawn)

    if order != before or stopped or removed or ageing:
        with store.transaction() as unit:
            unit.readers.set_shown_order(project.reader_id, order)
            unit.worklists.set_stopped([entry.key for entry in stopped], now)
            for entry in removed:
                unit.worklists.forget_task(entry.key)
            unit.worklists.record_tasks(
                [(entry.key, entry.task_id or 0) for entry in ageing], link_expires_at=expires_at
            )
    return PushReport(len(new), len(adopted), len(ageing), len(removed))


def _make_tasks(
    store: Store,
    client: LabelStudioClient,
    project: ReaderProject,
    entries: Sequence[WorklistEntry],
    desk: LabelStudioDesk,
    expires_at: datetime,
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the tasks that were made, and those that a push before had made, by entry."""
    missing = [entry for entry in entries if entry.task_id is None]
    adopted = _adopt(client, project, missing)
    fresh = [entry for entry in missing if entry.id not in adopted]
    made = client.import_tasks(
        project.project_id, [_data(entry, desk, expires_at) for entry in fresh]
    )
    new = {entry.key: task_id for entry, task_id in zip(fresh, made, strict=True)}
    for entry in missing:
        if (
            entry.key in adopted
        ):  # a push broke off, or the entry was withdrawn and is wanted again
            client.update_task_data(adopted[entry.key], _data(entry, desk, expires_at))
    open_tasks.serve_again(client.connection, list(adopted.values()))
    shown_from = _shown_from(client, project, missing, new | adopted)
    if missing:
        with store.transaction() as unit:
            unit.worklists.record_tasks(
                [*new.items(), *adopted.items()], link_expires_at=expires_at
            )
            for entry_id, moment in shown_from.items():
                unit.worklists.set_shown_from(entry_id, moment)
    return new, adopted


def _shown_from(
    client: LabelStudioClient,
    project: ReaderProject,
    missing: Sequence[WorklistEntry],
    task_of: Mapping[int, int],
) -> dict[int, datetime]:
    """Return since when second looks can be seen, by Label Studio's clock."""
    found = {}
    for entry in missing:
        if entry.kind is EntryKind.SECOND_LOOK:
            state = client.task_state(project.project_id, task_of[entry.key])
            if state is not None:
                found[entry.key] = state.created_at or state.updated_at
    return found


def _shown(unit: UnitOfWork, entry: WorklistEntry, image: Image) -> list[Region]:
    size = image.width_px, image.height_px
    if entry.kind is EntryKind.SECOND_LOOK:
        return second_look.result_of_second_look(*both_sets(unit, entry), *size)
    if entry.model_version is None:
        return []
    predictions = unit.predictions.of_model(entry.model_version, [entry.image_id])
    return regions.result_of_prediction(predictions[entry.image_id].shown, *size)


def _adopt(
    client: LabelStudioClient, project: ReaderProject, missing: Sequence[WorklistEntry]
) -> dict[int, int]:
    if not missing:
        return {}
    known = client.known_entries(project.project_id)
    wanted = {(entry.key, entry.image_id) for entry in missing}
    return {key: known[key, image_id] for key, image_id in wanted if (key, image_id) in known}


def _stop_serving(
    client: LabelStudioClient,
    served: Sequence[WorklistEntry],
    overdue: Sequence[WorklistEntry],
) -> list[WorklistEntry]:
    """Serve withdrawn tasks no more, as soon as nobody is at them, or after hours anyhow."""
    late = {entry.key for entry in overdue}
    stopped = [
        entry
        for entry in served
        if entry.key in late or not open_tasks.has_draft(client.connection, entry.task_id or 0)
    ]
    open_tasks.stop_serving(client.connection, [entry.task_id or 0 for entry in stopped])
    return stopped


def _remove(
    client: LabelStudioClient, project: ReaderProject, withdrawn: Sequence[WorklistEntry]
) -> list[WorklistEntry]:
    """Delete the tasks that nobody has begun; what was submitted is still to be received."""
    removed = []
    for entry in withdrawn:  # looked at right before it is deleted: somebody may just begin
        task_id = entry.task_id or 0
        if not _is_begun(client, project.project_id, task_id):
            client.delete_tasks(project.project_id, [task_id])
            removed.append(entry)
    return removed


def _is_begun(client: LabelStudioClient, project_id: int, task_id: int) -> bool:
    try:
        state = client.task_state(project_id, task_id)
    except MalformedTaskError:
        return True  # nobody knows what is in it
    return state is not None and (
        bool(state.annotations) or open_tasks.has_draft(client.connection, task_id)
    )


def _data(entry: WorklistEntry, desk: LabelStudioDesk, expires_at: datetime) -> dict[str, object]:
    is_second_look = entry.kind is EntryKind.SECOND_LOOK
    return tasks.task_data(
        entry=entry.key,
        image_id=entry.image_id,
        image_url=desk.image_link(entry.image_id, expires_at=expires_at),
        # In a second look the ML backend must not add what the reader was not asked about.
        arm=Arm.UNASSISTED if is_second_look else entry.arm,
        message=second_look.message(entry.reason) if is_second_look else "",
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


def _set_order(
    client: LabelStudioClient,
    project: ReaderProject,
    order: Sequence[str],
    entries: Sequence[WorklistEntry],
    task_of: dict[int, int | None],
    shown: dict[int | None, list[Region]],
) -> None:
    if not entries:
        return
    predictions = [
        tasks.prediction_of_entry(
            task_id=task_of[entry.key] or 0, rank=rank, arm=entry.arm, result=shown[entry.id]
        )
        for rank, entry in enumerate(entries)
    ]
    version = f"worklist-{hashlib.sha256(','.join(order).encode()).hexdigest()[:12]}"
    client.set_predictions(project.project_id, version, predictions)
