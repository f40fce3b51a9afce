"""The readers are estimated anew, and nothing that was read is lost meanwhile."""

from dataclasses import replace
from datetime import datetime

import pytest

from backend.domain.boxes import Box
from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus, Supporter
from backend.domain.consensus.survey import Survey
from backend.domain.reading_table import ReadingTable
from backend.store.panels import PRIOR_VERSION
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow import reconcile_store as step
from backend.workflow.reach_consensus import ids_by_image, reach_consensus
from backend.workflow.reconcile_store import Reconciled, UnknownMethodError, reconcile_store
from tests.store.samples import (
    HERE,
    LATER,
    NOW,
    THERE,
    image,
    keep,
    mark,
    read_by_a_crowd,
    reading,
    register,
)

IMAGES = 24


class KilledError(Exception):
    """The process ends here."""


@pytest.fixture
def read(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Keep a crowd's readings; a transaction takes ten images, so that there are several."""
    monkeypatch.setattr(step, "_IMAGES_PER_TRANSACTION", 10)
    read_by_a_crowd(store, IMAGES)
    return store


def reconcile(store: Store, method: str = "overread") -> Reconciled:
    return reconcile_store(store, clock=lambda: NOW, method=method)


def reach(store: Store, *image_ids: str) -> dict[str, Consensus]:
    with store.transaction() as unit:
        return {one.image_id: one for one in reach_consensus(unit, image_ids, now=LATER)}


def current(store: Store) -> dict[str, tuple[int, Consensus]]:
    with store.snapshot() as unit:
        return unit.consensus.current()


def all_at_once(store: Store) -> dict[str, Consensus]:
    """Reconcile every reading of the store in one go, with the current panel."""
    with store.snapshot() as unit:
        readings = unit.readings.counting()
        name, panel = unit.panels.current() or pytest.fail("there is no panel")
    common = verdict.reconcile(Survey.of(ReadingTable.of(readings)), panel)
    return {one.image_id: one for one in verdict.answers(common, name, ids_by_image(readings))}


def told(answer: Consensus) -> list[object]:
    """Return an answer without what names the image and its readings."""
    return [
        answer.p_no_finding,
        *(
            replace(one, supporters=tuple(Supporter(who.reader_id) for who in one.supporters))
            for one in answer.clusters
        ),
    ]


def withdraw(store: Store, image_id: str) -> None:
    with store.transaction() as unit:
        receipt = Receipt(LATER, state="withdrawn", reason="deleted")
        for one in unit.readings.valid([image_id]):
            unit.readings.revise(one, receipt)


class TestReconcileStore:
    def test_answers_every_image_with_the_panel_that_it_learned(self, read: Store) -> None:
        done = reconcile(read)

        answers = current(read)
        with read.snapshot() as unit:
            assert unit.panels.current() is not None
            assert unit.panels.named(done.method_version).reader_ids == ("R1", "R2", "R3", "R4")
        assert done.images == len(answers) == IMAGES
        assert done.method_version != PRIOR_VERSION
        assert {one.method_version for _, one in answers.values()} == {done.method_version}
        assert any(cluster.alternatives for _, one in answers.values() for cluster in one.clusters)
        assert any(cluster.place for _, one in answers.values() for cluster in one.clusters)

    def test_changes_nothing_the_second_time(self, read: Store) -> None:
        first, before = reconcile(read), current(read)

        assert reconcile(read) == first
        assert current(read) == before

    def test_has_nothing_to_do_in_an_empty_store(self, store: Store) -> None:
        seen: list[int] = []

        done = reconcile_store(store, clock=lambda: NOW, on_start=seen.append)

        assert (done.images, seen) == (0, [0])

    def test_counts_every_image(self, read: Store) -> None:
        seen: list[int] = []

        reconcile_store(read, clock=lambda: NOW, on_start=seen.append, on_images=seen.append)

        assert seen == [24, 10, 10, 4]

    def test_hears_a_reader_in_the_last_round(self, store: Store) -> None:
        register(store, image("a"))
        keep(store, reading("a", "R1", mark(HERE)))
        keep(store, replace(reading("a", "R1", mark(THERE)), round=2))

        reconcile(store)

        [(_, answer)] = current(store).values()
        assert [cluster.box for cluster in answer.clusters] == [THERE]
        with store.snapshot() as unit:
            assert unit.readings.counting_ids(["a"]) == {"a": answer.reading_ids}

    def test_retires_an_answer_whose_readings_are_withdrawn(self, read: Store) -> None:
        reconcile(read)
        withdraw(read, "c00")

        assert reconcile(read).images == IMAGES - 1
        assert "c00" not in current(read)

    @pytest.mark.parametrize("transactions", range(4))
    def test_goes_on_after_it_was_killed(self, read: Store, transactions: int) -> None:
        reach(read, *(f"c{number:02d}" for number in range(IMAGES)))
        early = current(read)
        left = [NOW] * transactions

        def clock() -> datetime:
            if not left:
                raise KilledError
            return left.pop()

        with pytest.raises(KilledError):
            reconcile_store(read, clock=clock)

        interrupted = current(read)
        assert interrupted.keys() == early.keys()
        changed = sum(interrupted[key] != early[key] for key in early)
        assert changed == max(0, 10 * (transactions - 1))
        done = reconcile(read)
        assert {key: one for key, (_, one) in current(read).items()} == all_at_once(read)
        with read.snapshot() as unit:
            versions = {one.method_version: one.images for one in unit.consensus.versions()}
        assert versions == {PRIOR_VERSION: IMAGES, done.method_version: IMAGES}

    def test_is_not_overtaken_by_what_it_had_not_seen(self, read: Store) -> None:
        reach(read, "c05", "c06")

        def meanwhile(_: int) -> None:
            keep(read, reading("c05", "R5", mark(THERE)))
            reach(read, "c05")
            withdraw(read, "c06")
            reach(read, "c06")

        with read.transaction() as unit:
            unit.readers.ensure(["R5"], now=NOW)
        done = reconcile_store(read, clock=lambda: NOW, on_start=meanwhile)

        answers = current(read)
        assert "c06" not in answers
        assert done.images == IMAGES - 1
        assert "R5" in {one.reader_id for c in answers["c05"][1].clusters for one in c.supporters}
        assert {one.method_version for _, one in answers.values()} == {done.method_version}


class TestOtherMethods:
    @pytest.mark.parametrize(
        ("method", "version"),
        [("wbf", "wbf-2"), ("majority", "majority-1"), ("union", "union-1")],
    )
    def test_stand_beside_the_current_answers(
        self, read: Store, method: str, version: str
    ) -> None:
        reconcile(read)
        before = current(read)

        assert reconcile(read, method) == Reconciled(IMAGES, version)

        assert current(read) == before
        with read.snapshot() as unit:
            found = unit.consensus.of_version(version)
        assert found.keys() == before.keys()
        assert {key: one.reading_ids for key, one in found.items()} == {
            key: one.reading_ids for key, (_, one) in before.items()
        }
        assert any(one.clusters for one in found.values())

    def test_say_what_is_unknown(self, store: Store) -> None:
        with pytest.raises(UnknownMethodError, match="'nms'; expected one of: overread, wbf"):
            reconcile(store, "nms")


class TestOneImageAtATime:
    def test_is_answered_like_all_at_once(self, read: Store) -> None:
        reconcile(read)
        every = all_at_once(read)

        assert {key: reach(read, key)[key] for key in every} == every

    def test_follows_a_new_reading_with_what_is_known(self, read: Store) -> None:
        done = reconcile(read)
        with read.transaction() as unit:
            unit.readers.ensure(["new"], now=NOW)
        keep(read, reading("c07", "new", mark(THERE)))

        answers = reach(read, "c07")

        assert answers == {"c07": all_at_once(read)["c07"]}
        assert answers["c07"].method_version == done.method_version

    def test_ends_the_same_in_any_order_and_when_repeated(self, read: Store) -> None:
        reconcile(read)
        register(read, image("a"), image("b"))
        marks = {"R1": mark(HERE), "R2": mark(Box(12, 22, 112, 218)), "R3": mark(THERE)}
        for reader_id in ("R1", "R2", "R3"):
            keep(read, reading("a", reader_id, marks[reader_id]))
            reach(read, "a")
            reach(read, "a")
        for reader_id in ("R3", "R1", "R2"):
            keep(read, reading("b", reader_id, marks[reader_id]))
            reach(read, "b", "b")

        answers = current(read)
        assert told(answers["a"][1]) == told(answers["b"][1])
        assert reach(read, "a")["a"] == answers["a"][1]
        assert current(read) == answers
