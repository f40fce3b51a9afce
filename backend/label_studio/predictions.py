"""Replace what a project shows, and thereby the order in which it is served."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from backend.label_studio.connection import Connection, LabelStudioError
from backend.label_studio.tasks import TaskPrediction

_TIMEOUT_SECONDS = 600.0
_KEPT = timedelta(hours=8)
_AGAIN = "-again-"


class _Version(NamedTuple):
    name: str
    pushed_at: datetime
    predictions: int


def replace(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> None:
    """Push predictions under a new version, switch to it, delete what nobody sees any more.

    Versions that were shown within the last hours stay: a reader may have one open, and Label
    Studio refuses a submission whose prediction is gone. For the same reason nothing is pushed
    under a name for a second time.

    Parameters
    ----------
    connection : Connection
        To the project's organisation.
    project_id : int
        The project.
    version : str
        A name that stands for these predictions in this order; where it was used before, something
        is added.
    shown : sequence of TaskPrediction
        One for every open task; none at all changes nothing.

    Raises
    ------
    LabelStudioError
        If Label Studio dropped some of them; the old version then stays.
    """
    path = f"/api/projects/{project_id}/"
    before = str(connection.ask("GET", path)["model_version"])
    if shown and not _is_named(before, version):
        name = _bring(connection, project_id, version, shown)
        connection.ask("PATCH", path, body={"model_version": name})
    for old in _outdated(_versions(connection, project_id)):
        _delete(connection, project_id, old.name)


def _bring(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> str:
    """Return the name under which the predictions are in the project, whole and shown to nobody.

    The newest version that was not switched to was never shown. An older one may be open.
    """
    known = _versions(connection, project_id)
    if known and _is_named(known[-1].name, version):  # an earlier attempt broke off
        newest = known.pop()
        if newest.predictions >= len(shown):
            return newest.name
        _delete(connection, project_id, newest.name)
    is_used = any(_is_named(one.name, version) for one in known)
    name = f"{version}{_AGAIN}{secrets.token_hex(4)}" if is_used else version
    _push(connection, project_id, name, shown)
    return name


def _is_named(name: str, version: str) -> bool:
    return name == version or name.startswith(f"{version}{_AGAIN}")


def _push(
    connection: Connection, project_id: int, version: str, shown: Sequence[TaskPrediction]
) -> None:
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


def _versions(connection: Connection, project_id: int) -> list[_Version]:
    """Return the versions that there are, the one pushed last at the end."""
    path = f"/api/projects/{project_id}/model-versions/"
    answer = connection.ask("GET", path, params={"extended": "true"})
    rows = [
        _Version(
            str(row["model_version"]), datetime.fromisoformat(row["latest"]), int(row["count"])
        )
        for row in answer["static"]
    ]
    return sorted(rows, key=lambda row: row.pushed_at)


def _outdated(versions: Sequence[_Version]) -> list[_Version]:
    # A version was shown until the next one was pushed. By Label Studio's clock alone.
    if not versions:
        return []
    shown_since = versions[-1].pushed_at - _KEPT
    return [old for old, following in pairwise(versions) if following.pushed_at < shown_since]


def _delete(connection: Connection, project_id: int, version: str) -> None:
    connection.ask(
        "DELETE",
        f"/api/projects/{project_id}/model-versions/",
        body={"model_version": version},
        timeout_seconds=_TIMEOUT_SECONDS,
    )
