"""Worklist entries in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from backend.domain.worklists import EntryState
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from tests.store.samples import LATER, NOW, entry, image, reading, register

A, B = entry("a", rank=2), entry("b", rank=1)


@pytest.fixture
def filled(store: Store) -> Store:
    register(store, image("a"), image("b"))
    with store.transaction() as unit:
        unit.worklists.add([A, B, entry("a", "R2", rank=2)], now=NOW)
    return store


def key_of(store: Store, image_id: str) -> int:
    with store.snapshot() as unit:
        return next(
            one.key for one in unit.worklists.all(reader_id="R1") if one.image_id == image_id
        )


class TestWorklists:
    def test_come_back_by_rank_as_they_went_in(self, filled: Store) -> None:
        with filled.snapshot() as unit:
            mine = unit.worklists.all(reader_id="R1", state=EntryState.OPEN)
            assert [one.reader_id for one in unit.worklists.all()] == ["R1", "R1", "R2"]
            assert unit.worklists.get(mine[0].key) == mine[0]
            assert unit.worklists.get(999) is None
            assert unit.worklists.last_rank() == 2

        assert [replace(one, id=None, asked_at=None) for one in mine] == [B, A]

    def test_ask_nobody_twice(self, filled: Store) -> None:
        with pytest.raises(IntegrityError), filled.transaction() as unit:
            unit.worklists.add([replace(A, rank=9)], now=NOW)

    def test_are_counted_in_every_state(self, filled: Store) -> None:
        with filled.transaction() as unit:
            unit.worklists.set_state(unit.worklists.all()[0].key, EntryState.READ, now=NOW)
            counts = unit.worklists.counts()
            mine = unit.worklists.counts("R2")

        assert counts == {"open": 2, "read": 1, "skipped": 0, "withdrawn": 0}
        assert mine == {"open": 1, "read": 0, "skipped": 0, "withdrawn": 0}

    def test_know_whose_links_grow_old(self, filled: Store) -> None:
        old, unknown = key_of(filled, "a"), key_of(filled, "b")
        with filled.transaction() as unit:
            unit.worklists.record_tasks([(old, 11)], link_expires_at=LATER)
            assert unit.worklists.with_link_expiring("R1", LATER) == []
            due = unit.worklists.with_link_expiring("R1", LATER + timedelta(seconds=1))
            unit.worklists.follow_task(unknown, 12, updated_at=NOW)
            with_unknown = unit.worklists.with_link_expiring("R1", NOW)

        assert [(one.key, one.task_id) for one in due] == [(old, 11)]
        assert [(one.key, one.task_id) for one in with_unknown] == [(unknown, 12)]

    @pytest.mark.parametrize(
        ("state", "kept_as", "due_tasks"),
        [
            (EntryState.SKIPPED, None, [11]),
            (EntryState.READ, "quarantined", [11]),
            (EntryState.READ, "valid", []),
            (EntryState.WITHDRAWN, None, []),
        ],
    )
    def test_know_the_old_links_that_the_readers_page_leads_to(
        self, filled: Store, state: EntryState, kept_as: str | None, due_tasks: list[int]
    ) -> None:
        key = key_of(filled, "a")
        with filled.transaction() as unit:
            unit.worklists.record_tasks([(key, 11)], link_expires_at=NOW)
            unit.worklists.set_state(key, state, now=NOW)
            if kept_as is not None:
                reason = None if kept_as == "valid" else "odd"
                unit.readings.add([reading("a", "R1")], Receipt(NOW, state=kept_as, reason=reason))
            due = unit.worklists.with_link_expiring("R1", LATER)

        assert [one.task_id for one in due] == due_tasks

    def test_part_from_a_task_whose_number_label_studio_gave_again(self, filled: Store) -> None:
        first, second = key_of(filled, "a"), key_of(filled, "b")

        with filled.transaction() as unit:
            unit.worklists.record_tasks([(first, 11), (second, 11)], link_expires_at=LATER)
            tasks = {one.entry_id: one.task_id for one in unit.worklists.known_tasks("R1")}

        assert (tasks[first], tasks[second]) == (None, 11)

    def test_remember_the_newest_state_of_their_task(self, filled: Store) -> None:
        key = key_of(filled, "a")
        with filled.transaction() as unit:
            before = unit.worklists.known_task(key)
            unit.worklists.follow_task(key, 11, updated_at=LATER)
            unit.worklists.forget_task(key)
            after = unit.worklists.known_task(key)

        assert before is not None
        assert after is not None
        assert (before.updated_at, after.updated_at, after.task_id) == (None, LATER, None)
