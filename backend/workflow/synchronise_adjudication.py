"""The adjudicators' project and the store, brought to agree."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from backend.domain.adjudication.request import PENDING, Request
from backend.label_studio import adjudication_form, open_tasks, task_gates
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioMissingError
from backend.store.unit_of_work import Store, StoreUnavailableError, UnitOfWork
from backend.workflow.job_lease import hold_sync_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.pull_verdicts import AdjudicationSync, pull_verdicts
from backend.workflow.sync_report import told

DESK = "adjudication desk"
"""By which the desk's client is opened; no reader can be called so, because of the space."""

_REFRESH_IN_LAST_SHARE = 3


def synchronise_adjudication(
    store: Store, desk: LabelStudioDesk, *, clock: Callable[[], datetime]
) -> AdjudicationSync:
    """Pull what adjudicators decided into the store and push what they are asked.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    clock : callable
        Gives the time; aware.

    Returns
    -------
    AdjudicationSync
        What was done, and what could not be; nothing when there are no adjudicators.
    """
    report = AdjudicationSync()
    with store.snapshot() as unit:
        place = unit.adjudicators.desk()
    if place is None:
        return report
    try:
        with hold_sync_lease(store, DESK, clock=clock):
            with desk.open_client(DESK) as client:
                pull_verdicts(store, client, place, report, clock=clock)
            report.tasks_pushed = push_adjudications(store, desk, now=clock())
    except StoreUnavailableError:
        raise
    except LabelStudioMissingError as error:
        report.problems.append(
            f"adjudication: {error}; if the project was deleted by hand, make it again with: "
            "overread adjudicate adjudicators add NAME"
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the readers' part is done
        report.problems.append(f"adjudication: {told(error)}")
    return report


def pull_adjudications(
    store: Store, desk: LabelStudioDesk, *, clock: Callable[[], datetime]
) -> AdjudicationSync:
    """Take what adjudicators did since the last time into the store.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    clock : callable
        Gives the time; aware.

    Returns
    -------
    AdjudicationSync
        What changed; nothing when there are no adjudicators.
    """
    report = AdjudicationSync()
    with store.snapshot() as unit:
        place = unit.adjudicators.desk()
    if place is not None:
        with desk.open_client(DESK) as client:
            pull_verdicts(store, client, place, report, clock=clock)
    return report


def push_adjudications(store: Store, desk: LabelStudioDesk, *, now: datetime) -> int:
    """Make a task of every open request, in their order, and close what was withdrawn.

    Repeatable, like `push_worklist`. A task that was withdrawn is served to nobody any more; who
    has it open can still submit, and the verdict counts. A task that lost its verdict is left
    alone: whatever is changed in it would look like the adjudicator's doing. One whose verdict is
    in quarantine is served again, with the reason.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    now : datetime
        The time; aware.

    Returns
    -------
    int
        Tasks made.
    """
    expires_at = now + desk.link_life
    with store.snapshot() as unit:
        place = unit.adjudicators.desk()
        requests = unit.adjudication_requests.all()
        ageing = unit.adjudication_requests.with_link_expiring(
            now + desk.link_life / _REFRESH_IN_LAST_SHARE
        )
        known = unit.adjudication_requests.known_tasks()
        problems = _problems(unit, requests)
    lost = {one.request_id for one in known if one.is_lost}
    pending = [one for one in requests if one.state in PENDING]
    data_of = partial(_data, desk, expires_at, problems)
    if place is None or not requests:
        return 0

    with desk.open_client(DESK) as client:
        served = task_gates.served_tasks(client.connection, place.project_id)
        ended = [one for one in requests if one not in pending and one.key not in lost]
        open_tasks.stop_serving(
            client.connection,
            [one.task_id for one in ended if one.task_id is not None and served.get(one.task_id)],
        )
        missing = [one for one in pending if one.task_id not in served]
        made = _make_tasks(store, client, place.project_id, missing, data_of, expires_at)
        task_of = {one.key: made.get(one.key, one.task_id or 0) for one in pending}
        _set_order(store, client, place.project_id, pending, task_of)
        # Label Studio closes a task when anything is submitted to it.
        closed = {one.key for one in pending if not served.get(task_of[one.key], True)}
        back = closed & problems.keys() - lost
        for one in pending:
            if one.key in (ageing - made.keys()) | back:
                client.update_task_data(task_of[one.key], data_of(one))
                with store.transaction() as unit:
                    unit.adjudication_requests.record_task(
                        one.key, task_of[one.key], link_expires_at=expires_at
                    )
        for key in back:
            task_gates.reopen_task(client.connection, task_of[key])
    return len(made)


def _problems(unit: UnitOfWork, requests: Sequence[Request]) -> dict[int, str]:
    """Return why a verdict is in quarantine, for each request that waits for a better one."""
    pending = [one for one in requests if one.state in PENDING]
    kept = {one.key: unit.adjudications.current(one.key) for one in pending}
    return {
        key: one.receipt.reason or "it could not be understood"
        for key, one in kept.items()
        if one is not None and one.receipt.state == "quarantined"
    }


def _make_tasks(
    store: Store,
    client: LabelStudioClient,
    project_id: int,
    missing: Sequence[Request],
    data_of: Callable[[Request], dict[str, object]],
    expires_at: datetime,
) -> dict[int, int]:
    """Make the tasks that are missing, but not those that an interrupted push has made."""
    known = client.known_entries(project_id) if missing else {}
    fresh = [one for one in missing if (one.key, one.image_id) not in known]
    made = client.import_tasks(project_id, [data_of(one) for one in fresh])
    task_of = {one.key: task_id for one, task_id in zip(fresh, made, strict=True)}
    for one in missing:
        if one.key not in task_of:
            task_of[one.key] = known[one.key, one.image_id]
            client.update_task_data(task_of[one.key], data_of(one))
    with store.snapshot() as unit:
        users = {one.id: one.user_id for one in unit.adjudicators.all()}
    for one in missing:
        if one.not_for is not None:
            task_gates.keep_from(client.connection, task_of[one.key], users[one.not_for])
    with store.transaction() as unit:
        for key, task_id in task_of.items():
            unit.adjudication_requests.record_task(key, task_id, link_expires_at=expires_at)
    return task_of


def _data(
    desk: LabelStudioDesk, expires_at: datetime, problems: Mapping[int, str], request: Request
) -> dict[str, object]:
    link = desk.image_link(request.image_id, expires_at=expires_at)
    problem = problems.get(request.key, "")
    return adjudication_form.task_data(request, image_url=link, problem=problem)


def _set_order(
    store: Store,
    client: LabelStudioClient,
    project_id: int,
    pending: Sequence[Request],
    task_of: dict[int, int],
) -> None:
    with store.snapshot() as unit:
        images = unit.images.all(one.image_id for one in pending)
    shown = [
        adjudication_form.prediction(
            one,
            task_id=task_of[one.key],
            rank=rank,
            width_px=images[one.image_id].width_px,
            height_px=images[one.image_id].height_px,
        )
        for rank, one in enumerate(pending)
    ]
    content = ",".join(f"{one.key}:{task_of[one.key]}" for one in pending)
    version = f"adjudication-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    client.set_predictions(project_id, version, shown)
