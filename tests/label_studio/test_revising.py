"""A worklist that changes while it is read, on a real server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.predictions import Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import EntryState
from backend.label_studio import open_tasks
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioMissingError
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.regions import no_finding_item
from backend.store import schema
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.push_worklists import push_worklist
from backend.workflow.revise_worklists import revise_worklist
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists
from tests.label_studio.conftest import Organisation
from tests.label_studio_server import LabelStudioServer
from tests.store.samples import image, keep, model, predicted, reading, register, serve

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]

NAMES = [f"n{number}" for number in range(6)]
RULES = QueueRules(1, 5, 0.0, 0.0, 1)
WHY = "Others have read it."


def clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - Label Studio's clock is the real one


@pytest.fixture
def desk(
    server: LabelStudioServer, organisations: tuple[Organisation, Organisation]
) -> LabelStudioDesk:
    """Reach the first reader's organisation."""
    token = organisations[0].account.service_token
    return LabelStudioDesk(
        lambda _: LabelStudioClient(server.base_url, token),
        "http://127.0.0.1:9",
        "secret",
        timedelta(days=30),
    )


@pytest.fixture
def project(organisations: tuple[Organisation, Organisation], project_id: int) -> ReaderProject:
    """Name the first reader's project."""
    keys = organisations[0].keys
    return ReaderProject("R8", "r8@example.com", keys.organisation_id, project_id)


@pytest.fixture
def store(tmp_path: Path, desk: LabelStudioDesk, project: ReaderProject) -> Iterator[Store]:
    """Keep five pushed entries of R8, n0 to n4 in that order, and one image that waits."""
    url = f"sqlite:///{tmp_path / 'overread.sqlite3'}"
    schema.upgrade(url)
    kept = Store(url)
    register(kept, *(image(name) for name in NAMES), readers=("R8", "R2"))
    with kept.transaction() as unit:
        unit.readers.add_project(project)
    serve(
        kept,
        *(Prediction(name, "m1", (predicted(0.5 + int(name[1]) / 20),)) for name in NAMES),
    )
    top_up_worklists(kept, RULES, clock=clock)
    push_worklist(kept, desk, project, now=clock())
    yield kept
    kept.close()


def keys(store: Store) -> dict[str, int]:
    with store.snapshot() as unit:
        return {entry.image_id: entry.key for entry in unit.worklists.all()}


def states(store: Store) -> dict[str, EntryState]:
    with store.snapshot() as unit:
        return {entry.image_id: entry.state for entry in unit.worklists.all()}


def serve_all(reader: ReaderSession, project: ReaderProject) -> list[str | None]:
    """Read everything that is served, and return what it was, in order."""
    served: list[str | None] = []
    while (task := reader.next_task(project.project_id)) is not None:
        served.append(task.image_id)
        reader.submit(task, [no_finding_item()], lead_time_seconds=1)
    return served


