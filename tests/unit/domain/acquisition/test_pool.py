"""A pool in arrays is what one would reckon image by image."""

from dataclasses import replace
from math import isnan, log2
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.domain.acquisition.confidence import InvalidScoreError
from backend.domain.acquisition.pool import (
    InvalidPoolError,
    ScoredPool,
    pool_from_boxes,
)
from backend.domain.findings import Finding
from tests.unit.domain.acquisition.pools import names, pool_of, table_of

SCORES = st.sampled_from([0.0, 0.03, 0.25, 0.5, 0.5, 0.9, 1.0])
ONE_BOX = st.tuples(
    st.integers(0, 4),
    st.sampled_from([Finding.ILD, Finding.NODULE_MASS, Finding.PNEUMOTHORAX]),
    SCORES,
    st.sampled_from([float("nan"), 0.0, 0.5, 3.0]),
)


class Twin(NamedTuple):
    """What one image and one finding come to, reckoned box by box."""

    share: float
    best: float
    expected: float


def twin(boxes: list[tuple[int, Finding, float, float]], row: int, finding: Finding) -> Twin:
    found = Twin(0.0, 0.0, 0.0)
    own = [(p, v) for at, one, p, v in boxes if (at, one) == (row, finding)]
    for p, v in sorted(((p, 0.0 if isnan(v) else min(v, 1.0)) for p, v in own), reverse=True)[:3]:
        entropy = -sum(part * log2(part) for part in (p, 1 - p) if part > 0)
        found = Twin(found.share + entropy * (1 + 0.5 * v), max(found.best, p), found.expected + p)
    return found


class TestPoolFromBoxes:
    @given(st.lists(ONE_BOX, max_size=30))
    def test_equals_its_plain_twin(self, boxes: list[tuple[int, Finding, float, float]]) -> None:
        pool = pool_from_boxes(names("i", 5), names("p", 5), table_of(boxes))

        for row in range(5):
            twins = [twin(boxes, row, finding) for finding in Finding]
            assert pool.shares[row].tolist() == pytest.approx([one.share for one in twins])
            assert pool.best[row].tolist() == [one.best for one in twins]
            assert pool.boxes[row] == pytest.approx(sum(one.expected for one in twins))

    @given(st.lists(ONE_BOX, max_size=30))
    def test_does_not_depend_on_the_order_of_boxes(
        self, boxes: list[tuple[int, Finding, float, float]]
    ) -> None:
        mixed = sorted(boxes, key=str)

        first, second = (
            pool_from_boxes(names("i", 5), names("p", 5), table_of(one)) for one in (boxes, mixed)
        )

        assert first.shares.tolist() == second.shares.tolist()

    @pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1])
    def test_refuses_a_score_that_is_no_probability(self, score: float) -> None:
        with pytest.raises(InvalidScoreError, match="expected scores in"):
            pool_of(0.5, score)


class TestScoredPool:
    @pytest.mark.parametrize(
        ("column", "values"),
        [
            ("shares", np.full((3, 14), np.nan)),
            ("best", np.full((3, 14), 1.1)),
            ("boxes", np.array([0.0, np.inf, 0.0])),
            ("abnormality", np.array([0.0, -0.1, 0.0])),
            ("unmatched", np.array([0.0, 0.1])),
            ("disputes", np.zeros((3, 13))),
            ("features", np.full((3, 4), np.nan)),
            ("features", np.zeros(3)),
            ("patients", np.array(["p"])),
            ("image_ids", np.array(["i", "j", "i"])),
        ],
    )
    def test_refuses_columns_that_make_no_sense(self, column: str, values: NDArray[Any]) -> None:
        changed: dict[str, Any] = {column: values}

        with pytest.raises(InvalidPoolError, match="expected"):
            replace(pool_of(0.1, 0.2, 0.3), **changed)

    def test_knows_no_disputes_by_itself(self) -> None:
        pool = pool_of(0.1)

        assert isinstance(pool, ScoredPool)
        assert pool.is_candidate.tolist() == [True]
