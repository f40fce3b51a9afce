"""Images that look different from each other."""

from collections import Counter

import numpy as np
import pytest

from backend.domain.acquisition.diversity import normalised, spread_out

GROUPS = np.repeat(np.eye(3), [10, 2, 2], axis=0) * np.arange(1, 15)[:, None]


class TestSpreadOut:
    @pytest.mark.parametrize("seed", range(10))
    def test_takes_one_of_each_kind_before_a_second_of_any(self, seed: int) -> None:
        rng = np.random.default_rng(seed)

        chosen = spread_out(GROUPS, np.ones(14), size=3, rng=rng)

        assert {int(GROUPS[row].argmax()) for row in chosen} == {0, 1, 2}
        assert chosen[0] == 0

    def test_begins_with_what_is_worth_most_and_prefers_what_is_worth_more(self) -> None:
        values = np.ones(14)
        values[3], values[13] = 9.0, 5.0

        second: Counter[int] = Counter()
        for seed in range(400):
            chosen = spread_out(GROUPS, values, size=2, rng=np.random.default_rng(seed))
            assert chosen[0] == 3
            second[int(chosen[1])] += 1

        # the others of another kind are worth 1, 1, 1 and 5
        assert second[13] / 400 == pytest.approx(5 / 8, abs=0.13)

    def test_takes_all_there_are_when_they_look_alike(self) -> None:
        chosen = spread_out(np.ones((4, 2)), np.zeros(4), size=9, rng=np.random.default_rng(0))

        assert chosen.tolist() == [0, 1, 2, 3]

    def test_of_nothing_is_nothing(self) -> None:
        chosen = spread_out(np.empty((0, 2)), np.empty(0), size=3, rng=np.random.default_rng(0))

        assert chosen.tolist() == []


class TestNormalised:
    def test_leaves_rows_of_zeros(self) -> None:
        rows = normalised(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float16))

        assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]
