"""How many images may wait; who comes later is asked to come again."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class BusyError(RuntimeError):
    """So much is waiting already that another request would not be answered in time."""


class Admission:
    """Counts the images that wait.

    Parameters
    ----------
    limit : int, [images]
        How many may wait. A request that finds nobody waiting is always admitted.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting = 0
        self._lock = Lock()

    @property
    def waiting(self) -> int:
        """How many images wait, in [images]."""
        return self._waiting

    @contextmanager
    def admitted(self, images: int) -> Iterator[None]:
        """Let a request in for the time of the block.

        Parameters
        ----------
        images : int
            How many images it asks about.

        Yields
        ------
        None
            While it is answered.

        Raises
        ------
        BusyError
            If too many images wait.
        """
        with self._lock:
            if self._waiting and self._waiting + images > self._limit:
                raise BusyError(
                    f"{self._waiting} images wait for the detector, at most {self._limit} may; "
                    "ask again in a few seconds"
                )
            self._waiting += images
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= images
