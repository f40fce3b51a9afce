"""Lists of a project's tasks, by the filters of Label Studio's Data Manager."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from backend.label_studio import tasks
from backend.label_studio.connection import Connection
from backend.label_studio.tasks import TaskState

_ROW_PAGE = 1000
_TIMEOUT_SECONDS = 600.0


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
        found += answer["tasks"]
        if page * _ROW_PAGE >= answer["total"]:
            break
    return found


def changed_since(
    connection: Connection, project_id: int, edge: datetime, limit: int
) -> list[TaskState]:
    """Return the first tasks that changed at a time or later.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.
    edge : datetime
        Label Studio's clock; aware.
    limit : int
        How many at most.

    Returns
    -------
    list of TaskState
        Oldest change first.
    """
    # Label Studio wants fractions of a second and the letter Z, and fails without them.
    value = edge.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    wanted = {
        "filter": "filter:tasks:updated_at",
        "operator": "greater_or_equal",
        "type": "Datetime",
        "value": value,
    }
    return _states(connection, project_id, wanted, limit)


def one(connection: Connection, project_id: int, task_id: int) -> TaskState | None:
    """Return one task.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id, task_id : int
        Which.

    Returns
    -------
    TaskState or None
        None when there is none.
    """
    wanted = {
        "filter": "filter:tasks:id",
        "operator": "equal",
        "type": "Number",
        "value": task_id,
    }
    return next(iter(_states(connection, project_id, wanted, 1)), None)


def _states(
    connection: Connection, project_id: int, wanted: Mapping[str, Any], limit: int
) -> list[TaskState]:
    query = {
        "filters": {"conjunction": "and", "items": [wanted]},
        "ordering": ["tasks:updated_at"],
    }
    answer = connection.ask(
        "GET",
        "/api/tasks/",
        params={
            "project": project_id,
            "fields": "all",
            "page_size": limit,
            "query": json.dumps(query),
        },
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    return [tasks.task_state(task) for task in answer["tasks"]]
