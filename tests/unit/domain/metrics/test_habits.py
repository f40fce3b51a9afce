"""How often readers draw, compared with the others on the same images."""

import numpy as np
import pytest

from backend.domain.findings import Finding
from backend.domain.metrics.habits import compare_habits
from backend.domain.reading_table import ReadingTable


def crowd(rates: list[float], *, images: int = 400, seed: int = 1) -> ReadingTable:
    """Let readers draw one finding at these rates, on images that show more or less of it."""
    rng = np.random.default_rng(seed)
    richness = rng.gamma(2.0, 0.5, images)
    readings = [
        (f"i{image:03}", f"R{reader}")
        for image in range(images)
        for reader in rng.permutation(len(rates))[:3]
    ]
    marks, boxes = [], []
    for name, reader in readings:
        for number in range(rng.poisson(rates[int(reader[1:])] * richness[int(name[1:])])):
            marks.append((name, reader, int(Finding.PLEURAL_THICKENING)))
            boxes.append([10 * number, 0, 10 * number + 5, 5])
    return ReadingTable.of_rows(readings, marks, np.array(boxes, dtype=np.float64).reshape(-1, 4))


class TestCompareHabits:
    def test_says_who_draws_more_often_than_the_median_of_the_others(self) -> None:
        habits = compare_habits(crowd([2.3, 1.0, 1.0, 1.0, 1.0]))

        (own,) = habits["R0"]
        (other,) = habits["R1"]
        assert own.finding is Finding.PLEURAL_THICKENING
        assert own.ratio == pytest.approx(2.3, rel=0.2)
        assert own.is_unusual
        assert other.ratio == pytest.approx(1.0, rel=0.25)

    def test_does_not_call_a_usual_reader_unusual(self) -> None:
        unusual = [
            habit.is_unusual
            for seed in range(12)
            for habits in compare_habits(crowd([1.0] * 5, seed=seed, images=200)).values()
            for habit in habits
        ]

        assert np.mean(unusual) <= 0.1

    def test_tells_nothing_when_a_median_would_give_somebody_away(self) -> None:
        assert compare_habits(crowd([2.0, 1.0, 1.0])) == {"R0": (), "R1": (), "R2": ()}

    def test_tells_nothing_of_a_finding_that_is_hardly_seen(self) -> None:
        assert set(compare_habits(crowd([0.01] * 5)).values()) == {()}

    def test_of_images_read_once_is_nothing(self) -> None:
        table = ReadingTable.of_rows([("a", "R1"), ("b", "R2")], [], np.zeros((0, 4)))

        assert compare_habits(table) == {"R1": (), "R2": ()}
