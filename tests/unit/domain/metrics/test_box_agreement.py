"""Matched boxes and the matrix of readers, by hand and by a slow twin."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box, pairwise_iou, stack
from backend.domain.findings import Finding
from backend.domain.metrics.box_agreement import matched_marks, reader_matrix
from tests.unit.domain.metrics.reading_tables import (
    EFFUSION,
    READERS,
    THICKENING,
    Readings,
    readings_of_few_images,
    renamed,
    square,
    table_of,
)


def plain_matches(left: list[Box], right: list[Box], threshold: float) -> list[float]:
    """Return the IoU of every match of two readers' boxes of one finding."""
    ranked = [
        (-float(pairwise_iou(stack([one]), stack([other]))[0, 0]), min(one, other), one, other)
        for one in set(left)
        for other in set(right)
    ]
    used_left, used_right, matches = set(), set(), []
    for negative_iou, _, one, other in sorted(ranked):
        if -negative_iou > threshold and one not in used_left and other not in used_right:
            used_left.add(one)
            used_right.add(other)
            matches.append(-negative_iou)
    return matches


def plain_f1(
    readings: Readings, first: str, second: str, findings: list[Finding], threshold: float
) -> float | None:
    """Return pair F1 of two readers, image by image and finding by finding."""
    matches = boxes = 0
    for image in {image for image, _ in readings}:
        if (image, first) in readings and (image, second) in readings:
            for finding in findings:
                left, right = (
                    [box for own, box in readings[image, reader] if own is finding]
                    for reader in (first, second)
                )
                matches += len(plain_matches(left, right, threshold))
                boxes += len(set(left)) + len(set(right))
    return 2 * matches / boxes if boxes else None


class TestMatchedMarks:
    def test_takes_the_best_pair_first_and_each_mark_once(self) -> None:
        table = table_of(
            {
                ("a", "R1"): [(EFFUSION, square(0)), (EFFUSION, square(50))],
                ("a", "R2"): [(EFFUSION, square(40))],
            }
        )
        matched = matched_marks(table)

        assert table.mark_boxes[matched.rights[0], 0] == 50.0
        assert matched.ious.tolist() == pytest.approx([90 / 110])

    def test_matches_a_mark_with_every_other_reader(self) -> None:
        table = table_of({("a", reader): [(EFFUSION, square(0))] for reader in READERS})

        assert len(matched_marks(table).ious) == 6

    def test_does_not_match_a_mark_twice_as_left_and_as_right(self) -> None:
        # Sorted by place, the one mark of R2 lies between the two of R1.
        table = table_of(
            {
                ("a", "R1"): [(EFFUSION, square(0)), (EFFUSION, square(80))],
                ("a", "R2"): [(EFFUSION, square(40))],
            }
        )
        assert len(matched_marks(table).ious) == 1

    def test_does_not_match_two_findings(self) -> None:
        table = table_of(
            {("a", "R1"): [(EFFUSION, square(0))], ("a", "R2"): [(THICKENING, square(0))]}
        )
        assert len(matched_marks(table).ious) == 0

    @given(readings_of_few_images)
    def test_equals_its_slow_twin(self, readings: Readings) -> None:
        expected = [
            iou
            for (image, reader), marks in readings.items()
            for (other_image, other), others in readings.items()
            if image == other_image and reader < other
            for finding in (EFFUSION, THICKENING)
            for iou in plain_matches(
                [box for own, box in marks if own is finding],
                [box for own, box in others if own is finding],
                0.0,
            )
        ]
        found = matched_marks(table_of(readings))

        assert sorted(found.ious.tolist()) == pytest.approx(sorted(expected))


class TestReaderMatrix:
    def test_equals_a_case_computed_by_hand(self) -> None:
        matrix = reader_matrix(
            table_of(
                {
                    ("a", "R1"): [(EFFUSION, square(0)), (THICKENING, square(0))],
                    ("a", "R2"): [(EFFUSION, square(10))],
                    ("b", "R1"): [],
                    ("b", "R2"): [(EFFUSION, square(0))],
                    ("b", "R3"): [],
                    ("c", "R2"): [(EFFUSION, square(0))],  # nobody else read it
                }
            )
        )

        assert matrix.reader_ids == ("R1", "R2", "R3")
        assert matrix.images.tolist() == [[2, 2, 1], [2, 3, 1], [1, 1, 1]]
        # One match; R1 drew two boxes and R2 two where both read. R1 and R3 drew none on b.
        assert matrix.f1[0, 1] == pytest.approx(2 / 4)
        assert matrix.f1[1, 2] == 0.0
        assert np.isnan(matrix.f1[0, 2])
        assert np.isnan(np.diag(matrix.f1)).all()
        assert matrix.f1_by_finding[EFFUSION, 0, 1] == pytest.approx(2 / 3)
        assert matrix.f1_by_finding[THICKENING, 0, 1] == 0.0
        assert np.isnan(matrix.f1_by_finding[Finding.ILD]).all()

    @given(readings_of_few_images, st.sampled_from([0.0, 0.4, 0.5]))
    def test_equals_its_slow_twin(self, readings: Readings, threshold: float) -> None:
        table = table_of(readings)
        matrix = reader_matrix(table, iou_threshold=threshold)

        both = [EFFUSION, THICKENING]
        for (row, first), (column, second) in combinations(enumerate(table.reader_ids), 2):
            for f1, findings in [
                (matrix.f1, both),
                *((matrix.f1_by_finding[one], [one]) for one in both),
            ]:
                expected = plain_f1(readings, first, second, findings, threshold)
                wanted = np.nan if expected is None else expected
                assert f1[row, column] == pytest.approx(wanted, nan_ok=True)
                assert f1[column, row] == pytest.approx(wanted, nan_ok=True)
            common = {
                image
                for image, _ in readings
                if {(image, first), (image, second)} <= set(readings)
            }
            assert matrix.images[row, column] == len(common)

    @given(readings_of_few_images, st.permutations(READERS))
    def test_follows_a_renaming_of_readers(self, readings: Readings, names: list[str]) -> None:
        new_name = dict(zip(READERS, names, strict=True))
        before = reader_matrix(table_of(readings))
        after = reader_matrix(table_of(renamed(readings, new_name)))

        moved = [after.reader_ids.index(new_name[reader]) for reader in before.reader_ids]
        np.testing.assert_array_equal(after.f1[np.ix_(moved, moved)], before.f1)
        np.testing.assert_array_equal(after.images[np.ix_(moved, moved)], before.images)

    def test_counts_an_overlap_of_exactly_the_threshold_as_none(self) -> None:
        table = table_of(
            {
                ("a", "R1"): [(EFFUSION, Box(0, 0, 70, 100))],
                ("a", "R2"): [(EFFUSION, Box(30, 0, 100, 100))],
            }
        )
        assert reader_matrix(table, iou_threshold=0.4).f1[0, 1] == 0.0
        assert reader_matrix(table, iou_threshold=0.39).f1[0, 1] == 1.0

    def test_is_empty_without_readings(self) -> None:
        matrix = reader_matrix(table_of({}))

        assert matrix.f1.shape == matrix.images.shape == (0, 0)
        assert matrix.f1_by_finding.shape == (14, 0, 0)
