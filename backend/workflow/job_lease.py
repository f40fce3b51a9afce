"""A job that must not run twice at the same time."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from backend.store.unit_of_work import Store

_DURATION = timedelta(minutes=10)


@contextmanager
def hold_lease(
    store: Store, job: str, *, clock: Callable[[], datetime]
) -> Iterator[Callable[[], None]]:
    """Hold a job's lease for the time of a block.

    Parameters
    ----------
    store : Store
        The database.
    job : str
        The job.
    clock : callable
        Gives the time; aware.

    Yields
    ------
    callable
        Renews the lease; call it at least every few minutes. Without that it expires after ten
        minutes, so that a killed process does not block the job for ever.

    Raises
    ------
    LeaseTakenError
        If another process does this job.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}"

    def renew() -> None:
        with store.transaction() as unit:
            unit.records.take_lease(job, holder, now=clock(), duration=_DURATION)

    renew()
    try:
        yield renew
    finally:
        with store.transaction() as unit:
            unit.records.end_lease(job, holder)
