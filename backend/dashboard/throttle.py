"""How often somebody may try a password."""

from collections import deque
from datetime import datetime, timedelta
from threading import Lock


class Throttle:
    """Counts attempts within a sliding window, in memory.

    Parameters
    ----------
    limit : int
        Attempts that are let through.
    window : timedelta
        For how long an attempt counts.
    remembered : int
        For how many keys attempts are counted; beyond that the oldest keys are forgotten.
    """

    def __init__(self, limit: int, window: timedelta, *, remembered: int = 10_000) -> None:
        self._limit = limit
        self._window = window
        self._remembered = remembered
        self._attempts: dict[str, deque[datetime]] = {}
        self._turn = Lock()

    def admits(self, key: str, *, now: datetime) -> bool:
        """Count an attempt and return whether it may go on.

        Parameters
        ----------
        key : str
            Who tries, or at what.
        now : datetime
            The time; aware.

        Returns
        -------
        bool
            False when there were too many within the window; a refused attempt does not count.
        """
        with self._turn:
            attempts = self._attempts.pop(key, deque[datetime]())
            while attempts and attempts[0] <= now - self._window:
                attempts.popleft()
            may = len(attempts) < self._limit
            if may:
                attempts.append(now)
            self._attempts[key] = attempts  # last in the order, so forgotten last
            if len(self._attempts) > self._remembered:
                del self._attempts[next(iter(self._attempts))]
            return may

    def forget(self, key: str) -> None:
        """Start counting anew, because an attempt was right.

        Parameters
        ----------
        key : str
            Whose.
        """
        with self._turn:
            self._attempts.pop(key, None)
