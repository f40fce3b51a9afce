"""A job is done by one at a time, and a killed one blocks nobody."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest

from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.job_lease import hold_lease


def take(store: Store, holder: str) -> None:
    with store.transaction() as unit:
        unit.records.take_lease("night", holder, now=now(), duration=timedelta(minutes=10))


class TestHoldLease:
    def test_refuses_a_second_holder_of_the_same_process(self, store: Store) -> None:
        with (
            hold_lease(store, "night", clock=now),
            pytest.raises(LeaseTakenError, match="already running"),
            hold_lease(store, "night", clock=now),
        ):
            pytest.fail("two hold the lease")

        with hold_lease(store, "night", clock=now):
            pass

    def test_takes_over_from_a_process_that_is_dead(self, store: Store) -> None:
        finished = subprocess.Popen([sys.executable, "-c", ""])
        finished.wait()
        take(store, f"{socket.gethostname()}:{finished.pid}:1")

        with hold_lease(store, "night", clock=now):
            with store.snapshot() as unit:
                holder = unit.records.lease_holder("night")
            assert holder is not None
            assert holder.split(":")[1] == str(os.getpid())

    @pytest.mark.parametrize("holder", ["elsewhere:1:1", f"{socket.gethostname()}:1:1", "odd"])
    def test_leaves_a_living_or_distant_holder_alone(self, store: Store, holder: str) -> None:
        take(store, holder)

        with (
            pytest.raises(LeaseTakenError),
            hold_lease(store, "night", clock=now, wait_seconds=0.1),
        ):
            pytest.fail("took a lease that somebody holds")

    def test_takes_over_from_an_earlier_process_of_the_same_number(self, store: Store) -> None:
        # In a container every process is number 1, one after the other.
        take(store, f"{socket.gethostname()}:{os.getpid()}:another:1")

        with hold_lease(store, "night", clock=now):
            pass

    def test_takes_over_what_was_taken_by_a_clock_that_was_days_ahead(self, store: Store) -> None:
        with store.transaction() as unit:
            ahead = now() + timedelta(days=3)
            unit.records.take_lease(
                "night", "elsewhere:1:1", now=ahead, duration=timedelta(minutes=10)
            )

        with hold_lease(store, "night", clock=now):
            pass
