"""Open the database: SQLite in WAL mode, or PostgreSQL."""

import json
from math import isfinite
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_TIMEOUT_MS = 30_000
_WRITERS_LOCK = 0x6F76_6572  # any number that every process of ours agrees on


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
        One transaction writes at a time, on both kinds of database; the next one waits up to
        30 s for it. SQLite has foreign keys on and writes ahead into a log.

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
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            json_serializer=_as_json,
        )
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    if backend != "sqlite":
        raise DatabaseUrlError(f"{backend} is not supported; use sqlite or postgresql")
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, json_serializer=_as_json)
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
        Its transactions take no write lock, and all their questions are answered as of the
        first one.
    """
    snapshot = engine.execution_options(overread_snapshot=True)
    if engine.dialect.name == "postgresql":
        return snapshot.execution_options(isolation_level="REPEATABLE READ")
    return snapshot


def _as_json(value: object) -> str:
    """Return JSON in which a number that is none is null: PostgreSQL refuses NaN."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_with_nulls(value), allow_nan=False)


def _with_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _with_nulls(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_nulls(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    assert isinstance(connection, SqliteConnection)  # noqa: S101 - narrows the driver's type
    connection.isolation_level = None  # SQLAlchemy's events begin transactions, not the driver
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=NORMAL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once, without waiting,
    # when another one wrote in between; taking the write lock first makes it wait its turn.
    connection.exec_driver_sql("BEGIN" if _is_snapshot(connection) else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    # The same rule as on SQLite. Without it two processes that look and then add (the same
    # reading, lease or worklist entry) would break a constraint, and two readings that arrive
    # together would each reach a consensus without the other. Transactions are short.
    if not _is_snapshot(connection):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")


def _is_snapshot(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("overread_snapshot", False))
