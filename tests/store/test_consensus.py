"""Consensus answers and dataset versions in the store."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from backend.domain.consensus.clusters import Alternative, Consensus
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.store.consensus import AnswersOfVersion, UnknownMethodVersionError
from backend.store.datasets import Release, UnknownDatasetVersionError
from backend.store.panels import PRIOR_VERSION
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from tests.store.samples import (
    HERE,
    LATER,
    NOW,
    THERE,
    answer,
    image,
    keep,
    mark,
    reading,
    register,
)


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

    def test_keep_places_and_alternatives(self, read_twice: Store) -> None:
        plain = answer(read_twice)
        others = (Alternative(Finding.ILD, 0.25), Alternative(Finding.ATELECTASIS, 0.125))
        first, second = plain.clusters
        full = replace(
            plain,
            clusters=(
                replace(first, place=1, alternatives=others),
                replace(second, place=0, alternatives=others[:1]),
            ),
        )

        [key] = record(read_twice, full)

        with read_twice.snapshot() as unit:
            assert unit.consensus.current() == {"a": (key, full)}
            assert unit.consensus.of_version(PRIOR_VERSION) == {"a": full}

    def test_are_refused_alternatives_that_are_named_twice(self, read_twice: Store) -> None:
        plain = answer(read_twice)
        twice = (Alternative(Finding.ILD, 0.25),) * 2

        with pytest.raises(IntegrityError):
            record(
                read_twice,
                replace(plain, clusters=(replace(plain.clusters[0], alternatives=twice),)),
            )


class TestMethodVersions:
    def test_stand_beside_the_current_answers(self, read_twice: Store) -> None:
        current, other = answer(read_twice), answer(read_twice, method_version="other-1")
        [key] = record(read_twice, current)
        with read_twice.transaction() as unit:
            [beside] = unit.consensus.record([other], now=NOW, make_current=False)
            assert unit.consensus.record([other], now=LATER, make_current=False) == [beside]
            assert unit.consensus.record([current], now=LATER, make_current=False) == [key]

        with read_twice.snapshot() as unit:
            assert unit.consensus.current() == {"a": (key, current)}
            assert unit.consensus.of_version("other-1") == {"a": other}
            assert unit.consensus.cluster_states("other-1") == unit.consensus.cluster_states()

        assert record(read_twice, other) == [beside]
        with read_twice.snapshot() as unit:
            assert unit.consensus.current() == {"a": (beside, other)}

    def test_answer_an_image_by_the_current_answer_or_else_the_newest(
        self, read_twice: Store
    ) -> None:
        older = answer(read_twice)
        record(read_twice, older)
        keep(read_twice, reading("a", "R3"))
        newer = answer(read_twice)
        record(read_twice, newer)

        def of_version() -> dict[str, Consensus]:
            with read_twice.snapshot() as unit:
                return unit.consensus.of_version(PRIOR_VERSION)

        assert of_version() == {"a": newer}
        record(read_twice, older)
        assert of_version() == {"a": older}
        record(read_twice, answer(read_twice, method_version="other-1"))
        assert of_version() == {"a": newer}

    def test_are_listed_with_their_images(self, read_twice: Store) -> None:
        with read_twice.snapshot() as unit:
            assert unit.consensus.versions() == []
        record(read_twice, answer(read_twice, "a"), answer(read_twice, "b"))
        with read_twice.transaction() as unit:
            new = answer(read_twice, "a", method_version="other-1")
            unit.consensus.record([new], now=LATER)
        keep(read_twice, reading("b", "R3"))
        with read_twice.transaction() as unit:
            unit.consensus.record([answer(read_twice, "b")], now=LATER)

        with read_twice.snapshot() as unit:
            assert unit.consensus.versions() == [
                AnswersOfVersion(PRIOR_VERSION, 2, 1, NOW, LATER),
                AnswersOfVersion("other-1", 1, 1, LATER, LATER),
            ]
            assert unit.consensus.current_image_ids() == {"a", "b"}

    def test_name_what_is_unknown(self, read_twice: Store) -> None:
        record(read_twice, answer(read_twice))

        with (
            read_twice.snapshot() as unit,
            pytest.raises(UnknownMethodVersionError, match="'v7'; there are: overread-2-prior"),
        ):
            unit.consensus.of_version("v7")


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
        version = DatasetVersion(name, content_sha256(members), "overread-2-prior", NOW, members)
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
