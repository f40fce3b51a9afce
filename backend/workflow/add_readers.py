"""Give readers what they need: a Label Studio organisation, a project, a log-in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backend.formats.names import EXPECTED_NAME, is_safe
from backend.label_studio import projects, provision
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.registrar import Registrar
from backend.store.accounts import Account
from backend.store.readers import ReaderProject
from backend.store.records import AuditEvent
from backend.store.unit_of_work import Store


class ReaderNameError(ValueError):
    """A reader's name cannot be used."""


@dataclass(frozen=True, slots=True)
class NewReader:
    """A reader to add, or to bring back to the wanted state.

    Attributes
    ----------
    reader_id : str
        Pseudonym.
    email : str
        What the reader logs in with.
    password : str
        For the log-in.
    password_hash : str
        The same, hashed for the backend's own sign-in.
    service_token : str
        40 characters; how the system acts in the reader's organisation.
    keep_password : bool
        Whether a reader who is there already keeps the old password.
    """

    reader_id: str
    email: str
    password: str = field(repr=False)
    password_hash: str = field(repr=False)
    service_token: str = field(repr=False)
    keep_password: bool = False


@dataclass(frozen=True, slots=True)
class ReadingRoom:
    """How Label Studio is set up for every reader.

    Attributes
    ----------
    registrar : Registrar
        Makes the log-ins.
    form : str
        The reading form, as XML.
    webhook_url, webhook_secret : str
        Where Label Studio reports to, and how it proves itself.
    ml_backend : MlBackend
        How Label Studio reaches the ML backend.
    open_client : callable
        Opens a client of a reader's organisation, by reader id.
    """

    registrar: Registrar
    form: str = field(repr=False)
    webhook_url: str
    webhook_secret: str = field(repr=False)
    ml_backend: projects.MlBackend
    open_client: Callable[[str], LabelStudioClient]


@dataclass(frozen=True, slots=True)
class AddedReader:
    """A reader who can start.

    Attributes
    ----------
    project : ReaderProject
        Where the reader works.
    stream_url : str
        Opens the worklist.
    problem : str or None
        What did not work; reading is possible nevertheless.
    """

    project: ReaderProject
    stream_url: str
    problem: str | None


def add_readers(
    store: Store,
    room: ReadingRoom,
    readers: Sequence[NewReader],
    *,
    now: datetime,
    on_reader: Callable[[str], None] = lambda _: None,
) -> list[AddedReader]:
    """Add readers; repeatable.

    Parameters
    ----------
    store : Store
        The database.
    room : ReadingRoom
        How Label Studio is set up.
    readers : sequence of NewReader
        Whom to add.
    now : datetime
        The time; aware.
    on_reader : callable
        Called with the reader id after each reader.

    Returns
    -------
    list of AddedReader
        In the order given.

    Raises
    ------
    ReaderNameError
        If a name could not be part of a file name or link.
    """
    for reader in readers:
        if not is_safe(reader.reader_id):
            raise ReaderNameError(f"{reader.reader_id!r} cannot name a reader; {EXPECTED_NAME}")

    provisioned = room.registrar.register([_account(reader) for reader in readers])
    added = []
    for reader, home in zip(readers, provisioned, strict=True):
        added.append(_equip(room, reader, home))
        on_reader(reader.reader_id)

    with store.transaction() as unit:
        unit.readers.ensure([reader.reader_id for reader in readers], now=now)
        for reader in readers:
            unit.readers.set_active(reader.reader_id, active=True)
        before = {project.reader_id: project for project in unit.readers.projects()}
        for reader, result in zip(readers, added, strict=True):
            known = before.get(reader.reader_id)
            if known is not None and known.project_id != result.project.project_id:
                unit.worklists.forget_tasks_of(reader.reader_id)
                unit.set_asides.release(reader.reader_id)
            unit.readers.add_project(result.project)
            if reader.keep_password:
                unit.accounts.rename_reader(reader.reader_id, reader.email)
            else:
                unit.accounts.put(
                    Account(reader.email, "reader", reader.reader_id, reader.password_hash),
                    now=now,
                )
            unit.records.note(
                AuditEvent(now, "system", "add reader", f"reader:{reader.reader_id}", {})
            )
    return added


def _account(reader: NewReader) -> provision.ReaderAccount:
    return provision.ReaderAccount(
        reader_id=reader.reader_id,
        email=reader.email,
        password=reader.password,
        service_token=reader.service_token,
        reset_password=not reader.keep_password,
    )


def _equip(room: ReadingRoom, reader: NewReader, home: provision.ProvisionedReader) -> AddedReader:
    problem = None
    with room.open_client(reader.reader_id) as client:
        project_id = projects.ensure_reading_project(
            client,
            projects.ReadingProject(
                title=f"Worklist of {reader.reader_id}"[:50],
                config_xml=room.form,
                webhook_url=room.webhook_url,
                webhook_secret=room.webhook_secret,
            ),
        )
        try:
            projects.connect_ml_backend(client, project_id, room.ml_backend)
        except LabelStudioError as error:
            problem = str(error)
        stream_url = client.stream_url(project_id)
    project = ReaderProject(
        reader.reader_id, reader.email, home.organisation_id, project_id, user_id=home.user_id
    )
    return AddedReader(project, stream_url, problem)
