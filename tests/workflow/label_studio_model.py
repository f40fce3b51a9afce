"""Label Studio in memory: one project that answers like `LabelStudioClient`, and loses things."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from backend.label_studio import task_rows, tasks
from backend.label_studio.connection import LabelStudioUnreachableError
from backend.label_studio.events import Hint
from backend.label_studio.organisation import ProjectState
from backend.label_studio.task_rows import TaskRow, UnreadableTask
from backend.label_studio.tasks import (
    AnnotationState,
    MalformedTaskError,
    TaskPrediction,
    TaskState,
)
from tests.store.samples import NOW

PROJECT = 101
READER_USER = 7
_OVERLAP = timedelta(minutes=1)


@dataclass
class ModelTask:
    """A task with what was done in it."""

    data: dict[str, Any]
    updated_at: datetime
    annotations: dict[int, AnnotationState] = field(default_factory=dict)
    created_at: datetime = NOW


@dataclass
class LabelStudioModel:
    """The project; every deed takes a while of its clock and leaves a hint."""

    email: str
    project_id: int = PROJECT
    tasks: dict[int, ModelTask] = field(default_factory=dict)
    now: datetime = NOW
    last_task: int = 0
    last_annotation: int = 0
    hints: list[Hint] = field(default_factory=list)
    loses_next_import: bool = False
    is_down: bool = False
    drafted: set[int] = field(default_factory=set)
    not_served: set[int] = field(default_factory=set)

    # What the reader does, and what others do to the reader's work.

    def submit(
        self, task_id: int, result: tuple[Any, ...], *, was_cancelled: bool = False
    ) -> None:
        task, at = self.tasks[task_id], self._tick()
        self.last_annotation += 1
        made = AnnotationState(
            id=self.last_annotation,
            created_at=at,
            updated_at=at,
            result=result,
            was_cancelled=was_cancelled,
            lead_time_seconds=1.0,
            parent_prediction=None,
            completed_by=READER_USER,
            updated_by=READER_USER,
        )
        task.annotations[made.id] = made
        self._touched("ANNOTATION_CREATED", task_id, made.id)

    def revise(self, task_id: int, annotation_id: int, result: tuple[Any, ...]) -> None:
        task, at = self.tasks[task_id], self._tick()
        task.annotations[annotation_id] = replace(
            task.annotations[annotation_id], updated_at=at, result=result, was_cancelled=False
        )
        self._touched("ANNOTATION_UPDATED", task_id, annotation_id)

    def withdraw(self, task_id: int, annotation_id: int) -> None:
        self._tick()
        del self.tasks[task_id].annotations[annotation_id]
        self.tasks[task_id].updated_at = self.now
        self.hints.append(Hint("ANNOTATIONS_DELETED", self.project_id, (), (annotation_id,)))

    def touch(self, task_id: int) -> None:
        self._tick()
        self.tasks[task_id].updated_at = self.now

    def delete_task(self, task_id: int) -> None:
        self._tick()
        del self.tasks[task_id]
        self.hints.append(Hint("TASKS_DELETED", self.project_id, (task_id,), ()))

    def back_up(self) -> tuple[dict[int, ModelTask], int, int]:
        return copy.deepcopy((self.tasks, self.last_task, self.last_annotation))

    def restore(self, backup: tuple[dict[int, ModelTask], int, int]) -> None:
        self._tick()
        self.tasks, self.last_task, self.last_annotation = copy.deepcopy(backup)

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=45)
        return self.now

    def _touched(self, action: str, task_id: int, annotation_id: int) -> None:
        self.tasks[task_id].updated_at = self.now
        self.hints.append(Hint(action, self.project_id, (task_id,), (annotation_id,)))

    # What `LabelStudioClient` offers.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def users(self) -> dict[int, str]:
        return {READER_USER: self.email}

    def webhook_urls(self, project_id: int) -> set[str]:
        self._answer(project_id)
        return {"http://backend/webhooks/label-studio"}

    def project_state(self, project_id: int) -> ProjectState:
        self._answer(project_id)
        return ProjectState(len(self.tasks), self.now.replace(microsecond=0))

    def all_tasks(self, project_id: int) -> list[TaskRow]:
        self._answer(project_id)
        return [
            task_rows.task_row(
                {
                    **_json(key, task),
                    "total_annotations": len(task.annotations),
                    "cancelled_annotations": 0,
                }
            )
            for key, task in sorted(self.tasks.items())
        ]

    def changed_tasks(
        self,
        project_id: int,
        since: datetime | None,
        *,
        on_unreadable: Callable[[UnreadableTask], None] | None = None,
    ) -> Iterator[TaskState]:
        self._answer(project_id)
        edge = NOW - timedelta(days=1) if since is None else since - _OVERLAP
        changed = [key for key, task in self.tasks.items() if task.updated_at >= edge]
        for key in sorted(changed, key=lambda one: self.tasks[one].updated_at):
            try:
                state = self.task_state(project_id, key)
            except MalformedTaskError as error:
                if on_unreadable is None:
                    raise
                on_unreadable(UnreadableTask(key, None, str(error)))
            else:
                if state is not None:
                    yield state

    def task_state(self, project_id: int, task_id: int) -> TaskState | None:
        self._answer(project_id)
        task = self.tasks.get(task_id)
        if task is None:
            return None
        bare = tasks.task_state({**_json(task_id, task), "annotations": [], "predictions": []})
        return replace(bare, annotations=tuple(task.annotations.values()))

    def import_tasks(self, project_id: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        self._answer(project_id)
        made = []
        for item in data:
            self.last_task += 1
            at = self._tick()
            self.tasks[self.last_task] = ModelTask(dict(item), at, created_at=at)
            made.append(self.last_task)
        if made and self.loses_next_import:
            self.loses_next_import = False
            raise LabelStudioUnreachableError("the answer got lost")
        return made

    def known_entries(self, project_id: int) -> dict[tuple[int, str], int]:
        return task_rows.tasks_of_entries(self.all_tasks(project_id))

    def update_task_data(self, task_id: int, data: Mapping[str, Any]) -> None:
        self._answer(self.project_id)
        self.tasks[task_id].data = dict(data)
        self.touch(task_id)

    @property
    def connection(self) -> Self:
        return self

    def ask(  # JSON, as the real one
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, **_: object
    ) -> Any:  # noqa: ANN401
        """Answer that nobody began a task, or serve it again or no more."""
        self._answer(self.project_id)
        task_id = int(path.split("/")[3])
        if method == "PATCH":
            assert body is not None
            (self.not_served.add if body["is_labeled"] else self.not_served.discard)(task_id)
            self.touch(task_id)
            return []
        assert (method, path) == ("GET", f"/api/tasks/{task_id}/drafts")
        return [object()] if task_id in self.drafted else []

    def set_predictions(
        self, project_id: int, version: str, shown: Sequence[TaskPrediction]
    ) -> None:
        self._answer(project_id)

    def _answer(self, project_id: int) -> None:
        assert project_id == self.project_id
        if self.is_down:
            raise LabelStudioUnreachableError("Label Studio is down")


def _json(task_id: int, task: ModelTask) -> dict[str, Any]:
    return {
        "id": task_id,
        "data": task.data,
        "created_at": task.created_at.isoformat(),
        "updated_at": task.updated_at.isoformat(),
    }
