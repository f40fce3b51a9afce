"""The adjudicators' organisation and project, on a real server."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.adjudication.verdict import Act
from backend.label_studio import adjudication_form, open_tasks, task_gates
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.projects import ReadingProject, ensure_reading_project
from backend.label_studio.provision import ProvisionedReader, ReaderAccount, provision_readers
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.verdict_results import read_verdict
from tests.label_studio.conftest import WEBHOOK_KEY, Organisation
from tests.label_studio.receiver import Receiver
from tests.label_studio_server import LabelStudioServer
from tests.store.adjudication_samples import request

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]

ACCOUNTS = [
    ReaderAccount(
        name, f"{name.lower()}@example.com", "adjudicator's phrase", "a" * 40,
        shared_organisation="Adjudication",
    )
    for name in ("A1", "A2")
]  # fmt: skip


@pytest.fixture(scope="module")
def homes(server: LabelStudioServer) -> tuple[ProvisionedReader, ...]:
    """Two adjudicators of one organisation."""
    return provision_readers(server.command, server.environment, ACCOUNTS)


@pytest.fixture
def desk(
    server: LabelStudioServer, homes: tuple[ProvisionedReader, ...]
) -> Iterator[LabelStudioClient]:
    """Return the system's client in the adjudicators' organisation."""
    assert homes
    with LabelStudioClient(server.base_url, "a" * 40) as client:
        yield client


@pytest.fixture
def project(desk: LabelStudioClient, receiver: Receiver) -> int:
    """Make an empty project for adjudicators."""
    return ensure_reading_project(
        desk,
        ReadingProject(
            title=f"Adjudication {uuid.uuid4().hex}",
            config_xml=adjudication_form.form_xml(),
            webhook_url=f"{receiver.url}/hook",
            webhook_secret=WEBHOOK_KEY,
        ),
    )


def push(desk: LabelStudioClient, project: int, *keys: int) -> list[int]:
    """Make a task of the sample request for every key, in this order."""
    asked = [replace(request(), id=key) for key in keys]
    made = desk.import_tasks(
        project, [adjudication_form.task_data(one, image_url="http://x/a.png") for one in asked]
    )
    desk.set_predictions(
        project,
        f"v{uuid.uuid4().hex[:6]}",
        [
            adjudication_form.prediction(
                one, task_id=task_id, rank=rank, width_px=1000, height_px=800
            )
            for rank, (one, task_id) in enumerate(zip(asked, made, strict=True))
        ],
    )
    return made


def log_in(server: LabelStudioServer, account: ReaderAccount) -> ReaderSession:
    return ReaderSession.log_in(server.base_url, account.email, account.password)


def served(session: ReaderSession, project: int) -> int | None:
    task = session.next_task(project)
    return None if task is None else task.task_id


class TestOrganisation:
    def test_is_shared_by_adjudicators_and_closed_to_readers(
        self,
        homes: tuple[ProvisionedReader, ...],
        project: int,
        organisations: tuple[Organisation, Organisation],
    ) -> None:
        first, second = homes
        assert first.organisation_id == second.organisation_id
        assert first.user_id != second.user_id
        assert first.service_user_id == second.service_user_id
        for reader in organisations:
            assert reader.keys.organisation_id != first.organisation_id
            assert project not in [
                one["id"]
                for one in reader.client._connection.ask("GET", "/api/projects/")["results"]
            ]


class TestProject:
    def test_keeps_every_prediction_of_the_form(
        self, desk: LabelStudioClient, project: int
    ) -> None:
        [task_id] = push(desk, project, 1)

        state = desk.task_state(project, task_id)

        assert state is not None
        assert state.entry == 1
        [shown] = state.predictions
        assert [one["id"] for one in shown.result] == ["c0", "c1", "c1", "k0"]

    def test_keeps_a_task_from_one_adjudicator_only(
        self,
        server: LabelStudioServer,
        desk: LabelStudioClient,
        project: int,
        homes: tuple[ProvisionedReader, ...],
    ) -> None:
        kept, other = push(desk, project, 1, 2)
        task_gates.keep_from(desk.connection, kept, homes[0].user_id)

        with log_in(server, ACCOUNTS[0]) as first, log_in(server, ACCOUNTS[1]) as second:
            assert served(first, project) == other
            assert served(second, project) == kept

    def test_serves_a_closed_task_to_nobody_and_takes_a_late_verdict(
        self, server: LabelStudioServer, desk: LabelStudioClient, project: int
    ) -> None:
        closed, other = push(desk, project, 1, 2)
        open_tasks.stop_serving(desk.connection, [closed])

        assert task_gates.served_tasks(desk.connection, project) == {closed: False, other: True}
        with log_in(server, ACCOUNTS[0]) as session:
            assert served(session, project) == other
            shown = desk.task_state(project, closed)
            assert shown is not None
            result: list[dict[str, Any]] = [dict(one) for one in shown.predictions[0].result]
            session.submit(shown, result, lead_time_seconds=1.0)
        late = desk.task_state(project, closed)
        assert late is not None
        [annotation] = late.annotations
        found = read_verdict(annotation.result, request().proposal, 1000, 800)
        assert (found.decisions, found.undecided) == ((), 1)
        moved = [{**one} for one in result if one["id"] == "c0"]
        moved[0]["value"] = {**moved[0]["value"], "x": 50}
        changed = read_verdict([*moved, *result[1:]], request().proposal, 1000, 800)
        assert [one.act for one in changed.decisions] == [Act.ADJUST]

    def test_opens_a_closed_task_again(
        self, server: LabelStudioServer, desk: LabelStudioClient, project: int
    ) -> None:
        [task_id] = push(desk, project, 1)
        state = desk.task_state(project, task_id)
        assert state is not None
        result: list[dict[str, Any]] = [dict(one) for one in state.predictions[0].result]
        with log_in(server, ACCOUNTS[0]) as first:
            first.submit(state, result, lead_time_seconds=1.0)
        assert task_gates.served_tasks(desk.connection, project) == {task_id: False}

        task_gates.reopen_task(desk.connection, task_id)

        assert task_gates.served_tasks(desk.connection, project) == {task_id: True}

    def test_tells_who_wrote_an_annotation_whoever_it_names(
        self, desk: LabelStudioClient, project: int, homes: tuple[ProvisionedReader, ...]
    ) -> None:
        [task_id] = push(desk, project, 1)
        forged = {"result": [], "completed_by": homes[0].user_id}
        desk.connection.ask("POST", f"/api/tasks/{task_id}/annotations/", body=forged)

        state = desk.task_state(project, task_id)

        assert state is not None
        [annotation] = state.annotations
        assert annotation.completed_by == homes[0].user_id
        assert annotation.author == homes[0].service_user_id
