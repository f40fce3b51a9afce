"""How well readers read, by what is really there, whatever they were given."""

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.judged_readings import JudgedReadings, judge, truth_table
from backend.domain.metrics.reader_quality import ReaderQuality, estimate_quality
from backend.domain.reading_table import ReadingTable

PLACE = Box(0, 0, 100, 100)
ELSEWHERE = Box(500, 500, 600, 600)


def read(
    chances: NDArray[np.float64],
    *,
    seed: int = 1,
    is_read: NDArray[np.bool_] | None = None,
    false_rate: float | NDArray[np.float64] = 0.2,
) -> JudgedReadings:
    """Let readers read images of one lesion each; a chance below 0 means a normal image.

    `chances` are of shape (readers, images).
    """
    rng = np.random.default_rng(seed)
    readers, images = chances.shape
    read_by = np.ones(chances.shape, dtype=np.bool_) if is_read is None else is_read
    finding = [Finding(number % 3) for number in range(images)]
    truth = truth_table(
        {
            f"i{image:04}": [(finding[image], PLACE)] if chances[0, image] >= 0 else []
            for image in range(images)
        }
    )
    hit = rng.random(chances.shape) < chances
    false = rng.random(chances.shape) < np.broadcast_to(
        np.reshape(false_rate, (-1, 1)), chances.shape
    )
    cells = [(reader, image) for image in range(images) for reader in range(readers)]
    cells = [cell for cell in cells if read_by[cell]]
    marks = [(cell, PLACE) for cell in cells if hit[cell]]
    marks += [(cell, ELSEWHERE) for cell in cells if false[cell]]
    table = ReadingTable.of_rows(
        [(f"i{image:04}", f"R{reader}") for reader, image in cells],
        [(f"i{image:04}", f"R{reader}", int(finding[image])) for (reader, image), _ in marks],
        np.array([box for _, box in marks], dtype=np.float64).reshape(-1, 4),
    )
    return judge(table, truth)


def quality(*arguments: NDArray[np.float64], **named: object) -> ReaderQuality:
    return estimate_quality(read(*arguments, **named))  # type: ignore[arg-type]


class TestSensitivity:
    def test_intervals_cover_the_truth(self) -> None:
        chances = np.array([0.9, 0.7, 0.5, 0.8])
        covered = []
        for seed in range(30):
            found = quality(np.repeat(chances[:, None], 60, axis=1), seed=seed).sensitivity
            covered.append((found.lows[:, -1] <= chances) & (chances <= found.highs[:, -1]))

        assert np.mean(covered) >= 0.9

    def test_of_few_lesions_is_wide_and_not_estimable(self) -> None:
        is_read = np.ones((3, 90), dtype=np.bool_)
        is_read[0, 4:] = False
        found = quality(np.full((3, 90), 0.7), is_read=is_read)

        widths = (found.sensitivity.highs - found.sensitivity.lows)[:, -1]
        assert widths[0] > 2 * widths[1]
        assert found.is_estimable[:, -1].tolist() == [False, True, True]
        assert found.is_rate_estimable.tolist() == [False, True, True]

    def test_of_normal_images_only_is_not_perfect_but_unknown(self) -> None:
        chances = np.full((3, 200), 0.6)
        chances[:, 100:] = -1.0
        is_read = np.ones(chances.shape, dtype=np.bool_)
        is_read[0, :100] = False
        found = quality(chances, is_read=is_read, false_rate=np.array([0.0, 0.1, 0.1]))

        assert found.sensitivity.estimates[0, -1] < 0.75
        assert (found.sensitivity.highs - found.sensitivity.lows)[0, -1] > 0.6
        assert not found.is_estimable[0].any()

    def test_forgives_hard_lesions_and_discounts_easy_ones(self) -> None:
        hard, easy = np.full(150, 0.35), np.full(150, 0.85)
        chances = np.tile(np.concatenate([hard, easy]), (6, 1))
        is_read = np.ones(chances.shape, dtype=np.bool_)
        is_read[0, 150:] = False  # two equally good readers, given one half each
        is_read[1, :150] = False
        found = quality(chances, is_read=is_read).sensitivity

        shares = found.found[:2, -1] / found.lesions[:2, -1]
        naive, corrected = np.diff(shares), np.diff(found.estimates[:2, -1])
        assert naive > 0.4
        assert corrected < 0.65 * naive

    def test_of_all_findings_is_that_of_the_common_mix(self) -> None:
        by_finding = np.array([0.95, 0.6, 0.2])[np.arange(300) % 3]
        chances = np.tile(by_finding, (4, 1))
        is_read = np.ones(chances.shape, dtype=np.bool_)
        is_read[0, np.arange(300) % 3 > 0] = False  # the first reads the easy finding only
        found = quality(chances, is_read=is_read).sensitivity

        assert found.found[0, -1] / found.lesions[0, -1] > 0.9
        assert found.estimates[0, -1] < 0.8
        assert found.estimates[1, -1] == pytest.approx(by_finding.mean(), abs=0.06)


