"""Average precision, by hand, by a slow twin and by pycocotools."""

import contextlib
import io
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box, MalformedBoxError, pairwise_iou, stack
from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import average_precision, mean_average_precision
from backend.domain.metrics.box_table import UnrankableScoreError
from backend.domain.metrics.judged_marks import UnevenEvaluationError, judge_marks
from backend.domain.metrics.resampled_marks import COCO_THRESHOLDS, MeanPrecision
from backend.domain.predictions import PredictedBox
from tests.unit.domain.metrics.made_up_marks import made_up_model, made_up_test_set

# Come without type stubs.
coco_data = pytest.importorskip("pycocotools.coco")
coco_metric = pytest.importorskip("pycocotools.cocoeval")

ILD, NODULE = Finding.ILD, Finding.NODULE_MASS
Truths = dict[str, list[tuple[Finding, Box]]]
Predictions = dict[str, list[PredictedBox]]


def square(x: float, y: float = 0.0, side: float = 100.0) -> Box:
    return Box(x, y, x + side, y + side)


def plain_average_precision(
    truths: Truths, predictions: Predictions, finding: Finding, threshold: float
) -> float:
    """Return the same by the words of the definition, one box at a time."""
    ranked = sorted(
        (-one.score, image, one.box)
        for image, boxes in predictions.items()
        for one in boxes
        if one.finding is finding
    )
    true = {
        image: sorted(box for own, box in rows if own is finding) for image, rows in truths.items()
    }
    total = sum(len(boxes) for boxes in true.values())
    taken, points, hits = set(), [], 0
    for rank, (_, image, box) in enumerate(ranked, start=1):
        overlaps = [float(pairwise_iou(stack([box]), stack([one]))[0, 0]) for one in true[image]]
        best = max(range(len(overlaps)), key=lambda one: overlaps[one], default=None)
        if best is not None and overlaps[best] > threshold and (image, best) not in taken:
            taken.add((image, best))
            hits += 1
        points.append((hits / total, hits / rank))
    area, reached = 0.0, 0.0
    for recall, _ in points:
        area += (recall - reached) * max(p for r, p in points if r >= recall)
        reached = recall
    return area


few_boxes = st.builds(
    square,
    st.integers(0, 5).map(lambda step: 25.0 * step),
    st.integers(0, 1).map(lambda step: 60.0 * step),
    st.sampled_from([100.0, 80.0]),
)
findings = st.sampled_from([ILD, NODULE])
evaluations = st.lists(
    st.tuples(
        st.lists(st.tuples(findings, few_boxes), max_size=4),
        st.lists(
            st.builds(PredictedBox, findings, few_boxes, st.sampled_from([0.1, 0.5, 0.5, 0.9])),
            max_size=6,
        ),
    ),
    max_size=4,
).map(
    lambda images: (
        {f"i{number}": true for number, (true, _) in enumerate(images)},
        {f"i{number}": found for number, (_, found) in enumerate(images)},
    )
)


