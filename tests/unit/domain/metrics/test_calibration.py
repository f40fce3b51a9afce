"""Calibration, by hand and by a slow twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.metrics.calibration import (
    UncheckableProbabilityError,
    brier_score,
    expected_calibration_error,
    reliability_curve,
)

forecasts = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.5, 0.9, 1.0]), st.sampled_from([0.0, 1.0])),
    max_size=40,
)


def plain_error(rows: list[tuple[float, float]], bins: int) -> float:
    """Return the calibration error, one bin after the other."""
    ranked = sorted(rows, key=lambda row: row[0])  # stable
    bins = min(bins, len(ranked))
    start, error = 0, 0.0
    for number in range(bins):
        size = len(ranked) // bins + (number < len(ranked) % bins)
        inside = ranked[start : start + size]
        gap = sum(row[0] for row in inside) / size - sum(row[1] for row in inside) / size
        error += size / len(ranked) * abs(gap)
        start += size
    return error


class TestBrierScore:
    def test_is_the_mean_squared_difference(self) -> None:
        assert brier_score(np.array([1.0, 0.5, 0.0]), np.array([1.0, 1.0, 1.0])) == pytest.approx(
            (0 + 0.25 + 1) / 3
        )

    def test_is_undefined_without_predictions(self) -> None:
        assert brier_score(np.zeros(0), np.zeros(0)) is None


class TestExpectedCalibrationError:
    def test_weighs_the_gap_of_every_bin_by_its_size(self) -> None:
        predicted = np.array([0.9, 0.1, 0.3, 0.8, 0.2])
        observed = np.array([1.0, 0.0, 1.0, 1.0, 0.0])

        # Bins .1 .2 .3 (mean .2, observed 1/3) and .8 .9 (mean .85, observed 1)
        assert expected_calibration_error(predicted, observed, bins=2) == pytest.approx(
            3 / 5 * (1 / 3 - 0.2) + 2 / 5 * 0.15
        )

    @given(forecasts, st.integers(1, 20))
    def test_equals_its_slow_twin(self, rows: list[tuple[float, float]], bins: int) -> None:
        predicted, observed = np.array(rows, dtype=np.float64).reshape(-1, 2).T
        error = expected_calibration_error(predicted, observed, bins=bins)

        assert error == (pytest.approx(plain_error(rows, bins)) if rows else None)

    def test_is_near_0_for_predictions_that_come_true_as_often_as_they_say(self) -> None:
        rng = np.random.default_rng(1)
        predicted = rng.random(100_000)
        observed = (rng.random(100_000) < predicted).astype(np.float64)

        assert expected_calibration_error(predicted, observed) == pytest.approx(0.0, abs=0.01)
        assert expected_calibration_error(predicted**2, observed) == pytest.approx(1 / 6, abs=0.01)


class TestReliabilityCurve:
    def test_gives_means_and_counts_of_equally_large_bins(self) -> None:
        predicted = np.array([0.9, 0.1, 0.3, 0.8, 0.2])
        observed = np.array([1.0, 0.0, 1.0, 1.0, 0.0])

        curve = reliability_curve(predicted, observed, bins=2)

        assert curve.predicted == pytest.approx([0.2, 0.85])
        assert curve.observed == pytest.approx([1 / 3, 1.0])
        assert curve.counts.tolist() == [3, 2]

    def test_puts_equal_predictions_into_bins_in_the_order_given(self) -> None:
        curve = reliability_curve(np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.0]), bins=2)

        assert curve.observed.tolist() == [1.0, 0.0]

    def test_has_no_more_bins_than_predictions(self) -> None:
        assert reliability_curve(np.array([0.5]), np.array([1.0])).counts.tolist() == [1]
        assert reliability_curve(np.zeros(0), np.zeros(0)).counts.tolist() == []

    @given(forecasts.filter(bool))
    def test_keeps_the_overall_means(self, rows: list[tuple[float, float]]) -> None:
        predicted, observed = np.array(rows).T
        curve = reliability_curve(predicted, observed)

        assert curve.counts.sum() == len(rows)
        assert np.ptp(curve.counts) <= 1
        assert (np.diff(curve.predicted) >= -1e-12).all()
        for means, values in ((curve.predicted, predicted), (curve.observed, observed)):
            assert np.average(means, weights=curve.counts) == pytest.approx(values.mean())

    @pytest.mark.parametrize(
        ("predicted", "observed", "message"),
        [
            ([0.5, 0.5], [1.0], "expected two rows of one length"),
            ([1.5], [1.0], r"a prediction is not in \[0, 1\]"),
            ([float("nan")], [1.0], r"a prediction is not in \[0, 1\]"),
            ([0.5], [2.0], r"an observation is not in \[0, 1\]"),
        ],
    )
    def test_refuses_what_are_no_probabilities(
        self, predicted: list[float], observed: list[float], message: str
    ) -> None:
        for measure in (brier_score, expected_calibration_error, reliability_curve):
            with pytest.raises(UncheckableProbabilityError, match=message):
                measure(np.array(predicted), np.array(observed))

    def test_refuses_no_bins(self) -> None:
        with pytest.raises(UncheckableProbabilityError, match="at least 1 bin"):
            reliability_curve(np.array([0.5]), np.array([1.0]), bins=0)
