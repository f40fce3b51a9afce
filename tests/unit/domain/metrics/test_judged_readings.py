"""Holding readings against what is really there."""

import numpy as np

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.judged_readings import judge, truth_table
from backend.domain.reading_table import ReadingTable

HERE, NEAR, FAR = Box(0, 0, 100, 100), Box(0, 0, 100, 80), Box(500, 500, 600, 600)


def table(*rows: tuple[str, str, Finding | None, Box]) -> ReadingTable:
    marks = [row for row in rows if row[2] is not None]
    return ReadingTable.of_rows(
        [row[:2] for row in rows],
        [(row[0], row[1], int(row[2] or 0)) for row in marks],
        np.array([row[3] for row in marks], dtype=np.float64).reshape(-1, 4),
    )


class TestJudge:
    def test_counts_hits_misses_and_false_marks(self) -> None:
        truth = truth_table({"a": [(Finding.ILD, HERE), (Finding.ILD, FAR)], "b": []})
        judged = judge(
            table(
                ("a", "R1", Finding.ILD, NEAR),
                ("a", "R2", Finding.CARDIOMEGALY, HERE),
                ("b", "R1", Finding.ILD, HERE),
                ("c", "R1", Finding.ILD, HERE),
            ),
            truth,
        )

        assert judged.keys == [("a", "R1"), ("a", "R2"), ("b", "R1")]
        assert judged.is_abnormal.tolist() == [True, False]
        by_reader = list(zip(judged.chance_readers.tolist(), judged.is_hit.tolist(), strict=True))
        assert by_reader == [(0, True), (0, False), (1, False), (1, False)]
        assert judged.chance_ious[0] == 0.8
        assert judged.false_readings.tolist() == [1, 2]
        assert judged.false_findings.tolist() == [Finding.CARDIOMEGALY, Finding.ILD]

    def test_lets_a_box_find_one_lesion_only_the_closest(self) -> None:
        truth = truth_table({"a": [(Finding.ILD, HERE), (Finding.ILD, NEAR)]})

        judged = judge(table(("a", "R1", Finding.ILD, NEAR)), truth)

        assert np.nan_to_num(judged.chance_ious).tolist() == [1.0, 0.0]
        assert judged.lesion_boxes[0].tolist() == list(NEAR)

    def test_counts_the_second_box_on_a_lesion_as_false(self) -> None:
        truth = truth_table({"a": [(Finding.ILD, HERE)]})

        judged = judge(
            table(("a", "R1", Finding.ILD, NEAR), ("a", "R1", Finding.ILD, HERE)), truth
        )

        assert judged.is_hit.tolist() == [True]
        assert len(judged.false_readings) == 1

    def test_needs_an_overlap_above_the_threshold(self) -> None:
        truth = truth_table({"a": [(Finding.ILD, HERE)]})
        half = table(("a", "R1", Finding.ILD, Box(0, 0, 100, 40)))

        assert judge(half, truth).is_hit.tolist() == [False]
        assert judge(half, truth, iou_threshold=0.39).is_hit.tolist() == [True]

    def test_keeps_readers_who_read_nothing_of_it(self) -> None:
        judged = judge(table(("c", "R1", None, HERE)), truth_table({"a": []}))

        assert judged.reader_ids == ("R1",)
        assert len(judged.readers) == 0
