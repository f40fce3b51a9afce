"""FROC, by hand and by a slow twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.metrics.froc import froc, sensitivity_at
from backend.domain.metrics.judged_marks import (
    ImpossibleWeightError,
    UnevenEvaluationError,
    judge_marks,
)
from backend.domain.predictions import PredictedBox
from tests.unit.domain.metrics.made_up_marks import (
    Predictions,
    Truths,
    evaluations,
    made_up_model,
    made_up_test_set,
    square,
)

ILD, NODULE = Finding.ILD, Finding.NODULE_MASS


def plain_sensitivity(truths: Truths, predictions: Predictions, rate: float) -> float | None:
    """Return the same by the words of the definition: try every score as a threshold."""
    lesions = sum(len(rows) for rows in truths.values())
    if not lesions:
        return None
    best = 0.0
    for threshold in {one.score for boxes in predictions.values() for one in boxes}:
        true, false = 0, 0
        for image, rows in truths.items():
            judged = judge_marks({image: rows}, {image: predictions[image]})
            kept = judged.marks.scores >= threshold
            true += int((judged.taken()[kept] >= 0).sum())
            false += int((judged.taken()[kept] < 0).sum())
        if false / len(truths) <= rate:
            best = max(best, true / lesions)
    return best


class TestFroc:
    def test_equals_a_case_computed_by_hand(self) -> None:
        truths: Truths = {"a": [(NODULE, square(0)), (ILD, square(0))], "b": []}
        predictions: Predictions = {
            "a": [
                PredictedBox(NODULE, square(10), 0.9),  # true
                PredictedBox(NODULE, square(0), 0.8),  # the same lesion again: false
                PredictedBox(ILD, square(0), 0.3),  # true
            ],
            "b": [PredictedBox(ILD, square(0), 0.3)],  # false, at the same score
        }

        curve = froc(truths, predictions)

        assert curve.false_marks_per_image.tolist() == [0.0, 0.0, 0.5, 1.0]
        assert curve.sensitivity.tolist() == [0.0, 0.5, 0.5, 1.0]
        assert (curve.lesions, curve.images) == (2, 2)

    @given(evaluations, st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]))
    def test_equals_its_slow_twin(
        self, evaluation: tuple[Truths, Predictions], rate: float
    ) -> None:
        truths, predictions = evaluation

        found = sensitivity_at(froc(truths, predictions), rate)

        assert found == pytest.approx(plain_sensitivity(truths, predictions, rate))

    def test_counts_an_image_as_often_as_its_weight_says(self) -> None:
        truths = made_up_test_set(1, 30)
        predictions = made_up_model(truths, 2)
        twice = {f"{image}{copy}": rows for image, rows in truths.items() for copy in "ab"}

        weighted = froc(truths, predictions, weights=dict.fromkeys(truths, 2.0))
        copied = froc(twice, {image: predictions[image[:-1]] for image in twice})

        for rate in (0.1, 0.5, 1.0):
            assert sensitivity_at(weighted, rate) == pytest.approx(sensitivity_at(copied, rate))

    def test_finds_nothing_without_marks_and_says_nothing_without_lesions(self) -> None:
        assert sensitivity_at(froc({"a": [(ILD, square(0))]}, {"a": []}), 8.0) == 0.0
        assert sensitivity_at(froc({"a": []}, {"a": []}), 8.0) is None

    def test_refuses_images_that_are_on_one_side_only(self) -> None:
        with pytest.raises(UnevenEvaluationError, match="1 images have no prediction"):
            froc({"a": []}, {})

    @pytest.mark.parametrize("weights", [{}, {"a": 0.0}, {"a": float("nan")}])
    def test_refuses_weights_that_are_none(self, weights: dict[str, float]) -> None:
        with pytest.raises(ImpossibleWeightError):
            froc({"a": []}, {"a": []}, weights=weights)


class TestJudgedMarks:
    def test_of_some_images_are_those_of_these_images_alone(self) -> None:
        truths = made_up_test_set(3, 40)
        predictions = made_up_model(truths, 4)
        judged = judge_marks(truths, predictions)
        chosen = np.arange(40) % 3 == 0

        some = judged.on(chosen)

        images = [image for image, kept in zip(judged.image_ids, chosen, strict=True) if kept]
        alone = judge_marks(
            {image: truths[image] for image in images},
            {image: predictions[image] for image in images},
        )
        assert some.image_ids == alone.image_ids
        assert some.taken().tolist() == alone.taken().tolist()
        assert some.marks.scores.tolist() == alone.marks.scores.tolist()
