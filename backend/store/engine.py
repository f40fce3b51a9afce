"""Open the database: SQLite in WAL mode, or PostgreSQL."""

from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_TIMEOUT_MS = 30_000


class DatabaseUrlError(ValueError):
    """The database URL cannot be used."""


def open_engine(url: str) -> Engine:
    """Open a database.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user:password@host/name``.

    Returns
    -------
    Engine
        With foreign keys on and, for SQLite, write-ahead logging and a 30 s wait for locks.

    Raises
    ------
    DatabaseUrlError
        If the URL is malformed or names another database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUrlError(
            "OVERREAD_DATABASE_URL is not a URL; expected sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/NAME"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if backend != "sqlite":
        raise DatabaseUrlError(f"{backend} is not supported; use sqlite or postgresql")
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def snapshot_of(engine: Engine) -> Engine:
    """Return the same database, opened for reading only.

    Parameters
    ----------
    engine : Engine
        From `open_engine`.

    Returns
    -------
    Engine
        Its transactions take no write lock.
    """
    return engine.execution_options(overread_snapshot=True)


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    assert isinstance(connection, SqliteConnection)  # noqa: S101 - narrows the driver's type
    connection.isolation_level = None  # SQLAlchemy's events begin transactions, not the driver
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "synchronous=NORMAL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once, without waiting,
    # when another one wrote in between; taking the write lock first makes it wait its turn.
    snapshot = connection.get_execution_options().get("overread_snapshot", False)
    connection.exec_driver_sql("BEGIN" if snapshot else "BEGIN IMMEDIATE")
