"""How unsure a model is."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.domain.acquisition.confidence import (
    InvalidScoreError,
    InvalidWeightsError,
    binary_entropy,
    image_uncertainty,
)
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox

ALIKE = np.ones(len(Finding))


def predicted(finding: Finding, *scores: float) -> list[PredictedBox]:
    return [PredictedBox(finding=finding, box=Box(0, 0, 10, 10), score=one) for one in scores]


class TestBinaryEntropy:
    @given(st.floats(0, 1))
    def test_equals_its_plain_twin(self, p: float) -> None:
        twin = -sum(share * log2(share) for share in (p, 1 - p) if share > 0)

        assert binary_entropy(np.array([p]))[0] == pytest.approx(twin, abs=1e-12)

    @given(st.floats(0, 1))
    def test_is_symmetric_and_between_zero_and_one(self, p: float) -> None:
        entropy, mirrored = binary_entropy(np.array([p, 1 - p]))

        assert 0.0 <= entropy <= 1.0
        assert entropy == pytest.approx(mirrored, abs=1e-9)

    def test_of_nothing_is_nothing(self) -> None:
        assert binary_entropy(np.zeros((0,))).shape == (0,)


class TestImageUncertainty:
    def test_of_an_image_without_boxes_is_zero(self) -> None:
        assert image_uncertainty([], ALIKE) == 0.0

    def test_takes_the_three_highest_scores_of_a_finding(self) -> None:
        boxes = predicted(Finding.ILD, 0.5, 1.0, 1.0, 1.0)

        assert image_uncertainty(boxes, ALIKE) == 0.0

    def test_sums_over_findings_by_their_weight(self) -> None:
        weights = ALIKE.copy()
        weights[Finding.PNEUMOTHORAX] = 4.0
        boxes = predicted(Finding.PNEUMOTHORAX, 0.5) + predicted(Finding.ILD, 0.5, 0.5)

        assert image_uncertainty(boxes, weights) == pytest.approx(4.0 + 2.0)

    @given(st.permutations([0.9, 0.7, 0.4, 0.4, 0.1]))
    def test_does_not_depend_on_the_order_of_boxes(self, scores: list[float]) -> None:
        boxes = predicted(Finding.ILD, *scores) + predicted(Finding.CARDIOMEGALY, *scores)

        assert image_uncertainty(boxes, ALIKE) == image_uncertainty(
            predicted(Finding.CARDIOMEGALY, 0.9, 0.7, 0.4) + predicted(Finding.ILD, 0.9, 0.7, 0.4),
            ALIKE,
        )

    @pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1])
    def test_refuses_a_score_that_is_no_probability(self, score: float) -> None:
        with pytest.raises(InvalidScoreError, match="expected scores in"):
            image_uncertainty(predicted(Finding.ILD, 0.5, 0.6, 0.7, score), ALIKE)

    @pytest.mark.parametrize(
        "weights",
        [
            pytest.param(np.ones(13), id="a finding too few"),
            pytest.param(np.full(14, np.nan), id="not a number"),
            pytest.param(np.full(14, -1.0), id="negative"),
        ],
    )
    def test_refuses_weights_that_are_none(self, weights: NDArray[np.float64]) -> None:
        with pytest.raises(InvalidWeightsError, match="expected 14"):
            image_uncertainty([], weights)