class TestFalseMarks:
    def test_intervals_cover_the_truth(self) -> None:
        rates = np.array([0.05, 0.2, 0.5])
        covered = []
        for seed in range(30):
            found = quality(np.full((3, 100), 0.7), seed=seed, false_rate=rates).false_marks
            covered.append((found.lows[:, -1] <= rates) & (rates <= found.highs[:, -1]))

        assert np.mean(covered) >= 0.9

    def test_are_those_of_the_common_mix_of_normal_images(self) -> None:
        rng = np.random.default_rng(3)
        chances = np.where(np.arange(400) % 2 == 0, 0.7, -1.0)
        judged = read(np.tile(chances, (3, 1)), false_rate=0.0)
        is_normal = ~judged.is_abnormal[judged.images]
        # Everybody makes many on abnormal images and few on normal ones; the first reads mainly
        # normal ones.
        made = np.flatnonzero(rng.random(len(is_normal)) < np.where(is_normal, 0.05, 0.5))
        keep = (judged.readers > 0) | is_normal | (rng.random(len(is_normal)) < 0.2)
        marks = [(judged.keys[row], 7) for row in made.tolist() if keep[row]]
        table = ReadingTable.of_rows(
            [key for key, kept in zip(judged.keys, keep.tolist(), strict=True) if kept],
            [(*key, finding) for key, finding in marks],
            np.array([ELSEWHERE] * len(marks), dtype=np.float64),
        )
        truth = truth_table(
            {
                name: [(Finding.ILD, PLACE)] if abnormal else []
                for name, abnormal in zip(
                    judged.image_ids, judged.is_abnormal.tolist(), strict=True
                )
            }
        )
        found = estimate_quality(judge(table, truth)).false_marks

        naive = found.counts[:, -1] / found.images
        assert naive[0] < 0.7 * naive[1:].mean()
        assert found.rates[0, -1] == pytest.approx(0.275, abs=0.1)
        assert found.rates[1:, -1] == pytest.approx(0.275, abs=0.08)


class TestQuality:
    def test_ranks_by_finding_much_and_making_up_little(self) -> None:
        chances = np.repeat(np.array([[0.9], [0.6], [0.9]]), 150, axis=1)
        found = quality(chances, false_rate=np.array([0.1, 0.1, 0.9]))

        assert found.f1[0] > found.f1[1]
        assert found.f1[0] > found.f1[2]

    def test_tells_who_draws_closely(self) -> None:
        names = [f"i{number:03}" for number in range(60)]
        truth = truth_table({name: [(Finding.ILD, PLACE)] for name in names})
        close, loose = Box(0, 0, 100, 95), Box(0, 0, 100, 60)
        table = ReadingTable.of_rows(
            [],
            [(name, reader, int(Finding.ILD)) for name in names for reader in ("R1", "R2")],
            np.array([box for _ in names for box in (close, loose)], dtype=np.float64),
        )
        found = estimate_quality(judge(table, truth)).localisation

        assert found.lows[0, -1] > found.highs[1, -1]
        assert found.estimates[:, -1] == pytest.approx([0.95, 0.6], abs=0.02)

    def test_of_nothing_is_not_estimable(self) -> None:
        table = ReadingTable.of_rows([("a", "R1")], [], np.zeros((0, 4)))
        found = estimate_quality(judge(table, truth_table({})))

        assert found.reader_ids == ("R1",)
        assert not found.is_estimable.any()
        assert not found.is_rate_estimable.any()
        assert np.isfinite(found.sensitivity.estimates).all()
