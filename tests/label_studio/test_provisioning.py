"""Organisations, users and what becomes of them, on a real server."""

import dataclasses
import subprocess
import uuid

import pytest

from backend.label_studio.blinding import gaps
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import (
    Connection,
    LabelStudioRefusedError,
    LabelStudioUnreachableError,
)
from backend.label_studio.projects import ReadingProject, ensure_reading_project
from backend.label_studio.provision import (
    ProvisioningError,
    ReaderAccount,
    close_log_ins,
    provision_readers,
)
from backend.label_studio.reader_session import ReaderSession
from backend.local_services.processes import free_port
from tests.label_studio.conftest import ACCOUNTS, FORM, Organisation
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


class TestChangedReaders:
    """What happens to readers in a hospital: another address, a deleted user, somebody leaves."""

    @pytest.fixture
    def account(self) -> ReaderAccount:
        name = f"Q{uuid.uuid4().hex[:6]}"
        return ReaderAccount(
            name, f"{name}@example.com", "a pass phrase", uuid.uuid4().hex + 8 * "0"
        )

    def test_keep_everything_under_another_address(
        self, server: LabelStudioServer, account: ReaderAccount
    ) -> None:
        before = provision_readers(server.command, server.environment, [account])
        moved = dataclasses.replace(account, email=f"new-{account.email}")
        assert provision_readers(server.command, server.environment, [moved]) == before
        ReaderSession.log_in(server.base_url, moved.email, account.password).close()
        with pytest.raises(LabelStudioRefusedError):
            ReaderSession.log_in(server.base_url, account.email, account.password)
        taken = dataclasses.replace(account, email="r9@example.com")
        with pytest.raises(ProvisioningError, match="another Label Studio organisation"):
            provision_readers(server.command, server.environment, [taken])

    def test_are_made_again_when_deleted_by_hand(
        self, server: LabelStudioServer, account: ReaderAccount
    ) -> None:
        [before] = provision_readers(server.command, server.environment, [account])
        with LabelStudioClient(server.base_url, account.service_token) as client:
            wanted = ReadingProject(
                f"Worklist {account.reader_id}", FORM.read_text(), "http://127.0.0.1:9/", "k"
            )
            project = ensure_reading_project(client, wanted)
        delete = f"from users.models import User; User.objects.get(pk={before.user_id}).delete()\n"
        subprocess.run(
            [str(server.command), "shell"],
            env=server.environment,
            input=delete,
            text=True,
            capture_output=True,
            check=True,
        )

        [after] = provision_readers(server.command, server.environment, [account])

        assert after.organisation_id == before.organisation_id
        assert after.user_id != before.user_id
        with LabelStudioClient(server.base_url, account.service_token) as client:
            assert ensure_reading_project(client, wanted) == project
        ReaderSession.log_in(server.base_url, account.email, account.password).close()

    def test_cannot_log_in_once_they_left_and_can_when_they_are_back(
        self, server: LabelStudioServer, account: ReaderAccount
    ) -> None:
        before = provision_readers(server.command, server.environment, [account])
        with ReaderSession.log_in(server.base_url, account.email, account.password) as session:
            close_log_ins(server.command, server.environment, [account.reader_id, "nobody"])
            with pytest.raises(LabelStudioRefusedError):
                session.user_id()
        with pytest.raises(LabelStudioRefusedError):
            ReaderSession.log_in(server.base_url, account.email, account.password)

        assert provision_readers(server.command, server.environment, [account]) == before
        ReaderSession.log_in(server.base_url, account.email, account.password).close()

    def test_lose_the_revoked_memberships_of_earlier_versions(
        self, server: LabelStudioServer, account: ReaderAccount
    ) -> None:
        [reader] = provision_readers(server.command, server.environment, [account])
        revoke = (
            "from django.utils import timezone\n"
            "from organizations.models import OrganizationMember as Member\n"
            f"Member(organization_id={reader.organisation_id}, user_id=1, "
            "deleted_at=timezone.now()).save()\n"
        )
        subprocess.run(
            [str(server.command), "shell"],
            env=server.environment,
            input=revoke,
            text=True,
            capture_output=True,
            check=True,
        )
        service = Connection(server.base_url, account.service_token)
        with service.http:
            assert len(service.ask("GET", "/api/users/")) == 3
            provision_readers(server.command, server.environment, [account])
            assert len(service.ask("GET", "/api/users/")) == 2


class TestGaps:
    def test_are_none_behind_the_wall(
        self, organisations: tuple[Organisation, Organisation], project_id: int
    ) -> None:
        assert gaps(organisations[1].client.connection, [project_id]) == ()

    def test_are_told_where_readers_share_an_organisation(
        self, organisations: tuple[Organisation, Organisation], project_id: int
    ) -> None:
        """The own project stands for another reader's in the same organisation."""
        [gap] = gaps(organisations[0].client.connection, [project_id])
        assert f"project {project_id}" in gap


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
