"""The worklists are topped up while others write."""

from datetime import datetime

import pytest

from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow import top_up_worklists as module
from backend.workflow.plan_worklists import Plan, QueueRules, plan_worklists
from backend.workflow.record_entries import record_entries
from backend.workflow.top_up_worklists import TopUp, top_up_worklists
from tests.store.samples import (
    NOW,
    enrol,
    entry,
    image,
    keep,
    predicted,
    reading,
    register,
    serve,
)

RULES = QueueRules(3, 4, 0.0, 0.0, 7)
NAMES = [f"n{number:02d}" for number in range(12)]


@pytest.fixture
def pool(store: Store) -> Store:
    """Keep twelve images, n00 the least sure, and three readers."""
    register(store, *map(image, NAMES))
    enrol(store, "R1", "R2", "R3")
    scores = {name: 0.5 + number / 100 for number, name in enumerate(NAMES)}
    serve(store, *(Prediction(name, "m1", (predicted(one),)) for name, one in scores.items()))
    return store


def top_up(store: Store) -> TopUp:
    return top_up_worklists(store, RULES, clock=lambda: NOW)


def planned(store: Store) -> Plan:
    with store.snapshot() as unit:
        return plan_worklists(unit, RULES, now=NOW)


def kept(store: Store, plan: Plan) -> dict[str, list[str]]:
    """Keep a plan; return what each reader is asked for."""
    with store.transaction() as unit:
        found = record_entries(unit, plan.entries, worklist_size=RULES.worklist_size, now=NOW)
        assert len(unit.worklists.all(state=EntryState.OPEN)) >= len(found)
    asked: dict[str, list[str]] = {}
    for one in found:
        asked.setdefault(one.reader_id, []).append(one.image_id)
    return asked


class TestTopUpWorklists:
    def test_lets_others_write_while_it_chooses(
        self, pool: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def plan_while_a_reading_comes_in(
            unit: UnitOfWork, rules: QueueRules, *, now: datetime, size: int | None
        ) -> Plan:
            plan = plan_worklists(unit, rules, now=now, size=size)
            keep(pool, reading("n00", "R1"))
            return plan

        monkeypatch.setattr(module, "plan_worklists", plan_while_a_reading_comes_in)

        done = top_up(pool)

        assert done.left_out == 1
        assert {one.image_id for one in done.entries if one.reader_id == "R1"} == set(NAMES[1:4])

    def test_asks_what_was_planned(self, pool: Store) -> None:
        plan = planned(pool)

        assert top_up(pool) == TopUp((), plan.entries, 0)


class TestRecordEntries:
    def test_leaves_out_a_reader_who_has_left(self, pool: Store) -> None:
        plan = planned(pool)
        with pool.transaction() as unit:
            unit.readers.set_active("R2", active=False)

        assert set(kept(pool, plan)) == {"R1", "R3"}

    def test_leaves_out_what_the_reader_was_asked_for_meanwhile(self, pool: Store) -> None:
        plan = planned(pool)
        with pool.transaction() as unit:
            unit.worklists.add([entry("n02", "R1")], now=NOW)

        assert kept(pool, plan)["R1"] == ["n00", "n01", "n03"]

    def test_keeps_what_ranks_first_when_there_is_less_room(self, pool: Store) -> None:
        plan = planned(pool)
        with pool.transaction() as unit:
            unit.worklists.add([entry("n10", "R1"), entry("n11", "R1")], now=NOW)

        assert kept(pool, plan)["R1"] == ["n00", "n01"]

    def test_keeps_nothing_twice(self, pool: Store) -> None:
        plan = planned(pool)
        kept(pool, plan)

        assert kept(pool, plan) == {}

    def test_opens_again_only_what_is_still_withdrawn(self, pool: Store) -> None:
        top_up(pool)
        with pool.transaction() as unit:
            for one in unit.worklists.all():
                unit.worklists.set_state(one.key, EntryState.WITHDRAWN, now=NOW)
        plan = planned(pool)
        with pool.transaction() as unit:
            first = next(one for one in unit.worklists.all() if one.reader_id == "R1")
            unit.worklists.set_state(first.key, EntryState.SKIPPED, now=NOW)

        asked = kept(pool, plan)

        assert first.image_id not in asked["R1"]
        assert len(asked["R1"]) == 3
        assert len(asked["R2"]) == 4
