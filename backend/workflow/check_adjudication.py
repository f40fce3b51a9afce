"""Where the adjudicators' project and the store disagree, and which of it needs a person."""

from collections.abc import Iterable, Iterator

from backend.domain.adjudication.request import PENDING
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError, LabelStudioMissingError
from backend.label_studio.task_rows import TaskRow, UnreadableTask
from backend.label_studio.tasks import MalformedTaskError
from backend.store.adjudication_tasks import KnownRequestTask
from backend.store.adjudicators import AdjudicationDesk
from backend.store.unit_of_work import Store
from backend.workflow.check_sync import TOUCHED, SyncFinding
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.pull_verdicts import older_tasks
from backend.workflow.synchronise_adjudication import DESK

_ADD = "overread adjudicate adjudicators add NAME"
_NAMED_TASKS = 20


def check_adjudication(store: Store, desk: LabelStudioDesk) -> list[SyncFinding]:
    """Compare the adjudicators' project with the store; changes nothing on either side.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.

    Returns
    -------
    list of SyncFinding
        None when nobody adjudicates.
    """
    with store.snapshot() as unit:
        place = unit.adjudicators.desk()
    if place is None:
        return []
    try:
        with desk.open_client(DESK) as client:
            return list(_findings(store, desk, client, place))
    except LabelStudioMissingError:
        state = "the project is gone from Label Studio; the verdicts stay in the store"
        return [SyncFinding("project", DESK, state, f"make it again: {_ADD}")]
    except (LabelStudioError, MalformedTaskError) as error:
        remedy = "mend it as said, or see: overread doctor; nothing is lost meanwhile"
        return [SyncFinding("project", DESK, str(error), remedy)]


def _findings(
    store: Store, desk: LabelStudioDesk, client: LabelStudioClient, place: AdjudicationDesk
) -> Iterator[SyncFinding]:
    with store.snapshot() as unit:
        known = unit.adjudication_requests.known_tasks()
        kept = [unit.adjudications.current(one.request_id) for one in known]
    rows = client.all_tasks(place.project_id)
    state = f"{len(rows)} tasks in Label Studio, {len(known)} requests here"
    yield SyncFinding("requests", DESK, state)
    yield from _webhook(desk, client, place)
    yield from _changes(client, place)
    yield from _lost(rows, known)
    yield from _foreign(rows, known)
    quarantined = sum(one is not None and one.receipt.state == "quarantined" for one in kept)
    if quarantined:
        yield SyncFinding(
            "quarantine",
            DESK,
            f"{quarantined} verdicts are kept but do not count",
            "let an adjudicator submit them again; overread adjudicate status gives the reasons",
        )


def _webhook(
    desk: LabelStudioDesk, client: LabelStudioClient, place: AdjudicationDesk
) -> Iterator[SyncFinding]:
    wanted = f"{desk.backend_url.rstrip('/')}/webhooks/label-studio"
    if wanted not in client.webhook_urls(place.project_id):
        state = "Label Studio does not report verdicts to this backend; they come with the sync"
        yield SyncFinding("webhook", DESK, state, f"register it: {_ADD}")


def _changes(client: LabelStudioClient, place: AdjudicationDesk) -> Iterator[SyncFinding]:
    aside: list[UnreadableTask] = []
    until = place.synced_until
    changed = client.changed_tasks(place.project_id, until, on_unreadable=aside.append)
    waiting = sum(until is None or task.updated_at > until for task in changed)
    if waiting:
        yield SyncFinding("waiting", DESK, f"{waiting} tasks {TOUCHED}")
    for task in aside:
        yield SyncFinding(
            "set aside",
            DESK,
            f"task {task.task_id} cannot be read: {task.why}",
            "mend or delete the task in Label Studio; it is tried again in every sync",
        )


def _lost(rows: list[TaskRow], known: list[KnownRequestTask]) -> Iterator[SyncFinding]:
    there = {row.task_id for row in rows}
    gone = [one for one in known if one.task_id is not None and one.task_id not in there]
    pending = sum(one.state in PENDING for one in gone)
    if pending:
        state = f"{pending} tasks that wait were deleted; the next sync makes them again"
        yield SyncFinding("deleted", DESK, state)
    if len(gone) > pending:
        state = f"{len(gone) - pending} tasks were deleted after they were decided; verdicts stay"
        yield SyncFinding("deleted", DESK, state)
    marked = [one for one in known if one.is_lost and one.task_id in there]
    lost = {one.task_id for one in (*marked, *older_tasks(rows, known))}
    if lost:
        yield SyncFinding(
            "restored",
            DESK,
            f"{len(lost)} tasks are older in Label Studio than they were, as after a restored "
            "backup; what was decided in them stays in the store, nothing is withdrawn",
            "nothing has to be decided again. So that nobody is asked a second time, delete "
            f"these tasks in Label Studio: {_listed(lost)}",
        )


def _foreign(rows: list[TaskRow], known: list[KnownRequestTask]) -> Iterator[SyncFinding]:
    images = {one.request_id: one.image_id for one in known}
    foreign = {
        row.task_id for row in rows if row.entry is None or images.get(row.entry) != row.image_id
    }
    if foreign:
        yield SyncFinding(
            "foreign",
            DESK,
            f"{len(foreign)} tasks belong to no request of this store",
            "export what was answered in them if it is wanted, and delete the tasks: "
            + _listed(foreign),
        )


def _listed(task_ids: Iterable[int | None]) -> str:
    ordered = sorted(task_id for task_id in task_ids if task_id is not None)
    named = ", ".join(map(str, ordered[:_NAMED_TASKS]))
    more = len(ordered) - _NAMED_TASKS
    return f"{named} and {more} more" if more > 0 else named
