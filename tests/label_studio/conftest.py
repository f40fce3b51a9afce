"""A Label Studio with two readers, each behind a wall of their own."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from backend.label_studio.client import LabelStudioClient
from backend.label_studio.projects import ReadingProject, ensure_reading_project
from backend.label_studio.provision import ProvisionedReader, ReaderAccount, provision_readers
from backend.label_studio.reader_session import ReaderSession
from tests.label_studio.receiver import Receiver, running_receiver
from tests.label_studio_server import SQLITE, LabelStudioServer, running_label_studio

FORM = Path(__file__).parents[2] / "annotation_configs" / "reading.xml"
WEBHOOK_KEY = "known to both sides"
ACCOUNTS = [
    ReaderAccount("R8", "r8@example.com", "first pass phrase", "8" * 40),
    ReaderAccount("R9", "r9@example.com", "other pass phrase", "9" * 40),
]


@dataclass(frozen=True, slots=True)
class Organisation:
    """A provisioned reader, and the system's client in the reader's organisation."""

    account: ReaderAccount
    keys: ProvisionedReader
    client: LabelStudioClient
    session: ReaderSession


def _postgresql(url: URL) -> dict[str, str]:
    return {
        "DJANGO_DB": "default",
        "POSTGRE_NAME": str(url.database),
        "POSTGRE_USER": str(url.username),
        "POSTGRE_PASSWORD": url.password or "",
        "POSTGRE_HOST": str(url.host),
        "POSTGRE_PORT": str(url.port or 5432),
    }


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudioServer]:
    """Label Studio itself, started once, on the database that was asked for."""
    wanted: str | None = request.config.getoption("--label-studio-database")
    database = SQLITE if wanted is None else _postgresql(make_url(wanted))
    with running_label_studio(tmp_path_factory.mktemp("label-studio"), database) as started:
        yield started


@pytest.fixture(scope="session")
def organisations(server: LabelStudioServer) -> Iterator[tuple[Organisation, Organisation]]:
    """Two readers with an organisation each."""
    keys = provision_readers(server.command, server.environment, ACCOUNTS)
    first, second = (
        Organisation(
            account,
            found,
            LabelStudioClient(server.base_url, account.service_token),
            ReaderSession.log_in(server.base_url, account.email, account.password),
        )
        for account, found in zip(ACCOUNTS, keys, strict=True)
    )
    yield first, second
    for organisation in (first, second):
        organisation.client.close()
        organisation.session.close()


@pytest.fixture
def client(organisations: tuple[Organisation, Organisation]) -> LabelStudioClient:
    """Return the system's client in the first reader's organisation."""
    return organisations[0].client


@pytest.fixture
def reader(organisations: tuple[Organisation, Organisation]) -> ReaderSession:
    """Return the first reader, logged in."""
    return organisations[0].session


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where webhooks and ML requests go."""
    with running_receiver() as listening:
        yield listening


@pytest.fixture
def wanted(receiver: Receiver) -> ReadingProject:
    """Describe a project that does not exist yet."""
    return ReadingProject(
        title=f"Worklist {uuid.uuid4().hex}",
        config_xml=FORM.read_text(),
        webhook_url=f"{receiver.url}/hook",
        webhook_secret=WEBHOOK_KEY,
    )


@pytest.fixture
def project_id(client: LabelStudioClient, wanted: ReadingProject) -> int:
    """Make an empty project of the first reader."""
    return ensure_reading_project(client, wanted)
