"""Readers who submit over the API and do not give up when an answer gets lost."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import TypeVar

import numpy as np

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.label_studio import regions
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import (
    LabelStudioConflictError,
    LabelStudioError,
    LabelStudioMissingError,
)
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.regions import Region
from backend.label_studio.tasks import TaskState
from backend.store.readers import ReaderProject
from benchmarks.reading_room import HEIGHT_PX, WIDTH_PX

_ASK_AGAIN_SECONDS = 0.5
_GIVE_UP_SECONDS = 300.0
_CAME_BACK_AFTER = 2
REVISED, WITHDRAWN, SKIPPED = 0.3, 0.1, 0.1
"""Shares of the annotations that are changed, deleted and made anew, or skipped at first."""

Answer = TypeVar("Answer")


class GaveUpError(RuntimeError):
    """Label Studio did not come back."""


@dataclass
class PatientReader:
    """One reader, who reads every task of the project in its own thread."""

    project: ReaderProject
    session: ReaderSession
    service: LabelStudioClient
    rng: np.random.Generator
    on_read: Callable[[], None]
    pause_seconds: float
    answers: dict[str, list[Region]] = field(default_factory=dict)
    to_revise: list[tuple[TaskState, int]] = field(default_factory=list)
    lost_answers: int = 0
    errors: list[str] = field(default_factory=list)

    def begin(self, tasks: list[TaskState]) -> Thread:
        """Read all tasks."""
        thread = Thread(target=self._read_all, args=(tasks,), name=self.project.reader_id)
        thread.start()
        return thread

    def _read_all(self, tasks: list[TaskState]) -> None:
        try:
            for task in tasks:
                self._read(task)
                self.on_read()
                self._come_back_to(_CAME_BACK_AFTER)
                time.sleep(float(self.rng.uniform(0, self.pause_seconds)))
            self._come_back_to(0)
        except Exception as error:  # noqa: BLE001 - told at the end, with the figures
            self.errors.append(f"{self.project.reader_id}: {type(error).__name__}: {error}")

    def _read(self, task: TaskState) -> None:
        fate = self.rng.random()
        key = self._submit(task, self._marks(task), was_cancelled=fate < SKIPPED)
        if fate < SKIPPED:
            self._revise(task, key)
        elif fate < SKIPPED + WITHDRAWN:
            self._withdraw(key)
            self._submit(task, self._marks(task))
        elif fate < SKIPPED + WITHDRAWN + REVISED:
            self.to_revise.append((task, key))

    def _come_back_to(self, after: int) -> None:
        """Change what was submitted so many changeable annotations ago."""
        while len(self.to_revise) > after:
            self._revise(*self.to_revise.pop(0))

    def _submit(
        self, task: TaskState, result: list[Region], *, was_cancelled: bool = False
    ) -> int:
        unique_id = str(uuid.UUID(bytes=self.rng.bytes(16), version=4))

        def submit() -> int:
            try:
                return self.session.submit(
                    task,
                    result,
                    lead_time_seconds=20.0,
                    was_cancelled=was_cancelled,
                    unique_id=unique_id,
                )
            except LabelStudioConflictError:
                self.lost_answers += 1
                state = self.service.task_state(self.project.project_id, task.task_id)
                return state.annotations[-1].id if state else 0

        key = self._until_done(submit)
        self.answers[task.image_id or ""] = result
        return key

    def _revise(self, task: TaskState, annotation_id: int) -> None:
        result = self._marks(task)
        self._until_done(lambda: self.session.revise(annotation_id, result))
        self.answers[task.image_id or ""] = result

    def _withdraw(self, annotation_id: int) -> None:
        def withdraw() -> None:
            try:
                self.session.withdraw(annotation_id)
            except LabelStudioMissingError:
                self.lost_answers += 1

        self._until_done(withdraw)

    def _until_done(self, act: Callable[[], Answer]) -> Answer:
        end = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            try:
                return act()
            except LabelStudioError as error:
                if time.monotonic() > end:
                    raise GaveUpError(str(error)) from error
                time.sleep(_ASK_AGAIN_SECONDS)

    def _marks(self, task: TaskState) -> list[Region]:
        number = int(self.rng.integers(0, 4))
        if number == 0:
            return [regions.no_finding_item()]
        return [
            regions.region_from_box(
                _box(self.rng),
                Finding(int(self.rng.integers(0, len(Finding)))),
                WIDTH_PX,
                HEIGHT_PX,
                key=f"b{task.task_id}-{place}",
            )
            for place in range(number)
        ]


def _box(rng: np.random.Generator) -> Box:
    x, y = rng.uniform(0, 700, 2)
    width, height = rng.uniform(30, 200, 2)
    return Box(float(x), float(y), float(x + width), float(y + height))
