"""Intervals of shares that were counted."""

import numpy as np
import pytest
from scipy.stats import beta  # type: ignore[import-untyped]

from backend.domain.counted_share import InvalidCountError, share_interval


class TestShareInterval:
    @pytest.mark.parametrize(
        ("found", "number"), [(1, 2), (3, 180), (50, 120), (7, 9), (400, 5000)]
    )
    def test_is_clopper_and_pearsons(self, found: int, number: int) -> None:
        low, high = share_interval(found, number)

        assert low == pytest.approx(beta.ppf(0.025, found, number - found + 1), abs=1e-9)
        assert high == pytest.approx(beta.ppf(0.975, found + 1, number - found), abs=1e-9)

    @pytest.mark.parametrize("number", [30, 100, 1000])
    def test_follows_the_rule_of_three_when_nothing_was_found(self, number: int) -> None:
        low, high = share_interval(0, number)

        assert low == 0.0
        assert high == pytest.approx(3.0 / number, rel=0.06)
        mirrored, top = share_interval(number, number)
        assert (mirrored, top) == pytest.approx((1.0 - high, 1.0))

    def test_says_nothing_of_an_empty_sample(self) -> None:
        assert share_interval(0, 0) == (0.0, 1.0)

    @pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
    def test_holds_the_truth_as_often_as_it_says(self, share: float) -> None:
        drawn = np.random.default_rng(1).binomial(60, share, 400)
        ends = [share_interval(int(found), 60) for found in drawn]

        assert np.mean([low <= share <= high for low, high in ends]) >= 0.93

    @pytest.mark.parametrize(("found", "number"), [(-1, 3), (4, 3)])
    def test_refuses_impossible_counts(self, found: int, number: int) -> None:
        with pytest.raises(InvalidCountError, match="expected 0 <= found"):
            share_interval(found, number)
