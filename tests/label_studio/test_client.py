"""Worklists into Label Studio and readings out of it, on a real server."""

import itertools
import json
from datetime import datetime

import pytest

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Arm, Certainty, Origin
from backend.label_studio import regions
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.events import SECRET_HEADER, parse_event
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.results import boxes_from_result
from backend.label_studio.tasks import TaskPrediction, TaskState, prediction_of_entry, task_data
from tests.label_studio.conftest import WEBHOOK_KEY
from tests.label_studio.receiver import Receiver
from tests.label_studio_server import LabelStudioServer

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]

WIDTH, HEIGHT = 1024, 900
HEART = PredictedBox(Finding.CARDIOMEGALY, Box(100.5, 300.25, 500, 600), 0.9, id=7)
NODULE = PredictedBox(Finding.NODULE_MASS, Box(700, 100, 760, 150), 0.4, id=8)
SHOWN = regions.shown_regions([HEART, NODULE])
RESULT = regions.result_of_prediction([HEART, NODULE], WIDTH, HEIGHT)
UNASSISTED = {4}


def arm(entry: int) -> Arm:
    return Arm.UNASSISTED if entry in UNASSISTED else Arm.ASSISTED


def worklist(client: LabelStudioClient, project_id: int, size: int) -> dict[int, int]:
    """Import entries 0 .. size-1; return the task of each."""
    data = [
        task_data(
            entry=entry,
            image_id=f"im{entry}",
            image_url=f"http://127.0.0.1/images/{entry}.png?signature=x",
            arm=arm(entry),
        )
        for entry in range(size)
    ]
    return dict(enumerate(client.import_tasks(project_id, data)))


def push(client: LabelStudioClient, project_id: int, version: str, order: dict[int, int]) -> None:
    """Push predictions so that the entries are served in the order given (entry → task)."""
    ranked = [
        prediction_of_entry(task_id=task_id, rank=rank, arm=arm(entry), result=RESULT)
        for rank, (entry, task_id) in enumerate(order.items())
    ]
    client.set_predictions(project_id, version, ranked)


def opened(reader: ReaderSession, project_id: int) -> TaskState:
    task = reader.next_task(project_id)
    assert task is not None
    return task


def newest(states: list[TaskState]) -> datetime:
    return max(state.updated_at for state in states)


class TestOrder:
    def test_is_the_rank_and_a_push_turns_it_over(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 8)
        order = [3, 0, 7, 4, 1, 6, 2, 5]
        push(client, project_id, "w1", {entry: task_of[entry] for entry in order})
        served = []
        for _ in range(4):
            task = opened(reader, project_id)
            served.append(task.entry)
            reader.submit(task, [regions.no_finding_item()], lead_time_seconds=1)
        rest = sorted(order[4:])
        push(client, project_id, "w2", {entry: task_of[entry] for entry in rest})
        while left := reader.next_task(project_id):
            served.append(left.entry)
            reader.submit(left, [regions.no_finding_item()], lead_time_seconds=1)

        assert served == [*order[:4], *rest]

    def test_shows_boxes_in_the_assisted_arm_only(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 5)
        push(client, project_id, "w1", {entry: task_of[entry] for entry in (4, 0)})

        unassisted = opened(reader, project_id)
        reader.submit(unassisted, [regions.no_finding_item()], lead_time_seconds=1)
        assisted = opened(reader, project_id)

        assert (unassisted.entry, unassisted.predictions[0].result) == (4, ())
        assert (assisted.entry, list(assisted.predictions[0].result)) == (0, RESULT)


