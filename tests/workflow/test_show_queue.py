"""The queue as people see it."""

from dataclasses import replace

from backend.domain.worklists import EntryKind, EntryState
from backend.store.unit_of_work import Store
from backend.workflow.show_queue import planned_queue, show_queue
from tests.store.samples import NOW, enrol, entry, image, register


class TestShowQueue:
    def test_has_one_row_per_waiting_image_in_the_order_of_reading(self, store: Store) -> None:
        register(store, *(image(name) for name in "abc"))
        enrol(store, "R1", "R2")
        with store.transaction() as unit:
            unit.worklists.add(
                [
                    entry("b", "R2", rank=1),
                    entry("b", "R1", rank=1),
                    replace(entry("a", "R1", rank=2), reason="It is rare."),
                    entry("c", "R1", rank=3),
                ],
                now=NOW,
            )
            read = next(one for one in unit.worklists.all() if one.image_id == "c")
            unit.worklists.set_state(read.key, EntryState.READ, now=NOW)

        with store.snapshot() as unit:
            rows = show_queue(unit)

        assert [(row.rank, row.image_id, row.readers) for row in rows] == [
            (1, "b", ("R1", "R2")),
            (2, "a", ("R1",)),
        ]
        assert rows[1].reason == "It is rare."

    def test_keeps_gold_cases_apart_as_a_dry_run_does(self, store: Store) -> None:
        register(store, image("a"))
        enrol(store, "R1", "R2")
        entries = [entry("a", "R1"), replace(entry("a", "R2"), kind=EntryKind.GOLD)]
        with store.transaction() as unit:
            unit.worklists.add(entries, now=NOW)

        with store.snapshot() as unit:
            rows = show_queue(unit)

        assert rows == planned_queue(entries)
        assert [row.readers for row in rows] == [("R1",), ("R2",)]
