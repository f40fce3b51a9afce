"""Replace what a project shows, and thereby the order in which it is served."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from backend.label_studio.connection import Connection, LabelStudioError
from backend.label_studio.tasks import TaskPrediction

_TIMEOUT_SECONDS = 600.0
_KEPT = timedelta(hours=8)


def replace(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> None:
    """Push predictions under a new version, switch to it, delete what nobody sees any more.

    Versions that were shown within the last hours stay: a reader may have one open, and Label
    Studio refuses a submission whose prediction is gone.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.
    version : str
        A name that was not used for other predictions.
    shown : sequence of TaskPrediction
        One for every open task; none at all changes nothing.

    Raises
    ------
    LabelStudioError
        If Label Studio dropped some of them; the old version then stays.
    """
    path = f"/api/projects/{project_id}/"
    before = connection.ask("GET", path)["model_version"]
    if shown and before != version:
        _push(connection, project_id, version, shown)
        connection.ask("PATCH", path, body={"model_version": version})
    for old in _outdated(_versions(connection, project_id)):
        _delete(connection, project_id, old)


def _push(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> None:
    known = [name for name, _ in _versions(connection, project_id)]
    if version in known:  # left by an attempt that broke off
        _delete(connection, project_id, version)
    body = [
        {
            "task": item.task_id,
            "model_version": version,
            "score": item.score,
            "result": list(item.result),
        }
        for item in shown
    ]
    path = f"/api/projects/{project_id}/import/predictions"
    answer = connection.ask("POST", path, body=body, timeout_seconds=_TIMEOUT_SECONDS)
    if answer["created"] != len(body):
        raise LabelStudioError(
            f"expected {len(body)} predictions to be stored, Label Studio kept "
            f"{answer['created']}; do their labels stand on the project's reading form?"
        )


def _versions(connection: Connection, project_id: int) -> list[tuple[str, datetime]]:
    path = f"/api/projects/{project_id}/model-versions/"
    answer = connection.ask("GET", path, params={"extended": "true"})
    rows = [
        (str(row["model_version"]), datetime.fromisoformat(row["latest"]))
        for row in answer["static"]
    ]
    return sorted(rows, key=lambda row: row[1])


def _outdated(versions: Sequence[tuple[str, datetime]]) -> list[str]:
    # A version was shown until the next one was pushed. By Label Studio's clock alone.
    if not versions:
        return []
    shown_since = versions[-1][1] - _KEPT
    return [name for (name, _), (_, ended) in pairwise(versions) if ended < shown_since]


def _delete(connection: Connection, project_id: int, version: str) -> None:
    connection.ask(
        "DELETE",
        f"/api/projects/{project_id}/model-versions/",
        body={"model_version": version},
        timeout_seconds=_TIMEOUT_SECONDS,
    )
