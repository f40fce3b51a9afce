"""Lists of a project's tasks, by the filters of Label Studio's Data Manager."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from backend.label_studio import task_rows
from backend.label_studio.connection import Connection, LabelStudioError
from backend.label_studio.task_rows import TaskRow, UnreadableTask
from backend.label_studio.tasks import TaskState

_ROW_PAGE = 1000
_TIMEOUT_SECONDS = 600.0
_INSTANT = timedelta(microseconds=1)  # what Label Studio's clock resolves
# Label Studio applies one list of names to tasks and to the annotations and predictions inside.
_TASK_FIELDS = "id,data,updated_at,annotations,predictions"
_INNER_FIELDS = (
    "created_at,result,was_cancelled,lead_time,completed_by,updated_by,parent_prediction,"
    "model_version,score"
)
_ROW_FIELDS = "id,data,updated_at,total_annotations,cancelled_annotations"


def rows(connection: Connection, project_id: int, include: str) -> list[dict[str, Any]]:
    """Return some fields of all tasks, by id.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.
    include : str
        Names of the fields, with commas between.

    Returns
    -------
    list of dict
        JSON.
    """
    found: list[dict[str, Any]] = []
    for page in count(1):
        answer = connection.ask(
            "GET",
            "/api/tasks/",
            params={
                "project": project_id,
                "include": include,
                "page_size": _ROW_PAGE,
                "page": page,
            },
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        found += _tasks(answer)
        if page * _ROW_PAGE >= int(answer["total"]):
            break
    return found


def all_tasks(connection: Connection, project_id: int) -> list[TaskRow]:
    """Return every task, without what was done in it.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.

    Returns
    -------
    list of TaskRow
        By id.
    """
    return [task_rows.task_row(row) for row in rows(connection, project_id, _ROW_FIELDS)]


def count_all(connection: Connection, project_id: int) -> int:
    """Return how many tasks there are; much cheaper than listing them.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.

    Returns
    -------
    int
        Every task counts, ours or not.
    """
    params: dict[str, str | int] = {"project": project_id, "include": "id", "page_size": 1}
    answer = connection.ask("GET", "/api/tasks/", params=params)
    _tasks(answer)
    return int(answer["total"])


def changed_since(
    connection: Connection, project_id: int, edge: datetime, page_size: int
) -> Iterator[TaskState | UnreadableTask]:
    """Yield the tasks that changed at a time or later.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.
    edge : datetime
        Label Studio's clock; aware.
    page_size : int
        How many are asked for at once; at least 2.

    Yields
    ------
    TaskState or UnreadableTask
        Oldest change first; the last one of a page comes again at the head of the next.
    """
    while True:
        wanted = [_condition("updated_at", "greater_or_equal", _moment(edge))]
        page = _states(connection, project_id, wanted, page_size, order="updated_at")
        yield from page
        if len(page) < page_size:
            return
        # Not by page number: a task changed meanwhile would push another over the edge.
        last = max((state.updated_at for state in page if state.updated_at), default=edge)
        if last == edge:
            yield from _changed_at(connection, project_id, edge, page_size)
            last = edge + _INSTANT
        edge = last


def _changed_at(
    connection: Connection, project_id: int, moment: datetime, page_size: int
) -> Iterator[TaskState | UnreadableTask]:
    """Yield the tasks that changed in one moment: a bulk action can change thousands of them."""
    last = 0
    while True:
        wanted = [
            _condition("updated_at", "greater_or_equal", _moment(moment)),
            _condition("updated_at", "less_or_equal", _moment(moment)),
            _condition("id", "greater", last),
        ]
        page = _states(connection, project_id, wanted, page_size, order="id")
        yield from page
        if len(page) < page_size:
            return
        last = page[-1].task_id


def one(
    connection: Connection, project_id: int, task_id: int
) -> TaskState | UnreadableTask | None:
    """Return one task.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id, task_id : int
        Which.

    Returns
    -------
    TaskState, UnreadableTask or None
        None when there is none.
    """
    wanted = [_condition("id", "equal", task_id)]
    return next(iter(_states(connection, project_id, wanted, 1, order="id")), None)


def _condition(column: str, operator: str, value: str | int) -> dict[str, str | int]:
    kind = "Number" if column == "id" else "Datetime"
    name = f"filter:tasks:{column}"
    return {"filter": name, "operator": operator, "type": kind, "value": value}


def _moment(edge: datetime) -> str:
    # Label Studio wants fractions of a second and the letter Z, and fails without them.
    return edge.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _states(
    connection: Connection,
    project_id: int,
    wanted: Sequence[Mapping[str, str | int]],
    limit: int,
    *,
    order: str,
) -> list[TaskState | UnreadableTask]:
    query = {
        "filters": {"conjunction": "and", "items": list(wanted)},
        "ordering": [f"tasks:{order}"],
    }
    answer = connection.ask(
        "GET",
        "/api/tasks/",
        params={
            "project": project_id,
            "fields": "all",
            "include": f"{_TASK_FIELDS},{_INNER_FIELDS}",
            "page_size": limit,
            "query": json.dumps(query),
        },
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    return [task_rows.readable(task) for task in _tasks(answer)]


def _tasks(answer: object) -> list[dict[str, Any]]:
    if isinstance(answer, dict) and isinstance(answer.get("tasks"), list) and "total" in answer:
        found: list[dict[str, Any]] = answer["tasks"]
        return found
    raise LabelStudioError(
        "expected a list of tasks from Label Studio, got something else; is another program "
        "answering at OVERREAD_LABEL_STUDIO_URL, or is Label Studio of another version than 1.23?"
    )
