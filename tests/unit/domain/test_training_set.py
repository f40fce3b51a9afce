"""Which images a model learns from, and how often."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.training_set import (
    InvalidSharesError,
    Member,
    NothingToLearnError,
    PatientInTwoSplitsError,
    assign_splits,
    draw_training_list,
    repeat_factors,
)

TRAIN, VALIDATION, TEST = Split.TRAIN, Split.VALIDATION, Split.TEST
finding_sets = st.frozensets(st.sampled_from(list(Finding)), max_size=3)
members = st.lists(
    st.builds(
        Member,
        image_id=st.integers(0, 999).map("i{}".format),
        patient_key=st.integers(0, 40).map("p{}".format),
        findings=finding_sets,
    ),
    max_size=40,
    unique_by=lambda member: member.image_id,
)


def patients(count: int, *findings: Finding, start: int = 0) -> list[Member]:
    return [
        Member(f"i{number}", f"p{number}", frozenset(findings))
        for number in range(start, start + count)
    ]


def with_splits(old: Sequence[Member], splits: dict[str, Split]) -> list[Member]:
    return [dataclasses.replace(one, split=splits[one.image_id]) for one in old]


class TestAssignSplits:
    @given(members, st.integers(0, 3), st.data())
    def test_depends_on_seed_and_patients_but_not_on_order(
        self, found: list[Member], seed: int, data: st.DataObject
    ) -> None:
        splits = assign_splits(found, seed=seed)

        assert assign_splits(data.draw(st.permutations(found)), seed=seed) == splits
        assert set(splits) == {one.image_id for one in found}

    @given(members, members, st.integers(0, 3))
    def test_keeps_patients_together_and_in_their_split_for_ever(
        self, old: list[Member], new: list[Member], seed: int
    ) -> None:
        before = assign_splits(old, seed=0)
        added = [one for one in new if one.image_id not in before]

        after = assign_splits(with_splits(old, before) + added, seed=seed)

        assert after | before == after
        split_of: dict[str, set[Split]] = {}
        for one in old + added:
            split_of.setdefault(one.patient_key, set()).add(after[one.image_id])
        assert all(len(splits) == 1 for splits in split_of.values())

    def test_meets_the_shares_among_patients_with_and_without_findings(self) -> None:
        positives, negatives = patients(20, Finding.ILD), patients(30, start=20)

        splits = assign_splits(positives + negatives, seed=1)

        counts = [Counter(splits[one.image_id] for one in part) for part in (positives, negatives)]
        assert counts == [
            {TRAIN: 14, VALIDATION: 2, TEST: 4},
            {TRAIN: 21, VALIDATION: 3, TEST: 6},
        ]

    def test_gives_the_test_split_a_positive_when_there_are_only_three(self) -> None:
        splits = assign_splits(patients(3, Finding.ILD) + patients(60, start=3), seed=1)

        assert TEST in {splits[f"i{number}"] for number in range(3)}

    def test_spreads_a_rare_finding_over_the_splits(self) -> None:
        rare = patients(5, Finding.PNEUMOTHORAX, Finding.CARDIOMEGALY)
        common = patients(95, Finding.CARDIOMEGALY, start=5)

        for seed in range(20):
            splits = assign_splits(rare + common, seed=seed)
            assert Counter(splits[one.image_id] for one in rare)[TEST] == 1

    def test_makes_up_for_a_split_that_lacks_patients(self) -> None:
        old = with_splits(members_old := patients(8), {one.image_id: TRAIN for one in members_old})

        splits = assign_splits(old + patients(3, start=8), seed=1)

        assert Counter(splits[f"i{number}"] for number in (8, 9, 10)) == {TEST: 2, VALIDATION: 1}

    def test_another_seed_gives_another_split(self) -> None:
        found = patients(50)

        assert assign_splits(found, seed=1) != assign_splits(found, seed=2)

    def test_refuses_a_patient_who_is_in_two_splits(self) -> None:
        torn = [Member("i1", "p", frozenset(), TRAIN), Member("i2", "p", frozenset(), TEST)]

        with pytest.raises(PatientInTwoSplitsError, match="patient p are in train and in test"):
            assign_splits(torn, seed=1)

    @pytest.mark.parametrize("shares", [(0.7, 0.1, 0.1), (1.2, -0.4, 0.2)])
    def test_refuses_shares_that_are_none(self, shares: tuple[float, float, float]) -> None:
        with pytest.raises(InvalidSharesError, match="add up to 1"):
            assign_splits([], seed=1, shares=shares)


class TestRepeatFactors:
    def test_follows_the_rarest_finding_of_an_image(self) -> None:
        images = [{Finding.ILD}] * 1 + [{Finding.CARDIOMEGALY}] * 98
        images.append({Finding.ILD, Finding.CARDIOMEGALY})

        factors = repeat_factors(images, threshold=0.08)

        assert factors.tolist() == pytest.approx([2.0] + [1.0] * 98 + [2.0])

    def test_of_no_images_is_empty(self) -> None:
        assert repeat_factors([]).shape == (0,)


class TestDrawTrainingList:
    @given(
        st.dictionaries(st.integers(0, 99).map("i{}".format), finding_sets, max_size=40),
        st.integers(0, 9),
    )
    def test_keeps_its_promises_on_any_training_split(
        self, images: dict[str, frozenset[Finding]], seed: int
    ) -> None:
        positives = {image for image, findings in images.items() if findings}
        if not positives:
            with pytest.raises(NothingToLearnError, match="shows a finding"):
                draw_training_list(images, rng=np.random.default_rng(seed))
            return

        drawn = draw_training_list(images, rng=np.random.default_rng(seed))

        reordered = dict(reversed(images.items()))
        assert draw_training_list(reordered, rng=np.random.default_rng(seed)) == drawn
        assert positives <= set(drawn.image_ids) <= set(images)
        assert drawn.positives == len(positives)
        assert drawn.negatives_kept == len(set(drawn.image_ids) - positives)
        assert drawn.negatives_kept <= 1.5 * len(positives)
        assert drawn.positives + drawn.negatives_kept + drawn.negatives_left_out == len(images)
        assert drawn.repeats == len(drawn.image_ids) - len(set(drawn.image_ids))

    def test_repeats_rare_findings_by_their_factor_on_average(self) -> None:
        images = {"rare": {Finding.PNEUMOTHORAX}} | {f"n{one}": set() for one in range(79)}
        images |= {f"c{one}": {Finding.CARDIOMEGALY} for one in range(20)}

        showings = [
            draw_training_list(images, rng=np.random.default_rng(seed)).image_ids.count("rare")
            for seed in range(400)
        ]

        assert set(showings) == {2, 3}
        assert np.mean(showings) == pytest.approx(5**0.5, abs=0.1)

    def test_draws_other_negatives_with_another_seed(self) -> None:
        images: dict[str, set[Finding]] = {"p": {Finding.ILD}}
        images |= {f"n{number}": set() for number in range(1000)}

        first, second = (
            set(draw_training_list(images, rng=np.random.default_rng(seed)).image_ids) - {"p"}
            for seed in (1, 2)
        )

        assert first != second
        assert len(first) == len(second) == 1
