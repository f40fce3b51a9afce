"""The newest report on the readers, made once for everybody who asks."""

from collections.abc import Callable, Hashable
from datetime import datetime
from threading import Lock
from typing import Generic, TypeVar

from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.assess_readers import ReaderAgreement, compare_readers, readings_in_store
from backend.workflow.measure_readers import ReaderReport, measure_readers

Result = TypeVar("Result")


class ReaderReports:
    """Measures again only when something was read or decided since the last time.

    Parameters
    ----------
    store : Store
        The database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._quality: _Kept[ReaderReport] = _Kept()
        self._quality_of_day: _Kept[ReaderReport] = _Kept()
        self._agreement: _Kept[ReaderAgreement] = _Kept()

    def quality(self) -> ReaderReport:
        """Return how well readers read, for those who manage them.

        Returns
        -------
        ReaderReport
            As the store is now.
        """
        with self._store.snapshot() as unit:
            return self._quality.get(unit.evidence.state(), lambda: measure_readers(unit))

    def quality_for_readers(self, now: datetime) -> ReaderReport:
        """Return how well readers read, for the readers themselves.

        It changes once a day. Figures that moved as soon as an image was submitted would tell a
        reader that it was a gold case, and whether the answer was right.

        Parameters
        ----------
        now : datetime
            The time; aware.

        Returns
        -------
        ReaderReport
            By what was read before today.
        """
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._store.snapshot() as unit:
            return self._quality_of_day.get(today, lambda: measure_readers(unit, before=today))

    def agreement(self) -> ReaderAgreement:
        """Return how far readers agree.

        Returns
        -------
        ReaderAgreement
            As the store is now.
        """
        with self._store.snapshot() as unit:
            return self._agreement.get(unit.evidence.state(), lambda: _agreement(unit))


def _agreement(store: UnitOfWork) -> ReaderAgreement:
    return compare_readers(readings_in_store(store))


class _Kept(Generic[Result]):
    """A result, and what it belongs to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[Hashable, Result] | None = None

    def get(self, key: Hashable, make: Callable[[], Result]) -> Result:
        # One at a time: whoever asks meanwhile waits for the result instead of making it, too.
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                self._kept = key, make()
            return self._kept[1]
