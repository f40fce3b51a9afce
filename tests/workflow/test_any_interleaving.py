"""Whatever order deeds, webhooks, pulls and failures come in, the store ends the same."""

import itertools
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from backend.api.errands import errands_of
from backend.api.hint_worker import HintWorker
from backend.api.metrics import Metrics
from backend.domain.worklists import EntryState
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioUnreachableError
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.unit_of_work import Store
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.receive_tasks import receive_task
from backend.workflow.synchronise import synchronise
from tests.store.samples import NOW, enrol, entry, image, register
from tests.workflow.label_studio_model import PROJECT, LabelStudioModel
from tests.workflow.samples import NO_FINDING, ONE_BOX, TWO_BOXES

IMAGES = ("a", "b", "c")
RESULTS = st.sampled_from([ONE_BOX, TWO_BOXES, NO_FINDING])
PLACE = st.integers(0, 5)
Ending = tuple[EntryState, int | None]


class Reading(RuleBasedStateMachine):
    """One reader, three images, and everything that can go wrong."""

    template: Path
    folder: Path
    numbers = itertools.count()

    @initialize()
    def open(self) -> None:
        file = self.folder / f"{next(self.numbers)}.sqlite3"
        shutil.copy(self.template, file)
        self.store = Store(f"sqlite:///{file}")
        register(self.store, *map(image, IMAGES), readers=("R1",))
        enrol(self.store, "R1")
        with self.store.transaction() as unit:
            self.project = unit.readers.project_of("R1")
            unit.worklists.add(
                [entry(name, rank=rank) for rank, name in enumerate(IMAGES, start=1)], now=NOW
            )
        self.room = LabelStudioModel(self.project.email)
        self.desk = LabelStudioDesk(
            lambda _: cast(LabelStudioClient, self.room),
            "http://backend",
            "secret",
            timedelta(days=3650),
        )
        self.hints = HintWorker(self.store, self.desk, Metrics(), clock=self.clock)
        self.on_their_way: list[TaskState] = []
        self.frozen: dict[str, Ending] = {}
        self.backup = self.room.back_up()
        synchronise(self.store, self.desk, clock=self.clock)

    def clock(self) -> datetime:
        return NOW + timedelta(days=1)

    # What is done in Label Studio.

    @precondition(lambda self: self.room.tasks)
    @rule(place=PLACE, result=RESULTS)
    def submit(self, place: int, result: tuple[Any, ...]) -> None:
        self.room.submit(self.chosen_task(place), result)

    @precondition(lambda self: self.room.tasks)
    @rule(place=PLACE)
    def skip(self, place: int) -> None:
        self.room.submit(self.chosen_task(place), (), was_cancelled=True)

    @precondition(lambda self: self.annotations())
    @rule(place=PLACE, result=RESULTS)
    def revise(self, place: int, result: tuple[Any, ...]) -> None:
        self.room.revise(*self.chosen_annotation(place), result)

    @precondition(lambda self: self.annotations())
    @rule(place=PLACE)
    def delete(self, place: int) -> None:
        self.room.withdraw(*self.chosen_annotation(place))

    @precondition(lambda self: self.room.tasks)
    @rule(place=PLACE)
    def touch(self, place: int) -> None:
        self.room.touch(self.chosen_task(place))

    @precondition(lambda self: self.room.tasks and not self.room.is_down)
    @rule(place=PLACE)
    def delete_a_task_that_is_known(self, place: int) -> None:
        self.room.loses_next_import = False
        synchronise(self.store, self.desk, clock=self.clock)
        task_id = self.chosen_task(place)
        name = str(self.room.tasks[task_id].data["image_id"])
        ending = self.endings()[name]
        if ending[0] is not EntryState.OPEN:
            self.frozen[name] = ending
        self.room.delete_task(task_id)

    # What arrives, how, and when.

    @precondition(lambda self: self.room.hints)
    @rule(place=PLACE, is_kept=st.booleans())
    def deliver_a_webhook(self, place: int, *, is_kept: bool) -> None:
        hint = self.room.hints[place % len(self.room.hints)]
        if not is_kept:
            self.room.hints.remove(hint)
        try:
            for errand in errands_of(hint):
                self.hints._carry_out(errand)
        except LabelStudioUnreachableError:
            assert self.room.is_down

    @precondition(lambda self: self.room.hints)
    @rule()
    def drop_webhooks(self) -> None:
        self.room.hints.clear()

    @precondition(lambda self: self.room.tasks and not self.room.is_down)
    @rule(place=PLACE)
    def send_an_answer_on_its_way(self, place: int) -> None:
        state = self.room.task_state(PROJECT, self.chosen_task(place))
        if state is not None:
            self.on_their_way.append(state)

    @precondition(lambda self: self.on_their_way)
    @rule(place=PLACE)
    def let_a_late_answer_arrive(self, place: int) -> None:
        state = self.on_their_way.pop(place % len(self.on_their_way))
        receive_task(self.store, self.project, state, now=self.clock())

    @rule()
    def sync(self) -> None:
        synchronise(self.store, self.desk, clock=self.clock)

    @rule()
    def lose_the_answer_to_the_next_push(self) -> None:
        self.room.loses_next_import = True

    @rule(is_down=st.booleans())
    def stop_or_start_label_studio(self, *, is_down: bool) -> None:
        self.room.is_down = is_down

    @rule()
    def back_up(self) -> None:
        self.backup = self.room.back_up()

    # How it has to end.

    @override
    def teardown(self) -> None:
        if not hasattr(self, "room"):
            return
        self.room.is_down = self.room.loses_next_import = False
        for _ in range(2):  # the second pushes what the first found deleted
            report = synchronise(self.store, self.desk, clock=self.clock)
            assert (report.problems, report.notices) == ([], [])

        ended = self.endings()
        assert ended == self.wanted()
        self.survives_a_restored_backup(ended)
        self.store.close()

    def survives_a_restored_backup(self, ended: dict[str, Ending]) -> None:
        self.room.restore(self.backup)
        synchronise(self.store, self.desk, clock=self.clock)
        for task_id in self.room.tasks:
            self.room.touch(task_id)
        synchronise(self.store, self.desk, clock=self.clock)

        read = {name: ending for name, ending in ended.items() if ending[0] is EntryState.READ}
        assert read.items() <= self.endings().items()

    def wanted(self) -> dict[str, Ending]:
        """Return how it has to end by what Label Studio holds."""
        found = {
            str(task.data["image_id"]): _wanted(list(task.annotations.values()))
            for task in self.room.tasks.values()
        }
        assert len(found) == len(self.room.tasks), "no image has two tasks"
        return {**self.frozen, **found}

    def endings(self) -> dict[str, Ending]:
        """Return how it stands in the store: state of the entry, boxes of the valid reading."""
        with self.store.snapshot() as unit:
            boxes = {one.image_id: len(one.boxes) for one in unit.readings.valid()}
            return {
                one.image_id: (one.state, boxes.get(one.image_id)) for one in unit.worklists.all()
            }

    def chosen_task(self, place: int) -> int:
        keys = sorted(self.room.tasks)
        return keys[place % len(keys)]

    def annotations(self) -> list[tuple[int, int]]:
        return [(key, one) for key, task in self.room.tasks.items() for one in task.annotations]

    def chosen_annotation(self, place: int) -> tuple[int, int]:
        made = self.annotations()
        return made[place % len(made)]


def _wanted(annotations: list[AnnotationState]) -> Ending:
    standing = [one for one in annotations if not one.was_cancelled]
    if not standing:
        return (EntryState.SKIPPED if annotations else EntryState.OPEN), None
    newest = max(standing, key=lambda one: (one.updated_at, one.id))
    boxes = sum(item["type"] == "rectanglelabels" for item in newest.result)
    return EntryState.READ, boxes


@pytest.mark.timeout(120)
def test_any_interleaving_ends_in_the_same_store(migrated_file: Path, tmp_path: Path) -> None:
    machine = type("Reading", (Reading,), {"template": migrated_file, "folder": tmp_path})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
