"""Consensus answers and dataset versions in the store."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.verdict import reconcile
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.images import Split
from backend.store.datasets import Release, UnknownDatasetVersionError
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from tests.store.samples import HERE, LATER, NOW, THERE, image, keep, mark, reading, register


def answer(store: Store, image_id: str = "a") -> Consensus:
    with store.snapshot() as unit:
        return reconcile(image_id, unit.readings.valid([image_id]))


def record(store: Store, *answers: Consensus) -> list[int]:
    with store.transaction() as unit:
        return unit.consensus.record(answers, now=NOW)


@pytest.fixture
def read_twice(store: Store) -> Store:
    register(store, image("a"), image("b"))
    keep(store, reading("a", "R1", mark(HERE)), reading("a", "R2", mark(HERE), mark(THERE)))
    keep(store, reading("b", "R1"))
    return store


class TestConsensusAnswers:
    def test_come_back_as_they_went_in(self, read_twice: Store) -> None:
        answers = [answer(read_twice, "b"), answer(read_twice, "a")]
        keys = record(read_twice, *answers)

        with read_twice.snapshot() as unit:
            current = unit.consensus.current()
            one = unit.consensus.current([*(f"z{number}" for number in range(40_000)), "a"])
            readers = unit.consensus.readers()
            states = unit.consensus.cluster_states()

        assert current == {"a": (keys[1], answers[1]), "b": (keys[0], answers[0])}
        assert list(one) == ["a"]
        assert readers == {keys[0]: ("R1",), keys[1]: ("R1", "R2")}
        assert states == {"unanimous": 1, "single-reader": 1}

    def test_are_kept_once(self, read_twice: Store) -> None:
        answers = [answer(read_twice, "a"), answer(read_twice, "b")]

        assert record(read_twice, *answers) == record(read_twice, *answers)
        assert record(read_twice) == []

    def test_leave_the_older_one_readable_and_may_return_to_it(self, read_twice: Store) -> None:
        older = answer(read_twice)
        [key] = record(read_twice, older)
        with read_twice.transaction() as unit:
            unit.readings.revise(reading("a", "R2", mark(HERE)), Receipt(LATER))
        newer = answer(read_twice)
        [newer_key] = record(read_twice, newer)

        with read_twice.snapshot() as unit:
            assert unit.consensus.current(["a"]) == {"a": (newer_key, newer)}
        assert record(read_twice, older) == [key]
        with read_twice.snapshot() as unit:
            assert unit.consensus.current(["a"]) == {"a": (key, older)}

    def test_can_be_retired(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice, "a"), answer(read_twice, "b"))

        with read_twice.transaction() as unit:
            unit.consensus.retire([])
            unit.consensus.retire([*(f"z{number}" for number in range(40_000)), "a"])
            assert list(unit.consensus.current()) == ["b"]

    def test_need_supporters_that_are_kept(self, read_twice: Store) -> None:
        with pytest.raises(IntegrityError):
            record(read_twice, replace(answer(read_twice, "b"), reading_ids=(999,)))


def cut(store: Store, name: str = "d1") -> DatasetVersion:
    with store.transaction() as unit:
        current = unit.consensus.current()
        readers = unit.consensus.readers()
        members = tuple(
            DatasetImage(
                replace(unit.images.all()[image_id], split=Split.TRAIN),
                tuple(one for one in consensus.clusters if one.p_true >= 0.5),
                readers[key],
            )
            for image_id, (key, consensus) in current.items()
        )
        version = DatasetVersion(name, content_sha256(members), "wbf-1", NOW, members)
        keys = {image_id: key for image_id, (key, _) in current.items()}
        unit.datasets.add(version, keys, p_true_from=0.5)
    return version


class TestDatasets:
    def test_come_back_exactly_as_cut_though_everything_moved_on(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice, "a"), answer(read_twice, "b"))
        version = cut(read_twice)
        with read_twice.transaction() as unit:
            unit.readings.revise(reading("a", "R2", mark(THERE)), Receipt(LATER))
            unit.readings.add([reading("a", "R3", mark(THERE))], Receipt(LATER))
            unit.images.set_splits([("a", Split.TEST)])
        record(read_twice, answer(read_twice, "a"))

        with read_twice.snapshot() as unit:
            found = unit.datasets.get("d1")

        assert found == version
        assert content_sha256(found.images) == version.sha256

    def test_are_found_by_content(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice, "a"))
        with read_twice.snapshot() as unit:
            assert unit.datasets.next_name() == "d1"
            assert unit.datasets.latest_name() is None
        version = cut(read_twice)

        with read_twice.snapshot() as unit:
            assert unit.datasets.named(version.sha256) == "d1"
            assert unit.datasets.named("0" * 64) is None
            assert unit.datasets.next_name() == "d2"
            assert unit.datasets.latest_name() == "d1"

    def test_hold_a_content_once(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice, "a"))
        cut(read_twice)

        with pytest.raises(IntegrityError, match="sha256"):
            cut(read_twice, "d2")

    def test_know_the_latest_of_one_moment(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice, "a"))
        cut(read_twice, "d9")
        record(read_twice, answer(read_twice, "b"))
        cut(read_twice, "d10")

        with read_twice.snapshot() as unit:
            assert unit.datasets.latest_name() == "d10"

    def test_name_what_is_unknown(self, store: Store) -> None:
        with store.snapshot() as unit, pytest.raises(UnknownDatasetVersionError, match="d7"):
            unit.datasets.get("d7")

    def test_remember_their_releases(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice, "a"))
        cut(read_twice)
        first = Release("d1-yolo", "d1", "yolo", "/old", "0" * 64, NOW)
        again = replace(first, uri="/new", created_at=LATER)
        other = replace(first, name="d1-coco", format="coco")

        with read_twice.transaction() as unit:
            for release in (first, other, again):
                unit.datasets.add_release(release)
        with read_twice.snapshot() as unit:
            assert unit.datasets.releases() == [other, again]
