"""Gold cases: adjudicated images among the others of a worklist."""

from collections import Counter
from dataclasses import replace

import pytest

from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.findings import Finding
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.label_studio import tasks
from backend.store.adjudicators import Adjudicator
from backend.store.unit_of_work import Store
from backend.workflow.adjudicated_images import adjudicated_images
from backend.workflow.plan_worklists import QueueRules, plan_worklists
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import (
    HERE,
    NOW,
    adjudicate,
    enrol,
    image,
    keep,
    mark,
    model,
    predicted,
    reading,
    register,
    serve,
)

READERS = ("R1", "R2", "R3", "R4")
GOLD = tuple(f"g{number:02d}" for number in range(30))
RULES = QueueRules(
    readers_per_image=2,
    worklist_size=20,
    random_share=0.0,
    unassisted_share=0.3,
    seed=7,
    gold_share=0.25,
)


def settle(store: Store, image_id: str, *states: ClusterState) -> None:
    """Give an image an answer with clusters in these states."""
    with store.transaction() as unit:
        ids = unit.readings.counting_ids([image_id])[image_id]
        clusters = tuple(
            Cluster(Finding.CARDIOMEGALY, HERE, 0.9, 0.9, state, (), place)
            for place, state in enumerate(states)
        )
        unit.consensus.record([Consensus(image_id, f"test-{states}", clusters, 0.0, ids)], now=NOW)


@pytest.fixture
def pool(store: Store) -> Store:
    """Keep 200 unread images and 30 that R1 and R5 have read and that were adjudicated."""
    names = [f"n{number:03d}" for number in range(200)]
    register(store, *map(image, [*names, *GOLD]), readers=(*READERS, "R5"))
    enrol(store, *READERS)
    serve(store, *(Prediction(name, "m1", (predicted(),)) for name in [*names, *GOLD]))
    keep(store, *(reading(name, reader, mark()) for name in GOLD for reader in ("R1", "R5")))
    for name in GOLD:
        settle(store, name, ClusterState.ADJUDICATED)
    adjudicate(store, *GOLD)
    return store


def fill(store: Store, rules: QueueRules = RULES, size: int | None = None) -> list[WorklistEntry]:
    return list(top_up_worklists(store, rules, clock=lambda: NOW, size=size).entries)


def gold_of(entries: list[WorklistEntry]) -> list[WorklistEntry]:
    return [one for one in entries if one.kind is EntryKind.GOLD]


