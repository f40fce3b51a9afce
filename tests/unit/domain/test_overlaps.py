"""Overlapping marks, by a slow twin."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import areas, pairwise_iou
from backend.domain.overlaps import find_overlaps, pairs_within
from tests.unit.domain.metrics.reading_tables import Readings, readings_of_few_images, table_of


class TestFindOverlaps:
    @given(readings_of_few_images)
    def test_equals_its_slow_twin(self, readings: Readings) -> None:
        table = table_of(readings)
        expected = []
        for left, right in combinations(range(len(table.mark_images)), 2):
            one, other = table.mark_boxes[[left]], table.mark_boxes[[right]]
            iou = float(pairwise_iou(one, other)[0, 0])
            if table.mark_images[left] == table.mark_images[right] and iou > 0:
                small, large = sorted((float(areas(one)[0]), float(areas(other)[0])))
                shared = iou * (small + large) / (1 + iou)
                expected.append((left, right, iou, shared / small))

        found = find_overlaps(table)

        assert list(zip(found.lefts, found.rights, strict=True)) == [row[:2] for row in expected]
        assert found.ious.tolist() == pytest.approx([row[2] for row in expected])
        assert found.containments.tolist() == pytest.approx([row[3] for row in expected])


class TestPairsWithin:
    @given(st.lists(st.integers(0, 3)).map(sorted))
    def test_are_all_pairs_of_equal_rows(self, groups: list[int]) -> None:
        lefts, rights = pairs_within(np.array(groups, dtype=np.int64))

        assert list(zip(lefts, rights, strict=True)) == [
            (left, right)
            for left, right in combinations(range(len(groups)), 2)
            if groups[left] == groups[right]
        ]