class TestSetPredictions:
    def test_is_repeatable_and_shows_one_version(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 3)
        for version in ("w1", "w2", "w2", "w3"):
            push(client, project_id, version, task_of)
        task = opened(reader, project_id)
        assert [shown.version for shown in task.predictions] == ["w3"]

    def test_lets_a_reader_submit_what_was_opened_before_two_pushes(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 2)
        push(client, project_id, "w1", task_of)
        task = opened(reader, project_id)
        push(client, project_id, "w2", task_of)
        push(client, project_id, "w3", task_of)

        made = reader.submit(task, RESULT, lead_time_seconds=1)

        state = client.task_state(project_id, task.task_id)
        assert state is not None
        assert state.annotations[0].id == made
        assert state.created_at is not None
        assert state.created_at < state.annotations[0].created_at
        shown = {item.id: item.version for item in state.predictions}
        assert shown[state.annotations[0].parent_prediction or 0] == "w1"

    def test_lets_a_reader_submit_what_was_opened_in_an_order_that_came_back(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 2)
        push(client, project_id, "w1", task_of)
        task = opened(reader, project_id)
        push(client, project_id, "w2", dict(reversed(task_of.items())))
        for _ in range(2):
            push(client, project_id, "w1", task_of)

        made = reader.submit(task, RESULT, lead_time_seconds=1)

        state = client.task_state(project_id, task.task_id)
        assert state is not None
        assert state.annotations[0].id == made
        assert len(state.predictions) == 3
        again = opened(reader, project_id)
        assert again.entry == 1
        assert [one.version[:9] for one in again.predictions] == ["w1-again-"]

    def test_keeps_the_old_order_when_label_studio_drops_one(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 2)
        push(client, project_id, "w1", task_of)
        unknown = json.loads(json.dumps(RESULT).replace("Cardiomegaly", "Fracture"))
        broken = [
            TaskPrediction(task_of[0], 0.5, tuple(unknown)),
            TaskPrediction(task_of[1], 0.1, tuple(RESULT)),
        ]
        with pytest.raises(LabelStudioError, match="reading form"):
            client.set_predictions(project_id, "w2", broken)
        project = client._connection.ask("GET", f"/api/projects/{project_id}/")
        assert project["model_version"] == "w1"

        push(client, project_id, "w2", dict(reversed(task_of.items())))
        assert opened(reader, project_id).entry == 1


