"""Rows of a list of tasks: those that cannot be read, and those without what was done in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.label_studio.tasks import TASK_FORMAT, MalformedTaskError, TaskState, task_state


@dataclass(frozen=True, slots=True)
class UnreadableTask:
    """A task that holds something which no task of ours holds; the others are not affected.

    Attributes
    ----------
    task_id : int
        Label Studio's key.
    updated_at : datetime or None
        When it last changed, if that can be read; aware.
    why : str
        What was expected.
    """

    task_id: int
    updated_at: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in a list of all tasks, without what was done in it.

    Attributes
    ----------
    task_id : int
        Label Studio's key.
    entry : int or None
        Worklist entry that it was made of; None for a task that is not ours.
    image_id : str or None
        Image that it shows; None for a task that is not ours.
    updated_at : datetime
        When it last changed, by Label Studio's clock; aware.
    annotations : int
        How many annotations it has, skips included.
    """

    task_id: int
    entry: int | None
    image_id: str | None
    updated_at: datetime
    annotations: int


def readable(answer: Mapping[str, Any]) -> TaskState | UnreadableTask:
    """Return a task of Label Studio's answer, or why it cannot be read.

    Parameters
    ----------
    answer : mapping
        One task as JSON.

    Returns
    -------
    TaskState or UnreadableTask
        The latter when a part is missing or odd.

    Raises
    ------
    MalformedTaskError
        If not even its key can be read.
    """
    try:
        return task_state(answer)
    except MalformedTaskError as error:
        try:
            task_id = int(answer["id"])
        except (KeyError, TypeError, ValueError):
            raise error from None
        return UnreadableTask(task_id, _moment(answer.get("updated_at")), str(error))


def task_row(answer: Mapping[str, Any]) -> TaskRow:
    """Return a task of a list that leaves out what was done in it.

    Parameters
    ----------
    answer : mapping
        With id, data, updated_at and the numbers of annotations.

    Returns
    -------
    TaskRow
        A task whose data names no entry, or an odd one, is not ours.

    Raises
    ------
    MalformedTaskError
        If a part is missing.
    """
    try:
        data = answer["data"]
        is_ours = data.get("overread") == TASK_FORMAT and str(data.get("entry")).isdecimal()
        return TaskRow(
            task_id=int(answer["id"]),
            entry=int(data["entry"]) if is_ours else None,
            image_id=data.get("image_id") if is_ours else None,
            updated_at=datetime.fromisoformat(answer["updated_at"]),
            annotations=(answer["total_annotations"] or 0)
            + (answer["cancelled_annotations"] or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedTaskError(
            f"expected a Label Studio 1.23 task with data and its numbers ({error!r})"
        ) from error


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
