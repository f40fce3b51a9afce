"""How unsure a model is."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.confidence import InvalidScoreError, binary_entropy


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

    @pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1])
    def test_refuses_a_score_that_is_no_probability(self, score: float) -> None:
        with pytest.raises(InvalidScoreError, match="expected scores in"):
            binary_entropy(np.array([0.5, score]))
