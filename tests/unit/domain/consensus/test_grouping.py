"""Which marks mean one lesion, by hand and by a slow twin."""

from itertools import combinations

import pytest
from hypothesis import given

from backend.domain.boxes import Box
from backend.domain.consensus.grouping import Groups, group
from backend.domain.findings import Finding
from backend.domain.overlaps import find_overlaps
from backend.domain.reading_table import ReadingTable
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Readings,
    readings_of_images,
    square,
    table_of,
)


def groups_of(readings: Readings) -> tuple[ReadingTable, Groups]:
    table = table_of(readings)
    return table, group(table, find_overlaps(table))


def together(readings: Readings) -> list[list[str]]:
    """Return the readers of every cluster."""
    table, groups = groups_of(readings)
    found: list[list[str]] = [[] for _ in groups.first_marks]
    for mark, cluster in enumerate(groups.cluster_of_mark):
        found[cluster].append(table.reader_ids[table.mark_readers[mark]])
    return sorted(found)


def plain_iou(left: list[float], right: list[float]) -> float:
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    shared = max(width, 0.0) * max(height, 0.0)
    one, other = ((box[2] - box[0]) * (box[3] - box[1]) for box in (left, right))
    return shared / (one + other - shared)


def plain_places(table: ReadingTable) -> list[set[int]]:
    """Return the marks of every place, joined pair by pair."""
    boxes = table.mark_boxes.tolist()
    who = list(zip(table.mark_readers.tolist(), table.mark_findings.tolist(), strict=True))
    pairs = []
    for left, right in combinations(range(len(boxes)), 2):
        same = who[left][1] == who[right][1]
        # What differs by rounding only is equal.
        iou = round(plain_iou(boxes[left], boxes[right]), 9)
        if (
            table.mark_images[left] == table.mark_images[right]
            and iou > (0.3 if same else 0.55)
            and not (same and who[left][0] == who[right][0])
        ):
            pairs.append((-iou, left, right))
    places = [{mark} for mark in range(len(boxes))]
    for _, left, right in sorted(pairs):
        first, second = (
            next(place for place in places if mark in place) for mark in (left, right)
        )
        names = [who[mark] for mark in first | second]
        if first is not second and len(set(names)) == len(names):
            places.remove(second)
            first |= second
    return places


