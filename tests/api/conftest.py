"""A whole server over real stores, with two readers, a manager and an admin."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image as Picture
from pydantic import SecretStr
from starlette.testclient import TestClient

from backend import accounts
from backend.api.app import create_app
from backend.domain.images import Image
from backend.domain.readings import Arm
from backend.domain.worklists import WorklistEntry
from backend.formats import radiographs
from backend.settings import Settings
from backend.store.accounts import Account
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, UnitOfWork

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PASSWORD = "right horse battery"  # noqa: S105 - of accounts that exist in tests only
PASSWORD_HASH = accounts.hash_password(PASSWORD)
TOKENS = {name: f"ovr_token-of-{name}" for name in ("r8", "r9", "manager", "admin")}
NOBODY_LISTENS = "http://127.0.0.1:9"  # the discard port: a connection is refused at once


@dataclass
class Clock:
    """Stands still unless it is moved."""

    now: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, duration: timedelta) -> None:
        self.now += duration


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        database_url=SecretStr(store_url),
        secret_key=SecretStr("s" * 32),
        label_studio_url=NOBODY_LISTENS,
    )


@pytest.fixture
def furnished(store: Store) -> Store:
    """Return a store with accounts, and with projects of R8 and R9."""
    with store.transaction() as unit:
        unit.readers.ensure(["R8", "R9"], now=NOW)
        for number, reader_id in enumerate(["R8", "R9"]):
            email = f"{reader_id.lower()}@example.org"
            unit.readers.add_project(ReaderProject(reader_id, email, 2 + number, 31 + number))
            token = accounts.token_sha256(TOKENS[reader_id.lower()])
            unit.accounts.put(Account(email, "reader", reader_id, PASSWORD_HASH, token), now=NOW)
        for role in ("manager", "admin"):
            unit.accounts.put(
                Account(
                    f"{role}@example.org",
                    role,
                    None,
                    PASSWORD_HASH,
                    accounts.token_sha256(TOKENS[role]),
                ),
                now=NOW,
            )
    return store


@pytest.fixture
def app(settings: Settings, furnished: Store, clock: Clock) -> FastAPI:
    return create_app(settings, clock=clock, start_workers=False)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False) as opened:
        yield opened


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def csrf_of(page: str) -> str:
    """Return the token in a page's form."""
    return page.partition('name="csrf" value="')[2].partition('"')[0]


def sign_in(client: TestClient, who: str, password: str = PASSWORD) -> str:
    """Sign in as a browser does; return the CSRF token of the next page."""
    form = {
        "email": f"{who}@example.org",
        "password": password,
        "csrf": csrf_of(client.get("/").text),
    }
    assert client.post("/sign-in", data=form).status_code == 303
    return csrf_of(client.get("/worklist").text)


def register(unit: UnitOfWork, path: Path, *, image_id: str) -> Image:
    """Register a radiograph file."""
    file = radiographs.read_file(path)
    image = Image(
        id=image_id,
        source="test",
        uri=str(path),
        sha256=file.sha256,
        pixel_hash=file.pixel_hash,
        width_px=file.width_px,
        height_px=file.height_px,
        patient_key=image_id,
    )
    unit.images.add([image], now=NOW)
    return image


def grey_file(path: Path, *, level: int, bits: int = 8) -> Path:
    """Write a radiograph with a ramp of grey values."""
    mode = "L" if bits == 8 else "I;16"
    picture = Picture.new(mode, (16, 12))
    for x in range(16):
        for y in range(12):
            picture.putpixel((x, y), level + x * (1 if bits == 8 else 200))
    picture.save(path)
    return path


def entry(image_id: str, reader_id: str, rank: int) -> WorklistEntry:
    return WorklistEntry(
        image_id=image_id,
        reader_id=reader_id,
        rank=rank,
        score=1.0 / rank,
        channel="uncertain",
        reason="the model is unsure about a nodule",
        arm=Arm.UNASSISTED,
    )


@pytest.fixture
def filled(furnished: Store, tmp_path: Path) -> Store:
    """Return the furnished store with images a, b, c on both worklists, pushed as tasks."""
    with furnished.transaction() as unit:
        for number, image_id in enumerate("abc"):
            path = grey_file(tmp_path / f"{image_id}.png", level=10 * number)
            register(unit, path, image_id=image_id)
        for reader_id in ("R8", "R9"):
            unit.worklists.add(
                [entry(image_id, reader_id, rank + 1) for rank, image_id in enumerate("abc")],
                now=NOW,
            )
        for one in unit.worklists.all():
            unit.worklists.record_tasks(
                [(one.key, 100 + one.key)], link_expires_at=NOW + timedelta(days=30)
            )
    return furnished
