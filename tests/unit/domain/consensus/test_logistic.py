"""Logistic regression: slopes by differences, sums by a slow twin."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.consensus.logistic import (
    Array,
    Slope,
    _weighted_gram,
    binary_slope,
    fit_by_finding,
    logit,
    mixture_slope,
    sigmoid,
)
from tests.unit.domain.consensus.crowds import EFFUSION, THICKENING

seeds = st.integers(0, 2**32 - 1)


class TestSigmoid:
    @given(st.floats(-20.0, 20.0))
    def test_undoes_logit(self, value: float) -> None:
        assert logit(sigmoid(np.array([value])))[0] == pytest.approx(value, rel=1e-6, abs=1e-9)

    def test_does_not_overflow(self) -> None:
        found = sigmoid(np.array([-1e9, 0.0, 1e9]))

        assert found[1] == 0.5
        assert 0.0 < found[0] < 1e-15
        assert found[2] == pytest.approx(1.0)

    def test_keeps_its_distance_from_certainty(self) -> None:
        found = logit(np.array([0.0, 0.5, 1.0]), least=0.1)

        assert found.tolist() == pytest.approx([-np.log(9.0), 0.0, np.log(9.0)])


class TestWeightedGram:
    @given(st.integers(0, 300), st.integers(1, 5), seeds)
    def test_equals_its_slow_twin(self, rows: int, columns: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        features, weights = rng.normal(size=(rows, columns)), rng.random(rows)
        expected = np.zeros((columns, columns))
        for row, weight in zip(features, weights, strict=True):
            for left in range(columns):
                for right in range(columns):
                    expected[left, right] += weight * row[left] * row[right]

        assert _weighted_gram(features, weights) == pytest.approx(expected, abs=1e-9)


def log_likelihood(observed: Array, chance: Array) -> Array:
    return np.where(observed == 1.0, np.log(chance), np.log(1.0 - chance))


class TestSlopes:
    @given(seeds)
    def test_of_a_binary_answer_is_the_likelihoods(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        observed, offset, linear = (
            rng.choice([0.0, 1.0], 5),
            rng.normal(size=5),
            rng.normal(size=5),
        )

        def likelihood(linear: Array) -> Array:
            chance = sigmoid(offset + linear)
            return log_likelihood(observed, chance)

        assert_slope(binary_slope(observed, offset), likelihood, linear)

    @given(seeds)
    def test_of_a_hidden_cause_is_the_likelihoods(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        observed, offset, linear = (
            rng.choice([0.0, 1.0], 5),
            rng.normal(size=5),
            rng.normal(size=5),
        )
        seen = rng.uniform(0.2, 0.9, 5)

        def likelihood(linear: Array) -> Array:
            chance = 0.02 + (seen - 0.02) * sigmoid(offset + linear)
            return log_likelihood(observed, chance)

        assert_slope(mixture_slope(observed, offset, seen, 0.02), likelihood, linear)


def assert_slope(slope: Slope, likelihood: Callable[[Array], Array], linear: Array) -> None:
    """Assert that the score is the difference quotient, of all rows and of some."""
    score, information = slope(linear, slice(None))
    step = 1e-6
    quotient = (likelihood(linear + step) - likelihood(linear - step)) / (2 * step)
    assert score == pytest.approx(quotient, abs=1e-6)
    assert (information > 0).all()
    some, _ = slope(linear[[3, 1]], np.array([3, 1]))
    assert some.tolist() == score[[3, 1]].tolist()


class TestFitByFinding:
    def test_finds_what_is_there(self) -> None:
        rng = np.random.default_rng(0)
        features = np.column_stack([rng.normal(size=20_000), np.ones(20_000)])
        findings = rng.choice([EFFUSION, THICKENING], 20_000)
        true = {EFFUSION: [1.0, -0.5], THICKENING: [-1.0, 0.5]}
        linear = (features * np.array([true[one] for one in findings])).sum(axis=1)
        observed = (rng.random(20_000) < sigmoid(linear)).astype(np.float64)

        found = fit_by_finding(
            features, findings, binary_slope(observed, np.zeros(20_000)), ridge=60.0
        )

        assert found[EFFUSION] == pytest.approx(true[EFFUSION], abs=0.12)
        assert found[THICKENING] == pytest.approx(true[THICKENING], abs=0.12)

    def test_gives_rare_findings_what_all_have_in_common(self) -> None:
        features, findings = np.ones((119, 1)), np.array([EFFUSION] * 100 + [THICKENING] * 19)
        observed = np.array([1.0] * 75 + [0.0] * 25 + [0.0] * 19)

        found = fit_by_finding(
            features, findings, binary_slope(observed, np.zeros(119)), ridge=60.0
        )

        assert found[THICKENING] == found[0]
        assert found[EFFUSION] > found[0] > 0.0

    def test_learns_nothing_from_nothing(self) -> None:
        nothing = np.zeros(0)

        found = fit_by_finding(
            np.zeros((0, 3)),
            np.zeros(0, dtype=np.int64),
            binary_slope(nothing, nothing),
            ridge=60.0,
        )

        assert found.tolist() == [[0.0] * 3] * 14
