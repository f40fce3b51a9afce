"""One transaction: open, commit, roll back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Self

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from backend.store.accounts import Accounts
from backend.store.adjudication_requests import AdjudicationRequests
from backend.store.adjudications import Adjudications
from backend.store.adjudicators import Adjudicators
from backend.store.availability import StoreUnavailableError, named_errors
from backend.store.consensus import ConsensusAnswers
from backend.store.dataset_history import DatasetHistory
from backend.store.datasets import Datasets
from backend.store.engine import open_engine, snapshot_of
from backend.store.images import Images
from backend.store.learning import Learning
from backend.store.model_history import ModelHistory
from backend.store.model_readers import ModelReaders
from backend.store.models import Models
from backend.store.nights import Nights
from backend.store.panels import Panels
from backend.store.predictions import Predictions
from backend.store.reader_duties import ReaderDuties
from backend.store.reader_evidence import ReaderEvidence
from backend.store.readers import Readers
from backend.store.readings import Readings
from backend.store.records import Records
from backend.store.second_looks import SecondLooks
from backend.store.set_asides import SetAsides
from backend.store.training_runs import TrainingRuns
from backend.store.worklists import Worklists

__all__ = ["Store", "StoreUnavailableError", "UnitOfWork"]

_ALWAYS_FRESH = {"populate_existing": True}  # rows may change without the session's knowing


class UnitOfWork:
    """What a workflow step reads and writes in one transaction.

    Parameters
    ----------
    session : Session
        The transaction.
    """

    def __init__(self, session: Session) -> None:
        self.accounts = Accounts(session)
        self.adjudication_requests = AdjudicationRequests(session)
        self.adjudications = Adjudications(session)
        self.adjudicators = Adjudicators(session)
        self.consensus = ConsensusAnswers(session)
        self.dataset_history = DatasetHistory(session)
        self.datasets = Datasets(session)
        self.images = Images(session)
        self.learning = Learning(session)
        self.model_history = ModelHistory(session)
        self.model_readers = ModelReaders(session)
        self.models = Models(session)
        self.nights = Nights(session)
        self.panels = Panels(session)
        self.predictions = Predictions(session)
        self.duties = ReaderDuties(session)
        self.evidence = ReaderEvidence(session)
        self.readers = Readers(session)
        self.readings = Readings(session)
        self.records = Records(session)
        self.second_looks = SecondLooks(session)
        self.set_asides = SetAsides(session)
        self.training_runs = TrainingRuns(session)
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
        self._write = sessionmaker(self._engine, execution_options=_ALWAYS_FRESH)
        self._read = sessionmaker(snapshot_of(self._engine), execution_options=_ALWAYS_FRESH)
        self._check: Callable[[UnitOfWork], None] = _allow

    def guarded_by(self, check: Callable[[UnitOfWork], None]) -> Self:
        """Return the same database, whose transactions ask first whether they may write.

        Parameters
        ----------
        check : callable
            Called with every transaction before anything else is done in it; raises when it may
            not write.

        Returns
        -------
        Store
            Shares the connections of this one; its own guard takes the place of any other.
        """
        guarded = copy(self)
        guarded._check = check  # noqa: SLF001 - of the same class
        return guarded

    def unguarded(self) -> Self:
        """Return the same database, whose transactions may always write.

        Returns
        -------
        Store
            Shares the connections of this one.
        """
        return self.guarded_by(_allow)

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """Open a transaction that may write, as soon as no other one does.

        Yields
        ------
        UnitOfWork
            Commits at the end of the block, unless it raised.

        Raises
        ------
        StoreUnavailableError
            If the database is down, locked for more than 30 s, or not migrated.
        """
        with named_errors(), self._write.begin() as session:
            unit = UnitOfWork(session)
            self._check(unit)
            yield unit

    @contextmanager
    def snapshot(self) -> Iterator[UnitOfWork]:
        """Open a transaction that only reads; it waits for no writer and blocks none.

        Yields
        ------
        UnitOfWork
            Sees the store as it was at its first question; what it writes is thrown away.

        Raises
        ------
        StoreUnavailableError
            If the database is down or not migrated.
        """
        with named_errors(), self._read() as session:
            yield UnitOfWork(session)

    def check(self) -> None:
        """Ask the database for an answer.

        Raises
        ------
        StoreUnavailableError
            If it gives none.
        """
        with named_errors(), self._read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _allow(unit: UnitOfWork) -> None:
    """Let a transaction write."""
