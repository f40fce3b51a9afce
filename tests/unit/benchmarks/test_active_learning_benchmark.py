"""The accounting of the replay: what was read, what it cost, what a curve says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import detection_quality
from backend.domain.metrics.box_table import BoxTable
from backend.domain.metrics.hits import mark_hits
from benchmarks.active_learning import curves, detector, judged, protocol, replay, report
from benchmarks.active_learning.curves import Curve, cost_ratio, rare_ratio
from benchmarks.active_learning.detector import Detector, Found, NotBegunError, Recipe
from benchmarks.active_learning.protocol import Conditions, TooFewImagesError, Truths, split
from benchmarks.phantom import Layouts, sampled

RESAMPLES = 40


def rounds(
    maps: list[float], *, images: int = 100, boxes: int = 50, rare: int = 2, noise: float = 0.0
) -> list[dict[str, Any]]:
    """Return the rounds of a method that reads as much every time."""
    chance = np.random.default_rng(3).normal(0, noise, (len(maps), RESAMPLES))
    return [
        {
            "images": images * (number + 1),
            "boxes": boxes * (number + 1),
            "minutes": (15 * images + 12 * boxes) * (number + 1) / 60,
            "rare": rare * (number + 1),
            "judged": {
                "map40": quality,
                "rare_ap": quality / 2,
                "sensitivity": quality,
                "false_on_normals": 1.0,
                "resampled": (quality + chance[number]).tolist(),
            },
        }
        for number, quality in enumerate(maps)
    ]


MADE_UP = {"layouts": "made up", "size": 64, "device": "none"}
SLOW, FAST = [0.1, 0.2, 0.3, 0.4], [0.1, 0.4, 0.5, 0.6]


def two_methods(seeds: int = 4, **chosen: Any) -> dict[int, dict[str, Any]]:  # noqa: ANN401
    return {
        seed: {"random": rounds(SLOW), "overread": rounds(FAST, **chosen)} for seed in range(seeds)
    }


class TestCostToReach:
    curve = Curve(np.array([100.0, 200.0, 300.0, 400.0]), np.array([0.1, 0.3, 0.2, 0.5]))

    def test_lies_between_the_rounds_that_enclose_the_quality(self) -> None:
        assert self.curve.cost_to_reach(0.2) == pytest.approx(150)

    def test_goes_by_the_best_so_far(self) -> None:
        assert self.curve.cost_to_reach(0.3) == pytest.approx(200)
        assert self.curve.cost_to_reach(0.4) == pytest.approx(350)

    def test_is_the_start_for_what_the_start_reaches(self) -> None:
        assert self.curve.cost_to_reach(0.05) == 100

    def test_is_infinite_for_what_is_never_reached(self) -> None:
        assert self.curve.cost_to_reach(0.6) == float("inf")

    def test_weighs_the_area_by_cost(self) -> None:
        straight = Curve(np.array([100.0, 200.0, 400.0]), np.array([0.0, 0.2, 0.2]))
        assert straight.area(400.0) == pytest.approx((0.1 * 100 + 0.2 * 200) / 300)
        assert straight.area(200.0) == pytest.approx(0.1)
        assert straight.area(600.0) == pytest.approx((0.1 * 100 + 0.2 * 400) / 500)


class TestCostRatio:
    def test_says_what_share_of_the_baselines_cost_suffices(self) -> None:
        found = cost_ratio(
            two_methods(), "overread", "random", "images", rng=np.random.default_rng(1)
        )
        assert found.estimate == pytest.approx(200 / 400)
        assert found.low == pytest.approx(0.5)
        assert found.high == pytest.approx(0.5)

    def test_counts_the_boxes_that_were_drawn(self) -> None:
        replays = two_methods(boxes=150)
        ratio = {
            cost: cost_ratio(replays, "overread", "random", cost, rng=np.random.default_rng(1))
            for cost in curves.COSTS
        }
        assert ratio["images"].estimate == pytest.approx(0.5)
        assert ratio["boxes"].estimate == pytest.approx(1.5)
        assert ratio["minutes"].estimate == pytest.approx(
            0.5 * (15 * 100 + 12 * 150) / (15 * 100 + 12 * 50)
        )

    def test_is_one_between_a_method_and_itself_whatever_the_test_images(self) -> None:
        replays = {
            seed: {"random": rounds(SLOW, noise=0.02), "overread": rounds(SLOW, noise=0.02)}
            for seed in range(4)
        }
        found = cost_ratio(replays, "overread", "random", "minutes", rng=np.random.default_rng(1))
        assert (found.estimate, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))

    def test_has_an_interval_that_seeds_and_test_images_widen(self) -> None:
        replays = two_methods(noise=0.05)
        replays[3]["overread"] = rounds([0.1, 0.25, 0.35, 0.45], noise=0.05)
        found = cost_ratio(replays, "overread", "random", "images", rng=np.random.default_rng(1))
        assert found.estimate is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.estimate < found.high

    def test_is_stricter_where_the_baseline_was_best_before_its_end(self) -> None:
        replays = {0: {"random": rounds([0.1, 0.3, 0.3, 0.2]), "overread": rounds(FAST)}}
        usual = cost_ratio(replays, "overread", "random", "images", rng=np.random.default_rng(1))
        strict = curves.cost_ratio_at_best(replays, "overread", "random", "images")
        assert usual.estimate == pytest.approx((100 + 100 / 3) / 400)
        assert strict == pytest.approx((100 + 200 / 3) / 200)
        assert curves.cost_ratio_at_best(replays, "random", "random", "images") == 1.0

    def test_is_infinite_when_the_baseline_is_never_reached(self) -> None:
        found = cost_ratio(
            two_methods(), "random", "overread", "images", rng=np.random.default_rng(1)
        )
        assert found.estimate == float("inf")

    def test_is_infinite_when_the_baseline_finds_nothing(self) -> None:
        replays = two_methods()
        replays |= {seed: {**own, "random": rounds([0.0] * 4)} for seed, own in replays.items()}
        found = cost_ratio(replays, "overread", "random", "images", rng=np.random.default_rng(1))
        assert found.estimate == float("inf")


class TestRareImages:
    def test_leave_out_the_start_and_what_comes_after_the_first_600(self) -> None:
        replays = {0: {"overread": rounds([0.1] * 9, rare=5)}}
        assert curves.rare_images(replays, "overread", 0) == 30

    def test_are_compared_over_all_seeds(self) -> None:
        replays = two_methods(rare=6)
        found = rare_ratio(replays, "overread", "random", rng=np.random.default_rng(1))
        assert found.estimate == 3.0


class TestReport:
    def test_gives_the_named_figures(self) -> None:
        replays = two_methods(boxes=60)
        for own in replays.values():
            own["foreground-aware-random"] = rounds([0.1, 0.25, 0.35, 0.45])
        result = report.result(replays, quick=True, conditions=MADE_UP)
        assert set(result["figures"]) == {
            "images_ratio", "minutes_ratio", "minutes_vs_far", "minutes_vs_far_high",
            "rare_images_ratio",
        }  # fmt: skip
        assert result["conditions"]["shows"] == "a direction only"
        assert result["figures"]["images_ratio"] == pytest.approx(0.5)
        assert "overread" in report.table(json.loads(json.dumps(result)))

    def test_says_never_of_what_is_not_reached(self) -> None:
        replays = {
            seed: {
                "random": rounds(FAST),
                "overread": rounds(SLOW),
                "foreground-aware-random": rounds(FAST),
            }
            for seed in range(2)
        }
        result = report.result(replays, quick=False, conditions=MADE_UP)
        assert result["figures"]["images_ratio"] is None
        assert result["figures"]["minutes_vs_far_high"] is None
        assert "never" in report.table(result)

    def test_draws_the_curves(self, tmp_path: Path) -> None:
        report.draw(two_methods(), tmp_path / "new" / "curves.png")
        assert (tmp_path / "new" / "curves.png").read_bytes().startswith(b"\x89PNG")

    def test_tells_of_the_methods_that_there_are(self) -> None:
        result = report.result(two_methods(seeds=1), quick=False, conditions=MADE_UP)
        assert result["figures"]["images_ratio"] == pytest.approx(0.5)
        assert result["figures"]["minutes_vs_far"] is None
        assert result["minutes_vs_far"] is None
        assert result["methods"]["overread"]["minutes_ratio_to_far"] is None
        text = report.table(json.loads(json.dumps(result)))
        assert "overread" in text
        assert "minutes_vs_far" not in text

    @pytest.mark.parametrize("missing", ["random", "overread"])
    def test_does_without_what_others_are_compared_with(self, missing: str) -> None:
        replays = two_methods()
        for own in replays.values():
            own["entropy-sum"] = own.pop(missing)
        result = report.result(replays, quick=False, conditions=MADE_UP)
        assert set(result["figures"].values()) == {None}
        assert "entropy-sum" in report.table(result)

    def test_says_that_one_seed_cannot_vary(self) -> None:
        one, two = (
            report.result(two_methods(seeds), quick=False, conditions=MADE_UP) for seeds in (1, 2)
        )
        assert one["methods"]["overread"]["interval"] == "test images only"
        assert one["methods"]["overread"]["rare_images_ratio"] == [1.0, None, None]
        assert "intervals are of test images only" in report.table(one)
        assert two["methods"]["overread"]["interval"] == "seeds and test images"
        assert two["methods"]["overread"]["rare_images_ratio"] == [1.0, 1.0, 1.0]

    def test_compares_a_method_with_others_on_its_own_seeds(self) -> None:
        replays = two_methods(seeds=3)
        replays[2]["overread"] = rounds([0.1, 0.2, 0.3, 0.4])  # the third seed spoils the mean
        for seed in (0, 1):
            replays[seed]["entropy-sum"] = rounds(FAST)
        rows = report.result(replays, quick=False, conditions=MADE_UP)["methods"]
        assert [rows[name]["seeds"] for name in ("overread", "entropy-sum")] == [[0, 1, 2], [0, 1]]
        assert rows["overread"]["images_ratio"][0] > 0.5
        beside = rows["entropy-sum"]["overread_on_these_seeds"]
        assert beside["images_ratio"][0] == rows["entropy-sum"]["images_ratio"][0]
        assert beside["images_ratio"][0] == pytest.approx(0.5)
        assert rows["entropy-sum"]["minutes_over_overread"] == [1.0, 1.0, 1.0]

    def test_leaves_out_seeds_that_cannot_be_compared_and_says_so(self) -> None:
        replays = two_methods(seeds=2)
        del replays[1]["random"]
        replays[1]["entropy-sum"] = rounds(FAST)
        result = report.result(replays, quick=False, conditions=MADE_UP)
        assert result["methods"]["overread"]["seeds"] == [0]
        assert result["not_compared"] == ["entropy-sum"]
        assert "not compared" in report.table(result)

    def test_reads_what_has_been_finished(self, tmp_path: Path) -> None:
        path = tmp_path / "replays.jsonl"
        assert report.read(path) == {}
        lines = [(1, "random"), (0, "overread"), (0, "random")]
        path.write_text(
            "".join(
                json.dumps({"seed": seed, "method": name, "rounds": []}) + "\n"
                for seed, name in lines
            )
        )
        assert report.read(path) == {0: {"overread": [], "random": []}, 1: {"random": []}}


def truths_of(images: int = 2400, seed: int = 5) -> Truths:
    layouts = sampled(np.random.default_rng(seed), images)
    return Truths.of(layouts, layouts.boxes * 64)


CONDITIONS = Conditions(64, 2400, 1500, 100, 50, 1, 10, 100, Recipe(8, 2, 2, 8))


class TestSplit:
    truths = truths_of()
    found = split(truths, CONDITIONS, 0)

    def test_keeps_the_test_set_apart(self) -> None:
        assert not set(self.found.test) & set(self.found.pool)
        assert set(self.found.start) <= set(self.found.pool)
        assert (len(self.found.pool), len(self.found.start)) == (1500, 100)

    def test_fills_the_test_set_with_rare_findings(self) -> None:
        rare = [int(finding) for finding in self.truths.rarest()]
        share = self.truths.presence[:, rare].mean()
        assert self.truths.presence[self.found.test][:, rare].mean() > 2 * share

    def test_leaves_the_pool_and_the_start_their_normal_images(self) -> None:
        normal = self.truths.presence.sum(axis=1) == 0
        assert normal[self.found.pool].mean() == pytest.approx(normal.mean(), abs=0.01)
        assert normal[self.found.start].mean() == pytest.approx(normal.mean(), abs=0.01)

    def test_is_another_for_another_seed(self) -> None:
        assert set(split(self.truths, CONDITIONS, 1).start) != set(self.found.start)

    def test_refuses_too_few_images(self) -> None:
        with pytest.raises(TooFewImagesError, match="1500"):
            split(truths_of(900), CONDITIONS, 0)


class TestTruths:
    def test_are_the_lesions_that_two_readers_marked(self) -> None:
        layouts = Layouts(
            3, np.array([0, 2, 2]), np.array([3, 8, 4]), np.array([2, 1, 3]),
            np.array([[0.1, 0.1, 0.2, 0.2]] * 3),
        )  # fmt: skip
        truths = Truths.of(layouts, layouts.boxes * 100)
        assert truths.boxes(np.array([0, 1, 2, 0])).tolist() == [1, 0, 1, 1]
        images, findings, boxes = protocol.table(truths, np.array([2, 1, 0]))
        assert images.tolist() == [0, 2]
        assert findings.tolist() == [4, 3]
        assert boxes[0].tolist() == [10, 10, 20, 20]


class TestRound:
    def test_costs_a_quarter_of_a_minute_an_image_and_a_fifth_a_box(self) -> None:
        truths = truths_of(1000)
        desk = replay.Desk(None, truths, None, CONDITIONS, 0)  # type: ignore[arg-type]
        read = np.arange(40)
        quality = judged.Judged(0, 0, {}, 0, 0, [])
        one = desk.round(read, quality, {})
        boxes = sum(len(truths.by_image[row]) for row in read)
        assert (one.images, one.boxes) == (40, boxes)
        assert one.minutes == pytest.approx((15 * 40 + 12 * boxes) / 60)
        assert one.abnormal == sum(len(truths.by_image[row]) > 0 for row in read)


class TestWeightedAreas:
    @given(seed=st.integers(0, 999))
    def test_are_the_average_precision_of_the_images_that_were_drawn(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        images, lesions, marks = 6, 5, 12
        low = rng.uniform(0, 30, (lesions, 2))
        true = BoxTable.of_columns(
            np.zeros(lesions, dtype=np.int64), rng.integers(0, images, lesions),
            np.hstack([low, low + 20]), np.ones(lesions),
        )  # fmt: skip
        near = low[rng.integers(0, lesions, marks)] + rng.normal(0, 6, (marks, 2))
        found = BoxTable.of_columns(
            np.zeros(marks, dtype=np.int64), rng.integers(0, images, marks),
            np.hstack([near, near + 20]), rng.permutation(marks) / marks,
        )  # fmt: skip
        counts = judged._draws(images, 3, seed)
        hits = mark_hits(true, found)
        fast = judged._weighted_areas(
            hits, counts[:, found.images], counts[:, true.images].sum(axis=1)
        )
        for row, one in zip(counts.astype(int), fast, strict=True):
            copies = [(image, copy) for image in range(images) for copy in range(row[image])]
            numbers = {pair: number for number, pair in enumerate(copies)}
            tables = [
                BoxTable.of_columns(
                    np.zeros(len(rows), dtype=np.int64),
                    np.array([numbers[pair] for _, pair in rows], dtype=np.int64),
                    np.array([table.boxes[place] for place, _ in rows]).reshape(-1, 4),
                    np.array([table.scores[place] for place, _ in rows]),
                )
                for table in (true, found)
                for rows in [
                    [(place, pair) for place, image in enumerate(table.images) for pair in copies
                     if pair[0] == image]
                ]
            ]  # fmt: skip
            slow = detection_quality(*tables, images=len(copies))[0].by_finding
            assert one == pytest.approx(slow.get(Finding(0), np.nan), nan_ok=True)

    def test_of_every_image_once_are_the_plain_one(self) -> None:
        hits = np.array([True, False, True, False])
        assert judged._weighted_areas(hits, np.ones((1, 4)), np.array([3.0]))[0] == pytest.approx(
            (1 + 2 / 3) / 3
        )


class TestDetector:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 64, 64)).astype(np.uint8)
    truths = [np.array([[3.0, 10, 10, 40, 30]])] * 6 + [np.zeros((0, 5))] * 6

    def trained(self) -> Detector:
        one = Detector(Recipe(8, 2, 2, 8), 64, "cpu")
        one.look_at(self.pixels, self.truths)
        one.begin(np.arange(12), seed=2)
        one.train(np.arange(12), seed=3)
        return one

    def test_learns_the_same_from_the_same_seed(self) -> None:
        first, second = (self.trained().ask(np.arange(4)) for _ in range(2))
        assert (first.scores == second.scores).all()
        assert (first.features == second.features).all()

    def test_goes_on_from_the_start_every_time(self) -> None:
        once, twice = self.trained(), self.trained()
        twice.train(np.arange(12), seed=3)
        assert (once.ask(np.arange(4)).scores == twice.ask(np.arange(4)).scores).all()

    def test_refuses_to_go_on_from_nothing(self) -> None:
        one = Detector(Recipe(8, 2, 2, 8), 64, "cpu")
        one.look_at(self.pixels, self.truths)
        with pytest.raises(NotBegunError, match="begin"):
            one.train(np.arange(12), seed=3)

    def test_marks_inside_the_picture_and_no_lesion_twice(self) -> None:
        found = self.trained().ask(np.arange(12))
        assert found.boxes.min() >= 0
        assert found.boxes[:, 2:].max() <= 64.5
        cells = found.rows * len(Finding) + found.findings
        assert np.bincount(cells).max() <= detector.KEPT

    def test_answers_for_images_that_it_marks_nothing_on(self) -> None:
        numbers = np.arange(3, dtype=np.float64)
        found = Found(
            np.array([0, 2, 2]), np.arange(3), numbers, numbers, np.zeros((3, 4)),
            np.eye(3, dtype=np.float32),
        )  # fmt: skip
        own = found.only(np.array([False, True, True]))
        assert own.rows.tolist() == [1, 1]
        assert own.findings.tolist() == [1, 2]
        assert len(own.features) == 2


class TestChanged:
    def test_moves_boxes_with_the_pixels(self) -> None:
        pixels = torch.zeros(3, 64, 64, dtype=torch.uint8)
        pixels[:, 20:36, 12:40] = 255
        boxes = torch.tensor([[[12.0, 20.0, 40.0, 36.0]]] * 3)
        changes = torch.tensor(
            [[0, 0, 0, 0, 0], [1, 0.7, -0.8, 0, 0], [-1, -0.5, 1, 0.5, -0.5]], dtype=torch.float32
        )
        moved, found = detector._changed(pixels, boxes, changes)
        for picture, box in zip(moved, found[:, 0], strict=True):
            bright = torch.nonzero(picture > picture.mean())
            low, high = bright.min(dim=0).values.flip(0), bright.max(dim=0).values.flip(0) + 1
            assert torch.cat([low, high]).sub(box).abs().max() <= 1.0
