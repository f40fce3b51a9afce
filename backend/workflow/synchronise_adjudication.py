"""The adjudicators' project and the store, brought to agree."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backend.domain.adjudication.request import Request, RequestState
from backend.label_studio import adjudication_form, task_gates
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioMissingError
from backend.label_studio.tasks import TaskState
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.workflow.job_lease import hold_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.receive_reading import Received
from backend.workflow.receive_verdict import receive_verdict
from backend.workflow.sync_report import told

DESK = "adjudication desk"
"""By which the desk's client is opened; no reader can be called so, because of the space."""

_REFRESH_IN_LAST_SHARE = 3
_WAIT_SECONDS = 120.0
_PENDING = (RequestState.OPEN, RequestState.SKIPPED)


@dataclass(slots=True)
class AdjudicationSync:
    """What a sync with the adjudicators' project did.

    Attributes
    ----------
    received : Counter
        `Received` to the number of tasks.
    tasks_pushed : int
        Tasks made.
    problems : list of str
        What could not be done, with the remedy; the next sync tries again.
    """

    received: Counter[str] = field(default_factory=Counter)
    tasks_pushed: int = 0
    problems: list[str] = field(default_factory=list)


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
        if unit.adjudicators.desk() is None:
            return report
    try:
        with hold_lease(store, f"sync {DESK}", clock=clock, wait_seconds=_WAIT_SECONDS):
            report.received.update(pull_adjudications(store, desk, clock=clock))
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


def receive_adjudication(store: Store, task: TaskState, *, now: datetime) -> Received:
    """Take one task of the adjudicators into the store, and bring its consensus up to date.

    Parameters
    ----------
    store : Store
        The database.
    task : TaskState
        As Label Studio has it.
    now : datetime
        The time; aware.

    Returns
    -------
    Received
        What was new.
    """
    with store.transaction() as unit:
        received = receive_verdict(unit, task, now=now)
        if received not in {Received.UNCHANGED, Received.FOREIGN}:
            request = unit.adjudication_requests.get(task.entry or 0)
            if request is not None:
                reach_consensus(unit, [request.image_id], now=now)
    return received


def pull_adjudications(
    store: Store, desk: LabelStudioDesk, *, clock: Callable[[], datetime]
) -> list[Received]:
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
    list of Received
        One per task that changed; none when there are no adjudicators.
    """
    with store.snapshot() as unit:
        place = unit.adjudicators.desk()
    if place is None:
        return []
    cursor, received = place.synced_until, []
    with desk.open_client(DESK) as client:
        for task in client.changed_tasks(place.project_id, cursor):
            received.append(receive_adjudication(store, task, now=clock()))
            cursor = max(cursor or task.updated_at, task.updated_at)
    if cursor is not None:
        with store.transaction() as unit:
            unit.adjudicators.set_synced(cursor)
    return received


def push_adjudications(store: Store, desk: LabelStudioDesk, *, now: datetime) -> int:
    """Make a task of every open request, in their order, and close what was withdrawn.

    Repeatable, like `push_worklist`. A task that was withdrawn is served to nobody any more; who
    has it open can still submit, and the verdict counts.

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
    pending = [one for one in requests if one.state in _PENDING]
    if place is None or not requests:
        return 0

    with desk.open_client(DESK) as client:
        served = task_gates.served_tasks(client.connection, place.project_id)
        for one in requests:
            if one not in pending and served.get(one.task_id or 0):
                task_gates.close_task(client.connection, one.task_id or 0)
        missing = [one for one in pending if one.task_id not in served]
        made = _make_tasks(store, desk, client, place.project_id, missing, expires_at)
        task_of = {one.key: made.get(one.key, one.task_id or 0) for one in pending}
        _set_order(store, client, place.project_id, pending, task_of)
        for one in pending:
            if one.key in ageing and one.key not in made:
                client.update_task_data(task_of[one.key], _data(desk, one, expires_at))
                with store.transaction() as unit:
                    unit.adjudication_requests.record_task(
                        one.key, task_of[one.key], link_expires_at=expires_at
                    )
    return len(made)


def _make_tasks(
    store: Store,
    desk: LabelStudioDesk,
    client: LabelStudioClient,
    project_id: int,
    missing: Sequence[Request],
    expires_at: datetime,
) -> dict[int, int]:
    """Make the tasks that are missing, but not those that an interrupted push has made."""
    known = client.known_entries(project_id) if missing else {}
    fresh = [one for one in missing if (one.key, one.image_id) not in known]
    made = client.import_tasks(project_id, [_data(desk, one, expires_at) for one in fresh])
    task_of = {one.key: task_id for one, task_id in zip(fresh, made, strict=True)}
    for one in missing:
        if one.key not in task_of:
            task_of[one.key] = known[one.key, one.image_id]
            client.update_task_data(task_of[one.key], _data(desk, one, expires_at))
    with store.snapshot() as unit:
        users = {one.id: one.user_id for one in unit.adjudicators.all()}
    for one in missing:
        if one.not_for is not None:
            task_gates.keep_from(client.connection, task_of[one.key], users[one.not_for])
    with store.transaction() as unit:
        for key, task_id in task_of.items():
            unit.adjudication_requests.record_task(key, task_id, link_expires_at=expires_at)
    return task_of


def _data(desk: LabelStudioDesk, request: Request, expires_at: datetime) -> dict[str, object]:
    link = desk.image_link(request.image_id, expires_at=expires_at)
    return adjudication_form.task_data(request, image_url=link)


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
