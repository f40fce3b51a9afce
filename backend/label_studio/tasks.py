"""Worklist entries as Label Studio's tasks, and tasks as they come back.

A task's data is shown to the reader's browser: it names the image and nothing of the patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.domain.readings import Arm
from backend.label_studio.regions import Region

TASK_FORMAT = 1
"""Written into every task as ``overread``; a task without it is not ours."""

_RANKS = 1_000_000


class MalformedTaskError(ValueError):
    """Label Studio's answer lacks something that every task has."""


@dataclass(frozen=True, slots=True)
class TaskPrediction:
    """What a task shows, and when it is served.

    Attributes
    ----------
    task_id : int
        Label Studio's key.
    score : float
        `score_of_rank`; the lowest is served first.
    result : tuple of dict
        The regions to show; none in the unassisted arm.
    """

    task_id: int
    score: float
    result: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class PredictionState:
    """A prediction that Label Studio shows beside a task.

    Attributes
    ----------
    id : int
        Label Studio's key; an annotation names it as its `parent_prediction`.
    version : str
        Under which it was pushed.
    score : float or None
        Where in the order it stands.
    result : tuple of dict
        The regions shown.
    """

    id: int
    version: str
    score: float | None
    result: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class AnnotationState:
    """A submitted annotation as it now stands.

    Attributes
    ----------
    id : int
        Label Studio's key.
    created_at, updated_at : datetime
        Label Studio's clock; aware.
    result : tuple of dict
        Its items; what a skipped annotation holds is not the reader's work.
    was_cancelled : bool
        Whether the reader skipped the task.
    lead_time_seconds : float or None, [s]
        Time that the reader took; grows over updates.
    parent_prediction : int or None
        Key of the prediction that was shown.
    completed_by : int or None
        Label Studio's key of who submitted it.
    updated_by : int or None
        Label Studio's key of who changed it last.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    result: tuple[Region, ...]
    was_cancelled: bool
    lead_time_seconds: float | None
    parent_prediction: int | None
    completed_by: int | None
    updated_by: int | None = None

    @property
    def author(self) -> int | None:
        """Label Studio's key of the user whose answer it is: who changed it last."""
        return self.completed_by if self.updated_by is None else self.updated_by


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task as it now stands; drafts are left out.

    Attributes
    ----------
    task_id : int
        Label Studio's key.
    entry : int or None
        Worklist entry that it was made of; None for a task that is not ours.
    updated_at : datetime
        Moves whenever one of its annotations is made, changed, skipped or deleted; aware.
    annotations : tuple of AnnotationState
        Oldest first; one that was there before and is not any more was deleted.
    predictions : tuple of PredictionState
        What it shows.
    image_id : str or None
        Image that it shows; None for a task that is not ours.
    created_at : datetime or None
        Label Studio's clock: nobody saw it before; None when it was not told.
    """

    task_id: int
    entry: int | None
    updated_at: datetime
    annotations: tuple[AnnotationState, ...]
    predictions: tuple[PredictionState, ...] = ()
    image_id: str | None = None
    created_at: datetime | None = None


def task_data(
    *, entry: int, image_id: str, image_url: str, arm: Arm, message: str = ""
) -> dict[str, Any]:
    """Return the data of a worklist entry's task.

    Parameters
    ----------
    entry : int
        Key of the worklist entry.
    image_id : str
        The image's pseudonym.
    image_url : str
        Signed link to the pixels.
    arm : Arm
        Whether the pre-annotation is shown.
    message : str
        What the reader is told beside the image; nothing but in a second look.

    Returns
    -------
    dict
        JSON, without any identifier of the patient.
    """
    return {
        "image": image_url,
        "image_id": image_id,
        "entry": entry,
        "arm": arm.value,
        "message": message,
        "overread": TASK_FORMAT,
    }


def score_of_rank(rank: int) -> float:
    """Return the prediction score that makes Label Studio serve a task at its rank.

    Parameters
    ----------
    rank : int
        0 is served first; below a million.

    Returns
    -------
    float
        In [0, 1), rising with the rank.

    Raises
    ------
    ValueError
        If the rank is out of range.

    Examples
    --------
    >>> score_of_rank(0) < score_of_rank(1) < score_of_rank(40)
    True
    """
    if not 0 <= rank < _RANKS:
        raise ValueError(f"expected a rank from 0 to {_RANKS - 1}, got {rank}")
    return rank / _RANKS


def prediction_of_entry(
    *, task_id: int, rank: int, arm: Arm, result: list[Region]
) -> TaskPrediction:
    """Return what the task of a worklist entry shows, and when.

    Parameters
    ----------
    task_id : int
        Label Studio's key.
    rank : int
        Place in the reader's worklist, from 0.
    arm : Arm
        Nothing is shown in the unassisted arm.
    result : list of dict
        `regions.result_of_prediction` of the image's pre-annotation.

    Returns
    -------
    TaskPrediction
        For `LabelStudioClient.set_predictions`; every open task needs one, or it is served last.
    """
    shown = tuple(result) if arm is Arm.ASSISTED else ()
    return TaskPrediction(task_id, score_of_rank(rank), shown)


def task_state(answer: Mapping[str, Any]) -> TaskState:
    """Return a task of Label Studio's answer.

    Parameters
    ----------
    answer : mapping
        One task as JSON.

    Returns
    -------
    TaskState
        The parts that matter here.

    Raises
    ------
    MalformedTaskError
        If a part is missing.
    """
    try:
        annotations = [_annotation(item) for item in answer["annotations"]]
        data = answer["data"]
        made_at = answer.get("created_at")
        return TaskState(
            task_id=int(answer["id"]),
            entry=int(data["entry"]) if data.get("overread") == TASK_FORMAT else None,
            updated_at=datetime.fromisoformat(answer["updated_at"]),
            annotations=tuple(sorted(annotations, key=lambda item: (item.created_at, item.id))),
            predictions=tuple(_prediction(item) for item in answer["predictions"]),
            image_id=data.get("image_id") if data.get("overread") == TASK_FORMAT else None,
            created_at=None if made_at is None else datetime.fromisoformat(made_at),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedTaskError(
            f"expected a Label Studio 1.23 task with data, annotations and predictions ({error!r})"
        ) from error


def _annotation(answer: Mapping[str, Any]) -> AnnotationState:
    completed_by = answer.get("completed_by")
    return AnnotationState(
        id=int(answer["id"]),
        created_at=datetime.fromisoformat(answer["created_at"]),
        updated_at=datetime.fromisoformat(answer["updated_at"]),
        result=tuple(answer["result"] or ()),
        was_cancelled=bool(answer["was_cancelled"]),
        lead_time_seconds=answer.get("lead_time"),
        parent_prediction=answer.get("parent_prediction"),
        # A number in lists, the whole user for a single task.
        completed_by=completed_by["id"] if isinstance(completed_by, dict) else completed_by,
        updated_by=answer.get("updated_by"),
    )


def _prediction(answer: Mapping[str, Any]) -> PredictionState:
    return PredictionState(
        id=int(answer["id"]),
        version=answer["model_version"] or "",
        score=answer.get("score"),
        result=tuple(answer["result"] or ()),
    )
