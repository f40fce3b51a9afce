"""When the database cannot be used: say so, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_BROKEN_FILE = ("file is not a database", "malformed")
_NOT_MIGRATED = ("no such table", "no such column", "has no column named")
_MISSING_ON_POSTGRESQL = ("relation ", "column ")


class StoreUnavailableError(RuntimeError):
    """The database cannot be used at the moment."""


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn the driver's complaints about the database itself into ours.

    Yields
    ------
    None
        What a caller did wrong, such as breaking a constraint, passes unchanged.

    Raises
    ------
    StoreUnavailableError
        If the database is down, locked, damaged or not migrated.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailableError(
            "every connection to the database has been busy for 30 s; try again, "
            "or run fewer requests at the same time"
        ) from error
    except (OperationalError, ProgrammingError) as error:
        raise StoreUnavailableError(_remedy(str(error.orig))) from error
    except DatabaseError as error:
        if not any(sign in str(error.orig) for sign in _BROKEN_FILE):
            raise
        raise StoreUnavailableError(
            f"the database file is damaged or of another kind ({error.orig}); "
            "expected an SQLite database: check OVERREAD_DATABASE_URL, or restore a backup"
        ) from error


def _remedy(cause: str) -> str:
    if _is_not_migrated(cause):
        return "the database is not migrated; run: overread db upgrade"
    if "locked" in cause or "lock timeout" in cause:
        return (
            "another process has kept the database locked for 30 s; wait for it to end, "
            "and try again"
        )
    first_line = next(iter(cause.strip().splitlines()), "no reason given")
    return (
        f"the database does not answer ({first_line}); "
        "check OVERREAD_DATABASE_URL and that the server runs"
    )


def _is_not_migrated(cause: str) -> bool:
    if any(sign in cause for sign in _NOT_MIGRATED):
        return True
    return "does not exist" in cause and cause.strip().startswith(_MISSING_ON_POSTGRESQL)
