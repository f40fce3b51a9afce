"""Organisations, users and the wall between them, on a real server."""

import dataclasses

import pytest

from backend.domain.readings import Arm
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import (
    Connection,
    LabelStudioError,
    LabelStudioRefusedError,
    LabelStudioUnreachableError,
)
from backend.label_studio.provision import ProvisioningError, provision_readers
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.regions import no_finding_item
from backend.label_studio.tasks import task_data
from backend.local_services.processes import free_port
from tests.label_studio.conftest import ACCOUNTS, Organisation
from tests.label_studio_server import LabelStudioServer

NEW_PHRASE = "third pass phrase"

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]


class TestProvisionReaders:
    def test_gives_every_reader_an_organisation_of_their_own(
        self, organisations: tuple[Organisation, Organisation]
    ) -> None:
        first, second = (organisation.keys for organisation in organisations)
        assert first.organisation_id != second.organisation_id
        everybody = {first.user_id, first.service_user_id, second.user_id, second.service_user_id}
        assert len(everybody) == 4

    def test_changes_nothing_when_repeated(
        self, server: LabelStudioServer, organisations: tuple[Organisation, Organisation]
    ) -> None:
        again = provision_readers(server.command, server.environment, ACCOUNTS)
        assert again == tuple(organisation.keys for organisation in organisations)
        for organisation in organisations:
            account = organisation.account
            with ReaderSession.log_in(server.base_url, account.email, account.password) as reader:
                assert reader.user_id() == organisation.keys.user_id

    def test_resets_a_password_only_when_asked(
        self, server: LabelStudioServer, organisations: tuple[Organisation, Organisation]
    ) -> None:
        old = organisations[1].account
        new = dataclasses.replace(old, password=NEW_PHRASE)
        provision_readers(server.command, server.environment, [new])
        ReaderSession.log_in(server.base_url, old.email, old.password).close()

        reset = dataclasses.replace(new, reset_password=True)
        provision_readers(server.command, server.environment, [reset])

        ReaderSession.log_in(server.base_url, new.email, new.password).close()
        with pytest.raises(LabelStudioRefusedError, match="e-mail address and password"):
            ReaderSession.log_in(server.base_url, old.email, old.password)
        back = dataclasses.replace(old, reset_password=True)
        provision_readers(server.command, server.environment, [back])

    def test_refuses_an_address_that_serves_another_organisation(
        self, server: LabelStudioServer, organisations: tuple[Organisation, Organisation]
    ) -> None:
        service = organisations[0].account.service_email
        stranger = dataclasses.replace(ACCOUNTS[0], reader_id="R10", email=service)
        with pytest.raises(ProvisioningError, match="another Label Studio organisation"):
            provision_readers(server.command, server.environment, [stranger])


class TestWall:
    """What a reader's token gets of another reader's work."""

    @pytest.fixture
    def annotation(
        self, client: LabelStudioClient, reader: ReaderSession, project_id: int
    ) -> dict[str, int]:
        """Submit something in the first organisation."""
        data = task_data(entry=1, image_id="im1", image_url="http://127.0.0.1/1", arm=Arm.ASSISTED)
        (task_id,) = client.import_tasks(project_id, [data])
        task = reader.next_task(project_id)
        assert task is not None
        made = reader.submit(task, [no_finding_item()], lead_time_seconds=1)
        return {"project": project_id, "task": task_id, "annotation": made}

    @pytest.mark.parametrize(
        "path",
        [
            "/api/projects/{project}/",
            "/api/projects/{project}/export?exportType=JSON",
            "/api/projects/{project}/model-versions/",
            "/api/tasks/?project={project}&fields=all",
            "/api/tasks/{task}/",
            "/api/tasks/{task}/annotations/",
            "/api/annotations/{annotation}/",
            "/api/dm/project?project={project}",
            "/api/dm/columns?project={project}",
            "/api/ml/?project={project}",
        ],
    )
    def test_refuses(
        self,
        server: LabelStudioServer,
        organisations: tuple[Organisation, Organisation],
        annotation: dict[str, int],
        path: str,
    ) -> None:
        account = organisations[1].account
        stranger = Connection(server.base_url, "")
        with stranger.http:
            token = stranger.log_in(account.email, account.password)
        other = Connection(server.base_url, token)
        with other.http, pytest.raises(LabelStudioError, match=r"answered 40[34]"):
            other.ask("GET", path.format(**annotation))

    @pytest.mark.parametrize("path", ["/api/projects/", "/api/webhooks/", "/api/predictions/"])
    def test_lists_nothing_of(
        self, organisations: tuple[Organisation, Organisation], project_id: int, path: str
    ) -> None:
        token = organisations[1].account.service_token
        other = Connection(organisations[1].client._connection.base_url, token)
        with other.http:
            found = other.ask("GET", path, params={"project": project_id})
        rows = found["results"] if isinstance(found, dict) else found
        assert project_id not in [row.get("project", row["id"]) for row in rows]

    def test_keeps_a_reader_from_writing_into(
        self,
        server: LabelStudioServer,
        organisations: tuple[Organisation, Organisation],
        annotation: dict[str, int],
    ) -> None:
        other = Connection(server.base_url, organisations[1].account.service_token)
        path = "/api/annotations/{annotation}/".format(**annotation)
        with other.http, pytest.raises(LabelStudioError, match=r"answered 40[34]"):
            other.ask("PATCH", path, body={"result": []})


class TestConnection:
    def test_says_what_to_check_when_the_token_is_wrong(self, server: LabelStudioServer) -> None:
        with (
            LabelStudioClient(server.base_url, "0" * 40) as stranger,
            pytest.raises(LabelStudioRefusedError, match="OVERREAD_SECRET_KEY"),
        ):
            stranger.all_tasks(1)

    def test_says_what_to_check_when_nothing_listens(self) -> None:
        with (
            LabelStudioClient(f"http://127.0.0.1:{free_port()}", "0" * 40) as nobody,
            pytest.raises(LabelStudioUnreachableError, match="check that it runs"),
        ):
            nobody.all_tasks(1)

    def test_gives_up_in_time(self, server: LabelStudioServer) -> None:
        slow = Connection(server.base_url, "8" * 40)
        with slow.http, pytest.raises(LabelStudioUnreachableError):
            slow.ask("GET", "/api/projects/", timeout_seconds=0.001)
