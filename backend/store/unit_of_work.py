"""One transaction: open, commit, roll back."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from backend.store.accounts import Accounts
from backend.store.consensus import ConsensusAnswers
from backend.store.datasets import Datasets
from backend.store.engine import open_engine, snapshot_of
from backend.store.images import Images
from backend.store.models import Models
from backend.store.predictions import Predictions
from backend.store.readers import Readers
from backend.store.readings import Readings
from backend.store.records import Records
from backend.store.worklists import Worklists


class StoreUnavailableError(RuntimeError):
    """The database cannot be used at the moment."""


class UnitOfWork:
    """What a workflow step reads and writes in one transaction.

    Parameters
    ----------
    session : Session
        The transaction.
    """

    def __init__(self, session: Session) -> None:
        self.accounts = Accounts(session)
        self.consensus = ConsensusAnswers(session)
        self.datasets = Datasets(session)
        self.images = Images(session)
        self.models = Models(session)
        self.predictions = Predictions(session)
        self.readers = Readers(session)
        self.readings = Readings(session)
        self.records = Records(session)
        self.worklists = Worklists(session)


class Store:
    """The database; hands out transactions.

    The outermost caller (a request, a job, a command) opens a transaction; it commits when the
    block ends well and rolls back when it does not. Nobody else commits.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user:password@host/name``.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._write = sessionmaker(self._engine)
        self._read = sessionmaker(snapshot_of(self._engine))

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """Open a transaction that may write.

        Yields
        ------
        UnitOfWork
            Commits at the end of the block, unless it raised.

        Raises
        ------
        StoreUnavailableError
            If the database is down, locked for more than 30 s, or not migrated.
        """
        with _named_errors(), self._write.begin() as session:
            yield UnitOfWork(session)

    @contextmanager
    def snapshot(self) -> Iterator[UnitOfWork]:
        """Open a transaction that only reads; it waits for no writer and blocks none.

        Yields
        ------
        UnitOfWork
            What it writes is thrown away.

        Raises
        ------
        StoreUnavailableError
            If the database is down or not migrated.
        """
        with _named_errors(), self._read() as session:
            yield UnitOfWork(session)

    def check(self) -> None:
        """Ask the database for an answer.

        Raises
        ------
        StoreUnavailableError
            If it gives none.
        """
        with _named_errors(), self._read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        raise StoreUnavailableError(_remedy(str(error.orig))) from error


def _remedy(cause: str) -> str:
    if "no such table" in cause or "does not exist" in cause:
        return "the database is not migrated; run: overread db upgrade"
    if "locked" in cause:
        return (
            "another process has kept the database locked for 30 s; wait for it to end, "
            "or use PostgreSQL (OVERREAD_DATABASE_URL) for several busy processes"
        )
    return (
        f"the database does not answer ({cause.strip().splitlines()[0]}); "
        "check OVERREAD_DATABASE_URL and that the server runs"
    )
