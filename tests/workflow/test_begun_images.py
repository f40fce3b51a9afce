"""Images that somebody was asked to read and that still lack readers."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from backend.domain.acquisition.batch import Channel
from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState, WorklistEntry
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.top_up_worklists import top_up_worklists
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
from tests.workflow.test_choose_images import fill

RULES = QueueRules(3, 4, 0.0, 0.0, 7, adaptive_panels=True)
ALL_AT_RANDOM = replace(RULES, random_share=1.0)
NAMES = [f"n{number:02d}" for number in range(40)]
LONG_AFTER = NOW + timedelta(days=15)


@pytest.fixture
def pool(store: Store) -> Store:
    """Keep forty images, n00 the least sure, n39 the surest, and three readers."""
    register(store, *map(image, NAMES))
    enrol(store, "R1", "R2", "R3")
    scores = {name: 0.5 + number / 100 for number, name in enumerate(NAMES)}
    serve(store, *(Prediction(name, "m1", (predicted(one),)) for name, one in scores.items()))
    return store


def queue(store: Store, *entries: WorklistEntry, states: dict[str, EntryState]) -> None:
    """Keep entries, each in the state of its reader."""
    with store.transaction() as unit:
        unit.worklists.add(entries, now=NOW)
        for one in unit.worklists.all():
            if one.reader_id in states:
                unit.worklists.set_state(one.key, states[one.reader_id], now=NOW)


def drawn(image_id: str, reader_id: str) -> WorklistEntry:
    return replace(entry(image_id, reader_id), channel=Channel.RANDOM)


def enrol_fourth(store: Store) -> None:
    with store.transaction() as unit:
        unit.readers.add_project(ReaderProject("R4", "r4@example.org", 4, 104))


def fill_late(store: Store, *, now: datetime = LONG_AFTER) -> list[WorklistEntry]:
    return list(top_up_worklists(store, RULES, clock=lambda: now).entries)


class TestImagesThatSomebodyBegan:
    def test_get_their_second_reader_whatever_they_are_worth_by_now(self, pool: Store) -> None:
        keep(pool, reading("n39", "R1"))
        queue(
            pool,
            entry("n39", "R1"),
            entry("n39", "R2"),
            states={"R1": EntryState.READ, "R2": EntryState.SKIPPED},
        )

        entries = fill(pool, RULES)

        [again] = [one for one in entries if one.image_id == "n39"]
        assert again.reader_id == "R3"
        assert again.rank == min(one.rank for one in entries)

    def test_leave_room_for_others(self, pool: Store) -> None:
        names = NAMES[20:]
        keep(pool, *(reading(name, "R1") for name in names))
        queue(pool, *(entry(name, "R1") for name in names), states={"R1": EntryState.READ})

        chosen = {one.image_id for one in fill(pool, RULES)}

        assert 1 <= len(chosen & set(names)) <= 4
        assert chosen & set(NAMES[:20])

    def test_compete_like_others_when_the_queue_never_asked_for_them(self, pool: Store) -> None:
        keep(pool, reading("n39", "R1"))

        assert "n39" not in {one.image_id for one in fill(pool, RULES)}


class TestTheRandomSample:
    def test_is_drawn_from_what_nobody_has_begun(self, pool: Store) -> None:
        keep(pool, *(reading(name, "R1") for name in NAMES[:36]))

        entries = fill(pool, ALL_AT_RANDOM)

        sample = {one.image_id for one in entries if one.channel == Channel.RANDOM}
        assert sample == set(NAMES[36:])

    @pytest.mark.parametrize("strategy", ["random", "foreground-aware-random"])
    def test_is_only_that_with_every_strategy(self, pool: Store, strategy: str) -> None:
        keep(pool, *(reading(name, "R1") for name in NAMES[:38]))

        entries = fill(pool, replace(RULES, worklist_size=30, strategy=strategy))

        sample = {one.image_id for one in entries if one.channel == Channel.RANDOM}
        assert sample <= set(NAMES[38:])
        assert {one.image_id for one in entries} >= set(NAMES[38:])

    @pytest.mark.parametrize("state", [EntryState.SKIPPED, EntryState.WITHDRAWN])
    def test_keeps_its_whole_panel_when_one_of_it_falls_away(
        self, pool: Store, state: EntryState
    ) -> None:
        with pool.transaction() as unit:
            unit.readers.ensure(["R4"], now=NOW)
        keep(pool, reading("n39", "R1"), reading("n39", "R2"))
        queue(
            pool,
            *(drawn("n39", who) for who in ("R1", "R2", "R3")),
            states={"R1": EntryState.READ, "R2": EntryState.READ, "R3": state},
        )
        enrol_fourth(pool)

        again = [one for one in fill(pool, RULES) if one.image_id == "n39"]

        assert [one.channel for one in again] == [Channel.RANDOM]
        assert again[0].reason.startswith("Drawn at random from all unread images")

    def test_stays_a_sample_when_it_lapses_unread(self, pool: Store) -> None:
        queue(pool, drawn("n39", "R1"), states={})

        entries = fill_late(pool)

        again = [one for one in entries if one.image_id == "n39"]
        assert {one.channel for one in again} == {Channel.RANDOM}
        assert {one.reader_id for one in again} == {"R2", "R3"}
