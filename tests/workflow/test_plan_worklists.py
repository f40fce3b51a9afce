"""Choosing what is read next, and by whom, and asking for it."""

from collections import Counter

import pytest

from backend.domain.predictions import Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import EntryState, WorklistEntry
from backend.store.unit_of_work import Store
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import NOW, enrol, image, keep, model, predicted, reading, register, serve

READERS = ("R1", "R2", "R3")
RULES = QueueRules(
    readers_per_image=3, worklist_size=10, random_share=0.0, unassisted_share=0.0, seed=7
)


def rules(**changes: float) -> QueueRules:
    values = {name: getattr(RULES, name) for name in QueueRules.__slots__}
    return QueueRules(**(values | changes))


def fill(store: Store, by: QueueRules = RULES, size: int | None = None) -> list[WorklistEntry]:
    return list(top_up_worklists(store, by, clock=lambda: NOW, size=size).entries)


@pytest.fixture
def pool(store: Store) -> Store:
    """Keep forty images of forty patients, scored: n00 the least sure, n39 the surest."""
    names = [f"n{number:02d}" for number in range(40)]
    register(store, *(image(name) for name in names))
    enrol(store, *READERS)
    serve(
        store,
        *(
            Prediction(name, "m1", (predicted(0.5 + number / 100),))
            for number, name in enumerate(names)
        ),
    )
    return store