class TestGroup:
    @given(readings_of_images())
    def test_equals_its_slow_twin(self, readings: Readings) -> None:
        table, groups = groups_of(readings)
        expected = {frozenset(place) for place in plain_places(table)}

        places: dict[int, set[int]] = {}
        clusters: dict[int, set[int]] = {}
        for mark, cluster in enumerate(groups.cluster_of_mark.tolist()):
            places.setdefault(int(groups.places[cluster]), set()).add(mark)
            clusters.setdefault(cluster, set()).add(mark)
        assert {frozenset(place) for place in places.values()} == expected
        assert {frozenset(cluster) for cluster in clusters.values()} == {
            frozenset(mark for mark in place if table.mark_findings[mark] == finding)
            for place in expected
            for finding in {int(table.mark_findings[mark]) for mark in place}
        }

    @given(readings_of_images())
    def test_keeps_its_promises(self, readings: Readings) -> None:
        table, groups = groups_of(readings)
        number = len(groups.first_marks)

        assert len(groups.cluster_of_mark) == len(table.mark_images)
        assert sorted(set(groups.cluster_of_mark.tolist())) == list(range(number))
        readers = list(zip(groups.cluster_of_mark, table.mark_readers, strict=True))
        assert len(set(readers)) == len(readers)
        firsts = [groups.cluster_of_mark.tolist().index(cluster) for cluster in range(number)]
        assert groups.first_marks.tolist() == firsts == sorted(firsts)
        findings = table.mark_findings[groups.first_marks]
        assert findings[groups.cluster_of_mark].tolist() == table.mark_findings.tolist()
        at_place = list(zip(groups.places, findings, strict=True))
        assert len(set(at_place)) == len(at_place)
        assert sorted(set(groups.places.tolist())) == list(
            range(max(groups.places, default=-1) + 1)
        )

    def test_joins_what_overlaps_enough(self) -> None:
        # 100 x 100 shifted by 50: IoU 1/3; by 60: IoU 1/4.
        near = {("a", "R1"): [(EFFUSION, square(0.0))], ("a", "R2"): [(EFFUSION, square(50.0))]}
        far = {("a", "R1"): [(EFFUSION, square(0.0))], ("a", "R2"): [(EFFUSION, square(60.0))]}

        assert together(near) == [["R1", "R2"]]
        assert together(far) == [["R1"], ["R2"]]

    @pytest.mark.parametrize("factor", [1.0, 1.0340987518442653, 2.54])
    def test_does_not_join_at_exactly_the_threshold(self, factor: float) -> None:
        # 80 x 80 and 40 x 100 that share 40 x 60: IoU 2400 / 8000 = 0.3.
        box, part = (
            Box(*(edge * factor for edge in edges))
            for edges in ((60.0, 0.0, 140.0, 80.0), (60.0, 20.0, 100.0, 120.0))
        )

        marks = {("a", "R1"): [(EFFUSION, box)], ("a", "R2"): [(EFFUSION, part)]}
        assert together(marks) == [["R1"], ["R2"]]

    def test_takes_the_best_of_two(self) -> None:
        marks = {
            ("a", "R1"): [(EFFUSION, square(0.0)), (EFFUSION, square(60.0))],
            ("a", "R2"): [(EFFUSION, square(20.0))],
        }

        table, groups = groups_of(marks)

        partner = groups.cluster_of_mark[table.mark_boxes[:, 0].tolist().index(20.0)]
        assert groups.cluster_of_mark[table.mark_boxes[:, 0].tolist().index(0.0)] == partner
        assert len(groups.first_marks) == 2

    def test_gives_a_reader_one_vote_for_nested_marks(self) -> None:
        nested = [(EFFUSION, square(0.0)), (EFFUSION, square(0.0, side=90.0))]
        marks = {("a", "R1"): nested, ("a", "R2"): [(EFFUSION, square(0.0))]}

        assert together(marks) == [["R1"], ["R1", "R2"]]

    def test_takes_two_findings_for_two_clusters_of_one_place(self) -> None:
        _, groups = groups_of(
            {
                ("a", "R1"): [(EFFUSION, square(0.0))],
                ("a", "R2"): [(THICKENING, square(10.0))],
                ("a", "R3"): [(THICKENING, square(300.0))],
            }
        )

        assert groups.cluster_of_mark.tolist() == [0, 1, 2]
        assert groups.places.tolist() == [0, 0, 1]

    def test_takes_findings_that_only_touch_for_two_places(self) -> None:
        # Shifted by 40: IoU 60/140 = 0.43.
        _, groups = groups_of(
            {("a", "R1"): [(EFFUSION, square(0.0))], ("a", "R2"): [(THICKENING, square(40.0))]}
        )

        assert groups.places.tolist() == [0, 1]

    def test_keeps_images_apart(self) -> None:
        marks = {("a", "R1"): [(EFFUSION, square(0.0))], ("b", "R2"): [(EFFUSION, square(0.0))]}

        assert together(marks) == [["R1"], ["R2"]]

    @pytest.mark.parametrize("names", [("R1", "R2", "R3"), ("R3", "R2", "R1")])
    def test_does_not_ask_who_drew_which_of_equal_overlaps(
        self, names: tuple[str, str, str]
    ) -> None:
        # The middle one overlaps both others by 1/3; these do not meet.
        left, middle, right = names
        table, groups = groups_of(
            {
                ("a", left): [(EFFUSION, square(0.0)), (EFFUSION, square(100.0))],
                ("a", middle): [(EFFUSION, square(50.0))],
                ("a", right): [],
            }
        )

        assert table.mark_boxes[:, 0].tolist() == [0.0, 50.0, 100.0]
        assert groups.cluster_of_mark.tolist() == [0, 0, 1]

    @pytest.mark.parametrize("factor", [1.0, 1.3, 2.54, 1024 / 2539])
    def test_takes_equal_overlaps_for_equal_on_an_image_of_any_size(self, factor: float) -> None:
        def box(x: float) -> Box:
            return Box(*(edge * factor for edge in square(x)))

        table, groups = groups_of(
            {
                ("a", "R1"): [(EFFUSION, box(425.0)), (EFFUSION, box(503.0))],
                ("a", "R2"): [(EFFUSION, box(464.0))],
            }
        )

        assert table.mark_readers.tolist() == [0, 1, 0]
        assert groups.cluster_of_mark.tolist() == [0, 0, 1]

    def test_of_nothing_is_nothing(self) -> None:
        _, groups = groups_of({("a", "R1"): []})

        assert groups.cluster_of_mark.tolist() == groups.places.tolist() == []

    def test_names_all_fourteen_findings_at_one_place(self) -> None:
        _, groups = groups_of({("a", "R1"): [(finding, square(0.0)) for finding in Finding]})

        assert groups.places.tolist() == [0] * 14
        assert groups.cluster_of_mark.tolist() == list(range(14))
