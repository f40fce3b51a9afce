"""What a batch is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.batch import InvalidBatchError, Shares, apportion


class TestShares:
    @pytest.mark.parametrize(
        "wrong",
        [{"quota": -0.1}, {"missed": float("nan")}, {"audit": 1.5}, {"audit": float("nan")}],
    )
    def test_out_of_range_are_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(InvalidBatchError, match="expected"):
            Shares(**wrong)

    def test_of_nothing_but_chance_are_refused(self) -> None:
        with pytest.raises(InvalidBatchError, match="at least one above 0"):
            Shares(0.0, 0.0, 0.0, 0.0, 1.0)


class TestApportion:
    @given(
        st.integers(0, 500),
        st.lists(st.floats(0, 4), min_size=1, max_size=14).filter(lambda some: sum(some) > 1e-6),
        st.integers(0, 9),
    )
    def test_rounds_every_part_up_or_down_and_loses_nothing(
        self, total: int, weights: list[float], seed: int
    ) -> None:
        parts = apportion(total, np.array(weights), np.random.default_rng(seed))

        exact = total * np.array(weights) / sum(weights)
        assert parts.sum() == total
        assert (np.abs(parts - exact) < 1.0 + 1e-6).all()

    def test_gives_small_parts_their_turn(self) -> None:
        weights = np.array([0.9, 0.06, 0.04])
        rng = np.random.default_rng(0)

        parts = sum(apportion(5, weights, rng) for _ in range(1000))

        assert (np.abs(parts - 5000 * weights) < 60).all()
