"""How much more a rare finding is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.domain.acquisition.rarity import InvalidCountsError, finding_weights

counts = st.lists(st.integers(0, 100_000), min_size=14, max_size=14).map(np.array)


class TestFindingWeights:
    def test_are_one_before_anything_was_read(self) -> None:
        assert finding_weights(np.zeros(14, dtype=int)).tolist() == [1.0] * 14

    @given(counts)
    def test_fall_as_a_finding_becomes_more_frequent(self, images: NDArray[np.int64]) -> None:
        weights = finding_weights(images)

        assert (np.diff(weights[np.argsort(images)]) <= 0.0).all()
        assert weights.min() >= 0.5
        assert weights.max() <= 4.0

    def test_rise_a_little_for_what_the_model_finds_badly(self) -> None:
        quality = np.array([1.0, 0.0, np.nan] + [0.5] * 11)

        weights = finding_weights(np.zeros(14, dtype=int), quality)

        assert weights[0] == 1.0
        assert weights[1] == weights[2] == pytest.approx(1.2, abs=0.001)
        assert 1.0 < weights[3] < 1.2

    @pytest.mark.parametrize("quality", [np.zeros(13), np.full(14, 1.5)])
    def test_refuses_average_precisions_that_are_none(self, quality: NDArray[np.float64]) -> None:
        with pytest.raises(InvalidCountsError, match="expected 14 average precisions"):
            finding_weights(np.zeros(14, dtype=int), quality)

    @pytest.mark.parametrize("images", [np.zeros(13, dtype=int), np.full(14, -1)])
    def test_refuses_counts_that_are_none(self, images: NDArray[np.int64]) -> None:
        with pytest.raises(InvalidCountsError, match="expected 14 counts"):
            finding_weights(images)
