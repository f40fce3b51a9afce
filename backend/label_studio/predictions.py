"""Replace what a project shows, and thereby the order in which it is served."""

from collections.abc import Sequence

from backend.label_studio.connection import Connection, LabelStudioError
from backend.label_studio.tasks import TaskPrediction

_TIMEOUT_SECONDS = 600.0


def replace(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> None:
    """Push predictions under a new version, switch to it, delete what nobody sees any more.

    The version that was shown until now stays: a reader may have it open, and Label Studio
    refuses a submission whose prediction is gone.

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
    for old in _versions(connection, project_id) - {version, before}:
        _delete(connection, project_id, old)


def _push(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> None:
    if version in _versions(connection, project_id):  # left by an attempt that broke off
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


def _versions(connection: Connection, project_id: int) -> set[str]:
    path = f"/api/projects/{project_id}/model-versions/"
    answer = connection.ask("GET", path, params={"extended": "true"})
    return {row["model_version"] for row in answer["static"]}


def _delete(connection: Connection, project_id: int, version: str) -> None:
    connection.ask(
        "DELETE",
        f"/api/projects/{project_id}/model-versions/",
        body={"model_version": version},
        timeout_seconds=_TIMEOUT_SECONDS,
    )