class TestGoldCases:
    def test_come_at_about_the_set_rate_and_fill_no_worklist_over(self, pool: Store) -> None:
        entries = fill(pool)

        assert 0.1 <= len(gold_of(entries)) / (20 * 3) <= 0.4
        filled = Counter(one.reader_id for one in entries).values()
        assert 19 <= min(filled) <= max(filled) == 20
        assert all(one.image_id in GOLD and one.reason for one in gold_of(entries))

    def test_never_go_to_who_has_read_them(self, pool: Store) -> None:
        assert {one.reader_id for one in gold_of(fill(pool))} == {"R2", "R3", "R4"}

    def test_never_go_to_who_has_adjudicated_them(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.adjudicators.put([Adjudicator("R2", "r2@example.com", 2)], now=NOW)
            for one in unit.adjudication_requests.all():
                kept = unit.adjudications.current(one.key)
                assert kept is not None
                by_reader = replace(kept.verdict, adjudicators=("R2",))
                unit.adjudications.revise(by_reader, kept.receipt)

        assert {one.reader_id for one in gold_of(fill(pool))} == {"R3", "R4"}

    def test_come_once_to_each_reader(self, pool: Store) -> None:
        seen: Counter[tuple[str, str]] = Counter()
        for _ in range(6):
            seen.update((one.image_id, one.reader_id) for one in fill(pool))
            with pool.transaction() as unit:
                for one in unit.worklists.all(state=EntryState.OPEN):
                    unit.worklists.set_state(one.key, EntryState.SKIPPED, now=NOW)

        assert set(seen.values()) == {1}
        assert len([pair for pair in seen if pair[0] in GOLD]) > 30

    def test_cannot_be_told_from_the_others(self, pool: Store) -> None:
        entries = fill(pool, replace(RULES, gold_share=0.5))

        with pool.snapshot() as unit:
            served = unit.worklists.all(reader_id="R2")
        assert len(gold_of(served)) > 4
        keys = [one.key for one in served]
        assert keys == sorted(keys), "a later key than its neighbours' would stand out"
        places = [place for place, one in enumerate(served) if one.kind is EntryKind.GOLD]
        assert places != list(range(len(served) - len(places), len(served)))
        assert {(one.round, one.model_version) for one in served} <= {(1, "m1"), (1, None)}
        by_kind = {
            kind: Counter(one.arm for one in entries if one.kind is kind)
            for kind in (EntryKind.GOLD, EntryKind.READING)
        }
        assert all(counts[Arm.ASSISTED] and counts[Arm.UNASSISTED] for counts in by_kind.values())
        shapes = {
            tuple(tasks.task_data(entry=1, image_id="x", image_url="y", arm=one.arm).items())
            for one in served
        }
        assert len(shapes) == len({one.arm for one in served})

    def test_are_the_same_for_the_same_seed(self, pool: Store) -> None:
        with pool.snapshot() as unit:
            first = plan_worklists(unit, RULES, now=NOW).entries
        second = fill(pool)

        assert [(one.image_id, one.reader_id, one.rank) for one in first] == [
            (one.image_id, one.reader_id, one.rank) for one in second
        ]

    def test_need_the_champions_prediction(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=NOW)
            names = [f"n{number:03d}" for number in range(200)]
            unit.predictions.add(
                [Prediction(name, "m2", (predicted(),)) for name in names], now=NOW
            )

        assert gold_of(fill(pool)) == []

    @pytest.mark.parametrize("size", [4, 8])
    def test_keep_to_the_rate_in_a_small_refill(self, pool: Store, size: int) -> None:
        assert len(gold_of(fill(pool, size=size))) <= size

    def test_do_not_come_alone_when_nothing_else_is_left(self, pool: Store) -> None:
        for _ in range(8):
            fill(pool, replace(RULES, worklist_size=200, gold_share=0.0))

        assert fill(pool, replace(RULES, worklist_size=400, gold_share=1.0)) == []

    def test_come_when_there_is_room_for_one_entry_only(self, pool: Store) -> None:
        entries = fill(pool, replace(RULES, worklist_size=1, gold_share=1.0))

        assert {one.reader_id for one in gold_of(entries)} == {"R2", "R3", "R4"}

    def test_can_be_switched_off(self, pool: Store) -> None:
        assert gold_of(fill(pool, replace(RULES, gold_share=0.0))) == []

    def test_are_none_without_adjudicated_images(self, store: Store) -> None:
        register(store, *(image(f"n{number}") for number in range(10)))
        enrol(store, "R1")

        entries = fill(store)

        assert len(entries) == 10
        assert gold_of(entries) == []


class TestAdjudicatedImages:
    def test_are_judged_by_the_verdict_as_it_was_given(self, store: Store) -> None:
        register(store, *map(image, ("a", "b", "c", "d")))
        keep(store, *(reading(name, "R1", mark()) for name in ("a", "b", "c", "d")))
        settle(store, "a", ClusterState.ADJUDICATED)
        settle(store, "b", ClusterState.SINGLE_READER)
        settle(store, "c", ClusterState.UNANIMOUS)
        adjudicate(store, "a", "b", "c")
        for name in ("a", "b", "c", "d"):
            settle(store, name, ClusterState.ADJUDICATED, ClusterState.CLASS_CONFLICT)

        with store.snapshot() as unit:
            found = adjudicated_images(unit)

        lesion = ((Finding.CARDIOMEGALY, HERE),)
        assert {name: one.lesions for name, one in found.items()} == {
            "a": lesion,
            "b": (),
            "c": lesion,
        }
        assert found["a"].adjudicators == {"A1"}
