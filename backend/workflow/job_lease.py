"""A job that must not run twice at the same time."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread
from uuid import uuid4

from backend.store.availability import StoreUnavailableError
from backend.store.records import LeaseLostError, LeaseTakenError
from backend.store.unit_of_work import Store, UnitOfWork

_DURATION = timedelta(minutes=10)
_RENEW_SECONDS = 60.0
_ASK_AGAIN_SECONDS = 0.5
_WAIT_FOR_SYNC_SECONDS = 120.0
_THIS_PROCESS = uuid4().hex[:8]
_log = logging.getLogger(__name__)


@contextmanager
def hold_lease(
    store: Store, job: str, *, clock: Callable[[], datetime], wait_seconds: float = 0.0
) -> Iterator[Store]:
    """Hold a job's lease for the time of a block.

    A lease that a killed process of this machine left behind is taken over at once; one of
    another machine expires after ten minutes.

    Parameters
    ----------
    store : Store
        The database.
    job : str
        The job.
    clock : callable
        Gives the time; aware.
    wait_seconds : float, [s]
        How long to wait for somebody else to finish.

    Yields
    ------
    Store
        The database, for this job: once another process has taken the job over, because this one
        slept for longer than the lease holds, its transactions raise `LeaseLostError` instead of
        writing. A thread renews the lease for the time of the block.

    Raises
    ------
    LeaseTakenError
        If another process does this job.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}:{_THIS_PROCESS}:{uuid4().hex[:8]}"
    leases = store.unguarded()

    def take() -> None:
        with leases.transaction() as unit:
            left_behind = unit.records.lease_holder(job)
            if left_behind is not None and _is_dead(left_behind):
                unit.records.end_lease(job, left_behind)
            unit.records.take_lease(job, holder, now=clock(), duration=_DURATION)

    def renew() -> None:
        with leases.transaction() as unit:
            unit.records.renew_lease(job, holder, now=clock(), duration=_DURATION)

    _try_for(wait_seconds, take)
    done = Event()
    heartbeat = Thread(target=_keep_renewing, args=(renew, done), daemon=True)
    heartbeat.start()
    try:
        yield store.guarded_by(lambda unit: unit.records.expect_lease(job, holder))
    finally:
        done.set()
        heartbeat.join()
        with leases.transaction() as unit:
            unit.records.end_lease(job, holder)


def is_at_work(unit: UnitOfWork, job: str, *, now: datetime) -> bool:
    """Return whether a process does a job at the moment.

    Parameters
    ----------
    unit : UnitOfWork
        An open transaction.
    job : str
        The job.
    now : datetime
        The time; aware.

    Returns
    -------
    bool
        Of a process on another machine it is known ten minutes late that it was killed.
    """
    holder = unit.records.lease_holder(job)
    return holder is not None and not _is_dead(holder) and unit.records.is_held(job, now=now)


def hold_sync_lease(
    store: Store, reader_id: str, *, clock: Callable[[], datetime]
) -> AbstractContextManager[Store]:
    """Hold the lease of a reader's sync: nothing else talks to the project meanwhile.

    Parameters
    ----------
    store : Store
        The database.
    reader_id : str
        Whose project.
    clock : callable
        Gives the time; aware.

    Returns
    -------
    context manager
        It waits for another sync of the same reader, for example of the backend.
    """
    return hold_lease(store, f"sync {reader_id}", clock=clock, wait_seconds=_WAIT_FOR_SYNC_SECONDS)


def _keep_renewing(renew: Callable[[], None], done: Event) -> None:
    while not done.wait(_RENEW_SECONDS):
        try:
            renew()
        except StoreUnavailableError:
            # Nine more tries before it expires; the database may be restarting.
            _log.warning("a lease could not be renewed")
        except LeaseLostError as error:
            _log.warning("%s", error)
            return


def _try_for(wait_seconds: float, take: Callable[[], None]) -> None:
    give_up = time.monotonic() + wait_seconds
    while True:
        try:
            take()
        except LeaseTakenError:
            if time.monotonic() >= give_up:
                raise
            time.sleep(_ASK_AGAIN_SECONDS)
        else:
            return


def _is_dead(holder: str) -> bool:
    """Return whether a holder is a process of this machine that does not live any more."""
    host, pid, process, *_ = [*holder.split(":"), "", ""]
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():  # in a container every process is number 1, one after the other
        return process != _THIS_PROCESS
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
