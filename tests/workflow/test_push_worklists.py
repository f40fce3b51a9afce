"""Worklists brought into Label Studio: once, in order, and whatever breaks off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self, cast

import pytest

from backend.domain.findings import Finding
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm, Reading
from backend.domain.worklists import EntryState
from backend.label_studio import task_rows
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.regions import FINDING_TAG, SOURCE_TAG
from backend.label_studio.tasks import (
    MalformedTaskError,
    TaskPrediction,
    TaskState,
    task_state,
)
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.offer_second_looks import offer_second_looks
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.push_worklists import PushReport, push_worklist
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import (
    LATER,
    NOW,
    THERE,
    enrol,
    image,
    mark,
    model,
    predicted,
    register,
    serve,
)

LIFE = timedelta(days=30)
PROJECT = 101
NO_ANNOTATIONS = {"total_annotations": 0, "cancelled_annotations": 0}


class PowerCutError(RuntimeError):
    """The machine went down between Label Studio's answer and our record of it."""


@dataclass
class SmallLabelStudio:
    """One project, kept in memory, that answers like `LabelStudioClient`."""

    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    version: str | None = None
    shown: Sequence[TaskPrediction] = ()
    pushes: int = 0
    fails_after_import: bool = False
    next_id: int = 1
    drafts: set[int] = field(default_factory=set)
    unreadable: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    served_again: list[int] = field(default_factory=list)
    made_at: datetime = NOW

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def import_tasks(self, project_id: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        assert project_id == PROJECT
        made = []
        for item in data:
            self.tasks[self.next_id] = dict(item)
            made.append(self.next_id)
            self.next_id += 1
        if self.fails_after_import:
            raise PowerCutError
        return made

    def known_entries(self, project_id: int) -> dict[tuple[int, str], int]:
        assert project_id == PROJECT
        return task_rows.tasks_of_entries(
            [
                task_rows.task_row({**self._json(task_id), **NO_ANNOTATIONS})
                for task_id in self.tasks
            ]
        )

    def task_state(self, project_id: int, task_id: int) -> TaskState | None:
        assert project_id == PROJECT
        self.asked.append(f"look at {task_id}")
        if task_id in self.unreadable:
            raise MalformedTaskError
        if task_id not in self.tasks:
            return None
        return task_state({**self._json(task_id), "annotations": [], "predictions": []})

    def delete_tasks(self, project_id: int, task_ids: Sequence[int]) -> None:
        assert project_id == PROJECT
        for task_id in task_ids:
            self.asked.append(f"delete {task_id}")
            self.tasks.pop(task_id, None)

    def _json(self, task_id: int) -> dict[str, Any]:
        made_at = self.made_at.isoformat()
        data = self.tasks[task_id]
        return {"id": task_id, "data": data, "updated_at": made_at, "created_at": made_at}

    @property
    def connection(self) -> Self:
        return self

    def ask(self, method: str, path: str, *, body: object = None) -> object:
        """Answer what is asked of single tasks."""
        task_id = int(path.split("/")[3])
        self.asked.append(f"{method} {path}")
        if body == {"is_labeled": False}:
            self.served_again.append(task_id)
        return [{}] if task_id in self.drafts else []

    def set_predictions(
        self, project_id: int, version: str, shown: Sequence[TaskPrediction]
    ) -> None:
        assert project_id == PROJECT
        if version != self.version:
            self.version, self.shown, self.pushes = version, shown, self.pushes + 1

    def update_task_data(self, task_id: int, data: Mapping[str, Any]) -> None:
        self.tasks[task_id] = dict(data)

    def served(self) -> list[str]:
        """Return image ids in the order in which they are served."""
        ordered = sorted(self.shown, key=lambda one: one.score)
        return [self.tasks[one.task_id]["image_id"] for one in ordered]


@pytest.fixture
def room() -> SmallLabelStudio:
    return SmallLabelStudio()


@pytest.fixture
def filled(store: Store) -> Store:
    """Keep five entries of R1; the higher the number, the surer the model."""
    names = [f"n{number}" for number in range(5)]
    register(store, *(image(name) for name in names))
    enrol(store, "R1")
    serve(
        store, *(Prediction(name, "m1", (predicted(0.5 + int(name[1]) / 10),)) for name in names)
    )
    top_up_worklists(store, QueueRules(1, 5, 0.0, 0.3, 1), clock=lambda: NOW)
    return store


def push(store: Store, room: SmallLabelStudio, now: datetime = NOW) -> PushReport:
    desk = LabelStudioDesk(
        lambda _: cast(LabelStudioClient, room), "http://backend", "secret", LIFE
    )
    with store.snapshot() as unit:
        project = unit.readers.project_of("R1")
    return push_worklist(store, desk, project, now=now)


def tasks_of(store: Store) -> list[int | None]:
    with store.snapshot() as unit:
        return [one.task_id for one in unit.worklists.all()]


class TestPushWorklist:
    def test_makes_a_task_of_every_entry_in_order(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        assert push(filled, room) == PushReport(tasks=5, adopted=0, links_renewed=0)

        assert tasks_of(filled) == [1, 2, 3, 4, 5]
        assert room.served() == ["n0", "n1", "n2", "n3", "n4"]
        with filled.snapshot() as unit:
            arms = {one.task_id: one.arm for one in unit.worklists.all()}
        assert {one.task_id: bool(one.result) for one in room.shown} == {
            task_id: arm is Arm.ASSISTED for task_id, arm in arms.items()
        }
        assert set(arms.values()) == set(Arm)
        assert room.tasks[1]["image"].startswith("http://backend/images/n0.png?expires=")

    def test_pushes_nothing_twice(self, filled: Store, room: SmallLabelStudio) -> None:
        push(filled, room)

        assert push(filled, room) == PushReport(tasks=0, adopted=0, links_renewed=0)
        assert (len(room.tasks), room.pushes) == (5, 1)

    def test_pushes_no_new_order_when_entries_only_leave_it(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        with filled.transaction() as unit:
            first, second, *_ = unit.worklists.all()
            unit.worklists.set_state(first.key, EntryState.READ, now=NOW)

        push(filled, room)
        assert room.pushes == 1
        assert room.served() == ["n0", "n1", "n2", "n3", "n4"]

        with filled.transaction() as unit:
            unit.worklists.forget_task(second.key)
        del room.tasks[2]
        push(filled, room)
        assert room.pushes == 2
        assert room.served() == ["n1", "n2", "n3", "n4"]

    def test_adopts_what_an_interrupted_push_has_made(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        room.fails_after_import = True
        with pytest.raises(PowerCutError):
            push(filled, room)
        assert tasks_of(filled) == [None] * 5
        first_link = room.tasks[1]["image"]

        room.fails_after_import = False
        report = push(filled, room, NOW + LIFE / 2)

        assert report == PushReport(tasks=0, adopted=5, links_renewed=0)
        assert tasks_of(filled) == [1, 2, 3, 4, 5]
        assert room.served() == ["n0", "n1", "n2", "n3", "n4"]
        assert room.tasks[1]["image"] != first_link

    def test_renews_links_in_the_last_third_of_their_life(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        with filled.transaction() as unit:
            unit.worklists.set_state(unit.worklists.all()[0].key, EntryState.READ, now=NOW)
        links = {key: data["image"] for key, data in room.tasks.items()}

        early = push(filled, room, NOW + LIFE / 2)
        late = push(filled, room, NOW + LIFE * 3 / 4)
        again = push(filled, room, NOW + LIFE * 3 / 4)

        assert [one.links_renewed for one in (early, late, again)] == [0, 4, 0]
        assert [key for key, data in room.tasks.items() if data["image"] == links[key]] == [1]

    def test_makes_a_deleted_task_again_with_its_boxes(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        with filled.transaction() as unit:
            lost = unit.worklists.all()[2]
            unit.worklists.forget_task(lost.key)
        del room.tasks[3]

        assert push(filled, room).tasks == 1
        assert tasks_of(filled) == [1, 2, 6, 4, 5]
        assert room.served() == ["n0", "n1", "n2", "n3", "n4"]

    def test_serves_what_was_withdrawn_and_is_wanted_again(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        with filled.transaction() as unit:
            unit.worklists.set_state(unit.worklists.all()[2].key, EntryState.WITHDRAWN, now=NOW)
        [again] = top_up_worklists(
            filled, QueueRules(1, 5, 0.0, 0.3, 1), clock=lambda: NOW
        ).entries

        report = push(filled, room)

        assert again.image_id == "n2"
        assert (report.tasks, report.adopted, room.served_again) == (0, 1, [3])
        assert room.served() == ["n0", "n1", "n3", "n4", "n2"]

    def test_stops_serving_what_was_withdrawn_once_and_never_while_it_has_a_draft(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        with filled.transaction() as unit:
            for one in unit.worklists.all()[1:3]:
                unit.worklists.set_state(one.key, EntryState.WITHDRAWN, now=NOW)
        room.drafts = {3}
        room.asked.clear()

        push(filled, room)
        assert room.asked == [
            "GET /api/tasks/2/drafts",
            "GET /api/tasks/3/drafts",
            "PATCH /api/tasks/2/",
        ]

        room.asked.clear()
        push(filled, room)
        assert room.asked == ["GET /api/tasks/3/drafts"]

        room.drafts.clear()
        push(filled, room)
        room.asked.clear()
        push(filled, room)
        assert room.asked == [], "what is done is remembered"

    def test_stops_serving_what_is_withdrawn_a_second_time(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        for _ in range(2):
            with filled.transaction() as unit:
                key = unit.worklists.all()[1].key
                unit.worklists.set_state(key, EntryState.OPEN, now=NOW)
                unit.worklists.set_state(key, EntryState.WITHDRAWN, now=NOW)
            room.asked.clear()
            push(filled, room)
            assert room.asked[-1] == "PATCH /api/tasks/2/"

    def test_deletes_what_was_withdrawn_hours_ago_unless_it_is_begun_or_nobody_knows(
        self, filled: Store, room: SmallLabelStudio
    ) -> None:
        push(filled, room)
        with filled.transaction() as unit:
            for one in unit.worklists.all()[1:]:
                unit.worklists.set_state(one.key, EntryState.WITHDRAWN, now=NOW)
        room.drafts, room.unreadable = {3}, {4}
        room.asked.clear()

        report = push(filled, room, NOW + timedelta(hours=9))

        assert report.removed == 2
        assert tasks_of(filled) == [1, None, 3, 4, None]
        assert set(room.tasks) == {1, 3, 4}
        assert [one for one in room.asked if not one.startswith("PATCH")] == [
            "look at 2",
            "GET /api/tasks/2/drafts",
            "delete 2",
            "look at 3",
            "GET /api/tasks/3/drafts",
            "look at 4",
            "look at 5",
            "GET /api/tasks/5/drafts",
            "delete 5",
        ]

    def test_is_content_with_an_empty_worklist(self, store: Store, room: SmallLabelStudio) -> None:
        enrol(store, "R1")

        assert push(store, room) == PushReport(0, 0, 0)
        assert room.pushes == 0


class TestSecondLook:
    @pytest.fixture
    def asked(self, filled: Store) -> Store:
        """R1 has read n4 and missed the model's box, which comes back."""
        with filled.transaction() as unit:
            first = next(one for one in unit.worklists.all() if one.image_id == "n4")
            unit.worklists.set_state(first.key, EntryState.READ, now=NOW)
            own = Reading("n4", "R1", (mark(THERE, Finding.ILD),), NOW)
            unit.readings.add([own], Receipt(NOW, annotation_id=1, annotation_updated_at=NOW))
            rules = QueueRules(1, 5, 0.0, 0.3, 1, second_look_share=0.1)
            assert offer_second_looks(unit, rules, now=NOW + timedelta(hours=1))
        return filled

    def test_shows_both_sets_and_the_reason(self, asked: Store, room: SmallLabelStudio) -> None:
        push(asked, room)

        assert room.served()[-1] == "n4"
        *others, last = sorted(room.shown, key=lambda one: one.score)
        own, source, models = last.result
        assert (own["id"][0], own["from_name"], own["meta"]) == (
            "r",
            FINDING_TAG,
            {"text": ["yours"]},
        )
        assert source["id"] == models["id"] != own["id"]
        assert (source["from_name"], models["from_name"]) == (SOURCE_TAG, FINDING_TAG)
        assert models["score"] == 0.9
        data = room.tasks[last.task_id]
        assert data["message"].startswith(
            "Second look. The model sees a Cardiomegaly (0.90) that you did not mark; the model "
            "sees nothing where you marked ILD. Thick white boxes are the model's"
        )
        assert data["arm"] == "unassisted"
        assert {room.tasks[one.task_id]["message"] for one in others} == {""}

    def test_is_seen_from_when_label_studio_first_made_its_task(
        self, asked: Store, room: SmallLabelStudio
    ) -> None:
        room.fails_after_import = True
        with pytest.raises(PowerCutError):
            push(asked, room)
        room.fails_after_import = False
        push(asked, room)
        with asked.transaction() as unit:
            look = unit.worklists.all(image_id="n4")[-1]
            unit.worklists.forget_task(look.key)
        room.tasks.clear()
        first, room.made_at = room.made_at, LATER

        push(asked, room)

        with asked.transaction() as unit:
            unit.readings.revise(
                Reading("n4", "R1", (), first + timedelta(seconds=1)),
                Receipt(NOW, annotation_id=1, annotation_updated_at=NOW),
            )
            [counting] = unit.readings.counting(["n4"])
        assert len(counting.boxes) == 1

    def test_stays_as_it_was_pushed(self, asked: Store, room: SmallLabelStudio) -> None:
        push(asked, room)
        shown = room.shown
        with asked.transaction() as unit:
            unit.readings.revise(
                Reading("n4", "R1", (), NOW + timedelta(hours=2)), Receipt(NOW, annotation_id=1)
            )
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=NOW)

        again = SmallLabelStudio(room.tasks, next_id=99)
        push(asked, again)
        assert again.shown == shown
