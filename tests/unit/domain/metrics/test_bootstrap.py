"""Percentile intervals over images, by a slow twin and by what is known of the mean."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.metrics.bootstrap import (
    ImpossibleResamplingError,
    Interval,
    Statistic,
    percentile_intervals,
)
from backend.domain.metrics.quotients import Numbers, quotient


def mean_of(values: Numbers) -> Statistic:
    """Return the statistic that is the mean of a number per image."""
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def mean_of_marked(values: Numbers) -> Statistic:
    """Return the mean of the positive numbers, which some resamples have none of."""
    marked = values > 0
    return lambda weights: quotient(weights @ (values * marked), weights @ marked)[:, None]


class TestPercentileIntervals:
    @given(st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.integers(0, 99))
    def test_equals_its_slow_twin(self, numbers: list[float], seed: int) -> None:
        values = np.array(numbers)
        found = percentile_intervals(
            mean_of(values), len(values), np.random.default_rng(seed), resamples=20, level=0.9
        )

        draws = np.random.default_rng(seed).integers(len(values), size=(20, len(values)))
        means = [values[draw].mean() for draw in draws]
        assert found.estimates[0] == pytest.approx(values.mean(), abs=1e-12)
        assert found.lows[0] == pytest.approx(np.quantile(means, 0.05), abs=1e-12)
        assert found.highs[0] == pytest.approx(np.quantile(means, 0.95), abs=1e-12)

    def test_draws_the_same_whatever_fits_into_memory(self) -> None:
        images, resamples = 300_000, 30  # more than one block
        values = np.arange(images, dtype=np.float64)
        found = percentile_intervals(
            mean_of(values), images, np.random.default_rng(3), resamples=resamples
        )

        rng = np.random.default_rng(3)
        means = [values[rng.integers(images, size=images)].mean() for _ in range(resamples)]
        assert found.lows[0] == pytest.approx(np.quantile(means, 0.025))
        assert found.highs[0] == pytest.approx(np.quantile(means, 0.975))

    def test_of_a_mean_is_two_standard_errors_either_way(self) -> None:
        values = np.repeat([0.0, 1.0], 200)

        interval = percentile_intervals(
            mean_of(values), 400, np.random.default_rng(1), resamples=4000
        ).at(0)

        # The standard error is 0.5 / 20, of which 1.96 either way.
        assert interval.estimate == 0.5
        assert interval.low == pytest.approx(0.451, abs=0.005)
        assert interval.high == pytest.approx(0.549, abs=0.005)

    def test_leaves_resamples_out_in_which_a_number_is_not_defined(self) -> None:
        values = np.array([0.0, 0.0, 0.0, 0.75])  # 0.32 of the resamples miss the last

        interval = percentile_intervals(
            mean_of_marked(values), 4, np.random.default_rng(1), resamples=200
        ).at(0)

        assert interval == Interval(0.75, 0.75, 0.75)

    def test_says_so_where_a_number_is_never_defined(self) -> None:
        nothing = percentile_intervals(mean_of_marked(np.zeros(3)), 3, np.random.default_rng(1))
        no_images = percentile_intervals(mean_of_marked(np.zeros(0)), 0, np.random.default_rng(1))

        assert nothing.at(0) == no_images.at(0) == Interval(None, None, None)

    def test_pairs_two_models_on_the_same_resamples(self) -> None:
        one = np.random.default_rng(1).random(50)
        other = one + 0.125  # always better by as much

        def difference_of(weights: Numbers) -> Numbers:
            return mean_of(other)(weights) - mean_of(one)(weights)

        difference = percentile_intervals(difference_of, 50, np.random.default_rng(2)).at(0)

        assert difference.low == pytest.approx(0.125)
        assert difference.high == pytest.approx(0.125)

    def test_keeps_the_shape_of_the_numbers(self) -> None:
        per_image = np.random.default_rng(1).random((9, 2, 3))

        def sums(weights: Numbers) -> Numbers:
            return np.asarray(np.tensordot(weights, per_image, axes=1), dtype=np.float64)

        found = percentile_intervals(sums, 9, np.random.default_rng(1))

        assert found.estimates.shape == found.lows.shape == found.highs.shape == (2, 3)
        assert found.at(1, 2).estimate == pytest.approx(per_image[:, 1, 2].sum())

    @pytest.mark.parametrize(("resamples", "level"), [(0, 0.95), (10, 0.0), (10, 1.0)])
    def test_refuses_what_is_no_interval(self, resamples: int, level: float) -> None:
        with pytest.raises(ImpossibleResamplingError):
            percentile_intervals(
                mean_of(np.ones(3)),
                3,
                np.random.default_rng(1),
                resamples=resamples,
                level=level,
            )

    def test_takes_a_second_or_two_for_15_000_images(self) -> None:
        per_image = np.random.default_rng(1).random((15_000, 100))
        started = time.process_time()

        percentile_intervals(lambda weights: weights @ per_image, 15_000, np.random.default_rng(1))

        assert time.process_time() - started < 10
