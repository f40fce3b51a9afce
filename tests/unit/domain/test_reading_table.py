"""Readings as columns: the same whatever order they came in."""

from datetime import UTC, datetime
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box, MalformedBoxError, stack
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import ReadBox, Reading
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Readings,
    readings_of_images,
    square,
    table_of,
)


def assert_same(one: ReadingTable, other: ReadingTable) -> None:
    """Assert that two tables hold the same, to the last bit."""
    for name in ReadingTable.__slots__:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def shuffled(readings: Readings, random: Random) -> Readings:
    """Return the same readings and marks in another order."""
    pairs = random.sample(list(readings), len(readings))
    return {pair: random.sample(list(readings[pair]), len(readings[pair])) for pair in pairs}


class TestOfRows:
    @given(readings_of_images(), st.randoms(use_true_random=False))
    def test_knows_no_order_of_rows(self, readings: Readings, random: Random) -> None:
        assert_same(table_of(readings), table_of(shuffled(readings, random)))

    @given(readings_of_images())
    def test_drops_exact_repeats(self, readings: Readings) -> None:
        twice = {pair: [*marks, *marks] for pair, marks in readings.items()}

        assert_same(table_of(readings), table_of(twice))

    @given(readings_of_images())
    def test_loses_no_reading_and_no_mark(self, readings: Readings) -> None:
        table = table_of(readings)

        read = zip(table.reading_images, table.reading_readers, strict=True)
        assert {(table.image_ids[i], table.reader_ids[r]) for i, r in read} == set(readings)
        columns = (table.mark_images, table.mark_readers, table.mark_findings, table.mark_boxes)
        marks = [
            (table.image_ids[image], table.reader_ids[reader], finding, tuple(box.tolist()))
            for image, reader, finding, box in zip(*columns, strict=True)
        ]
        assert len(marks) == len(set(marks))
        assert set(marks) == {
            (*pair, int(finding), tuple(box))
            for pair, own in readings.items()
            for finding, box in own
        }

    def test_sorts_by_image_finding_box_then_reader(self) -> None:
        table = table_of(
            {
                ("b", "Z"): [(EFFUSION, square(0.0))],
                ("a", "Z"): [(THICKENING, square(0.0)), (EFFUSION, square(5.0))],
                ("a", "Y"): [(EFFUSION, square(5.0)), (EFFUSION, square(0.0))],
            }
        )

        assert table.reader_ids == ("Y", "Z")
        assert table.mark_images.tolist() == [0, 0, 0, 0, 1]
        assert table.mark_findings.tolist() == [EFFUSION] * 3 + [THICKENING, EFFUSION]
        assert table.mark_boxes[:, 0].tolist() == [0.0, 5.0, 5.0, 0.0, 0.0]
        assert table.mark_readers.tolist() == [0, 0, 1, 1, 1]

    def test_makes_a_reading_of_a_mark(self) -> None:
        table = ReadingTable.of_rows([], [("a", "R1", 3)], stack([square(0.0)]))

        assert table.reading_images.tolist() == [0]
        assert table.reading_readers.tolist() == [0]

    def test_keeps_the_lowest_key_of_repeats(self) -> None:
        mark = ("a", "R1", 3)

        table = ReadingTable.of_rows([], [mark, mark], stack([square(0.0)] * 2), [9, 4])

        assert table.mark_keys.tolist() == [4]

    def test_of_nothing_is_empty(self) -> None:
        table = table_of({})

        assert table.image_ids == ()
        assert table.mark_boxes.shape == (0, 4)
        assert table.reading_images.shape == (0,)

    def test_readings_without_marks_are_readings(self) -> None:
        table = table_of({("a", "R1"): [], ("a", "R2"): []})

        assert table.reading_readers.tolist() == [0, 1]
        assert table.mark_images.shape == (0,)

    @pytest.mark.parametrize(
        "box",
        [
            Box(0.0, 0.0, 0.0, 10.0),
            Box(10.0, 0.0, 5.0, 10.0),
            Box(0.0, 10.0, 10.0, 10.0),
            Box(0.0, 0.0, float("nan"), 10.0),
            Box(0.0, 0.0, float("inf"), 10.0),
        ],
    )
    def test_refuses_what_is_no_box(self, box: Box) -> None:
        with pytest.raises(MalformedBoxError):
            table_of({("a", "R1"): [(EFFUSION, square(0.0)), (THICKENING, box)]})

    def test_refuses_rows_of_other_than_four_numbers(self) -> None:
        with pytest.raises(MalformedBoxError, match=r"shape"):
            ReadingTable.of_rows([], [("a", "R1", 3)], np.zeros((1, 5)))


class TestOf:
    def test_takes_what_stands_and_leaves_what_was_deleted(self) -> None:
        kept = ReadBox(EFFUSION, square(0.0), id=7)
        drawn = ReadBox(THICKENING, square(300.0))
        deleted = ReadBox(EFFUSION, square(600.0), id=8)
        now = datetime(2026, 1, 2, tzinfo=UTC)

        table = ReadingTable.of(
            [
                Reading("a", "R2", (drawn, kept), now, deleted=(deleted,)),
                Reading("a", "R1", (), now),
            ]
        )

        assert table.reader_ids == ("R1", "R2")
        assert table.reading_readers.tolist() == [0, 1]
        assert table.mark_readers.tolist() == [1, 1]
        assert table.mark_findings.tolist() == [EFFUSION, THICKENING]
        assert table.mark_keys.tolist() == [7, -1]

    def test_takes_two_rounds_of_a_reader_for_one_reading(self) -> None:
        now = datetime(2026, 1, 2, tzinfo=UTC)
        first = Reading("a", "R1", (ReadBox(EFFUSION, square(0.0), id=2),), now)
        again = Reading("a", "R1", (ReadBox(EFFUSION, square(0.0), id=1),), now, round=2)

        table = ReadingTable.of([first, again])

        assert table.reading_images.tolist() == [0]
        assert table.mark_keys.tolist() == [1]


class TestReadingsOnly:
    @given(readings_of_images(), st.data())
    def test_is_the_table_of_those_readings(self, readings: Readings, data: st.DataObject) -> None:
        table = table_of(readings)
        names = [
            (table.image_ids[image], table.reader_ids[reader])
            for image, reader in zip(table.reading_images, table.reading_readers, strict=True)
        ]
        chosen = data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)))

        some = table.readings_only(np.array(chosen, dtype=np.bool_))

        assert (some.image_ids, some.reader_ids) == (table.image_ids, table.reader_ids)
        left = {
            name: readings[name]
            for name, is_chosen in zip(names, chosen, strict=True)
            if is_chosen
        }
        expected = table_of(left)
        assert len(some.reading_images) == len(left)
        assert [table.image_ids[image] for image in some.mark_images] == [
            expected.image_ids[image] for image in expected.mark_images
        ]
        assert [table.reader_ids[reader] for reader in some.mark_readers] == [
            expected.reader_ids[reader] for reader in expected.mark_readers
        ]
        assert np.array_equal(some.mark_boxes, expected.mark_boxes)
        assert np.array_equal(some.mark_findings, expected.mark_findings)