class TestReading:
    def test_comes_back_as_it_was_submitted(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        push(client, project_id, "w1", worklist(client, project_id, 1))
        task = opened(reader, project_id)
        heart, _ = task.predictions[0].result
        drawn = regions.region_from_box(
            Box(20, 30, 220, 230), Finding.PNEUMOTHORAX, WIDTH, HEIGHT, key="Zx1"
        )
        sure = regions.certainty_item(drawn, Certainty.DEFINITE)
        reader.submit(task, [heart, drawn, sure], lead_time_seconds=12.5)

        state = client.task_state(project_id, task.task_id)
        assert state is not None
        (annotation,) = state.annotations
        read = boxes_from_result(annotation.result, SHOWN, WIDTH, HEIGHT)

        assert (state.entry, annotation.lead_time_seconds) == (0, 12.5)
        assert annotation.completed_by == reader.user_id()
        assert annotation.parent_prediction == state.predictions[0].id
        assert [box.origin for box in read.boxes] == [Origin.ACCEPTED, Origin.DRAWN]
        assert read.boxes[0].box == HEART.box
        assert read.boxes[1].box == pytest.approx(Box(20, 30, 220, 230))
        assert read.boxes[1].certainty is Certainty.DEFINITE
        assert [box.finding for box in read.deleted] == [Finding.NODULE_MASS]
        assert read.contradiction is None


class TestChangedTasks:
    def test_finds_submission_revision_skip_and_withdrawal(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> None:
        push(client, project_id, "w1", worklist(client, project_id, 3))
        everything = list(client.changed_tasks(project_id, None))
        assert [state.entry for state in everything] == [0, 1, 2]
        cursor = newest(everything)

        task = opened(reader, project_id)
        made = reader.submit(task, RESULT, lead_time_seconds=1)
        states = {state.task_id: state for state in client.changed_tasks(project_id, cursor)}
        assert [item.id for item in states[task.task_id].annotations] == [made]

        reader.revise(made, [regions.no_finding_item()])
        *_, last = client.changed_tasks(project_id, cursor)
        assert last.annotations[0].result[0]["value"]["choices"] == ["No finding"]
        assert last.annotations[0].updated_at > states[task.task_id].annotations[0].updated_at

        skipped = opened(reader, project_id)
        reader.submit(skipped, RESULT, lead_time_seconds=1, was_cancelled=True)
        *_, last = client.changed_tasks(project_id, cursor)
        assert (last.task_id, last.annotations[0].was_cancelled) == (skipped.task_id, True)

        reader.withdraw(made)
        *_, last = client.changed_tasks(project_id, cursor)
        assert (last.task_id, last.annotations) == (task.task_id, ())

    def test_yields_every_task_once_over_many_pages(
        self,
        client: LabelStudioClient,
        project_id: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("backend.label_studio.client._STATE_PAGE", 2)
        worklist(client, project_id, 9)
        entries = [state.entry for state in client.changed_tasks(project_id, None)]
        assert entries == list(range(9))

    def test_does_not_miss_a_task_when_another_changes_between_pages(
        self,
        client: LabelStudioClient,
        project_id: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("backend.label_studio.client._STATE_PAGE", 3)
        task_of = worklist(client, project_id, 7)
        states = client.changed_tasks(project_id, None)
        seen = [state.entry for state in itertools.islice(states, 2)]
        data = task_data(entry=0, image_id="im0", image_url="new", arm=Arm.ASSISTED)
        client.update_task_data(task_of[0], data)
        seen += [state.entry for state in states]
        assert seen == [0, 1, 2, 3, 4, 5, 6, 0]


class TestTasks:
    def test_are_known_by_their_entries_after_an_import_that_was_not_recorded(
        self, client: LabelStudioClient, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 3)
        worklist(client, project_id, 1)  # the same entry once more
        assert client.known_entries(project_id) == {
            (entry, f"im{entry}"): task_id for entry, task_id in task_of.items()
        }
        assert len(client.all_tasks(project_id)) == 4

    def test_are_gone_when_deleted_however_often(
        self, client: LabelStudioClient, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 3)
        for _ in range(2):
            client.delete_tasks(project_id, [task_of[0], task_of[1]])
        assert [row.task_id for row in client.all_tasks(project_id)] == [task_of[2]]
        assert client.task_state(project_id, task_of[0]) is None

    def test_get_a_new_link_and_keep_the_rest(
        self, client: LabelStudioClient, project_id: int
    ) -> None:
        task_of = worklist(client, project_id, 1)
        data = task_data(entry=0, image_id="im0", image_url="http://new", arm=Arm.ASSISTED)
        client.update_task_data(task_of[0], data)
        (state,) = client.changed_tasks(project_id, None)
        assert (state.task_id, state.entry) == (task_of[0], 0)

    def test_of_nothing_are_fine(self, client: LabelStudioClient, project_id: int) -> None:
        assert client.import_tasks(project_id, []) == []
        client.set_predictions(project_id, "w1", [])
        client.delete_tasks(project_id, [])
        assert list(client.changed_tasks(project_id, None)) == []
        assert client.known_entries(project_id) == {}

    def test_are_served_under_a_link_that_names_the_ordered_tab(
        self, client: LabelStudioClient, project_id: int, server: LabelStudioServer
    ) -> None:
        url = client.stream_url(project_id)
        assert url.startswith(f"{server.base_url}/projects/{project_id}/data?tab=")
        assert url.endswith("&labeling=1")


class TestWebhook:
    def test_hints_at_what_changed_and_carries_the_secret(
        self,
        client: LabelStudioClient,
        reader: ReaderSession,
        project_id: int,
        receiver: Receiver,
    ) -> None:
        push(client, project_id, "w1", worklist(client, project_id, 2))
        task = opened(reader, project_id)

        made = reader.submit(task, RESULT, lead_time_seconds=1)
        created = receiver.wait_for("/hook", "ANNOTATION_CREATED")
        reader.revise(made, [regions.no_finding_item()])
        updated = receiver.wait_for("/hook", "ANNOTATION_UPDATED")
        reader.withdraw(made)
        withdrawn = receiver.wait_for("/hook", "ANNOTATIONS_DELETED")
        client.delete_tasks(project_id, [task.task_id])
        deleted = receiver.wait_for("/hook", "TASKS_DELETED")

        deliveries = [created, updated, withdrawn, deleted]
        hints = [parse_event(delivery.body) for delivery in deliveries]
        assert {hint.project_id for hint in hints} == {project_id}
        assert [hint.annotation_ids for hint in hints] == [(made,), (made,), (made,), ()]
        assert [task.task_id in hint.task_ids for hint in hints] == [True, True, False, True]
        assert all(item.headers[SECRET_HEADER] == WEBHOOK_KEY for item in deliveries)
