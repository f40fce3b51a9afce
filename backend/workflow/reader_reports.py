"""The newest report on the readers, made once for everybody who asks."""

from collections.abc import Callable
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
        self._quality = _Newest(store, measure_readers)
        self._agreement = _Newest(store, _agreement)

    def quality(self) -> ReaderReport:
        """Return how well readers read.

        Returns
        -------
        ReaderReport
            As the store is now.
        """
        return self._quality.get()

    def agreement(self) -> ReaderAgreement:
        """Return how far readers agree.

        Returns
        -------
        ReaderAgreement
            As the store is now.
        """
        return self._agreement.get()


def _agreement(store: UnitOfWork) -> ReaderAgreement:
    return compare_readers(readings_in_store(store))


class _Newest(Generic[Result]):
    """A result and the state of the store that it belongs to."""

    def __init__(self, store: Store, measure: Callable[[UnitOfWork], Result]) -> None:
        self._store = store
        self._measure = measure
        self._lock = Lock()
        self._kept: tuple[object, Result] | None = None

    def get(self) -> Result:
        # One at a time: whoever asks meanwhile waits for the result instead of making it, too.
        with self._lock, self._store.snapshot() as unit:
            state = unit.evidence.state()
            if self._kept is None or self._kept[0] != state:
                self._kept = state, self._measure(unit)
            return self._kept[1]