class TestMeanAveragePrecision:
    def test_equals_a_case_computed_by_hand(self) -> None:
        truths: Truths = {
            "a": [(NODULE, square(0)), (NODULE, square(500))],
            "b": [(NODULE, square(0)), (ILD, square(0))],
            "c": [],
        }
        predictions: Predictions = {
            "a": [
                PredictedBox(NODULE, square(10), 0.9),  # true
                PredictedBox(NODULE, square(5), 0.8),  # the same lesion again: false
                PredictedBox(NODULE, square(510), 0.6),  # true
            ],
            "b": [PredictedBox(NODULE, square(70), 0.5)],  # overlaps by 0.18: false
            "c": [PredictedBox(NODULE, square(0), 0.7)],  # false
        }

        quality = mean_average_precision(truths, predictions)

        # precision 1/1 at recall 1/3, 2/4 at recall 2/3, nothing beyond
        assert quality.by_finding == pytest.approx({NODULE: (1 + 0.5) / 3, ILD: 0.0})
        assert quality.map == pytest.approx(0.25)
        assert quality.positives == {ILD: 1, NODULE: 3}
        assert quality.images == 3

    @given(evaluations, st.sampled_from([0.0, 0.4, 0.5]))
    def test_equals_its_slow_twin(
        self, evaluation: tuple[Truths, Predictions], threshold: float
    ) -> None:
        truths, predictions = evaluation

        quality = mean_average_precision(truths, predictions, iou_threshold=threshold)

        occurring = {finding for rows in truths.values() for finding, _ in rows}
        assert quality.by_finding == pytest.approx(
            {
                one: plain_average_precision(truths, predictions, one, threshold)
                for one in occurring
            }
        )
        for finding in (ILD, NODULE):
            alone = average_precision(truths, predictions, finding, iou_threshold=threshold)
            assert alone == quality.by_finding.get(finding)

    @given(evaluations, st.data())
    def test_does_not_depend_on_any_order(
        self, evaluation: tuple[Truths, Predictions], data: st.DataObject
    ) -> None:
        truths, predictions = evaluation
        images = data.draw(st.permutations(sorted(truths)))

        shuffled = mean_average_precision(
            {image: data.draw(st.permutations(truths[image])) for image in images},
            {image: predictions[image][::-1] for image in reversed(images)},
        )

        assert shuffled == mean_average_precision(truths, predictions)

    def test_holds_a_box_against_the_truth_it_overlaps_most_even_if_taken(self) -> None:
        truths: Truths = {"a": [(NODULE, square(0)), (NODULE, square(40))]}
        predictions: Predictions = {
            "a": [PredictedBox(NODULE, square(0), 0.9), PredictedBox(NODULE, square(10), 0.8)]
        }

        assert mean_average_precision(truths, predictions).map == pytest.approx(0.5)

    def test_has_no_mean_when_there_is_nothing_to_find(self) -> None:
        quality = mean_average_precision({"a": []}, {"a": [PredictedBox(ILD, square(0), 0.9)]})

        assert quality.map is None
        assert quality.by_finding == {}
        assert quality.images == 1

    def test_counts_a_touch_at_exactly_the_threshold_as_a_miss(self) -> None:
        truths: Truths = {"a": [(ILD, Box(0, 0, 70, 100))]}
        predictions: Predictions = {"a": [PredictedBox(ILD, Box(30, 0, 100, 100), 0.9)]}

        assert mean_average_precision(truths, predictions, iou_threshold=0.4).map == 0.0
        assert mean_average_precision(truths, predictions, iou_threshold=0.39).map == 1.0

    @pytest.mark.parametrize(
        ("truths", "predictions", "message"),
        [
            ({"a": [], "b": []}, {"a": []}, "1 images have no prediction, the first is b"),
            ({"a": []}, {"a": [], "b": []}, "1 images have no truth, the first is b"),
        ],
    )
    def test_refuses_images_that_are_on_one_side_only(
        self, truths: Truths, predictions: Predictions, message: str
    ) -> None:
        with pytest.raises(UnevenEvaluationError, match=message):
            mean_average_precision(truths, predictions)

    @pytest.mark.parametrize("score", [float("nan"), float("inf")])
    def test_refuses_a_score_that_cannot_be_ranked(self, score: float) -> None:
        with pytest.raises(UnrankableScoreError):
            mean_average_precision({"a": []}, {"a": [PredictedBox(ILD, square(0), score)]})

    def test_refuses_a_box_that_is_none(self) -> None:
        with pytest.raises(MalformedBoxError):
            mean_average_precision({"a": [(ILD, Box(5, 5, 5, 9))]}, {"a": []})

    def test_agrees_with_pycocotools_where_the_definitions_agree(self) -> None:
        rng = np.random.default_rng(1)
        truths: Truths = {}
        predictions: Predictions = {}
        for number in range(100):
            true, shift = square(100), float(rng.uniform(-150, 150))
            truths[f"i{number:03}"] = [(NODULE, true)] if rng.random() < 0.8 else []
            predictions[f"i{number:03}"] = [
                PredictedBox(NODULE, square(100 + shift), rng.random())
            ]

        ours = mean_average_precision(truths, predictions).map

        # pycocotools reads precision at fixed recalls: at 80 true boxes, between neighbours
        assert ours == pytest.approx(coco_map(truths, predictions), abs=0.005)

    @pytest.mark.parametrize("iou_thresholds", [(0.5,), COCO_THRESHOLDS])
    def test_agrees_with_pycocotools_at_its_own_thresholds(
        self, iou_thresholds: tuple[float, ...]
    ) -> None:
        truths = made_up_test_set(1, 400)
        predictions = made_up_model(truths, 2)

        ours = MeanPrecision(judge_marks(truths, predictions), iou_thresholds)(np.ones((1, 400)))

        theirs = coco_map(truths, predictions, iou_thresholds)
        assert 0.1 < theirs < 0.9
        assert float(ours[0]) == pytest.approx(theirs, abs=0.005)

    def test_takes_seconds_for_a_whole_test_set(self) -> None:
        rng = np.random.default_rng(1)
        corners = rng.uniform(0, 2000, (3000, 100, 2)).tolist()
        predictions: Predictions = {
            f"i{image}": [
                PredictedBox(Finding(number % 14), square(x, y), number / 100)
                for number, (x, y) in enumerate(rows)
            ]
            for image, rows in enumerate(corners)
        }
        truths: Truths = {
            image: [(one.finding, one.box) for one in boxes[:3]]
            for image, boxes in predictions.items()
        }
        started = time.process_time()

        mean_average_precision(truths, predictions)

        assert time.process_time() - started < 20


def coco_map(
    truths: Truths, predictions: Predictions, iou_thresholds: tuple[float, ...] = (0.4,)
) -> float:
    """Return the mean average precision by pycocotools."""
    numbers = {image: number for number, image in enumerate(truths, start=1)}
    annotations = [
        {"image_id": numbers[image], "category_id": int(finding), "bbox": xywh(box)}
        | {"area": 1.0, "iscrowd": 0}
        for image, rows in truths.items()
        for finding, box in rows
    ]
    detections = [
        {"image_id": numbers[image], "category_id": int(one.finding), "bbox": xywh(one.box)}
        | {"score": one.score}
        for image, boxes in predictions.items()
        for one in boxes
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_data.COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": number} for number in numbers.values()],
            "categories": [{"id": int(finding)} for finding in Finding],
            "annotations": [one | {"id": key} for key, one in enumerate(annotations, start=1)],
        }
        coco.createIndex()
        evaluation = coco_metric.COCOeval(coco, coco.loadRes(detections), "bbox")
        evaluation.params.iouThrs = np.array(iou_thresholds)
        evaluation.params.recThrs = np.linspace(0, 1, 8001)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, -1]
    return float(precision[precision > -1].mean())


def xywh(box: Box) -> list[float]:
    return [box.x_min, box.y_min, box.x_max - box.x_min, box.y_max - box.y_min]
