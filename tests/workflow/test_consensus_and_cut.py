"""From readings to a consensus, and from the consensus to a dataset version."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from backend.domain.dataset import DatasetVersion, content_sha256
from backend.domain.findings import Finding
from backend.domain.frozen_test import LearnedFromTestError
from backend.domain.images import Split
from backend.domain.worklists import EntryState
from backend.store.readings import Receipt
from backend.store.tables import ImageRow
from backend.store.unit_of_work import Store
from backend.workflow.cut_training_set import NothingToCutError, cut_training_set
from backend.workflow.reach_consensus import reach_consensus
from tests.store.samples import (
    HERE,
    LATER,
    NOW,
    THERE,
    entry,
    image,
    keep,
    mark,
    reading,
    register,
)

IMAGES = [image(f"n{number:02d}", patient=f"p{number // 2}") for number in range(40)]


def agree(store: Store, *image_ids: str) -> int:
    with store.transaction() as unit:
        return len(reach_consensus(unit, image_ids, now=NOW))


def cut(store: Store, *, seed: int = 3) -> DatasetVersion:
    with store.transaction() as unit:
        return cut_training_set(unit, seed=seed, now=NOW)


def look(store: Store, looks: dict[str, str]) -> None:
    with store.transaction() as unit:
        unit.images.set_looks(looks)


@pytest.fixture
def read(store: Store) -> Store:
    """Keep forty images of twenty patients, all read by two readers, half with a finding."""
    register(store, *IMAGES)
    keep(
        store,
        *(
            reading(one.id, reader_id, *([mark(HERE)] if number % 4 < 2 else []))
            for number, one in enumerate(IMAGES)
            for reader_id in ("R1", "R2")
        ),
    )
    agree(store, *(one.id for one in IMAGES))
    return store


class TestReachConsensus:
    def test_answers_every_image_that_was_read(self, store: Store) -> None:
        register(store, image("a"), image("b"))
        keep(store, reading("a", "R1", mark(HERE)), reading("a", "R2", mark(HERE)))

        assert agree(store, "a", "b", "unknown") == 1
        with store.snapshot() as unit:
            [(_, answer)] = unit.consensus.current().values()
        assert [cluster.state for cluster in answer.clusters] == ["unanimous"]

    def test_keeps_the_same_answer_once(self, read: Store) -> None:
        with read.snapshot() as unit:
            before = unit.consensus.current()
        agree(read, *(one.id for one in IMAGES))

        with read.snapshot() as unit:
            assert unit.consensus.current() == before

    def test_retires_an_answer_whose_readings_are_withdrawn(self, read: Store) -> None:
        with read.transaction() as unit:
            for reader_id in ("R1", "R2"):
                withdrawn = Receipt(LATER, state="withdrawn", reason="deleted")
                unit.readings.revise(reading("n00", reader_id, mark(HERE)), withdrawn)

        assert agree(read, "n00") == 0
        with read.snapshot() as unit:
            assert "n00" not in unit.consensus.current()

    def test_hears_a_reader_once_in_his_last_round(self, read: Store) -> None:
        keep(read, replace(reading("n00", "R1", mark(THERE)), round=2))

        assert agree(read, "n00") == 1
        with read.snapshot() as unit:
            [(_, answer)] = unit.consensus.current(["n00"]).values()
        assert sorted(cluster.box for cluster in answer.clusters) == [HERE, THERE]


class TestCutTrainingSet:
    def test_needs_a_consensus(self, store: Store) -> None:
        with pytest.raises(NothingToCutError, match="overread consensus"):
            cut(store)

    def test_keeps_patients_apart(self, read: Store) -> None:
        version = cut(read)

        splits: dict[str, set[Split]] = {}
        for member in version.images:
            splits.setdefault(member.image.patient_key, set()).add(member.split)
        assert all(len(own) == 1 for own in splits.values())
        assert {split for own in splits.values() for split in own} == set(Split)
        assert version.name == "d1"
        assert version.sha256 == content_sha256(version.images)

    def test_gives_the_same_content_the_same_version(self, read: Store) -> None:
        assert cut(read) == cut(read, seed=99)
        with read.snapshot() as unit:
            assert unit.datasets.next_name() == "d2"

    def test_never_moves_an_image_to_another_split(self, read: Store) -> None:
        before = {member.image.id: member.split for member in cut(read).images}
        register(read, image("new"), image("sibling", patient="p0"))
        keep(read, reading("new", "R1", mark(HERE)), reading("sibling", "R1"))
        agree(read, "new", "sibling")

        version = cut(read, seed=99)

        after = {member.image.id: member.split for member in version.images}
        assert version.name == "d2"
        assert {key: after[key] for key in before} == before
        assert after["sibling"] == before["n00"]

    def test_remembers_the_patient_of_an_image_that_lost_its_consensus(self, read: Store) -> None:
        first = {member.image.patient_key: member.split for member in cut(read).images}
        with read.transaction() as unit:
            unit.consensus.retire([one.id for one in IMAGES])
        siblings = [image(f"s{number:02d}", patient=f"p{number}") for number in range(20)]
        register(read, *siblings)
        keep(read, *(reading(one.id, "R1") for one in siblings))
        agree(read, *(one.id for one in siblings))

        second = {member.image.patient_key: member.split for member in cut(read).images}

        assert second == first

    def test_comes_back_as_cut_after_a_reading_that_is_not_in_it(self, read: Store) -> None:
        keep(read, reading("n00", "R3", mark(THERE)))  # no consensus of it yet

        version = cut(read)

        with read.snapshot() as unit:
            found = unit.datasets.get(version.name)
        assert found == version
        assert content_sha256(found.images) == version.sha256

    def test_puts_an_image_that_looks_like_a_test_image_beside_it(self, read: Store) -> None:
        version = cut(read)
        of_test = version.in_split(Split.TEST)[0].image.id
        look(read, {of_test: "ab" * 32})
        register(read, replace(image("again"), look_hash="ab" * 31 + "aa"))
        keep(read, reading("again", "R1", mark(HERE)))
        agree(read, "again")

        after = cut(read)

        assert {one.image.id: one.split for one in after.images}["again"] is Split.TEST
        assert after.left_out == ()

    @pytest.mark.parametrize(
        ("comes_first", "leaves"),
        [(None, "taught"), (Split.TEST, "taught"), (Split.TRAIN, "tested")],
        ids=["both new", "tested on before", "learned from before"],
    )
    def test_leaves_out_what_looks_like_an_image_of_another_split(
        self, read: Store, comes_first: Split | None, leaves: str
    ) -> None:
        version = cut(read)
        names = {Split.TEST: "tested", Split.TRAIN: "taught"}
        for split in sorted(names, key=lambda each: each is not comes_first):
            patient = version.in_split(split)[0].image.patient_key
            new = image(names[split], patient=patient)
            register(read, replace(new, look_hash="ab" * 32))
            keep(read, reading(new.id, "R1", mark(HERE)))
            agree(read, new.id)
            if split is comes_first:
                cut(read)

        after = cut(read)

        assert {*names.values()} - {one.image.id for one in after.images} == {leaves}
        if comes_first is None:  # otherwise it is the version before
            assert [one.what for one in after.left_out] == [leaves]
        with read.snapshot() as unit:
            assert unit.datasets.get(after.name) == after

    def test_refuses_a_test_image_that_was_learned_from_once(self, read: Store) -> None:
        learned = cut(read).in_split(Split.TRAIN)[0].image
        with read.transaction() as unit:
            unit.images._session.execute(
                update(ImageRow)
                .where(ImageRow.patient_key == learned.patient_key)
                .values(split=Split.TEST)
            )

        with pytest.raises(LearnedFromTestError, match="restore the splits"):
            cut(read)

    def test_keeps_weights_and_repeat_factors_with_the_version(self, read: Store) -> None:
        rare = [image(f"rare{number}") for number in range(2)]
        register(read, *rare)
        keep(read, *(reading(one.id, "R1", mark(HERE, Finding.PNEUMOTHORAX)) for one in rare))
        agree(read, *(one.id for one in rare))

        version = cut(read)

        test, train = version.in_split(Split.TEST), version.in_split(Split.TRAIN)
        assert sum(one.weight for one in test) == pytest.approx(len(test))
        assert {one.weight for one in train} == {1.0}
        factors = {one.image.id: one.repeat_factor for one in train}
        [shown] = factors.keys() & {"rare0", "rare1"}
        assert factors[shown] == pytest.approx((0.05 * len(train)) ** 0.5)
        [tested] = {"rare0", "rare1"} - {shown}
        assert {one.image.id: one.weight for one in test}[tested] < 1.0
        with read.snapshot() as unit:
            assert unit.datasets.get(version.name) == version

    def test_repeats_nothing_when_that_is_switched_off(self, read: Store) -> None:
        with read.transaction() as unit:
            version = cut_training_set(unit, seed=3, now=NOW, repeat_below=0.0)

        assert {one.repeat_factor for one in version.images} == {1.0}

    def test_does_not_change_when_images_are_only_queued(self, read: Store) -> None:
        before = cut(read)
        with read.transaction() as unit:
            unit.worklists.add([entry("n03", "R3")], now=NOW)

        assert cut(read) == before

    def test_does_not_take_what_the_queue_picked_out_for_natural(self, read: Store) -> None:
        register(read, *(image(f"q{number}") for number in range(3)))
        asked = [
            entry("q0", "R3"),
            replace(entry("q1", "R3"), channel="random"),
            entry("q2", "R3"),
            entry("n03", "R3"),  # imported with readings
        ]
        with read.transaction() as unit:
            unit.worklists.add(asked, now=NOW)
            for one in unit.worklists.all():
                if one.image_id != "q2":
                    unit.worklists.set_state(one.key, EntryState.READ, now=NOW)

        with read.snapshot() as unit:
            assert unit.dataset_history.chosen_by_design(["random"]) == {"q0"}
