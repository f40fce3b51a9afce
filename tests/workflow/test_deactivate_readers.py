"""Somebody leaves: the work goes to others, the readings stay."""

from collections.abc import Sequence

import pytest

from backend.domain.worklists import EntryState
from backend.label_studio.provision import ProvisionedReader, ReaderAccount
from backend.store.accounts import Account
from backend.store.readers import UnknownReaderError
from backend.store.unit_of_work import Store
from backend.workflow.deactivate_readers import deactivate_readers
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import NOW, enrol, image, keep, reading, register


class Register:
    """Notes whose log-ins are closed."""

    keeps_readers_apart = True

    def __init__(self) -> None:
        self.closed: list[str] = []

    def register(self, accounts: Sequence[ReaderAccount]) -> tuple[ProvisionedReader, ...]:
        raise NotImplementedError

    def close(self, reader_ids: Sequence[str]) -> None:
        self.closed += reader_ids


RULES = QueueRules(1, 3, 0.0, 0.0, 1)


@pytest.fixture
def crew(store: Store) -> Store:
    """Keep four images, of which R1 has read one and three are open."""
    register(store, *(image(f"n{number}") for number in range(4)))
    enrol(store, "R1")
    keep(store, reading("n0", "R1"))
    with store.transaction() as unit:
        unit.accounts.put(Account("r1@example.org", "reader", "R1", "hash"), now=NOW)
    top_up_worklists(store, RULES, clock=lambda: NOW)
    return store


class TestDeactivateReaders:
    def test_gives_the_open_images_to_others_and_keeps_the_readings(self, crew: Store) -> None:
        register_ = Register()

        [left] = deactivate_readers(crew, register_, ["R1"], now=NOW)

        assert (left.reader_id, left.withdrawn, left.problem) == ("R1", 3, None)
        assert register_.closed == ["R1"]
        with crew.snapshot() as unit:
            assert unit.readers.projects() == []
            assert [one.reader_id for one in unit.readers.projects(also_of_inactive=True)] == [
                "R1"
            ]
            assert unit.accounts.get("r1@example.org") is None
            assert unit.worklists.counts("R1")[EntryState.WITHDRAWN] == 3
            assert len(list(unit.readings.counting(["n0"]))) == 1
        enrol(crew, "R1", "R2")
        entries = top_up_worklists(crew, RULES, clock=lambda: NOW).entries
        assert {(one.reader_id, one.image_id) for one in entries} == {
            ("R2", "n1"),
            ("R2", "n2"),
            ("R2", "n3"),
        }

    def test_gives_the_images_back_to_whoever_returns(self, crew: Store) -> None:
        deactivate_readers(crew, Register(), ["R1"], now=NOW)
        with crew.transaction() as unit:
            unit.readers.set_active("R1", active=True)

        entries = top_up_worklists(crew, RULES, clock=lambda: NOW).entries

        assert {one.image_id for one in entries} == {"n1", "n2", "n3"}

    def test_may_be_repeated(self, crew: Store) -> None:
        deactivate_readers(crew, Register(), ["R1"], now=NOW)

        [again] = deactivate_readers(crew, Register(), ["R1"], now=NOW)

        assert again.withdrawn == 0

    def test_does_nothing_when_one_is_not_known(self, crew: Store) -> None:
        register_ = Register()
        with pytest.raises(UnknownReaderError):
            deactivate_readers(crew, register_, ["R1", "R7"], now=NOW)
        assert register_.closed == []
        with crew.snapshot() as unit:
            assert unit.worklists.counts("R1")[EntryState.OPEN] == 3