class TestPlanWorklists:
    def test_serves_by_falling_uncertainty(self, pool: Store) -> None:
        entries = fill(pool)

        for reader_id in READERS:
            mine = [one for one in entries if one.reader_id == reader_id]
            assert [one.image_id for one in mine] == [f"n{number:02d}" for number in range(10)]
            assert [one.rank for one in mine] == list(range(1, 11))
            scores = [one.score for one in mine]
            assert scores == sorted(scores, reverse=True)
        assert {one.channel for one in entries} == {"uncertain", "finding-quota"}
        assert {(one.arm, one.model_version) for one in entries} == {(Arm.ASSISTED, "m1")}
        with pool.snapshot() as unit:
            kept = unit.worklists.all()
        assert len(kept) == len(entries) == 30

    def test_changes_nothing_when_the_worklists_are_full(self, pool: Store) -> None:
        fill(pool)

        assert fill(pool) == []

    def test_goes_on_behind_what_is_open(self, pool: Store) -> None:
        fill(pool)
        with pool.transaction() as unit:
            for done in unit.worklists.all(state=EntryState.OPEN)[:6]:
                unit.worklists.set_state(done.key, EntryState.SKIPPED, now=NOW)

        entries = fill(pool)

        assert sorted(one.rank for one in entries) == [11, 11, 11, 12, 12, 12]
        assert {one.image_id for one in entries} == {"n10", "n11"}

    @pytest.mark.parametrize("state", [EntryState.SKIPPED, EntryState.READ])
    def test_asks_nobody_twice(self, pool: Store, state: EntryState) -> None:
        seen: set[tuple[str, str]] = set()
        for _ in range(6):
            entries = fill(pool)
            asked = {(one.image_id, one.reader_id) for one in entries}
            assert len(asked) == len(entries)
            assert not asked & seen
            seen |= asked
            with pool.transaction() as unit:
                for one in unit.worklists.all(state=EntryState.OPEN):
                    unit.worklists.set_state(one.key, state, now=NOW)

        assert len(seen) == 40 * 3
        assert fill(pool) == []

    def test_opens_again_what_was_withdrawn_unread(self, pool: Store) -> None:
        before = fill(pool, rules(unassisted_share=0.4))
        with pool.transaction() as unit:
            for one in unit.worklists.all():
                unit.worklists.record_tasks([(one.key, one.key)], link_expires_at=NOW)
                unit.worklists.set_state(one.key, EntryState.WITHDRAWN, now=NOW)
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=NOW)
            unit.predictions.add(
                [Prediction(f"n{number:02d}", "m2", (predicted(0.5),)) for number in range(10)],
                now=NOW,
            )

        again = fill(pool)

        with pool.snapshot() as unit:
            kept = unit.worklists.all()
        assert {one.key for one in again} == {one.key for one in kept}
        assert {(one.state, one.task_id, one.rank > 10) for one in kept} == {
            (EntryState.OPEN, None, True)
        }
        arms = {(one.image_id, one.reader_id): one.arm for one in before}
        assert {(one.image_id, one.reader_id): one.arm for one in kept} == arms
        assert {(one.arm, one.model_version) for one in kept} == {
            (Arm.ASSISTED, "m2"),
            (Arm.UNASSISTED, None),
        }

    def test_draws_the_arm_of_what_was_withdrawn_before_there_was_a_model(
        self, store: Store
    ) -> None:
        register(store, image("a"))
        enrol(store, "R1")
        [cold] = fill(store)
        with store.transaction() as unit:
            unit.worklists.set_state(unit.worklists.all()[0].key, EntryState.WITHDRAWN, now=NOW)
        serve(store, Prediction("a", "m1", (predicted(),)))

        [again] = fill(store)

        assert (cold.arm, cold.arm_drawn) == (Arm.UNASSISTED, False)
        assert (again.arm, again.arm_drawn, again.model_version) == (Arm.ASSISTED, True, "m1")

    def test_draws_a_share_at_random(self, pool: Store) -> None:
        entries = fill(pool, rules(random_share=0.2))

        channels = Counter(one.channel for one in entries)
        assert channels.pop("random") == 6
        assert channels.keys() == {"uncertain", "finding-quota"}
        assert channels.total() == 24
        assert fill(pool) == []

    def test_holds_the_random_share_when_little_is_added_at_a_time(self, store: Store) -> None:
        names = [f"n{number:03d}" for number in range(150)]
        register(store, *map(image, names))
        enrol(store, "R1")
        serve(store, *(Prediction(name, "m1", (predicted(0.5),)) for name in names))
        one_each = QueueRules(1, 10, 0.2, 0.0, 7)

        channels: Counter[str] = Counter()
        for _ in range(100):
            [entry] = fill(store, one_each, size=1)
            channels[entry.channel] += 1
            with store.transaction() as unit:
                [open_entry] = unit.worklists.all(state=EntryState.OPEN)
                unit.worklists.set_state(open_entry.key, EntryState.READ, now=NOW)

        # 20 are expected; four standard deviations either way
        assert 4 <= channels["random"] <= 36

    def test_draws_the_unassisted_share_by_its_seed(self, pool: Store) -> None:
        entries = fill(pool, rules(unassisted_share=0.4))

        unassisted = [one for one in entries if one.arm is Arm.UNASSISTED]
        assert 3 <= len(unassisted) <= 21
        assert {one.model_version for one in unassisted} == {None}

    def test_starts_cold_and_unassisted_without_a_model(self, store: Store) -> None:
        register(store, *(image(f"n{number}") for number in range(5)))
        enrol(store, "R1")

        entries = fill(store)

        assert len(entries) == 5
        assert {(one.channel, one.arm, one.model_version) for one in entries} == {
            ("cold-start", Arm.UNASSISTED, None)
        }

    def test_counts_imported_readings(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.readers.ensure(["I1", "I2", "I3"], now=NOW)
        keep(pool, *(reading("n00", reader_id) for reader_id in ("I1", "I2", "I3")))
        keep(pool, reading("n01", "I1"), reading("n01", "R1"))

        entries = fill(pool)

        by_image = Counter(one.image_id for one in entries)
        assert "n00" not in by_image
        assert by_image["n01"] == 1
        assert all(one.reader_id != "R1" for one in entries if one.image_id == "n01")
        assert by_image["n02"] == 3

    def test_fills_every_worklist_when_one_more_reading_is_wanted(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.readers.ensure(["I1", "I2"], now=NOW)
        keep(pool, *(reading(f"n{n:02d}", r) for n in range(40) for r in ("I1", "I2")))

        entries = fill(pool)

        assert Counter(one.reader_id for one in entries) == dict.fromkeys(READERS, 10)
        assert len({one.image_id for one in entries}) == 30

    def test_takes_one_image_of_a_patient(self, store: Store) -> None:
        register(store, *(image(f"n{number}", patient=f"p{number % 2}") for number in range(6)))
        enrol(store, "R1")

        assert len({one.image_id for one in fill(store)}) == 2

    def test_may_be_told_how_many(self, pool: Store) -> None:
        assert {one.image_id for one in fill(pool, size=2)} == {"n00", "n01"}

    def test_is_content_without_readers_or_images(self, store: Store) -> None:
        assert fill(store) == []
        enrol(store, "R1")
        assert fill(store) == []


class TestArmDrawn:
    def test_is_told_of_entries_that_a_model_could_have_been_shown_in(self, pool: Store) -> None:
        entries = fill(pool, rules(unassisted_share=0.5))

        assert {one.arm for one in entries} == set(Arm)
        assert all(one.arm_drawn for one in entries)
        with pool.snapshot() as unit:
            assert all(one.arm_drawn for one in unit.worklists.all())

    def test_is_not_told_when_there_was_no_model(self, store: Store) -> None:
        register(store, *(image(f"n{number}") for number in range(5)))
        enrol(store, *READERS)

        entries = fill(store)

        assert {(one.arm, one.arm_drawn) for one in entries} == {(Arm.UNASSISTED, False)}
        with store.snapshot() as unit:
            assert not any(one.arm_drawn for one in unit.worklists.all())
