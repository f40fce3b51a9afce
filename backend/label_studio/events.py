"""What a webhook of Label Studio hints at.

Deliveries get lost, doubled and reordered, and carry a copy of the past. So a delivery is a hint
where to look: the truth is then pulled from the API.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SECRET_HEADER = "X-Overread-Secret"  # noqa: S105 - the header's name, not its value
ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "TASKS_DELETED",
)
"""Which events the webhook is registered for."""


class MalformedEventError(ValueError):
    """The body of a delivery is not what Label Studio sends."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Where something changed.

    Attributes
    ----------
    action : str
        For example "ANNOTATION_UPDATED".
    project_id : int
        Label Studio's key of the project.
    task_ids : tuple of int
        Tasks named by the delivery; a deletion of annotations names none.
    annotation_ids : tuple of int
        Annotations named by the delivery.
    """

    action: str
    project_id: int
    task_ids: tuple[int, ...]
    annotation_ids: tuple[int, ...]


def parse_event(body: bytes | Mapping[str, Any]) -> Hint:
    """Return what a delivery hints at.

    Parameters
    ----------
    body : bytes or mapping
        The request's body, raw or decoded.

    Returns
    -------
    Hint
        Of any event that carries its project, whether we registered for it or not.

    Raises
    ------
    MalformedEventError
        If the body is no JSON object with an action and a project.
    """
    try:
        payload = json.loads(body) if isinstance(body, bytes) else body
        annotations = [*_listed(payload.get("annotation")), *_listed(payload.get("annotations"))]
        tasks = [*_listed(payload.get("task")), *_listed(payload.get("tasks"))]
        named = [*_ids(tasks), *(item["task"] for item in annotations if "task" in item)]
        return Hint(
            action=str(payload["action"]),
            project_id=int(payload["project"]["id"]),
            task_ids=tuple(dict.fromkeys(named)),
            annotation_ids=tuple(_ids(annotations)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedEventError(
            "expected a Label Studio event with its action and project; register the webhook "
            f"with send_payload on ({error!r})"
        ) from error


def _listed(part: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - JSON of one thing or many
    if part is None:
        return []
    return part if isinstance(part, list) else [part]


def _ids(items: Iterable[Mapping[str, Any]]) -> list[int]:
    return [int(item["id"]) for item in items]
