"""Rows of a list of tasks: those that cannot be read, and those without what was done in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.label_studio.tasks import TASK_FORMAT, MalformedTaskError, TaskState, task_state

_DIGITS = 18  # of a key that a database can hold


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
        entry, image_id = _shown(answer["data"])
        return TaskRow(
            task_id=int(answer["id"]),
            entry=entry,
            image_id=image_id,
            updated_at=datetime.fromisoformat(answer["updated_at"]),
            annotations=(answer["total_annotations"] or 0)
            + (answer["cancelled_annotations"] or 0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedTaskError(
            f"expected a Label Studio 1.23 task with data and its numbers ({error!r})"
        ) from error


def tasks_of_entries(rows: Sequence[TaskRow]) -> dict[tuple[int, str], int]:
    """Return which worklist entries have a task.

    Parameters
    ----------
    rows : sequence of TaskRow
        Every task of a project, by id.

    Returns
    -------
    dict of (int, str) to int
        Task by worklist entry and image; the oldest task where an entry has several. The image
        tells entries of this store from those of one that was thrown away.
    """
    return {
        (row.entry, row.image_id): row.task_id
        for row in reversed(rows)
        if row.entry is not None and row.image_id is not None
    }


def _shown(data: object) -> tuple[int, str] | tuple[None, None]:
    """Return the entry and the image of a task's data; anybody could have changed it."""
    if not isinstance(data, dict) or data.get("overread") != TASK_FORMAT:
        return None, None
    entry, image_id = data.get("entry"), data.get("image_id")
    if not isinstance(image_id, str) or not str(entry).isdecimal() or len(str(entry)) > _DIGITS:
        return None, None
    return int(str(entry)), image_id


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
