"""Which images a model learns from, and which it never sees."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.splits import (
    InvalidSharesError,
    Member,
    PatientInTwoSplitsError,
    assign_splits,
    leave_out_duplicates,
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

    @given(members, st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=8))
    def test_keeps_near_duplicates_together_when_all_are_new(
        self, found: list[Member], pairs: list[tuple[int, int]]
    ) -> None:
        alike = [(f"i{left}", f"i{right}") for left, right in pairs]

        splits = assign_splits(found, seed=1, alike=alike)

        assert leave_out_duplicates(splits, alike) == []

    def test_puts_a_near_duplicate_of_a_known_image_into_its_split(self) -> None:
        old = [Member("known", "p1", frozenset(), TEST)]
        new = [Member("again", "p2", frozenset()), Member("sibling", "p2", frozenset())]

        splits = assign_splits(old + new, seed=1, alike=[("again", "known")])

        assert splits == {"known": TEST, "again": TEST, "sibling": TEST}

    def test_enriches_the_test_split_in_rare_findings_until_there_are_enough(self) -> None:
        rare = patients(120, Finding.PNEUMOTHORAX)
        others = patients(2880, start=120)

        splits = assign_splits(rare + others, seed=1)

        counts = Counter(splits[one.image_id] for one in rare)
        assert counts[TEST] == 40  # 24 without enrichment
        assert counts == {TRAIN: 70, VALIDATION: 10, TEST: 40}
        assert Counter(splits[one.image_id] for one in others)[TEST] == 576


class TestLeaveOutDuplicates:
    @pytest.mark.parametrize(
        ("left", "right", "leaves"),
        [
            (TRAIN, TEST, ["a"]),
            (TEST, TRAIN, ["b"]),
            (VALIDATION, TEST, ["a"]),
            (TRAIN, VALIDATION, ["a"]),
            (TRAIN, TRAIN, []),
            (TEST, TEST, []),
        ],
    )
    def test_keeps_the_test_split_whole(
        self, left: Split, right: Split, leaves: list[str]
    ) -> None:
        left_out = leave_out_duplicates({"a": left, "b": right}, [("a", "b"), ("a", "unknown")])

        assert [one.what for one in left_out] == leaves

    def test_says_why(self) -> None:
        [one] = leave_out_duplicates({"a": TRAIN, "b": TEST}, [("a", "b")])

        assert one.why.startswith("it is in train and looks like b, which is in test")

    def test_leaves_out_a_test_image_that_models_learned_from_already(self) -> None:
        splits = {"a": TRAIN, "b": TEST, "c": TRAIN}

        left_out = leave_out_duplicates(splits, [("a", "b"), ("b", "c")], learned={"a"})

        [one] = left_out
        assert one.what == "b"
        assert "looks like a, which models have learned from" in one.why
