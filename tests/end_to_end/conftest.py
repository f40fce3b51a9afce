"""The whole product on this machine: real Label Studio, backend, ML backend, Chromium."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from backend.cli.readers import new_reader
from backend.demo import sample
from backend.desk import open_reading_room
from backend.domain.models import ModelState, ModelVersion
from backend.local_services.processes import Services, free_port
from backend.local_services.stack import start_all
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.add_readers import AddedReader, NewReader, add_readers

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
"""The system's own; None for the one that Playwright has installed."""
PASSWORD = "reading in the dark"  # noqa: S105 - of a server that lives as long as the test
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Product:
    """Everything that runs, and its store."""

    settings: Settings
    store: Store


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader with log-in and project."""

    login: NewReader
    added: AddedReader


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """All servers on free ports, with the scripted detector; stopped at the end."""
    ports = [free_port() for _ in range(3)]
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("product"),
        label_studio_command=ROOT / ".venv-label-studio" / "bin" / "label-studio",
        backend_url=f"http://127.0.0.1:{ports[0]}",
        backend_port=ports[0],
        label_studio_url=f"http://127.0.0.1:{ports[1]}",
        ml_backend_url=f"http://127.0.0.1:{ports[2]}",
        ml_backend_port=ports[2],
        detector="scripted",
        unassisted_share=0.0,
        random_share=0.0,
        readers_per_image=1,
    )
    schema.upgrade(settings.sqlalchemy_url)
    store = Store(settings.sqlalchemy_url)
    with store.transaction() as unit:
        unit.models.add(
            ModelVersion("scripted-1", ModelState.CHAMPION, "none", "0" * 64, created_at=now())
        )
    with Services() as services:
        start_all(services, settings, with_nightly=False, say=lambda _: None)
        yield Product(settings, store)
    store.close()


@pytest.fixture(scope="session")
def reader(product: Product) -> Reader:
    """Return a reader who can log in and has an empty project."""
    login = new_reader(product.settings, "R1", email=None, password=PASSWORD)
    added = add_readers(product.store, open_reading_room(product.settings), [login], now=now())
    return Reader(login, added[0])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=CHROMIUM_ARGUMENTS
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a fresh page, nobody logged in."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    yield context.new_page()
    context.close()


def sample_file(image_id: str) -> Path:
    """Return the file of one sample radiograph."""
    return next(path for path, name in sample.sample_images().files.items() if name == image_id)
