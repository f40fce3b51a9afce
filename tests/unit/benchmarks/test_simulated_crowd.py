"""Crowds that are simulated for the consensus benchmark."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import boxes as geometry
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd import CrowdParameters, SimulatedCrowd, fit_rates, fitted, simulate
from benchmarks.simulated_crowd import statistics as crowd_statistics
from benchmarks.simulated_crowd.crowd import TooFewReadersError
from benchmarks.simulated_crowd.pairs import overlaps, pairs_within
from benchmarks.simulated_crowd.parameters import FITTED, of_json, to_json


def crowd_of(seed: int = 3, images: int = 600, **chosen: object) -> SimulatedCrowd:
    return simulate(np.random.default_rng(seed), images=images, **chosen)  # type: ignore[arg-type]


def bytes_of(crowd: SimulatedCrowd) -> list[bytes]:
    parts = (crowd.readings, crowd.truth, crowd.readers)
    values = [getattr(part, field.name) for part in parts for field in fields(part)]
    return [np.asarray(value).tobytes() for value in (*values, crowd.image_sizes)]


def found_share(crowd: SimulatedCrowd, kind: str) -> float:
    """Return the share of the lesions that readers of a kind mark, where they read."""
    readings, truth = crowd.readings, crowd.truth
    seen = possible = 0
    for reader, kind_of_reader in enumerate(crowd.readers.kinds):
        if kind_of_reader != kind:
            continue
        read = readings.reading_images[readings.reading_readers == reader]
        lesions = np.flatnonzero(np.isin(truth.images, read))
        possible += len(lesions)
        for lesion in lesions:
            own = (
                (readings.mark_readers == reader)
                & (readings.mark_images == truth.images[lesion])
                & (readings.mark_findings == truth.findings[lesion])
            )
            box = truth.boxes[lesion][None]
            seen += bool((geometry.pairwise_iou(readings.mark_boxes[own], box) > 0.4).any())
    return seen / possible


class TestSimulate:
    def test_gives_the_same_crowd_for_the_same_seed(self) -> None:
        assert bytes_of(crowd_of(5)) == bytes_of(crowd_of(5))
        assert bytes_of(crowd_of(5)) != bytes_of(crowd_of(6))

    @given(seed=st.integers(0, 999), readers=st.integers(7, 20), each=st.integers(1, 5))
    def test_gives_every_image_its_different_readers(
        self, seed: int, readers: int, each: int
    ) -> None:
        crowd = crowd_of(seed, 40, readers=readers, readers_per_image=each)
        table = crowd.readings
        assert len(table.image_ids) == 40
        assert np.bincount(table.reading_images).tolist() == [each] * 40
        pairs = set(zip(table.reading_images, table.reading_readers, strict=True))
        assert len(pairs) == 40 * each
        assert set(zip(table.mark_images, table.mark_readers, strict=True)) <= pairs

    @given(seed=st.integers(0, 999))
    def test_keeps_every_box_inside_its_image(self, seed: int) -> None:
        crowd = crowd_of(seed, 60)
        marks = (crowd.readings.mark_images, crowd.readings.mark_boxes)
        for images, boxes in ((crowd.truth.images, crowd.truth.boxes), marks):
            geometry.check_boxes(boxes)
            assert (boxes >= 0).all()
            assert (boxes <= np.tile(crowd.image_sizes[images], 2)).all()

    def test_places_lesions_of_a_finding_apart(self) -> None:
        truth = crowd_of().truth
        assert (np.diff(truth.images) >= 0).all()
        for image in np.unique(truth.images):
            for finding in Finding:
                boxes = truth.boxes[(truth.images == image) & (truth.findings == finding)]
                iou = geometry.pairwise_iou(boxes, boxes)
                assert (iou[np.triu_indices(len(boxes), 1)] <= 0.2).all()

    def test_lets_no_reader_mark_one_thing_twice(self) -> None:
        table = crowd_of(images=1500).readings
        hearts = table.mark_findings == Finding.CARDIOMEGALY
        pairs = np.stack([table.mark_images, table.mark_readers])[:, hearts]
        assert len(np.unique(pairs, axis=1).T) == hearts.sum()
        firsts, seconds = pairs_within(table.mark_images * 100 + table.mark_findings)
        own = table.mark_readers[firsts] == table.mark_readers[seconds]
        iou = overlaps(table.mark_boxes[firsts[own]], table.mark_boxes[seconds[own]])
        assert own.any()
        assert iou.max() < 0.25

    def test_makes_as_many_images_abnormal_as_in_the_real_table(self) -> None:
        assert crowd_of(images=5000).is_abnormal.mean() == pytest.approx(0.293, abs=0.02)

    def test_puts_marks_on_normal_images_but_fewer(self) -> None:
        crowd = crowd_of(images=3000)
        marks = np.bincount(crowd.readings.mark_images, minlength=3000)
        normal, abnormal = marks[~crowd.is_abnormal], marks[crowd.is_abnormal]
        assert 0 < normal.mean() < abnormal.mean() / 5

    def test_puts_no_lesions_where_all_images_are_normal(self) -> None:
        crowd = crowd_of(images=20, parameters=replace(fitted(), abnormal_share=0.0))
        assert len(crowd.truth.images) == 0
        assert crowd.truth.boxes.shape == (0, 4)
        assert not crowd.is_abnormal.any()

    @pytest.mark.parametrize("seed", range(8))
    def test_counts_readers_of_each_kind(self, seed: int) -> None:
        readers = crowd_of(seed, 200).readers
        assert len(readers.ids) == len(readers.kinds) == len(readers.sensitivity) == 17
        assert readers.kinds.count("adversary") == 1
        assert 2 <= readers.kinds.count("bad") <= 4
        assert set(readers.kinds) == {"good", "bad", "adversary"}

    def test_names_the_readers_as_the_readings_do(self) -> None:
        for images in (1, 200):
            crowd = crowd_of(images=images)
            assert crowd.readers.ids == crowd.readings.reader_ids
            assert crowd.readers.false_marks.shape == (len(crowd.readers.ids), len(Finding))

    def test_lets_good_readers_find_more_than_bad_ones(self) -> None:
        crowd = crowd_of(images=1500)
        good, bad = found_share(crowd, "good"), found_share(crowd, "bad")
        assert good > bad + 0.15
        assert bad > found_share(crowd, "adversary") + 0.05

    def test_gives_a_dominant_crowd_one_triple_on_most_abnormal_images(self) -> None:
        crowd = crowd_of(images=3000, dominant=True)
        readers = crowd.readings.reading_readers.reshape(3000, 3)[crowd.is_abnormal]
        triples, counts = np.unique(readers, axis=0, return_counts=True)
        most = counts.argmax()
        assert counts[most] / counts.sum() == pytest.approx(0.85, abs=0.04)
        assert {crowd.readers.kinds[reader] for reader in triples[most]} == {"good"}

    def test_refuses_more_readers_an_image_than_there_are(self) -> None:
        with pytest.raises(TooFewReadersError, match="expected 3 an image"):
            crowd_of(readers=2)

    def test_refuses_a_dominant_crowd_without_good_readers(self) -> None:
        with pytest.raises(TooFewReadersError, match="0 of 3 readers are good"):
            crowd_of(readers=3, dominant=True)


class TestCrowdParameters:
    def test_come_back_from_json_as_they_went(self) -> None:
        once = to_json(fitted())
        assert to_json(of_json(json.loads(json.dumps(once)))) == once

    def test_are_shares_where_they_must_be(self) -> None:
        parameters = fitted()
        assert parameters.place_shares.sum(axis=(1, 2)) == pytest.approx(np.ones(14), abs=1e-3)
        for shares in (parameters.confusion, parameters.second_name):
            assert (shares >= 0).all()
            assert (shares.sum(axis=1) <= 0.501).all()
            assert not np.diag(shares).any()

    def test_say_what_each_is(self) -> None:
        about = " ".join(json.loads(FITTED.read_text(encoding="utf-8"))["about"])
        for field in fields(CrowdParameters):
            assert field.name in about

    def test_are_a_small_file(self) -> None:
        assert FITTED.stat().st_size < 30_000


@pytest.fixture(scope="module")
def made() -> crowd_statistics.ReadingStatistics:
    return fit_rates.simulated(fitted(), seed=99)


class TestFit:
    """Beside what three readers of VinBigData show on the images that they read together."""

    def test_votes_are_shared_like_the_real_ones(
        self, made: crowd_statistics.ReadingStatistics
    ) -> None:
        assert made.vote_shares == pytest.approx([0.564, 0.194, 0.242], abs=0.03)

    def test_readers_mark_as_much(self, made: crowd_statistics.ReadingStatistics) -> None:
        assert made.marks_per_reading.mean() == pytest.approx(2.77, abs=0.25)
        assert made.distinct[0] == pytest.approx(3.51, abs=0.25)

    def test_two_readers_agree_as_much(self, made: crowd_statistics.ReadingStatistics) -> None:
        assert made.pair_f1[-1] == pytest.approx(0.506, abs=0.03)
        assert made.pair_f1[Finding.CARDIOMEGALY] == pytest.approx(0.814, abs=0.06)
        assert made.pair_f1[Finding.PLEURAL_THICKENING] == pytest.approx(0.267, abs=0.06)

    def test_boxes_overlap_as_much(self, made: crowd_statistics.ReadingStatistics) -> None:
        assert made.mean_iou[-1] == pytest.approx(0.636, abs=0.03)
        assert made.cross_class == pytest.approx(1.635, abs=0.25)
        assert made.same_rectangles == pytest.approx(1.031, abs=0.2)


class TestMeasure:
    def test_counts_votes_by_hand(self) -> None:
        # Two agree on one place, the third elsewhere; nobody else marks image "b" but one.
        table = ReadingTable.of_rows(
            [("b", "x"), ("b", "y"), ("b", "z")],
            [("a", "x", 3), ("a", "y", 3), ("a", "z", 3), ("a", "z", 7), ("b", "x", 3)],
            np.array([[0.0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60], [50, 50, 60, 60],
                      [0, 0, 9, 9]]),
        )  # fmt: skip
        found = crowd_statistics.measure(table)
        assert found.images == 1
        assert found.clusters[3].tolist() == [1, 1, 0]
        assert found.clusters[7].tolist() == [1, 0, 0]
        assert found.marks_per_reading.tolist() == [1, 1, 2]
        # Three pairs of readers with two marks of finding 3 each: one pair of three agrees.
        assert found.pair_f1[3] == pytest.approx(1 / 3)
        assert found.mean_iou[3] == pytest.approx(0.8)
        assert (found.cross_class, found.same_rectangles) == (0, 1)
        assert (found.found_by_any[3], found.found_by_all[3], found.found_by_all[7]) == (1, 1, 0)


class TestPairs:
    @given(st.lists(st.integers(0, 4), max_size=12).map(sorted))
    def test_are_all_of_a_group(self, groups: list[int]) -> None:
        firsts, seconds = pairs_within(np.array(groups, dtype=np.int64))
        plain = {
            (first, second)
            for second in range(len(groups))
            for first in range(second)
            if groups[first] == groups[second]
        }
        assert len(firsts) == len(plain)
        assert set(zip(firsts.tolist(), seconds.tolist(), strict=True)) == plain

    def test_overlap_like_the_domain_says(self) -> None:
        corners = np.random.default_rng(1).uniform(0, 10, (20, 2))
        boxes = np.hstack([corners, corners + 5])
        left, right = boxes[:10], boxes[10:]
        assert overlaps(left, right) == pytest.approx(np.diag(geometry.pairwise_iou(left, right)))