class TestReviseWorklist:
    def test_reorders_withdraws_and_tops_up_around_an_open_task(
        self, store: Store, desk: LabelStudioDesk, project: ReaderProject, reader: ReaderSession
    ) -> None:
        opened = reader.next_task(project.project_id)
        assert opened is not None
        assert opened.image_id == "n0"
        by_image = keys(store)

        change = revise_worklist(
            store,
            desk,
            project,
            order=[by_image[name] for name in ("n4", "n2", "n1", "n0")],
            unwanted={by_image["n3"]: WHY, by_image["n0"]: WHY},
            now=clock(),
        )
        keep(store, reading("n3", "R2"))  # so nobody is asked for it again
        top_up_worklists(store, RULES, clock=clock)
        push_worklist(store, desk, project, now=clock())

        assert change.left_alone == (by_image["n0"],)
        reader.submit(opened, [no_finding_item()], lead_time_seconds=1)
        assert serve_all(reader, project) == ["n4", "n2", "n1", "n5"]
        report = synchronise(store, desk, clock=clock)
        assert report.problems == []
        assert states(store) == {
            name: EntryState.WITHDRAWN if name == "n3" else EntryState.READ for name in NAMES
        }
        with store.snapshot() as unit:
            counting = unit.readings.counting(NAMES)
        readings = {one.image_id: one for one in counting if one.reader_id == "R8"}
        assert sorted(readings) == ["n0", "n1", "n2", "n4", "n5"]

    def test_leaves_alone_what_has_a_draft(
        self, store: Store, desk: LabelStudioDesk, project: ReaderProject, reader: ReaderSession
    ) -> None:
        by_image = keys(store)
        with store.snapshot() as unit:
            tasks = {entry.image_id: entry.task_id for entry in unit.worklists.all()}
        reader._connection.ask(
            "POST", f"/api/tasks/{tasks['n3']}/drafts", body={"result": [no_finding_item()]}
        )

        change = revise_worklist(
            store,
            desk,
            project,
            unwanted={by_image["n3"]: WHY, by_image["n2"]: WHY},
            now=clock(),
        )

        assert change.left_alone == (by_image["n3"],)
        assert change.withdrawn == (by_image["n2"],)
        assert states(store)["n3"] is EntryState.OPEN

    def test_counts_what_was_read_after_its_withdrawal(
        self, store: Store, desk: LabelStudioDesk, project: ReaderProject, reader: ReaderSession
    ) -> None:
        with desk.open_client("R8") as client, store.snapshot() as unit:
            entry = unit.worklists.all()[2]
            elsewhere = client.task_state(project.project_id, entry.task_id or 0)
        assert elsewhere is not None

        revise_worklist(store, desk, project, unwanted={entry.key: WHY}, now=clock())
        reader.submit(elsewhere, [no_finding_item()], lead_time_seconds=1)
        later = clock() + timedelta(hours=9)
        push_worklist(store, desk, project, now=later)  # before the sync has seen it
        synchronise(store, desk, clock=lambda: later)

        assert states(store)[entry.image_id] is EntryState.READ
        with store.snapshot() as unit:
            assert len(list(unit.readings.counting([entry.image_id]))) == 1

    @pytest.mark.parametrize("hours", [1, 9])
    def test_serves_what_is_wanted_again(
        self,
        store: Store,
        desk: LabelStudioDesk,
        project: ReaderProject,
        reader: ReaderSession,
        hours: int,
    ) -> None:
        revise_worklist(store, desk, project, unwanted={keys(store)["n3"]: WHY}, now=clock())
        later = clock() + timedelta(hours=hours)
        push_worklist(store, desk, project, now=later)  # deletes the task after eight hours
        [again] = top_up_worklists(store, RULES, clock=lambda: later).entries

        pushed = push_worklist(store, desk, project, now=later)

        assert again.image_id == "n3"
        assert (pushed.tasks, pushed.adopted) == ((0, 1) if hours < 8 else (1, 0))
        assert serve_all(reader, project) == ["n0", "n1", "n2", "n4", "n3"]
        synchronise(store, desk, clock=clock)
        assert set(states(store).values()) == {EntryState.READ}

    def test_deletes_a_withdrawn_task_that_nobody_began_after_hours(
        self, store: Store, desk: LabelStudioDesk, project: ReaderProject
    ) -> None:
        entry = keys(store)["n4"]
        revise_worklist(store, desk, project, unwanted={entry: WHY}, now=clock())
        with desk.open_client("R8") as client:
            before = {row.task_id for row in client.all_tasks(project.project_id)}

            soon = push_worklist(store, desk, project, now=clock() + timedelta(hours=7))
            late = push_worklist(store, desk, project, now=clock() + timedelta(hours=9))

            assert (soon.removed, late.removed) == (0, 1)
            after = {row.task_id for row in client.all_tasks(project.project_id)}
            assert len(before - after) == 1

    def test_shows_nothing_in_the_unassisted_arm_whatever_becomes_champion(
        self, store: Store, desk: LabelStudioDesk, project: ReaderProject, reader: ReaderSession
    ) -> None:
        with store.transaction() as unit:
            unit.worklists.set_state(keys(store)["n1"], EntryState.SKIPPED, now=clock())
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=clock())
            unit.predictions.add(
                [Prediction(name, "m2", (predicted(0.9),)) for name in NAMES], now=clock()
            )
        blind = QueueRules(1, 5, 0.0, 1.0, 1)
        [entry] = top_up_worklists(store, blind, clock=clock, size=1).entries
        push_worklist(store, desk, project, now=clock())
        by_image = keys(store)

        revise_worklist(store, desk, project, order=[by_image["n0"], by_image["n5"]], now=clock())
        push_worklist(store, desk, project, now=clock())

        assert (entry.arm, entry.arm_drawn, entry.model_version) == (Arm.UNASSISTED, True, None)
        first = reader.next_task(project.project_id)
        assert first is not None
        reader.submit(first, [no_finding_item()], lead_time_seconds=1)
        task = reader.next_task(project.project_id)
        assert task is not None
        assert task.image_id == "n5"
        assert [one.result for one in task.predictions] == [()]
        raw = reader._connection.ask("GET", f"/api/tasks/{task.task_id}/")
        assert raw["data"]["arm"] == "unassisted"
        assert "box" not in str(raw["data"])
        assert all(one["result"] == [] for one in raw["predictions"])
        assert [one.result for one in first.predictions] != [()]


class TestWithdrawnTask:
    def test_is_served_no_more_after_the_next_push_unless_it_is_begun(
        self, store: Store, desk: LabelStudioDesk, project: ReaderProject, reader: ReaderSession
    ) -> None:
        with store.transaction() as unit:
            tasks = {entry.image_id: entry.task_id for entry in unit.worklists.all()}
            for name in ("n1", "n3"):
                unit.worklists.set_state(keys(store)[name], EntryState.WITHDRAWN, now=clock())
        reader._connection.ask(
            "POST", f"/api/tasks/{tasks['n3']}/drafts", body={"result": [no_finding_item()]}
        )

        for _ in range(2):
            report = synchronise(store, desk, clock=clock)
            assert report.problems == []

        assert serve_all(reader, project) == ["n0", "n2", "n3", "n4"]
        synchronise(store, desk, clock=clock)
        assert states(store) == {
            "n0": EntryState.READ,
            "n1": EntryState.WITHDRAWN,
            "n2": EntryState.READ,
            "n3": EntryState.READ,
            "n4": EntryState.READ,
        }

    def test_of_a_deleted_project_is_no_reason_to_stop(self, desk: LabelStudioDesk) -> None:
        with desk.open_client("R8") as client:
            open_tasks.stop_serving(client.connection, [10**9])
            with pytest.raises(LabelStudioMissingError):
                client.update_task_data(10**9, {})
