"""Projects that nobody had to click together, on a real server."""

import dataclasses
from typing import Any

import pytest

from backend.domain.readings import Arm
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.events import ACTIONS, SECRET_HEADER
from backend.label_studio.projects import (
    MlBackend,
    MlBackendNotConnectedError,
    ReadingProject,
    connect_ml_backend,
    ensure_reading_project,
)
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.tasks import prediction_of_entry, task_data
from backend.local_services.processes import free_port
from tests.label_studio.receiver import Receiver

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]

USER, PASSWORD = "overread", "ml pass phrase"


def ask(client: LabelStudioClient, path: str) -> Any:  # noqa: ANN401 - JSON
    return client._connection.ask("GET", path)


class TestEnsureReadingProject:
    def test_makes_what_exact_order_and_single_reading_need(
        self, client: LabelStudioClient, wanted: ReadingProject
    ) -> None:
        project_id = ensure_reading_project(client, wanted)

        found = ask(client, f"/api/projects/{project_id}/")
        (tab,) = ask(client, f"/api/dm/views?project={project_id}")
        (hook,) = ask(client, f"/api/webhooks/?project={project_id}")
        assert found["title"] == wanted.title
        assert found["label_config"] == wanted.config_xml.strip()
        assert found["sampling"] == "Uncertainty sampling"
        assert found["maximum_annotations"] == 1
        assert found["enable_empty_annotation"] is False
        assert tab["data"]["ordering"] == ["tasks:predictions_score"]
        assert hook["url"] == wanted.webhook_url
        assert hook["headers"] == {SECRET_HEADER: wanted.webhook_secret}
        assert sorted(hook["actions"]) == sorted(ACTIONS)

    def test_finds_the_project_again_and_mends_what_was_changed(
        self, client: LabelStudioClient, wanted: ReadingProject, project_id: int
    ) -> None:
        connection = client._connection
        connection.ask(
            "PATCH", f"/api/projects/{project_id}/", body={"sampling": "Sequential sampling"}
        )
        (tab,) = ask(client, f"/api/dm/views?project={project_id}")
        connection.ask("DELETE", f"/api/dm/views/{tab['id']}/")
        other = {"project": project_id, "data": {"title": "Default"}}
        connection.ask("POST", "/api/dm/views/", body=other)
        moved = dataclasses.replace(wanted, webhook_url="http://127.0.0.1:9/moved")

        assert ensure_reading_project(client, moved) == project_id

        (hook,) = ask(client, f"/api/webhooks/?project={project_id}")
        tabs = ask(client, f"/api/dm/views?project={project_id}")
        project = ask(client, f"/api/projects/{project_id}/")
        assert project["sampling"] == "Uncertainty sampling"
        assert [tab["data"]["title"] for tab in tabs] == ["Worklist", "Default"]
        assert hook["url"] == moved.webhook_url

    def test_takes_a_changed_form(
        self, client: LabelStudioClient, wanted: ReadingProject, project_id: int
    ) -> None:
        form = wanted.config_xml.replace('zoomBy="1.2"', 'zoomBy="1.3"')
        ensure_reading_project(client, dataclasses.replace(wanted, config_xml=form))
        assert ask(client, f"/api/projects/{project_id}/")["label_config"] == form.strip()

    @pytest.mark.parametrize("title", ["R8", "x" * 51])
    def test_refuses_a_title_that_label_studio_would(
        self, client: LabelStudioClient, wanted: ReadingProject, title: str
    ) -> None:
        with pytest.raises(ValueError, match="3 to 50 characters"):
            ensure_reading_project(client, dataclasses.replace(wanted, title=title))


class TestConnectMlBackend:
    def test_says_what_to_check_when_it_is_down(
        self, client: LabelStudioClient, project_id: int
    ) -> None:
        down = MlBackend(f"http://127.0.0.1:{free_port()}", USER, PASSWORD)
        with pytest.raises(MlBackendNotConnectedError, match="start it, check user"):
            connect_ml_backend(client, project_id, down)
        assert ask(client, f"/api/ml/?project={project_id}") == []

    def test_connects_once_with_basic_auth_and_leaves_no_second_webhook(
        self, client: LabelStudioClient, project_id: int, receiver: Receiver
    ) -> None:
        for _ in range(2):
            connect_ml_backend(client, project_id, MlBackend(receiver.url, USER, PASSWORD))

        (row,) = ask(client, f"/api/ml/?project={project_id}")
        hooks = ask(client, f"/api/webhooks/?project={project_id}")
        setups = [delivery for delivery in receiver.deliveries if delivery.path == "/setup"]
        assert (row["url"], row["title"]) == (receiver.url, "Overread")
        assert [hook["url"] for hook in hooks] == [f"{receiver.url}/hook"]
        assert all(setup.headers["Authorization"].startswith("Basic ") for setup in setups)

    def test_leaves_the_served_order_to_the_pushed_predictions(
        self,
        client: LabelStudioClient,
        reader: ReaderSession,
        project_id: int,
        receiver: Receiver,
    ) -> None:
        connect_ml_backend(client, project_id, MlBackend(receiver.url, USER, PASSWORD))
        entries = range(4)
        data = [
            task_data(entry=entry, image_id=f"im{entry}", image_url="u", arm=Arm.ASSISTED)
            for entry in entries
        ]
        task_ids = client.import_tasks(project_id, data)
        backwards = [
            prediction_of_entry(task_id=task, rank=3 - entry, arm=Arm.ASSISTED, result=[])
            for entry, task in zip(entries, task_ids, strict=True)
        ]
        client.set_predictions(project_id, "w1", backwards)
        connect_ml_backend(client, project_id, MlBackend(receiver.url, USER, PASSWORD))

        task = reader.next_task(project_id)

        assert task is not None
        assert task.entry == 3
        assert ask(client, f"/api/projects/{project_id}/")["model_version"] == "w1"
