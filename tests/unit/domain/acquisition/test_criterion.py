"""What images are worth is what one would reckon image by image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.criterion import PARTS, image_values
from backend.domain.acquisition.rarity import finding_weights
from tests.unit.domain.acquisition.pools import rich_evidence, rich_pool


class TestImageValues:
    @given(st.integers(0, 99), st.floats(0, 1))
    def test_equal_their_plain_twin(self, seed: int, exponent: float) -> None:
        pool, evidence = rich_pool(seed, images=5), rich_evidence(seed)
        weights = finding_weights(evidence.positive_images, evidence.average_precision).tolist()

        values = image_values(pool, evidence, CostModel(20.0, 9.0, exponent))

        for row, value in enumerate(values.tolist()):
            shares = pool.shares[row].tolist()
            minutes = (20.0 + 9.0 * float(pool.boxes[row])) / 60.0
            worth = sum(weight * share for weight, share in zip(weights, shares, strict=True))
            assert value == pytest.approx(worth / minutes**exponent)

    def test_are_the_bare_sum_of_entropies_without_the_parts(self) -> None:
        pool, evidence = rich_pool(), rich_evidence()

        values = image_values(pool, evidence, CostModel(), PARTS["entropy-sum"])

        assert np.allclose(values, pool.shares.sum(axis=1))
