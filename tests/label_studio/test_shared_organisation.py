"""Readers in one shared organisation, where Label Studio's shell is out of reach."""

import dataclasses
import subprocess
import uuid
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.cli import doctor
from backend.desk import open_desk, open_reading_room
from backend.label_studio.provision import ProvisioningError, ReaderAccount
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.shared_organisation import provision_readers
from backend.local_services.processes import free_port
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.workflow.add_readers import NewReader, add_readers
from backend.workflow.deactivate_readers import deactivate_readers
from tests.label_studio_server import LabelStudioServer
from tests.store.samples import NOW

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]

ADMIN = "admin".ljust(40, "0")


@pytest.fixture(scope="module")
def admin_token(server: LabelStudioServer) -> str:
    """Make somebody in the server's first organisation, as whoever runs the server would."""
    program = (
        "from organizations.models import Organization\n"
        "from rest_framework.authtoken.models import Token\n"
        "from users.models import User\n"
        "admin, made = User.objects.get_or_create(\n"
        "    email='admin@example.com', username='admin', is_superuser=True)\n\n"
        "first = Organization.objects.first() or Organization.create_organization(\n"
        "    created_by=admin, title='Hospital')\n\n"
        "first.add_user(admin); first.jwt.legacy_api_tokens_enabled = True; first.jwt.save()\n"
        "admin.active_organization = first; admin.save()\n"
        "Token.objects.filter(user=admin).delete()\n"
        f"Token.objects.create(user=admin, key='{ADMIN}')\n"
    )
    subprocess.run(
        [str(server.command), "shell"],
        env=server.environment,
        input=f"exec({program!r})\n",
        text=True,
        capture_output=True,
        check=True,
    )
    return ADMIN


def account() -> ReaderAccount:
    name = f"s{uuid.uuid4().hex[:6]}"
    return ReaderAccount(name, f"{name}@example.com", "a pass phrase", "unused")


class TestProvisionReaders:
    def test_signs_readers_up_by_the_invitation(
        self, server: LabelStudioServer, admin_token: str
    ) -> None:
        accounts = [account(), account()]

        made = provision_readers(server.base_url, admin_token, accounts)

        assert made == provision_readers(server.base_url, admin_token, accounts)
        assert len({one.organisation_id for one in made}) == 1
        assert len({one.user_id for one in made}) == 2
        for one, keys in zip(accounts, made, strict=True):
            with ReaderSession.log_in(server.base_url, one.email, one.password) as session:
                assert session.user_id() == keys.user_id

    def test_says_that_no_password_can_be_reset(
        self, server: LabelStudioServer, admin_token: str
    ) -> None:
        one = account()
        provision_readers(server.base_url, admin_token, [one])
        again = dataclasses.replace(one, reset_password=True)
        with pytest.raises(ProvisioningError, match="ask whoever runs the server"):
            provision_readers(server.base_url, admin_token, [again])

    def test_says_what_is_wrong_with_a_password(
        self, server: LabelStudioServer, admin_token: str
    ) -> None:
        short = dataclasses.replace(account(), password="short")  # noqa: S106
        with pytest.raises(ProvisioningError, match="at least 8 characters"):
            provision_readers(server.base_url, admin_token, [short])


class TestSharedOrganisation:
    def test_gives_every_reader_a_project_and_says_that_blinding_is_procedural(
        self, server: LabelStudioServer, admin_token: str, tmp_path: Path
    ) -> None:
        settings = Settings(
            data_dir=tmp_path,
            label_studio_url=server.base_url,
            label_studio_command=tmp_path / "not-there",
            label_studio_admin_token=SecretStr(admin_token),
            ml_backend_url=f"http://127.0.0.1:{free_port()}",
        )
        schema.upgrade(settings.sqlalchemy_url)
        store = Store(settings.sqlalchemy_url)
        room = open_reading_room(settings)
        accounts = [account(), account()]
        new = [NewReader(one.reader_id, one.email, one.password, "hash", "") for one in accounts]

        added = add_readers(store, room, new, now=NOW)

        assert room.registrar.keeps_readers_apart is False
        assert len({one.project.project_id for one in added}) == 2
        checkups = list(doctor.blinding_of_readers(settings, store))
        assert [one.remedy for one in checkups] == [None, None]
        assert all("blinding is procedural" in one.state for one in checkups)
        assert all(one.advice for one in checkups)
        with open_desk(settings).open_client(new[0].reader_id) as client:
            assert client.all_tasks(added[1].project.project_id) == []

        [left, _] = deactivate_readers(
            store, room.registrar, [one.reader_id for one in new], now=NOW
        )

        assert left.problem is not None
        assert "ask whoever runs the server" in left.problem
        with store.snapshot() as unit:
            assert unit.readers.projects() == []
        store.close()
